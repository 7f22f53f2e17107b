"""SPIN's 49 joints on bodies, mirrored, and where they place a body."""

from pathlib import Path

import numpy as np
import pytest
import roma
import torch

from regressor.errors import FileFormatError
from regressor.images import joints as j49
from regressor.images.geometry import estimate_translation
from regressor.images.joints import J24, J24_FLIP, J49_FLIP, OPENPOSE25, Joints49
from regressor.skeletons import SMPL24
from regressor.smpl import load_body
from regressor.smpl.body import chain


@pytest.fixture(scope="module")
def golden():
    stored = np.load(Path(__file__).parents[1] / "golden" / "hmr_math.npz")
    return {name: torch.from_numpy(stored[name]) for name in stored.files if "crop" not in name}


@pytest.fixture(scope="module")
def posed():
    """(body, betas, turned, output): three people in random poses."""
    torch.manual_seed(3)
    body, betas, pose = load_body(), torch.randn(3, 10), 0.3 * torch.randn(3, 72)
    output = body(betas=betas, global_orient=pose[:, :3], body_pose=pose[:, 3:])
    rotations = roma.rotvec_to_rotmat(pose.unflatten(1, (24, 3)))
    turned, _ = chain(rotations, body.joints_at_rest(betas))
    return body, betas, turned, output


def test_the_picked_vertices_are_smplx_s():
    vertex_ids = pytest.importorskip("smplx.vertex_ids").vertex_ids["smplh"]
    parts = "nose reye leye rear lear LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel"
    assert tuple(vertex_ids[part] for part in parts.split()) == j49._SMPLX_PICKS


def test_flips_are_the_published_ones(golden):
    assert torch.equal(j49.flip_points(golden["flip.kp"], J49_FLIP), golden["flip.kp49"])
    assert torch.equal(j49.flip_points(golden["flip.kp"][:24], J24_FLIP), golden["flip.kp24"])
    assert torch.equal(j49.flip_pose(golden["flip.pose_in"]), golden["flip.pose"])
    before, after = (
        roma.rotvec_to_rotmat(golden[name].unflatten(0, (24, 3)))
        for name in ("flip.pose_in", "flip.pose")
    )
    torch.testing.assert_close(j49.flip_rotations(before), after)


def test_the_49_lie_where_their_names_say(posed):
    body, betas, _, output = posed
    found = Joints49(body)(output.vertices, output.joints)
    for name in ("left_knee", "right_wrist", "pelvis", "neck"):
        place = found[:, OPENPOSE25.index(name)]
        assert torch.equal(place, output.joints[:, SMPL24.index(name)])
    rest = body(betas=0 * betas, global_orient=torch.zeros(3, 3), body_pose=torch.zeros(3, 69))
    still = Joints49(body)(rest.vertices, rest.joints)[0]
    height = {name: float(still[i, 1]) for i, name in enumerate((*OPENPOSE25, *J24))}
    order = ("left_heel", "left_knee", "spine_h36m", "thorax", "jaw", "nose", "head_top")
    heights = [height[name] for name in order]
    assert heights == sorted(heights)
    # SMPL's left is at positive x; mirroring changes hardly anything but sides.
    assert still[OPENPOSE25.index("left_eye"), 0] > 0.01
    torch.testing.assert_close(j49.flip_points(still, J49_FLIP), still, atol=0.02, rtol=0)


def test_without_a_mesh_they_are_the_same_to_millimetres(posed):
    body, betas, turned, output = posed
    joints = Joints49(body)
    apart = joints(output.vertices, output.joints) - joints.riding(turned, output.joints, betas)
    assert apart.norm(dim=-1).max() < 0.006


def test_an_smpl_files_extra_regressor_is_used(posed, tmp_path):
    body, _, _, output = posed
    rows = np.zeros((9, len(body.v_template)), np.float32)
    rows[np.arange(9), np.arange(9)] = 1
    np.save(tmp_path / "extra.npy", rows)
    found = Joints49(body, tmp_path / "extra.npy")(output.vertices, output.joints)
    assert torch.equal(found[:, 25 + J24.index("right_hip")], output.vertices[:, 0])
    assert torch.equal(found[:, 25 + J24.index("head_h36m")], output.vertices[:, 8])
    np.save(tmp_path / "other.npy", rows[:, :-1])
    with pytest.raises(FileFormatError, match="is for another body"):
        Joints49(body, tmp_path / "other.npy")
    (tmp_path / "broken.npy").write_bytes(b"")
    with pytest.raises(FileFormatError, match="can't be read as a joint regressor"):
        Joints49(body, tmp_path / "broken.npy")


def test_translation_is_the_published_one(golden):
    seen = golden["estimate_translation.joints2d_px"][:, 25:]
    found = estimate_translation(
        golden["camera.joints"][:, 25:], seen[..., :2], seen[..., 2], 5000.0, (112.0, 112.0)
    )
    torch.testing.assert_close(found, golden["estimate_translation.result"], atol=1e-5, rtol=1e-6)


def test_translation_of_a_known_place_and_of_nobody():
    torch.manual_seed(0)
    joints, truth = 0.5 * torch.randn(2, 24, 3), torch.tensor([[0.3, -0.2, 4.0], [1.0, 0.5, 9.0]])
    points = joints + truth[:, None]
    pixels = 900 * points[..., :2] / points[..., 2:] + torch.tensor([640.0, 360.0])
    pixels[:, 0] = torch.tensor([1e4, -1e4])  # an outlier that nobody believes
    trust = torch.ones(2, 24)
    trust[:, 0] = 0
    centre = (640.0, 360.0)
    found = estimate_translation(joints, pixels, trust, 900.0, centre)
    torch.testing.assert_close(found, truth, atol=1e-4, rtol=0)
    trust[1] = 0
    found = estimate_translation(joints, pixels, trust, 900.0, centre)
    torch.testing.assert_close(found[0], truth[0], atol=1e-4, rtol=0)
    assert found[1].tolist() == [1, 1, 1]
