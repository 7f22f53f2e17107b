"""The cameras: what lands where, and the way between the conventions."""

import pytest
import torch

from rendering.cameras import (
    OPENCV_TO_BLENDER,
    OPENCV_TO_PYTORCH3D,
    crop_to_camera,
    pinhole,
    project,
    translation_to_weak,
    weak_to_translation,
)
from rendering.perspective import plain_crop


def test_a_point_straight_ahead_is_in_the_middle_and_right_and_below_are_positive():
    camera = pinhole(500.0, 640, 480)
    seen = project(torch.tensor([[0.0, 0.0, 2.0], [0.4, 0.2, 2.0]]), camera)
    torch.testing.assert_close(seen, torch.tensor([[320.0, 240.0], [420.0, 290.0]]))


def test_one_focal_length_a_picture():
    cameras = pinhole(torch.tensor([100.0, 200.0]), 10, 20)
    assert cameras.shape == (2, 3, 3)
    assert cameras[:, 0, 0].tolist() == cameras[:, 1, 1].tolist() == [100.0, 200.0]


def test_weak_perspective_there_and_back():
    weak = torch.tensor([[0.9, 0.1, -0.2], [0.5, 0.0, 0.3]])
    there = weak_to_translation(weak)
    torch.testing.assert_close(translation_to_weak(there), weak)
    # A point one metre right of the root is s half pictures right of it.
    points = there[:, None] + torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    seen = project(points, pinhole(5000.0, 224, 224))
    torch.testing.assert_close(seen[:, 1, 0] - seen[:, 0, 0], weak[:, 0] * 112, rtol=1e-4, atol=0)


def test_a_crop_s_body_stands_where_the_whole_picture_shows_it():
    camera = pinhole(1200.0, 1920, 1080)[None]
    weak, centre, side = torch.tensor([[0.9, 0.1, -0.2]]), torch.tensor([[400.0, 700.0]]), 300.0
    box = torch.tensor([[250.0, 550.0, side, side]])
    moved = crop_to_camera(weak, plain_crop(box, camera, 224).intrinsics, 224)
    seen = project(moved[:, None], camera)[0, 0]
    in_crop = weak[0, 1:] * weak[0, 0] * side / 2  # px from the crop's centre
    torch.testing.assert_close(seen, centre[0] + in_crop)


@pytest.mark.parametrize("change", [OPENCV_TO_PYTORCH3D, OPENCV_TO_BLENDER])
def test_changes_of_axes_are_rotations_and_their_own_inverse(change):
    torch.testing.assert_close(change @ change, torch.eye(3))
    assert torch.linalg.det(change) == 1
