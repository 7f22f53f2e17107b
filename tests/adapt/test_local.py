"""Joints to bones and back, and the augmentation of windows."""

import pytest
import roma
import torch

from regressor.adapt import bones, local
from regressor.adapt.generator import Generator
from regressor.skeletons import H36M17


@pytest.fixture
def windows() -> torch.Tensor:
    """(4, 5, 17, 3): people who walk, turn and bend a little before the camera."""
    torch.manual_seed(0)
    still = torch.randn(4, 1, 17, 3) * 0.3
    steps = torch.arange(5.0)[:, None, None] * torch.tensor([0.05, 0, 0.02])
    return still + steps + 0.02 * torch.randn(4, 5, 17, 3) + torch.tensor([0, 0, 4.0])


@pytest.fixture
def generator() -> Generator:
    torch.manual_seed(1)
    return Generator(dim=16, depth=1)


def test_bones_are_poseaug_s():
    pairs = list(zip(bones.PARENTS, bones.CHILDREN, strict=True))
    assert pairs == [(0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6), (0, 7), (7, 8), (8, 9),
                     (8, 10), (10, 11), (11, 12), (8, 13), (13, 14), (14, 15)]  # fmt: skip


def test_bones_become_the_joints_again(windows):
    joints = bones.to16(windows)
    about = joints - joints[..., :1, :]
    torch.testing.assert_close(bones.joints_of(bones.vectors_of(joints)), about)


def test_the_nose_comes_back_where_it_was(windows):
    torch.testing.assert_close(bones.to17(bones.to16(windows), windows), windows)
    turn = roma.random_rotmat(1)[0]
    moved = 1.3 * windows @ turn.mT + 0.5
    found = bones.to17(bones.to16(moved), windows)
    nose, thorax = (H36M17.index(name) for name in ("nose", "thorax"))
    before = (windows[..., nose, :] - windows[..., thorax, :]).norm(dim=-1)
    after = (found[..., nose, :] - found[..., thorax, :]).norm(dim=-1)
    torch.testing.assert_close(after, 1.3 * before)


def test_the_middle_frame_is_the_generator_s(windows, generator):
    noise = torch.randn(3, 4, 48)
    middle = bones.to16(windows[:, 2])
    expected = generator(middle, noise)
    joints, _ = local.apply(expected.change, windows, windows)
    rotated = expected.rotated + middle[:, :1]
    torch.testing.assert_close(bones.to16(joints[:, 2]), rotated, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(joints[:, 2, 0], windows[:, 2, 0])


def test_a_window_keeps_its_lengths_and_turns_as_a_whole(windows, generator):
    noise = torch.randn(3, 4, 48)
    joints, seen = local.augment(generator, windows, windows + 0.01, noise)
    change = local.change_for(generator, windows, noise)
    before, after = (bones.vectors_of(bones.to16(w)).norm(dim=-1) for w in (windows, joints))
    torch.testing.assert_close(after, before * (1 + change.ratios[:, None]))
    turn = roma.rotvec_to_rotmat(change.rotation)
    path, old = (w[:, :, 0] - w[:, 2:3, 0] for w in (joints, windows))
    torch.testing.assert_close(path, old @ turn.mT, atol=1e-5, rtol=1e-5)
    offset = torch.full((17, 3), 0.01) @ turn.mT
    torch.testing.assert_close(seen - joints, offset[:, None].expand(4, 5, 17, 3),
                               atol=1e-5, rtol=1e-4)  # fmt: skip


def test_who_turns_takes_the_change_along(windows, generator):
    """A window of one pose that turns: each frame is the middle one, turned."""
    pose = windows[:, 2] - windows[:, 2, :1]
    turns = roma.rotvec_to_rotmat(torch.arange(-2.0, 3)[:, None] * torch.tensor([0.1, 0.5, 0.2]))
    turning = pose[:, None] @ turns.mT
    change = local.change_for(generator, turning, torch.randn(3, 4, 48))
    change.rotation.zero_()
    joints, _ = local.apply(change, turning, turning)
    torch.testing.assert_close(joints, joints[:, 2:3] @ turns.mT, atol=1e-5, rtol=1e-4)
