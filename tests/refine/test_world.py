"""The world: z up, the floor under the feet, the camera's tilt, and a camera that moves."""

import numpy as np
import pytest
import roma
import torch

from regressor.refine.contacts import SolePoints, detect
from regressor.refine.world import (
    World,
    apply,
    axes,
    ground,
    level_with,
    onto_floor,
    shifted,
    to_world,
    upright,
    view_of,
)
from regressor.smpl.fit import posed_joints
from tests.refine.demo import BODY, FPS, walk

PELVIS = 0
# From z up to a level camera's axes (x right, y down, z forward).
LEVEL = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def seen_by(tilt_deg: float, drift=0.0):
    """Rotations (T, 24, 3), pelvis (T, 3), joints (T, 24, 3) of a camera tilted down."""
    true = walk()
    down = roma.rotvec_to_rotmat(torch.tensor([np.radians(tilt_deg), 0.0, 0.0])).numpy()
    turn = torch.as_tensor(down @ LEVEL, dtype=torch.float32)
    moved = torch.arange(len(true.pelvis))[:, None] / FPS * drift * torch.tensor([1.0, 0.0, 0.0])
    pelvis = true.pelvis @ turn.T + torch.tensor([0.0, 0.8, 4.5]) + moved
    first = roma.rotmat_to_rotvec(turn @ roma.rotvec_to_rotmat(true.rotations[:, 0]))
    rotations = torch.cat([first[:, None], true.rotations[:, 1:]], dim=1)
    turned, joints = posed_joints(BODY, rotations, pelvis, true.betas)
    ends = SolePoints(BODY)(turned, joints, true.betas).numpy()
    return rotations, pelvis, joints.numpy(), ends, down


def placed(tilt_deg: float, moves: bool, drift=0.0):
    rotations, pelvis, joints, ends, down = seen_by(tilt_deg, drift)
    up = upright(joints)
    standing = detect(ends, up, FPS).any(axis=2)
    lowest = np.take_along_axis(ends, (ends @ up).argmin(axis=2)[..., None, None], 2)[:, :, 0]
    world = to_world(joints, lowest, standing, FPS, moves)
    return world, joints, ends, rotations, pelvis, down


@pytest.mark.parametrize("tilt_deg", [-10, 0, 12, 20])
def test_the_tilt_is_recovered(tilt_deg):
    world, *_, down = placed(tilt_deg, False)
    true_up = down @ [0, -1, 0]
    assert np.degrees(np.arccos(world.rotation[2] @ true_up)) < 5


def test_the_person_stands_upright_on_the_floor():
    world, joints, ends, rotations, pelvis, _ = placed(12, False)
    turned, moved = apply(world, rotations[:, 0], pelvis)
    rotations = torch.cat([turned[:, None], rotations[:, 1:]], dim=1)
    placed_joints = posed_joints(BODY, rotations, moved, walk().betas)[1].numpy()
    expected = joints @ world.rotation.T + world.shift[:, None]
    np.testing.assert_allclose(placed_joints, expected, atol=1e-4)
    feet = (ends @ world.rotation.T + world.shift[:, None, None])[..., 2]
    assert (placed_joints[:, 15, 2] > 1.2).all()  # the head
    assert abs(np.median(feet.min(axis=(1, 2)))) < 0.02
    np.testing.assert_allclose(
        placed_joints[0, PELVIS, :2], 0, atol=1e-4
    )  # it starts at the origin


@pytest.mark.parametrize("moves", [False, True])
def test_the_camera_sees_the_world_as_it_saw_the_person(moves):
    world, joints, *_ = placed(8, moves, drift=0.5)
    moved = 0.03 * np.sin(np.arange(len(joints)) / 9)[:, None] * np.ones(3)
    for place, shift in ((world, 0 * moved), (shifted(world, moved, FPS, moves), moved)):
        in_world = joints @ world.rotation.T + (world.shift + shift)[:, None]
        extrinsics = place.extrinsics()
        back = in_world @ extrinsics[:, :3, :3].transpose(0, 2, 1) + extrinsics[:, None, :3, 3]
        np.testing.assert_allclose(back, joints, atol=1e-6 if place is world else 0.07)
        if not moves:
            assert np.ptp(extrinsics, axis=0).max() < 1e-9


