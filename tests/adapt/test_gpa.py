"""Global position alignment against the authors' function."""

import torch

from regressor.adapt import gpa
from tests.lifters.published import golden

_, ARRAYS = golden("poseda_gpa")
STORED = {name: torch.from_numpy(ARRAYS[name]) for name in ARRAYS}


def paired() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    pairing = STORED["pairing"]
    return STORED["source_3d"], STORED["target_2d"][pairing], STORED["camera"][pairing]


def test_poses_are_placed_as_the_authors_do():
    poses, targets, cameras = paired()
    aligned = gpa.align(poses, targets, cameras)
    torch.testing.assert_close(aligned, STORED["aligned"], atol=1e-5, rtol=0)
    seen = gpa.project(aligned, cameras)
    torch.testing.assert_close(seen, STORED["projected"], atol=1e-5, rtol=0)
    torch.testing.assert_close(seen[:, 0], targets[:, 0])


def test_each_pose_is_placed_by_its_own_camera():
    poses, targets, cameras = paired()
    cameras = cameras * torch.tensor([[1.0], [2], [3], [1], [2], [3]])
    together = gpa.align(poses, targets, cameras)
    for i in range(6):
        alone = gpa.align(poses[i : i + 1], targets[i : i + 1], cameras[i : i + 1])
        torch.testing.assert_close(together[i], alone[0])


def test_nobody_comes_too_near_and_no_target_is_too_small():
    poses, targets, cameras = paired()
    huge = gpa.align(poses, 100 * targets, cameras)
    torch.testing.assert_close(huge[:, 0, 2], torch.ones(6))
    assert torch.isfinite(gpa.align(poses, targets[:, :1].expand_as(targets), cameras)).all()


def test_what_is_near_or_outside_is_noticed():
    points = torch.tensor([0.0, 0.0, 3.0]).expand(5, 4, 2, 3).clone()
    points[1, 2, 1, 2] = 0.4
    points[2, 0, 0, 2] = -3.0
    cameras = torch.tensor([2.0, 2.0, 0.0, 0.0]).expand(5, 4)
    points[3, 1, 1, 1] = 1.05  # at 0.7 of half the width, in a picture that is 0.56 high
    points[4, 1, 1, 0] = 1.05
    screen = gpa.project(points, cameras)
    whole = gpa.seen_whole(points, screen, torch.full((5,), 0.5625))
    assert whole.tolist() == [True, False, False, False, True]
