"""Crops, augmentation and the way back, against SPIN's and DSR's numbers."""

from pathlib import Path

import numpy as np
import pytest
import roma
import torch

from regressor.images import crops
from regressor.images.augment import (
    Augmentation,
    Change,
    augment_image,
    augment_joints,
    augment_keypoints,
    augment_labels,
    augment_pose,
    turn,
)
from regressor.images.joints import J24, OPENPOSE25
from regressor.smpl import load_body

CASES = range(4)  # plain, over the border, rotated, small and rotated the other way


@pytest.fixture(scope="module")
def golden():
    return np.load(Path(__file__).parents[1] / "golden" / "hmr_math.npz")


def box(golden, case):
    """centre, scale, size, rotation_deg."""
    x, y, scale, rotation, size = golden[f"crop.{case}.params"]
    return np.array([x, y]), float(scale), int(size), float(rotation)


@pytest.mark.parametrize("case", CASES)
def test_points_go_as_published(golden, case):
    matrix = crops.box_matrix(*box(golden, case))
    np.testing.assert_allclose(matrix, golden[f"crop.{case}.matrix"], atol=1e-12)
    there = crops.transform_whole([[1, 1], [30.6, 20.2], [50, 59.9]], matrix)
    np.testing.assert_array_equal(there, golden[f"crop.{case}.transform_pts"])
    back = crops.transform_whole([[1, 1], [12.5, 20.2], [25, 25]], np.linalg.inv(matrix))
    np.testing.assert_array_equal(back, golden[f"crop.{case}.transform_inv"])


@pytest.mark.parametrize("case", CASES)
def test_spins_crop_is_the_published_one(golden, case):
    found = crops.crop(golden["crop.image"], *box(golden, case), convention="spin")
    np.testing.assert_allclose(found, golden[f"crop.{case}.spin"], atol=1)


@pytest.mark.parametrize("case", CASES)
def test_dsrs_crop_is_the_published_one(golden, case):
    pytest.importorskip("cv2")
    found = crops.crop(golden["crop.image"], *box(golden, case), convention="dsr")
    np.testing.assert_allclose(found, golden[f"crop.{case}.dsr_cv2"], atol=1e-3)


@pytest.mark.parametrize("case", CASES)
def test_without_opencv_a_crop_is_the_same_to_a_32nd_of_a_pixel(golden, case, monkeypatch):
    monkeypatch.setattr(crops.importlib.util, "find_spec", lambda name: None)
    found = crops.crop(golden["crop.image"], *box(golden, case), convention="dsr")
    assert np.abs(found - golden[f"crop.{case}.dsr_cv2"]).mean() < 0.1
    np.testing.assert_allclose(found, golden[f"crop.{case}.dsr_cv2"], atol=2.5)


def test_a_batch_is_cut_as_each_picture_is(golden, monkeypatch):
    monkeypatch.setattr(crops.importlib.util, "find_spec", lambda name: None)
    image = golden["crop.image"]
    matrices = [crops.box_matrix([40, 30], 0.25, 32), crops.box_matrix([20, 15], 0.4, 32, 20)]
    one = [crops.warp(image, matrix, 32) for matrix in matrices]
    pictures = torch.from_numpy(image).permute(2, 0, 1).expand(2, -1, -1, -1)
    many = crops.warp_batch(pictures, torch.tensor(np.stack(matrices)), 32)
    np.testing.assert_allclose(many.permute(0, 2, 3, 1), np.stack(one), atol=1e-3)


@pytest.mark.parametrize("case", [0, 1])
def test_masks_go_back_as_published(golden, case):
    mask = ((golden[f"crop.{case}.spin"][..., 0] > 90) * 255).astype(np.uint8)
    centre, scale, _, _ = box(golden, case)
    found = crops.uncrop(mask, centre, scale, *golden["crop.image"].shape[:2])
    np.testing.assert_array_equal(found, golden[f"crop.{case}.uncrop"])


@pytest.mark.parametrize("convention", ["spin", "dsr"])
@pytest.mark.parametrize("centre", [(-500, 30), (40, 900), (0, 0)])
def test_a_box_beside_the_picture_is_black(golden, convention, centre):
    found = crops.crop(golden["crop.image"], np.array(centre), 0.2, 16, convention=convention)
    assert found.shape == (16, 16, 3) and not found[:4, :4].any()


def test_a_tiny_box_is_a_crop(golden):
    for convention in ("spin", "dsr"):
        found = crops.crop(golden["crop.image"], np.array([40, 30]), 1e-4, 8, 10.0, convention)
        assert found.shape == (8, 8, 3)


def test_networks_see_imagenets_normalisation():
    found = crops.to_input(np.full((2, 4, 4, 3), 255, np.uint8))
    assert found.shape == (2, 3, 4, 4)
    expected = (1 - torch.tensor(crops.MEAN)) / torch.tensor(crops.STD)
    torch.testing.assert_close(found[1, :, 2, 2], expected)