def test_under_a_moving_camera_the_person_stays_in_place():
    world, joints, *_ = placed(5, True, drift=2.0)
    path = (joints[:, PELVIS] @ world.rotation.T + world.shift)[:, :2]
    assert np.linalg.norm(path, axis=1).max() < 0.4  # over 10 m of the camera's way
    still, *_ = placed(5, False, drift=2.0)
    assert np.linalg.norm(np.ptp(joints[:, PELVIS] @ still.rotation.T + still.shift, axis=0)) > 5


def test_axes_are_a_rotation_with_its_third_row_up():
    for up in ([0, -1, 0], [0.1, -0.9, -0.3]):
        up = np.array(up) / np.linalg.norm(up)
        rotation = axes(up)
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(rotation @ up, [0, 0, 1], atol=1e-12)
        assert np.linalg.det(rotation) > 0


def test_one_low_outlier_is_not_the_floor():
    heights = np.full(100, 0.1)
    heights[40] = -1
    np.testing.assert_allclose(ground(heights, FPS, wandering=False), 0.1)


def test_nobody_standing_is_a_level_camera():
    lying = np.zeros((5, 24, 3))
    lying[:, 12, 0] = 1.0  # the neck beside the feet
    np.testing.assert_allclose(upright(lying), [0, -1, 0])
    assert isinstance(to_world(lying, lying[:, :2], np.ones((5, 2), bool), FPS, False), World)


def test_people_share_a_floor():
    """Somebody estimated 10 % too near stands on the other's floor, where their feet are seen."""
    world, *_, pelvis, _ = placed(12, moves=False)
    level, height = view_of(world.extrinsics()[0])
    np.testing.assert_allclose(level, world.rotation[2], atol=1e-9)
    near = pelvis.numpy() * 0.9
    wrong = World(world.rotation, world.shift * [1, 1, 0.9])
    back = near + onto_floor(wrong, near, height)
    under, moved = (points @ world.rotation.T for points in (near, back))
    assert moved[:, 2] == pytest.approx(under[:, 2] - 0.1 * height, abs=1e-6)
    # What is under the pelvis on the floor stays on its ray from the camera.
    floor, lower = under[:, :2] / (0.9 * height), moved[:, :2] / height
    np.testing.assert_allclose(lower, floor, atol=1e-6)


def test_up_that_is_known_is_taken():
    _, pelvis, joints, ends, _ = seen_by(10)
    up = np.array([0.05, -0.99, -0.12]) / np.linalg.norm([0.05, -0.99, -0.12])
    lowest = ends.min(axis=2)
    standing = np.ones(lowest.shape[:2], bool)
    world = to_world(joints, lowest, standing, FPS, False, up)
    np.testing.assert_allclose(world.rotation[2], up, atol=1e-9)
    assert len(pelvis) == len(world.shift)


def test_people_far_apart_tell_the_floor_s_slope_and_near_ones_hardly():
    up = np.array([0.0, -1.0, 0.0])
    lean = np.radians(6)
    leaning = np.array([np.sin(lean), -np.cos(lean), 0.0])
    far = level_with(leaning, np.array([[-2.5, 1.2, 3.0], [2.5, 1.2, 3.0]]))
    near = level_with(leaning, np.array([[-0.2, 1.2, 3.0], [0.2, 1.2, 3.0]]))
    assert np.degrees(np.arccos(far @ up)) < 0.8
    assert 5 < np.degrees(np.arccos(near @ up)) < 6
    # Feet one behind the other say nothing of a lean aside.
    behind = level_with(leaning, np.array([[0.0, 1.2, 3.0], [0.0, 1.2, 6.0]]))
    np.testing.assert_allclose(behind, leaning, atol=1e-6)


def test_feet_far_below_tell_less_of_the_floor_s_slope():
    """There a distance that is a little wrong is a large step up or down."""
    leaning = np.array([np.sin(0.1), -np.cos(0.1), 0.0])
    low, high = (
        level_with(leaning, np.array([[-2.5, height, 6.0], [2.5, height, 6.0]]))[0]
        for height in (1.2, 4.0)
    )
    assert 0 < low < 0.015 and 0.04 < high < 0.07
