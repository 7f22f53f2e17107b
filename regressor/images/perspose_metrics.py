"""The 21 numbers by which PersPose's authors judge a batch (its `metric.py`).

The first sixteen judge what the network gives, the others the body that the inverse kinematics
makes of it. Each is a mean over the batch, so that batches of other sizes must be weighted by what
they hold; the authors' own tables are means of such means.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import normalize

from regressor.images.joints import H36M_TO_J14
from regressor.images.perspose import PELVIS, PersPoseOutput
from regressor.images.perspose_losses import (
    AS_3DHP,
    COCO_AS,
    Target,
    apart,
    densities,
    depths_3dhp,
    masked_mean,
    target_of,
)
from regressor.metrics import similarity_aligned
from regressor.smpl.analytic_ik import TWISTED
from rendering.perspective import SIZE


@torch.no_grad()
def perspose_metrics(
    output: PersPoseOutput,
    batch: Mapping[str, Tensor],
    vertices: Tensor,
    joints17: Tensor,
    size: int = SIZE,
) -> dict[str, float]:
    """Errors by name, with their unit in it; a batch as `perspose_losses` takes.

    vertices (B, V, 3) and joints17 (B, 17, 3), by Human3.6M's regressor: the predicted body, m; the
    batch has the true `vertices` as well; size: the crops' side,
    px. A data set that isn't in the batch has errors of 0.
    """
    target = target_of(batch, size)
    found = {**_pixels(output, target), **_depths(output, target), **_space(output, target)}
    found["height_cm"] = torch.zeros(())  # as published: nothing is measured
    found["twist_deg"] = _twists(output, batch, target)
    found |= _bodies(vertices, joints17, batch, target)
    return {name: float(value) for name, value in found.items()}


def _pixels(output: PersPoseOutput, target: Target) -> dict[str, Tensor]:
    coco, solid = target.inside_coco, target.labelled_3dhp
    pairs = {
        "uv_px": (output.uv[:, :24], target.uv[:, :24], target.inside[:, :24]),
        "uv_coco_px": (output.uv[:, COCO_AS], target.uv_coco, coco),
        "uv_3dhp_px": (output.uv[:, AS_3DHP], target.uv_3dhp, solid),
    }
    return {
        name: masked_mean(apart(predicted, truth, mask[..., None]).norm(dim=-1), mask)
        for name, (predicted, truth, mask) in pairs.items()
    }


def _depths(output: PersPoseOutput, target: Target) -> dict[str, Tensor]:
    away = (target.joints - target.joints[:, :1])[..., 2]
    away_3dhp = (target.joints_3dhp - target.joints_3dhp[:, :1])[..., 2]
    depth, depth_3dhp = output.depth, output.depth[:, AS_3DHP] - output.depth[:, PELVIS, None]
    inside, solid = target.inside, target.labelled_3dhp
    density, density_3dhp = densities(output, target)
    return {
        "depth_cm": 100 * masked_mean(apart(depth, away, target.smpl).abs(), inside),
        "depth_aligned_cm": 100 * masked_mean(_scaled(depth, away, target.smpl).abs(), inside),
        "depth_3dhp_cm": 100 * masked_mean(depths_3dhp(output, target).abs(), solid),
        "depth_aligned_3dhp_cm": 100
        * masked_mean(_scaled(depth_3dhp, away_3dhp, solid).abs(), solid),
        "density_mm": masked_mean(density.abs(), target.smpl),
        "density_3dhp_mm": masked_mean(density_3dhp.abs(), solid),
    }


def _space(output: PersPoseOutput, target: Target) -> dict[str, Tensor]:
    """Of SMPL's 24 joints from the first one."""
    joints, mask = output.joints[:, :24], target.smpl
    truth = (target.joints - target.joints[:, :1])[:, :24]
    off = apart(joints, truth, mask[..., None])
    scaled = _scaled(joints.flatten(1), truth.flatten(1), mask, size=3).unflatten(1, (24, 3))
    along = {
        f"{axis}_cm": 100 * masked_mean(off[..., i].abs(), mask) for i, axis in enumerate("xyz")
    }
    return {
        "xyz_cm": 100 * masked_mean(off.norm(dim=-1), mask),
        **along,
        "xyz_aligned_cm": 100 * masked_mean(scaled.norm(dim=-1), mask),
    }


def _scaled(predicted: Tensor, truth: Tensor, mask: Tensor, size: int = 1) -> Tensor:
    """What remains (B, N) of the errors after the best scale and shift of each sample.

    Points of `size` numbers lie one after another in (B, N); mask (B, 1).
    """
    truth = torch.where(mask > 0, truth, predicted)
    one, other = (
        (x.unflatten(1, (-1, size)) - x.unflatten(1, (-1, size)).mean(dim=1, keepdim=True)).flatten(
            1
        )
        for x in (predicted, truth)
    )
    power = one.square().sum(dim=1, keepdim=True)
    scale = (one * other).sum(dim=1, keepdim=True) / torch.where(power > 0, power, 1.0)
    return scale * one - other


def _twists(output: PersPoseOutput, batch: Mapping[str, Tensor], target: Target) -> Tensor:
    one, other = (normalize(x[:, TWISTED], dim=-1) for x in (output.twists, batch["twists"]))
    other = torch.where(target.smpl[..., None] > 0, other, one)
    angle = (one * other).sum(dim=-1).clamp(-1, 1).acos().rad2deg()
    return masked_mean(angle, target.smpl)


def _bodies(
    vertices: Tensor, joints17: Tensor, batch: Mapping[str, Tensor], target: Target
) -> dict[str, Tensor]:
    """About the pelvis of Human3.6M's regressor, mm."""
    smpl, solid, lsp = target.smpl, target.labelled_3dhp, list(H36M_TO_J14)
    root, true_root = joints17[:, :1], batch["joints17"][:, :1]
    joints, truth = (joints17 - root)[:, lsp], (batch["joints17"] - true_root)[:, lsp]
    truth_3dhp = batch["joints_3dhp"] - batch["joints_3dhp"][:, :1]
    off = apart(vertices - root, batch["vertices"] - true_root, smpl[..., None])
    found = {"mpjpe_mm": masked_mean(apart(joints, truth, smpl[..., None]).norm(dim=-1), smpl)}
    found["pa_mpjpe_mm"] = masked_mean(_procrustes(joints, truth, smpl), smpl)
    found["pve_mm"] = masked_mean(off.norm(dim=-1), smpl)
    off = apart(joints17 - root, truth_3dhp, solid[..., None])
    found["mpjpe_3dhp_mm"] = masked_mean(off.norm(dim=-1), solid)
    found["pa_mpjpe_3dhp_mm"] = masked_mean(_procrustes(joints17 - root, truth_3dhp, solid), solid)
    return {name: 1000 * value for name, value in found.items()}


def _procrustes(predicted: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Distances (B, J) after each sample's best rotation, scale and shift."""
    truth = torch.where(mask[..., None] > 0, truth, predicted)
    aligned = similarity_aligned(predicted.cpu().numpy(), truth.cpu().numpy())
    return (torch.as_tensor(aligned).to(truth) - truth).norm(dim=-1)
