"""Perspective rotation, its crop and encoding, against PersPose's numbers and the camera's laws."""

from pathlib import Path

import numpy as np
import pytest
import roma
import torch

from regressor.images.crops import normalize, warp, warp_batch
from rendering import perspective
from rendering.perspective import Jitter, plain_crop, to_camera, to_turned, turned_crop


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parents[1] / "golden" / "perspose_pr.npz") as file:
        return {name: torch.as_tensor(file[name]) for name in file.files}


def close(found, expected, atol):
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)


def project(points, intrinsics):
    seen = points @ intrinsics.transpose(-1, -2)
    return seen[..., :2] / seen[..., 2:]


def crop_of(golden, name):
    boxes, intrinsics = golden[f"{name}.in.bbox"], golden[f"{name}.in.K"]
    if name == "coco":  # no intrinsics are known
        return plain_crop(boxes, intrinsics, square=False)
    seen = project(golden["hps.in.vertices"], intrinsics) if name == "hps_3dpw" else None
    return turned_crop(boxes, intrinsics, outline=seen)


def test_the_published_rotation(golden):
    rotation = perspective.turn_towards(golden["pr.object_centre"], golden["pr.K"])
    close(rotation, golden["pr.R"], 1e-7)
    close(perspective.homography(rotation, golden["pr.K"]), golden["pr.homography"], 2e-4)
    jitter = Jitter(aim_px=7.0, roll=torch.deg2rad(golden["pr.twist_degrees"]))
    jittered = perspective.turn_towards(golden["pr.object_centre"], golden["pr.K"], jitter)
    close(jittered, golden["pr.R_aim_plus7_with_twist"], 1e-7)


def test_the_published_encoding(golden):
    encoded = perspective.encoding(golden["pe.K_crop"]).float()
    close(encoded[:, :, ::4, ::4], golden["pe.map_stride4"], 1e-6)
    close(encoded[:, :, 0], golden["pe.map_row0"], 1e-6)
    close(encoded[:, :, :, 63], golden["pe.map_col63"], 1e-6)


@pytest.mark.parametrize("name", ["3dhp", "coco", "hps_3dpw"])
def test_the_published_crops(golden, name):
    crop = crop_of(golden, name)
    close(crop.matrix, golden[f"{name}.homography"], 1e-4)
    close(crop.rotation, golden[f"{name}.rotation"], 1e-7)
    if name != "coco":
        close(crop.intrinsics, golden[f"{name}.K_crop"], 1e-4)
    points = perspective.transform(crop.matrix, golden["in.coco_kp17"][:, :2])
    close(points, golden[f"{name}.coco_kp17"][:, :2], 1e-3)
    photo = golden["photo"].permute(2, 0, 1)[None]
    image = normalize(warp_batch(photo, crop.matrix[None], 256) / 255)[0]
    difference = (image[:, ::8, ::8] - golden[f"{name}.image_stride8"]).abs()
    # One picture alone is the same, of which only a part is looked at.
    alone = torch.as_tensor(warp(golden["photo"].numpy(), crop.matrix.numpy(), 256))
    if name != "coco":  # affine, so that OpenCV does it
        close(normalize(alone.permute(2, 0, 1) / 255), image, 1e-3)
    # OpenCV's steps of a 32nd of a pixel show at strong edges.
    assert difference.max() < 0.06 and (difference > 0.02).float().mean() < 0.01
    close(image.mean(), golden[f"{name}.image_mean"], 1e-3)


def test_the_published_labels(golden):
    crop = crop_of(golden, "3dhp")
    joints = to_turned(golden["in.j17"], crop.rotation)
    close(joints, golden["3dhp.j17"], 1e-6)
    close(project(joints, crop.intrinsics), golden["3dhp.projected_j17"], 1e-3)
    crop = crop_of(golden, "hps_3dpw")
    for given, expected in (("j24", "j24"), ("vertices", "vertices"), ("twist", "ortho_twist")):
        moved = to_turned(golden[f"hps.in.{given}"], crop.rotation)
        close(moved, golden[f"hps.out.smpl_{expected}"], 1e-6)
    root, translation = golden["hps.in.j24"][0], golden["hps.in.transl"]
    moved = perspective.turned_translation(translation, root, crop.rotation)
    close(moved, golden["hps.out.smpl_transl"], 1e-6)
    orient = crop.rotation @ roma.rotvec_to_rotmat(golden["hps.in.theta"][0])
    close(roma.rotmat_to_rotvec(orient), golden["hps.out.smpl_theta"][0], 1e-6)


def wide(width=1920, height=1080, focal=700.0):
    return torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]]).double()