def test_3d_turns_as_published(golden):
    first = torch.tensor(golden["flip.pose_in"][:3], dtype=torch.float32)
    matrix = roma.rotvec_to_rotmat(first)
    for rotation, expected in zip((0, 30, -55), golden["rot_aa"], strict=True):
        found = roma.rotmat_to_rotvec(turn(rotation) @ matrix)
        np.testing.assert_allclose(found, expected, atol=1e-6)


CHANGES = [
    Change(mirror, rotation_deg=turned, scale=1.1) for mirror in (0, 1) for turned in (0, 40)
]


@pytest.mark.parametrize("change", CHANGES)
def test_keypoints_labels_and_picture_stay_together(change):
    image, labels = np.zeros((120, 160, 3), np.uint8), np.zeros((120, 160), np.uint8)
    image[68:73, 88:93], labels[68:73, 88:93] = 200, 14  # a left arm about (90, 70)
    keypoints = torch.zeros(49, 3)
    keypoints[OPENPOSE25.index("left_wrist")] = torch.tensor([90.0, 70.0, 1.0])
    where = (np.array([80.0, 60.0]), 0.5)
    size, cut = 200, (where[0], where[1] * change.scale, 200, change.rotation_deg)
    picture = augment_image(crops.crop(image, *cut), change)
    marks = augment_labels(crops.crop_labels(labels, *cut), change)
    wrist = "right_wrist" if change.mirror else "left_wrist"
    for whole, tolerance in ((True, 1.1), (False, 0.6)):
        found = augment_keypoints(keypoints, *where, change, size, whole)
        x, y, confidence = found[OPENPOSE25.index(wrist)]
        assert confidence == 1 and not np.delete(found, OPENPOSE25.index(wrist), 0)[:, :2].any()
        expected = (torch.stack([x, y]).numpy() + 1) * size / 2
        for seen in (picture[..., 0] > 100, marks == (15 if change.mirror else 14)):
            middle = np.argwhere(seen)[:, ::-1].mean(axis=0)
            middle[0] += change.mirror  # -x of a crop is one pixel further on
            np.testing.assert_allclose(middle, expected, atol=tolerance)


@pytest.mark.parametrize("change", CHANGES)
def test_pose_and_joints_stay_together(change):
    """The changed pose's joints, as a picture shows them, are the changed joints."""
    torch.manual_seed(0)
    body = load_body()
    pose = roma.rotvec_to_rotmat(0.4 * torch.randn(24, 3))

    def j24(rotations):
        vectors = roma.rotmat_to_rotvec(rotations)
        zeros = torch.zeros(1, 10)
        output = body(zeros, vectors[None, 0], vectors[None, 1:].flatten(1), return_verts=False)
        pelvis = output.joints[0] - output.joints[0, 0]
        return pelvis[[8, 5, 2, 1, 4, 7, 21, 19, 17, 16, 18, 20] + [12, 15, 0, 9, 6, 3, 12, 15]]

    names = J24[:12]
    filled = torch.cat([j24(pose), torch.zeros(4, 3)])
    expected = augment_joints(filled, change)[: len(names)]
    found = j24(augment_pose(pose, change))[: len(names)]
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0)  # the body isn't quite the same
    flat = filled[:, :2] @ turn(change.rotation_deg)[:2, :2].T
    assert torch.allclose(augment_joints(filled, change)[:, 1].sort().values, flat[:, 1].sort()[0])


def test_left_stays_left_where_the_published_behaviour_is_asked_for():
    labels = np.array([[14, 0, 17, 19, 255]], np.uint8)
    change = Change(mirror=True)
    assert augment_labels(labels, change).tolist() == [[255, 18, 16, 0, 15]]
    assert augment_labels(labels, change, swap_sides=False).tolist() == [[255, 19, 17, 0, 14]]
    assert augment_labels(labels, Change()) is labels


def test_draws_follow_the_published_distributions():
    rng = np.random.default_rng(0)
    drawn = [Augmentation().draw(rng) for _ in range(4000)]
    turned = np.array([change.rotation_deg for change in drawn])
    scales = np.array([change.scale for change in drawn])
    gains = np.array([change.gain for change in drawn])
    assert abs(np.mean([change.mirror for change in drawn]) - 0.5) < 0.03
    assert abs((turned == 0).mean() - 0.6) < 0.03 and abs(turned).max() <= 60
    assert 25 < turned[turned != 0].std() < 30
    assert scales.min() == 0.75 and scales.max() == 1.25
    assert 0.6 <= gains.min() < 0.61 and 1.39 < gains.max() <= 1.4
    bright = augment_image(np.full((2, 2, 3), 200.0), Change(gain=np.array([1.4, 1, 0.6])))
    np.testing.assert_allclose(bright[0, 0], [255, 200, 120], rtol=1e-5)
