"""From 17 joints to a pose, and from a whole track to the body that it was projected from."""

from dataclasses import dataclass

import numpy as np
import pytest
import roma
import torch

from regressor.skeletons import H36M17, SMPL24
from regressor.smpl import load_body
from regressor.smpl.body import chain
from regressor.smpl.fit import Fit, FitWeights, fit, limits, posed_joints
from regressor.smpl.landmarks import RidingLandmarks
from regressor.smpl.start import smallest_rotation, start_pose
from tests.smpl.posed import pose, random_poses, swinging

BODY = load_body()
INTRINSICS = np.array([[900.0, 0, 480], [0, 900.0, 360], [0, 0, 1]])
BETAS = torch.tensor([0.6, -0.5, 0.4, 0.3, -0.3, 0.2, 0, 0, 0.1, -0.1])
FPS = 25.0
TURNED = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # upright and facing the camera
pytestmark = pytest.mark.usefixtures("one_thread")


@dataclass
class Seen:
    """A posed body before a camera: its joints (T, 24, 3), and what `fit` takes of it."""

    joints: torch.Tensor
    lifted: np.ndarray
    keypoints: np.ndarray
    boxes: np.ndarray

    def fit(self, **options) -> Fit:
        return fit(
            BODY,
            self.lifted,
            self.keypoints,
            np.ones(self.keypoints.shape[:2], np.float32),
            "mediapipe33",
            self.boxes,
            INTRINSICS,
            FPS,
            **options,
        )


def seen(frames: int) -> Seen:
    turned, joints = pose(BODY, swinging(frames, FPS), BETAS)
    away = torch.stack([0.4 * torch.arange(frames) / FPS, torch.zeros(frames)], -1)
    place = torch.cat([away, torch.full((frames, 1), 3.8)], -1)[:, None]
    turned, joints = TURNED @ turned, joints @ TURNED.T + place
    human = RidingLandmarks(BODY, "h36m17")(turned, joints, BETAS)
    points = RidingLandmarks(BODY, "mediapipe33")(turned, joints, BETAS).numpy()
    pixels = points @ INTRINSICS.T
    pixels = pixels[..., :2] / pixels[..., 2:]
    boxes = np.concatenate([pixels.min(1), pixels.max(1)], axis=1)
    return Seen(joints, (human - human[:, :1]).numpy(), pixels, boxes)


@pytest.fixture(scope="module")
def film() -> Seen:
    return seen(40)


@pytest.fixture(scope="module")
def found(film) -> Fit:
    return film.fit()


def reprojection(film: Seen, found: Fit) -> np.ndarray:
    """(T, 33) distances in shares of the box's height."""
    turned, joints = posed_joints(BODY, found.rotations, found.pelvis, found.betas)
    points = (
        RidingLandmarks(BODY, "mediapipe33")(turned, joints, found.betas).numpy() @ INTRINSICS.T
    )
    apart = np.linalg.norm(points[..., :2] / points[..., 2:] - film.keypoints, axis=-1)
    return apart / (film.boxes[:, 3] - film.boxes[:, 1])[:, None]


def test_a_projected_body_is_recovered(film, found):
    _, joints = posed_joints(BODY, found.rotations, found.pelvis, found.betas)
    apart = (joints - joints[:, :1] - film.joints + film.joints[:, :1]).norm(dim=-1)
    assert apart.mean() < 0.025
    assert np.median(reprojection(film, found)) < 0.01
    # Where it stands: the direction to a centimetre, the distance to a few per cent.
    off = (found.pelvis - film.joints[:, 0]).abs().mean(0)
    assert off[:2].max() < 0.04 and off[2] < 0.2


def test_joints_stay_human(found):
    low, high, _ = limits()
    angles = found.rotations[:, 1:]
    beyond = (angles - high).clamp(min=0) + (low - angles).clamp(min=0)
    assert beyond.max() < 0.25
    for side, sign in (("left", 1), ("right", -1)):
        knee = found.rotations[:, SMPL24.index(f"{side}_knee")]
        elbow = found.rotations[:, SMPL24.index(f"{side}_elbow")]
        assert knee[:, 0].min() > -0.1 and knee[:, 1:].abs().max() < 0.5
        assert (sign * elbow[:, 1]).max() < 0.2


def test_betas_are_those_of_a_person(found):
    assert torch.isfinite(found.betas).all() and found.betas.abs().max() < 3


@pytest.mark.parametrize("frames", [1, 2])
def test_the_shortest_tracks_are_fitted(frames):
    film = seen(frames)
    found = film.fit(weights=FitWeights(iterations=80))
    assert found.rotations.shape == (frames, 24, 3) and found.pelvis.shape == (frames, 3)
    assert all(torch.isfinite(x).all() for x in (found.rotations, found.pelvis, found.betas))
    assert np.median(reprojection(film, found)) < 0.02


def test_unseen_frames_are_bridged(film):
    """Frames of confidence 0 follow from the joints and from their neighbours."""
    confidence = np.ones(film.keypoints.shape[:2], np.float32)
    confidence[15:19] = 0
    keypoints = np.where(confidence[..., None] > 0, film.keypoints, 0)
    found = fit(
        BODY, film.lifted, keypoints, confidence, "mediapipe33", film.boxes, INTRINSICS, FPS
    )
    assert torch.isfinite(found.pelvis).all()
    assert (found.pelvis[15:19] - film.joints[15:19, 0]).norm(dim=-1).max() < 0.5


def test_progress_is_reported(film):
    calls = []
    seen(3).fit(weights=FitWeights(iterations=4), report=lambda *step: calls.append(step))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_start_lays_limbs_where_they_are():
    poses = random_poses(20, seed=3)
    turned, joints = pose(BODY, poses, torch.zeros(10))
    landmarks = RidingLandmarks(BODY, "h36m17")
    wanted = landmarks(turned, joints, torch.zeros(10))
    started = landmarks(*chain(start_pose(wanted, BODY), BODY.rest_joints), torch.zeros(10))
    apart = (started - started[:, :1] - wanted + wanted[:, :1]).norm(dim=-1)
    assert apart.mean() < 0.03, dict(zip(H36M17, apart.mean(0).tolist(), strict=True))


def test_the_start_bends_hinges_the_human_way():
    poses = random_poses(20, seed=4)
    wanted = RidingLandmarks(BODY, "h36m17")(*pose(BODY, poses, torch.zeros(10)), torch.zeros(10))
    local = roma.rotmat_to_rotvec(start_pose(wanted, BODY))
    for side, sign in (("left", 1), ("right", -1)):
        for part, axis, way in (("knee", 0, 1), ("elbow", 1, -sign)):
            joint = SMPL24.index(f"{side}_{part}")
            bent = poses[:, joint, axis].abs() > 0.5
            assert (way * local[bent, joint, axis] > 0).all(), part


def test_a_person_stretched_out_starts_without_nan():
    """Straight limbs have no hinge, and a person without extent no directions."""
    rest = RidingLandmarks(BODY, "h36m17")(
        *pose(BODY, torch.zeros(1, 24, 3), torch.zeros(10)), torch.zeros(10)
    )
    for joints in (rest, torch.zeros(1, 17, 3)):
        assert torch.isfinite(start_pose(joints, BODY)).all()


def test_smallest_rotations_turn_one_direction_into_another():
    generator = torch.Generator().manual_seed(0)
    one, other = torch.nn.functional.normalize(torch.randn(2, 50, 3, generator=generator), dim=-1)
    turned = (smallest_rotation(one, other) @ one[..., None])[..., 0]
    torch.testing.assert_close(turned, other, atol=1e-5, rtol=0)
