"""SPIN's losses against the published code's numbers."""

from pathlib import Path

import numpy as np
import pytest
import roma
import torch

from regressor.images.hmr import HmrOutput
from regressor.images.losses import LossWeights, hmr_losses, project_normalised

PUBLISHED = {
    "keypoints": "loss_keypoints",
    "joints": "loss_keypoints_3d",
    "pose": "loss_regr_pose",
    "betas": "loss_regr_betas",
    "vertices": "loss_shape",
    "camera": "loss_cam",
    "total": "total_loss",
}


@pytest.fixture(scope="module")
def golden():
    stored = np.load(Path(__file__).parents[1] / "golden" / "hmr_math.npz")
    return {name: torch.from_numpy(stored[name]) for name in stored.files if "crop" not in name}


def problem(golden):
    """(output, joints, sample, vertices) as the published code was given them."""
    given = {name.removeprefix("hmr_loss.in."): value for name, value in golden.items()}
    output = HmrOutput(given["pred_pose"], given["pred_shape"], golden["camera.weak"])
    sample = {
        "keypoints": given["gt_keypoints"],
        "pose": roma.rotvec_to_rotmat(given["gt_pose"].unflatten(1, (24, 3))),
        "betas": given["gt_betas"],
        "has_smpl": given["gt_has_smpl"],
        "joints3d": given["gt_pose_3d"],
        "has_joints3d": given["gt_has_pose_3d"],
    }
    return output, golden["camera.joints"], sample, (given["smpl_vertices"], given["gt_vertices"])


def test_projection_is_the_published_one(golden):
    found = project_normalised(golden["camera.joints"], golden["camera.weak"])
    torch.testing.assert_close(found, golden["camera.joints2d_normalised"])


@pytest.mark.parametrize(
    ("case", "weights"),
    [("default", LossWeights()), ("openpose_and_shape", LossWeights(openpose=0.5, vertices=0.7))],
)
def test_every_term_is_the_published_one(golden, case, weights):
    output, joints, sample, vertices = problem(golden)
    found = hmr_losses(output, joints, sample, weights, vertices)
    for name, value in found.items():
        torch.testing.assert_close(value, golden[f"hmr_loss.{case}.{PUBLISHED[name]}"], msg=name)
    assert found.keys() == PUBLISHED.keys()


def test_what_has_no_truth_costs_nothing_and_sends_no_nan(golden):
    output, joints, sample, _ = problem(golden)
    sample = dict(sample)
    for name, has in (("pose", "has_smpl"), ("betas", "has_smpl"), ("joints3d", "has_joints3d")):
        sample[name] = sample[name].clone()
        sample[name][sample[has] == 0, ..., :3] = torch.nan
    output = HmrOutput(*(part.clone().requires_grad_() for part in output))
    joints = joints.clone().requires_grad_()
    found = hmr_losses(output, joints, sample)
    torch.testing.assert_close(found["total"].detach(), golden["hmr_loss.default.total_loss"])
    found["total"].backward()
    for part in (*output, joints):
        assert part.grad.isfinite().all()
    assert not output.rotmat.grad[sample["has_smpl"] == 0].any()


def test_a_batch_without_any_3d_has_a_loss(golden):
    output, joints, sample, _ = problem(golden)
    nothing = torch.zeros(4, dtype=torch.bool)
    sample = {**sample, "has_smpl": nothing, "has_joints3d": nothing}
    found = hmr_losses(output, joints, sample)
    assert found["joints"] == found["pose"] == found["betas"] == 0
    assert found["total"].isfinite() and found["total"] > 0


def test_joints_count_only_about_the_hips_and_where_valid(golden):
    output, joints, sample, _ = problem(golden)
    before = hmr_losses(output, joints, sample)["joints"]
    moved = {**sample, "joints3d": sample["joints3d"] + torch.tensor([3.0, -2, 5, 0])}
    torch.testing.assert_close(hmr_losses(output, joints, moved)["joints"], before)
    without = {name: value for name, value in moved.items() if name != "has_joints3d"}
    without["joints3d"] = without["joints3d"].clone()
    without["joints3d"][sample["has_joints3d"] == 0, :, 3] = 0
    torch.testing.assert_close(hmr_losses(output, joints, without)["joints"], before)
