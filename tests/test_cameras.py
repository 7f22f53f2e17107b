"""The camera: what a field of view means in pixels."""

import math

import numpy as np
import pytest

from regressor.cameras import assumed_fov, intrinsics_from_fov
from regressor.errors import PosecastError


@pytest.mark.parametrize(("fov", "size"), [(40, (1920, 1080)), (75.5, (1080, 1920)), (90, (7, 9))])
def test_the_picture_s_edges_lie_half_the_field_away(fov, size):
    width, height = size
    camera = intrinsics_from_fov(fov, width, height)
    half = math.tan(math.radians(fov / 2))
    corners = np.array([[-half, 0, 1], [half, 0, 1], [0, half * height / width, 1]])
    seen = (camera @ corners.T).T
    assert seen[:, :2] == pytest.approx(
        np.array([[0, height / 2], [width, height / 2], [width / 2, height]])
    )
    assert camera[0, 0] == camera[1, 1] and seen[:, 2] == pytest.approx(1)


@pytest.mark.parametrize("fov", [5, 160])
def test_the_widest_and_the_narrowest(fov):
    assert np.isfinite(intrinsics_from_fov(fov, 640, 480)).all()


@pytest.mark.parametrize("fov", [0, -40, 4.9, 161, 1e9, math.nan, math.inf])
def test_what_is_no_field_of_view(fov):
    with pytest.raises(PosecastError, match=r"A field of view of .+ degrees is none: give 5 to"):
        intrinsics_from_fov(fov, 640, 480)


def test_the_assumed_camera_is_the_same_however_it_is_held():
    """The focal length is the diagonal, so turning the camera changes the field, not the lens."""
    assert assumed_fov(1920, 1080) == pytest.approx(47.1, abs=0.1)
    assert assumed_fov(1080, 1920) == pytest.approx(27.5, abs=0.1)
    for size in ((1920, 1080), (1080, 1920)):
        camera = intrinsics_from_fov(assumed_fov(*size), *size)
        assert camera[0, 0] == pytest.approx(math.hypot(1920, 1080))
