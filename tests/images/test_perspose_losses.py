"""PersPose's losses and metrics against the published code's numbers."""

import json
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
import roma
import torch

from regressor.images.perspose import PersPoseOutput
from regressor.images.perspose_losses import WEIGHTS, LossWeights, labels_of, perspose_losses
from regressor.images.perspose_metrics import perspose_metrics

GOLDEN = Path(__file__).parents[1] / "golden"
CONFIG = json.loads((GOLDEN / "perspose_loss.json").read_text())["config"]
OURS = {
    "density_root": "density",
    "density_root_3dhp": "density_3dhp",
    "beta": "betas",
    "leaf": "leaves",
}


@pytest.fixture
def golden():
    with np.load(GOLDEN / "perspose_loss.npz") as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored.files}


@pytest.fixture
def output(golden):
    return PersPoseOutput(
        uv=golden["out.uv"],
        depth=golden["out.depth"][..., 0],
        density=golden["out.density"][..., 0],
        joints=golden["out.xyz"],
        root=torch.zeros(4, 3),
        twists=golden["out.ortho_twist"],
        leaves=golden["out.leaf_rot"].unflatten(2, (3, 3)),
        betas=golden["out.beta"],
    )


@pytest.fixture
def batch(golden):
    return {
        "intrinsics": golden["label.cam_intrinsics"],
        "height": golden["label.height"][:, 0],
        "joints24": golden["label.smpl_j24"],
        "joints17": golden["label.smpl_j17"],
        "vertices": golden["label.smpl_vertices"],
        "twists": golden["label.smpl_ortho_twist"],
        "betas": golden["label.smpl_beta"],
        "pose": roma.rotvec_to_rotmat(golden["label.smpl_theta"]),
        "coco17": golden["label.coco_kp17"],
        "joints_3dhp": golden["label.3dhp_j17"],
        **labels_of(CONFIG["dataset_name"]),
    }


def test_losses_are_the_published_ones(golden, output, batch):
    terms = perspose_losses(output, batch)
    for name in CONFIG["loss_order"]:
        wanted = golden[f"loss.{name}"]
        torch.testing.assert_close(terms[OURS.get(name) or name], wanted, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("3dpw", "threedpw"), ("h36m", "h36m"), ("3dhp", "threedhp")]
)
def test_weights_and_totals_are_the_published_ones(golden, output, batch, ours, theirs):
    assert list(astuple(WEIGHTS[ours])) == CONFIG["weights"][theirs]
    total = perspose_losses(output, batch, WEIGHTS[ours])["total"]
    torch.testing.assert_close(total, golden[f"total.{theirs}"], rtol=2e-5, atol=1e-5)


def test_metrics_are_the_published_ones(golden, output, batch):
    found = perspose_metrics(output, batch, golden["body.vertices"], golden["body.joints17"])
    wanted = {name: float(value) for name, value in golden.items() if name.startswith("metric.")}
    assert len(found) == len(wanted) == 21
    renamed = {"MPJPE": "mpjpe", "PA_MPJPE": "pa_mpjpe", "MPVPE": "pve",
               "MPJPE_3dhp": "mpjpe_3dhp", "PA_MPJPE_3dhp": "pa_mpjpe_3dhp"}  # fmt: skip
    by_name = {name.rpartition("_")[0]: value for name, value in found.items()}
    for name, value in wanted.items():
        name = name.removeprefix("metric.").removeprefix("err_").replace("_root", "")
        value = 1000 * value if name in renamed else value
        assert by_name[renamed.get(name) or name] == pytest.approx(value, rel=1e-5, abs=1e-5), name


def test_what_has_no_label_may_be_anything(output, batch):
    """Labels that a sample hasn't got are no part of the value, and make no NaN of a gradient."""
    exact = perspose_losses(output, batch)["total"]
    for name in ("joints24", "joints17", "twists", "betas", "pose"):
        batch[name][2:] = torch.nan
    batch["joints_3dhp"][[0, 1, 3]] = 0
    batch["coco17"][:3] = torch.nan
    leaves = [part.requires_grad_() for part in output]
    total = perspose_losses(output, batch)["total"]
    torch.testing.assert_close(total, exact)
    total.backward()
    assert all(part.grad is None or part.grad.isfinite().all() for part in leaves)


def test_a_batch_without_a_data_set_costs_nothing_there(output, batch):
    batch |= labels_of(["coco"] * 4)
    terms = perspose_losses(output, batch, LossWeights())
    assert float(terms["uv_coco"]) > 0
    torch.testing.assert_close(terms["total"], terms["uv_coco"])
    metrics = perspose_metrics(output, batch, batch["vertices"], batch["joints17"])
    assert {name for name, value in metrics.items() if value} == {"uv_coco_px"}


def test_joints_out_of_the_crop_count_neither_in_pixels_nor_in_depth(output, batch):
    one = {name: value[:1].clone() for name, value in batch.items()}
    output = PersPoseOutput(*(part[:1].clone() for part in output))
    one["joints24"][0, 20, 0] = 3.0  # metres to the right
    before = perspose_losses(output, one)
    output.uv[0, 20], output.depth[0, 20] = 500.0, 1.0
    after = perspose_losses(output, one)
    assert after["uv"] == before["uv"] and after["depth"] == before["depth"]