def test_every_box_s_middle_comes_to_the_middle_and_results_come_back():
    torch.manual_seed(0)
    boxes = torch.rand(3, 4).double() * torch.tensor([1400.0, 600, 400, 400]) + 30
    crops = turned_crop(boxes, wide().expand(3, 3, 3))
    middles = (boxes[:, :2] + boxes[:, 2:] / 2)[:, None]
    close(perspective.transform(crops.matrix, middles), torch.full((3, 1, 2), 128.0).double(), 1e-6)
    close(crops.intrinsics[:, :2, 2], torch.full((3, 2), 128.0).double(), 1e-9)
    close(torch.linalg.det(crops.rotation), torch.ones(3).double(), 1e-9)
    # The corners are all within, and one touches the border.
    corners = perspective.transform(crops.matrix, perspective.corners(boxes))
    close((corners - 128).abs().amax(dim=(1, 2)), torch.full((3,), 128.0).double(), 1e-6)
    # What the crop's camera sees of a turned point is where the homography takes its pixel.
    points = torch.randn(3, 5, 3).double() * 0.3 + torch.tensor([0.0, 0, 4])
    turned = to_turned(points, crops.rotation)
    close(
        project(turned, crops.intrinsics),
        perspective.transform(crops.matrix, project(points, wide())),
        1e-6,
    )
    close(to_camera(turned, crops.rotation), points, 1e-12)


def test_translation_comes_back_by_the_transposed_rotation():
    rotation = turned_crop(torch.tensor([10.0, 20, 100, 200]).double(), wide()).rotation
    root, translation = torch.tensor([[0.3, -0.2, 3.0], [0.25, 0.1, 2.9]]).double()
    there = perspective.turned_translation(translation, root, rotation)
    back = perspective.turned_translation(there, to_turned(root[None], rotation)[0], rotation.T)
    close(back, translation, 1e-12)


def test_pixels_that_are_not_square_are_made_so_within_limits():
    intrinsics = wide().expand(3, 3, 3).clone()
    intrinsics[:, 1, 1] *= torch.tensor([0.8, 1.5, 5.0])
    crops = turned_crop(torch.tensor([300.0, 200, 100, 300]).double().expand(3, 4), intrinsics)
    ratio = crops.intrinsics[:, 1, 1] / crops.intrinsics[:, 0, 0]
    close(ratio, torch.tensor([1.0, 1.0, 2.5]).double(), 1e-9)


def test_a_plain_crop_has_square_pixels_too_and_all_of_its_box_but_for_the_stretch():
    camera = torch.tensor([[700.0, 0, 960], [0, 714.0, 540], [0, 0, 1]]).double()
    box = torch.tensor([100.0, 200, 300, 300]).double()
    crop = plain_crop(box, camera)
    close(crop.intrinsics[0, 0], crop.intrinsics[1, 1], 1e-9)
    held = perspective.transform(crop.matrix, perspective.corners(box))
    close(held.mean(0), torch.tensor([128.0, 128]).double(), 1e-9)
    close((held - 128).abs().amax(0), torch.tensor([130.56, 128]).double(), 1e-5)


def test_a_person_in_the_middle_is_not_turned_and_the_encoding_tells_the_field_of_view():
    box = torch.tensor([860.0, 440, 200, 200]).double()
    crop = turned_crop(box, wide())
    close(crop.rotation, torch.eye(3).double(), 1e-9)
    close(crop.matrix, plain_crop(box, wide()).matrix, 1e-9)
    encoded = perspective.encoding(crop.intrinsics)
    reach = 100 / 700 * 63 / 64  # of the outermost cells' middles
    close(encoded[:, 0, 0], torch.tensor([-reach, -reach]).double(), 1e-9)
    close(encoded[:, 63, 63], torch.tensor([reach, reach]).double(), 1e-9)


def test_gradients_reach_the_encoding_s_intrinsics():
    intrinsics = wide().requires_grad_()
    perspective.encoding(intrinsics).square().sum().backward()
    assert intrinsics.grad is not None and intrinsics.grad.isfinite().all()


def test_what_is_behind_the_camera_is_black_and_nowhere():
    """A homography of a turn by 80 degrees sees beyond the picture's half of the world."""
    turn = roma.rotvec_to_rotmat(torch.tensor([0.0, 1.4, 0.0]).double())
    matrix = perspective.homography(turn, wide(64, 64, 32.0))
    warped = warp_batch(torch.full((1, 3, 64, 64), 200.0), matrix[None], 64)
    assert warped.isfinite().all()
    one = warp(np.full((64, 64, 3), 200, np.uint8), matrix.numpy(), 64)
    np.testing.assert_allclose(one, warped[0].permute(1, 2, 0).numpy(), atol=1e-3)
    assert (warped == 0).any() and (warped > 199).any()
    corner = perspective.transform(matrix, torch.tensor([[-500.0, 32.0], [500.0, 32.0]]).double())
    assert corner.isnan().any(dim=1).sum() == 1


def test_boxes_of_a_pixel_of_none_and_beyond_the_picture_have_crops():
    boxes = torch.tensor(
        [[30.0, 40, 1, 1], [30, 40, 0, 0], [-900, 300, 1300, 900], [1800, -3000, 9000, 8000]]
    )
    crops = turned_crop(boxes.double(), wide().expand(4, 3, 3))
    assert all(part.isfinite().all() for part in crops)
    middles = (boxes[:, :2] + boxes[:, 2:] / 2)[:, None].double()
    close(perspective.transform(crops.matrix, middles), torch.full((4, 1, 2), 128.0).double(), 1e-6)
    picture = torch.full((4, 3, 1080 // 8, 1920 // 8), 100.0)
    small = torch.diag(torch.tensor([8.0, 8, 1]).double())
    assert warp_batch(picture, crops.matrix @ small, 64).isfinite().all()
