"""What a network says of single pictures becomes one person's motion."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import roma
import torch

from regressor.cameras import Camera, intrinsics_from_fov
from regressor.detection import Track
from regressor.images import films
from regressor.images.predict import Shot
from regressor.progress import Progress
from regressor.smpl import load_body
from regressor.smpl.fit import Fit, posed_joints
from regressor.smpl.landmarks import RidingLandmarks
from tests.smpl.posed import swinging

FRAMES, FPS = 24, 25.0
BODY = load_body()
BETAS = torch.tensor([0.6, -0.5, 0.4, 0.3, -0.3, 0.2, 0, 0, 0.1, -0.1])
TURNED = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # upright and facing the camera
pytestmark = pytest.mark.usefixtures("one_thread")
NO_VIDEO: Any = None  # what the pictures said is known already


@pytest.fixture(scope="module")
def truth() -> Fit:
    """Somebody who moves and walks aside."""
    rotations = swinging(FRAMES, FPS)
    first = TURNED @ roma.rotvec_to_rotmat(rotations[:, 0])
    rotations[:, 0] = roma.rotmat_to_rotvec(first)
    aside = torch.linspace(-0.3, 0.3, FRAMES)
    pelvis = torch.stack([aside, torch.zeros(FRAMES), torch.full((FRAMES,), 4.0)], 1)
    return Fit(rotations, pelvis, BETAS)


@pytest.fixture(scope="module")
def shot(truth) -> Shot:
    camera = Camera(intrinsics_from_fov(50.0, 960, 540), 50.0, "given")
    posed = *posed_joints(BODY, truth.rotations, truth.pelvis, truth.betas), truth.betas
    pixels = RidingLandmarks(BODY, "mediapipe33")(*posed).numpy() @ camera.intrinsics.T
    keypoints = (pixels[..., :2] / pixels[..., 2:]).astype(np.float32)
    track = Track(
        frames=np.arange(FRAMES),
        times=np.arange(FRAMES) / FPS,
        boxes=np.concatenate([keypoints.min(axis=1), keypoints.max(axis=1)], axis=1),
        keypoints=keypoints,
        confidence=np.ones((FRAMES, 33), np.float32),
        observed=np.ones(FRAMES, bool),
        skeleton="mediapipe33",
    )
    return Shot(NO_VIDEO, (None, None, None), FPS, camera, track, BODY)


@pytest.fixture(scope="module")
def seen(truth) -> Fit:
    """As a network sees each picture: wrong anew in each, and of a body of its own."""
    generator = torch.Generator().manual_seed(0)
    wrong = 0.25 * torch.randn(FRAMES, 24, 3, generator=generator)
    turned = roma.rotvec_to_rotmat(truth.rotations) @ roma.rotvec_to_rotmat(wrong)
    near = truth.pelvis * torch.tensor([1, 1, 0.9])
    return Fit(roma.rotmat_to_rotvec(turned), near, torch.zeros(10))


def joints_of(motion: Fit) -> torch.Tensor:
    """(T, 24, 3) m."""
    return posed_joints(BODY, motion.rotations, motion.pelvis, motion.betas)[1]


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """Mean distance of joints (T, 24, 3) from the pelvis on, m."""
    return float((one - one[:, :1] - other + other[:, :1]).norm(dim=-1).mean())


def test_a_film_is_truer_and_steadier_than_its_pictures(truth, shot, seen):
    found = films.over_time(shot, seen, Progress())
    true, before, after = (joints_of(motion) for motion in (truth, seen, found))
    assert apart(after, true) < 0.4 * apart(before, true)
    assert apart(after.diff(dim=0), true.diff(dim=0)) < 0.2 * apart(
        before.diff(dim=0), true.diff(dim=0)
    )
    assert found.betas.shape == (10,) and found.betas.any()
    assert float((found.pelvis / found.pelvis[:, 2:] - truth.pelvis / 4.0).abs().max()) < 0.02


def test_a_neutral_body_keeps_its_shape(shot, seen):
    assert not films.over_time(replace(shot, neutral=True), seen, Progress()).betas.any()


def test_a_single_picture_is_brought_to_its_keypoints(truth, shot, seen):
    track = shot.track
    first = {
        name: value[:1] for name, value in vars(track).items() if isinstance(value, np.ndarray)
    }
    one = replace(shot, track=Track(**{**vars(track), **first}))
    before = Fit(seen.rotations[:1], seen.pelvis[:1], seen.betas)
    found = films.over_time(one, before, Progress())
    true = joints_of(truth)[:1]
    assert apart(joints_of(found), true) < 0.7 * apart(joints_of(before), true)
    points = RidingLandmarks(BODY, "mediapipe33")(
        *posed_joints(BODY, found.rotations, found.pelvis, found.betas), found.betas
    )
    pixels = points.numpy() @ shot.camera.intrinsics.T
    miss = pixels[..., :2] / pixels[..., 2:] - one.track.keypoints
    assert np.linalg.norm(miss, axis=-1).mean() < 5


def test_without_sure_keypoints_it_is_what_the_network_says(shot, seen):
    unsure = Track(**{**vars(shot.track), "confidence": 0.2 * shot.track.confidence})
    assert films.over_time(replace(shot, track=unsure), seen, Progress()) is seen


def test_a_picture_is_trusted_by_its_keypoints(truth, shot):
    even = films.trust_in(shot, truth)
    assert even.min() > 0.95
    rotations, confidence = truth.rotations.clone(), shot.track.confidence.copy()
    rotations[5, 1:] = 0  # not as the keypoints are
    confidence[9], confidence[10] = 0.5, 0
    track = Track(**{**vars(shot.track), "confidence": confidence})
    trust = films.trust_in(replace(shot, track=track), replace(truth, rotations=rotations))
    assert trust[5] < 0.3 and trust[9] < 0.6 and 0 < trust[10] < 0.01
    torch.testing.assert_close(trust[[0, 4, 11]], even[[0, 4, 11]])


def test_what_was_not_observed_is_bridged(truth):
    observed = torch.ones(FRAMES, dtype=torch.bool)
    observed[8:13] = False
    rotations = truth.rotations.clone()
    rotations[8:13] = torch.randn(5, 24, 3, generator=torch.Generator().manual_seed(0))
    found = films.steadied(rotations, torch.where(observed, 1.0, 1e-3), observed, FPS)
    turned, true = roma.rotvec_to_rotmat(found), roma.rotvec_to_rotmat(truth.rotations)
    assert roma.rotmat_geodesic_distance(turned, true).rad2deg().mean() < 3


def test_a_runners_strides_stay():
    """1.4 strides a second, and the noise of single frames is more than halved."""
    times = torch.arange(60) / 30.0
    angles = torch.sin(2 * torch.pi * 1.4 * times)
    rotations = torch.zeros(60, 24, 3)
    rotations[:, 1, 0] = angles
    noise = 0.1 * torch.randn(60, generator=torch.Generator().manual_seed(0))
    rotations[:, 2, 0] = noise
    always = torch.ones(60, dtype=torch.bool)
    found = films.steadied(rotations, torch.ones(60), always, 30.0)
    swing = (found[:, 1, 0] * angles).sum() / angles.square().sum()
    assert 0.8 < swing <= 1 and found[:, 2, 0].std() < 0.5 * noise.std()
