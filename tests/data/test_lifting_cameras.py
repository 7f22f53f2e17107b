"""Cameras of the data sets: constants, projection and normalisation against the published code."""

import json

import numpy as np
import pytest

from regressor.data.lifting_cameras import (
    camera_to_world,
    cameras,
    pixels_to_screen,
    project,
    screen_to_pixels,
)
from tests.golden.fill import uniform
from tests.lifters.published import GOLDEN, golden

_, ARRAYS = golden("lifting_data")
CALIBRATION = json.loads((GOLDEN / "lifting_cameras.json").read_text())
CAMERA = cameras("human36m")["S1"][0]


def test_human36m_s_cameras_are_the_published_ones():
    stored = CALIBRATION["human36m"]
    placed = {subject: views for subject, views in stored["extrinsics"].items() if views[0]}
    assert cameras("human36m").keys() == placed.keys()
    for subject, views in placed.items():
        for camera, own, view in zip(
            cameras("human36m")[subject], stored["intrinsics"], views, strict=True
        ):
            assert (camera.name, camera.width, camera.height) == (
                *(own["id"], own["res_w"]),
                own["res_h"],
            )
            wanted = [[own["focal_length"][0], 0, own["center"][0]]]
            wanted += [[0, own["focal_length"][1], own["center"][1]], [0, 0, 1]]
            assert camera.intrinsics is not None
            np.testing.assert_allclose(camera.intrinsics, wanted, rtol=1e-6)
            np.testing.assert_allclose(camera.orientation, view["orientation"], rtol=1e-6)
            np.testing.assert_allclose(camera.position * 1000, view["translation"], rtol=1e-6)


def test_humaneva_s_cameras_have_places_alone():
    stored = CALIBRATION["humaneva"]
    placed = {subject: views for subject, views in stored["extrinsics"].items() if views[0]}
    assert cameras("humaneva").keys() == placed.keys()
    for subject, views in placed.items():
        for camera, view in zip(cameras("humaneva")[subject], views, strict=True):
            assert (camera.width, camera.height, camera.intrinsics) == (640, 480, None)
            np.testing.assert_allclose(camera.orientation, view["orientation"], rtol=1e-6)
            np.testing.assert_allclose(camera.position * 1000, view["translation"], rtol=1e-6)
            with pytest.raises(ValueError, match="aren't known"):
                camera.project(np.ones((1, 3), np.float32))


def test_points_are_seen_and_projected_as_published():
    world = (2 * uniform("world", 306) - 1).reshape(6, 17, 3).astype(np.float32)
    np.testing.assert_allclose(world, ARRAYS["world"])
    assert CAMERA.vector is not None
    np.testing.assert_allclose(CAMERA.vector, ARRAYS["camera_intrinsic"], atol=1e-6)
    joints = CAMERA.see(world)
    np.testing.assert_allclose(joints, ARRAYS["camera"], atol=1e-5)
    np.testing.assert_allclose(project(joints, CAMERA.vector), ARRAYS["screen"], atol=1e-5)
    linear = project(joints, CAMERA.vector, distorted=False)
    np.testing.assert_allclose(linear, ARRAYS["screen_linear"], atol=1e-5)
    np.testing.assert_allclose(CAMERA.project(joints), ARRAYS["pixels"], atol=5e-3)
    assert joints.dtype == linear.dtype == CAMERA.project(joints).dtype == np.float32
    back = camera_to_world(joints, CAMERA.orientation, CAMERA.position)
    np.testing.assert_allclose(back, world, atol=1e-5)
    relative = joints - np.concatenate([0 * joints[:, :1], joints[:, :1].repeat(16, 1)], axis=1)
    np.testing.assert_allclose(relative, ARRAYS["root_relative"], atol=1e-5)


def test_the_screen_is_as_wide_as_from_minus_one_to_one():
    corners = np.array([[0, 0, 0.3], [640, 480, 0.7]])
    screen = pixels_to_screen(corners, 640, 480)
    np.testing.assert_allclose(screen, [[-1, -0.75, 0.3], [1, 0.75, 0.7]])
    np.testing.assert_allclose(screen_to_pixels(screen[:, :2], 640, 480), corners[:, :2])
    pixels = ARRAYS["pixels"]
    np.testing.assert_allclose(pixels_to_screen(pixels, 1000, 1002), ARRAYS["screen"], atol=1e-5)


def test_without_distortion_the_matrix_projects():
    joints = CAMERA.see(ARRAYS["world"])
    assert CAMERA.vector is not None and CAMERA.intrinsics is not None
    pixels = joints @ CAMERA.intrinsics.T
    linear = screen_to_pixels(project(joints, CAMERA.vector, distorted=False), 1000, 1002)
    np.testing.assert_allclose(pixels[..., :2] / pixels[..., 2:], linear, atol=2e-3)
