"""Feet that stand are found and held; none goes through the floor."""

import numpy as np
import pytest
import torch

from regressor.refine.contacts import SolePoints, detect, plant, runs, two_bones
from regressor.smpl.fit import posed_joints
from tests.refine.demo import BODY, FPS, TRUTH, walk

UP = np.array([0.0, 0.0, 1.0])
SOLES = SolePoints(BODY)


def soles(rotations, pelvis, betas) -> np.ndarray:
    """(T, 2 feet, 2 ends, 3)."""
    turned, joints = posed_joints(BODY, rotations, pelvis, betas)
    return SOLES(turned, joints, betas).numpy()


def sliding(ends: np.ndarray, standing: np.ndarray) -> np.ndarray:
    """Horizontal speeds, m/s, of the slower end of feet that stand (T, 2) in both frames."""
    speed = np.linalg.norm(np.diff(ends[..., :2], axis=0), axis=-1).min(axis=2) * FPS
    return speed[standing[1:] & standing[:-1]]


@pytest.fixture(scope="module")
def slipping():
    """The walk on ice, on soft ground, and shaking: 8 cm of slow drift, 3 cm up and down."""
    true = walk()
    times = torch.arange(len(true.pelvis)) / FPS
    drift = [
        0.08 * torch.sin(1.7 * times),
        0.05 * torch.cos(2.3 * times),
        0.03 * torch.sin(2 * times),
    ]
    slip = torch.stack(drift, dim=1)
    noise = 0.003 * torch.randn(len(times), 3, generator=torch.Generator().manual_seed(0))
    return true.rotations, true.pelvis + slip + noise, true.betas


def test_the_walker_s_steps_are_found():
    true = walk()
    bearing = detect(soles(true.rotations, true.pelvis, true.betas), UP, FPS).any(axis=2)
    assert (bearing == TRUTH.contacts).mean() > 0.85


def test_the_true_walk_stays_as_it_is():
    true = walk()
    rotations, pelvis, _ = plant(BODY, true.rotations, true.pelvis, true.betas, FPS, in_place=False)
    before = posed_joints(BODY, true.rotations, true.pelvis, true.betas)[1]
    after = posed_joints(BODY, rotations, pelvis, true.betas)[1]
    apart = (after - before).norm(dim=-1)
    assert apart.mean() < 0.02


def test_slipping_feet_are_held(slipping):
    rotations, pelvis, contacts = plant(BODY, *slipping, FPS, in_place=False)
    before, after = soles(*slipping), soles(rotations, pelvis, slipping[2])
    assert np.median(sliding(before, contacts)) > 0.05  # or the test would say nothing
    assert np.median(sliding(after, contacts)) < 0.01
    assert np.percentile(sliding(after, contacts), 90) < 0.05
    assert after[..., 2].min() > -0.005
    assert torch.isfinite(rotations).all() and torch.isfinite(pelvis).all()


def test_in_place_only_heights_are_put_right(slipping):
    rotations, pelvis, _ = plant(BODY, *slipping, FPS, in_place=True)
    torch.testing.assert_close(pelvis[:, :2], slipping[1][:, :2])
    assert soles(rotations, pelvis, slipping[2])[..., 2].min() > -0.005


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_few_frames_are_enough(frames, slipping):
    rotations, pelvis, contacts = plant(
        BODY, slipping[0][:frames], slipping[1][:frames], slipping[2], FPS, in_place=False
    )
    assert rotations.shape == (frames, 24, 3) and contacts.shape == (frames, 2)
    assert torch.isfinite(rotations).all() and torch.isfinite(pelvis).all()


def test_runs_are_found():
    assert runs(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs(np.zeros(3, bool)) == []


def test_a_leg_reaches_its_target_and_keeps_its_lengths():
    true = walk()
    turned, joints = posed_joints(BODY, true.rotations, true.pelvis, true.betas)
    hip, knee, ankle = 1, 4, 7
    target = joints[:, ankle] + torch.tensor([0.03, -0.02, 0.04])
    fixed = two_bones(turned, joints, (hip, knee, ankle), target)
    rest = BODY.joints_at_rest(true.betas)
    bent = joints[:, hip] + fixed[:, hip] @ (rest[knee] - rest[hip])
    reached = bent + fixed[:, knee] @ (rest[ankle] - rest[knee])
    torch.testing.assert_close(reached, target, atol=2e-3, rtol=0)
    torch.testing.assert_close(fixed[:, ankle], turned[:, ankle])  # the foot keeps its direction


def test_in_one_frame_a_raised_foot_does_not_bear():
    ends = np.zeros((1, 2, 2, 3))
    ends[0, 1, :, 2] = 0.4
    bearing = detect(ends, UP, 30.0)
    assert bearing[0, 0].all() and not bearing[0, 1].any()
