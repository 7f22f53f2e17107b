"""The losses of PersPose (its `metric.py`; weights from its configurations).

They act on what the network gives, not on the body that the inverse kinematics makes of it. Every
loss is a mean over those joints of the batch that have the label, 0 where none has.

A batch is a dictionary: intrinsics (B, 3, 3) of the crops, px; height (B,) of the bodies at rest,
m; has_smpl, has_3dhp and has_coco (B,), of which each sample has one; and labels in the crops'
cameras, which may be anything where a sample hasn't got them:
of SMPL, joints24 (B, 24, 3), joints17 (B, 17, 3) by Human3.6M's regressor, twists (B, 24, 3),
pose (B, 24, 3, 3), betas (B, 11), and uv_weight (B,), 0.1 for BEDLAM's and 1 for others;
joints_3dhp (B, 17, 3) m in Human3.6M's order; coco17 (B, 17, 3), px and visibility.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields

import torch
from torch import Tensor

from regressor.images.perspose import LIMBS, PELVIS, PersPoseOutput
from regressor.skeletons import COCO17, H36M17, SMPL24
from regressor.smpl.analytic_ik import LEAVES, TWISTED
from rendering.perspective import SIZE

# Joints of the data sets without SMPL's, and those of the network's 25 that they are.
COCO_JOINTS, COCO_AS = [COCO17.index(n) for n in LIMBS], [SMPL24.index(n) for n in LIMBS]
_3DHP_NAMES = [name for name in H36M17 if name in LIMBS]
JOINTS_3DHP = [0, *(H36M17.index(name) for name in _3DHP_NAMES)]
AS_3DHP = [PELVIS, *(SMPL24.index(name) for name in _3DHP_NAMES)]
ADULT_M = 1.8  # people count as if they were so tall
# What annotations of other skeletons than SMPL's are off by, and costs nothing.
SLACK_PX, SLACK_CM, SLACK_DENSITY = 5.0, 4.0, 0.05


@dataclass
class LossWeights:
    """Weights of the terms, as published for 3DPW."""

    uv: float = 1.0
    uv_coco: float = 1.0
    uv_3dhp: float = 1.0
    depth: float = 1.0
    depth_3dhp: float = 0.5
    density: float = 1.0
    density_3dhp: float = 0.5
    xyz: float = 0.0
    height: float = 0.0
    """Of a term that is 0 in the published code too."""
    twist: float = 0.1
    betas: float = 0.01
    leaves: float = 0.01


WEIGHTS = {
    "3dpw": LossWeights(),
    "h36m": LossWeights(twist=10.0),
    "3dhp": LossWeights(depth=0.5, density=0.5),
    "bedlam-3dpw": LossWeights(),
    "bedlam-3dhp": LossWeights(depth_3dhp=1.0, density_3dhp=1.0),
}


def labels_of(names: list[str]) -> dict[str, Tensor]:
    """has_smpl, has_3dhp, has_coco and uv_weight (B,) of samples by their data sets' names.

    As published: "3dhp", "coco", and "hps_…" for all with SMPL's parameters.
    """
    return {
        "has_smpl": torch.tensor([name.startswith("hps_") for name in names]),
        "has_3dhp": torch.tensor([name == "3dhp" for name in names]),
        "has_coco": torch.tensor([name == "coco" for name in names]),
        "uv_weight": torch.tensor([0.1 if name == "hps_bedlam" else 1.0 for name in names]),
    }


@dataclass
class Target:
    """What the output is compared with, and where: masks are 0 where there is no label."""

    joints: Tensor
    """(B, 25, 3) m."""
    uv: Tensor
    """(B, 25, 2) px."""
    inside: Tensor
    """(B, 25): labelled by SMPL, and in the crop."""
    smpl: Tensor
    """(B, 1): labelled by SMPL."""
    joints_3dhp: Tensor
    """(B, 9, 3) m, those of JOINTS_3DHP."""
    uv_3dhp: Tensor
    labelled_3dhp: Tensor
    """(B, 1)."""
    uv_coco: Tensor
    """(B, 8, 2) px, those of COCO_JOINTS."""
    inside_coco: Tensor
    """(B, 8): visible, and in the crop."""
    focal: Tensor
    """(B,) px."""


def target_of(batch: Mapping[str, Tensor], size: int = SIZE) -> Target:
    """The labels of a batch as the network's output has them; size: the crops' side, px."""
    intrinsics = batch["intrinsics"]
    smpl, solid, flat = (batch[f"has_{name}"][:, None].float() for name in ("smpl", "3dhp", "coco"))
    joints = torch.cat([batch["joints24"], batch["joints17"][:, :1]], dim=1)
    uv = project(joints, intrinsics)
    joints_3dhp = batch["joints_3dhp"][:, JOINTS_3DHP]
    coco = batch["coco17"][:, COCO_JOINTS]
    return Target(
        joints=joints,
        uv=uv,
        inside=smpl * _inside(uv, size),
        smpl=smpl,
        joints_3dhp=joints_3dhp,
        uv_3dhp=project(joints_3dhp, intrinsics),
        labelled_3dhp=solid,
        uv_coco=coco[..., :2],
        inside_coco=flat * (coco[..., 2] > 0) * _inside(coco[..., :2], size),
        focal=(intrinsics[:, 0, 0] + intrinsics[:, 1, 1]) / 2,
    )


def project(points: Tensor, intrinsics: Tensor) -> Tensor:
    """Points (B, N, 3) of the camera to pixels (B, N, 2), by intrinsics (B, 3, 3)."""
    seen = points @ intrinsics.transpose(1, 2)
    return seen[..., :2] / seen[..., 2:]


def _inside(uv: Tensor, size: int) -> Tensor:
    return ((uv >= 0) & (uv < size)).all(dim=-1)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean of values (B, ...) weighted by a mask that can be expanded to them; 0 of none."""
    mask = mask.expand_as(values)
    return (values * mask).sum() / (mask.sum() + 1e-7)


def apart(predicted: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """predicted - truth, 0 where there is no truth, whatever stands there.

    It is chosen before the difference: not even the gradient sees a NaN.
    """
    return predicted - torch.where(mask > 0, truth, predicted.detach())


def depths_3dhp(output: PersPoseOutput, target: Target) -> Tensor:
    """Errors (B, 9) m of the depths behind the pelvis."""
    depth = output.depth[:, AS_3DHP] - output.depth[:, PELVIS, None]
    truth = target.joints_3dhp[..., 2]
    return apart(depth, truth - truth[:, :1], target.labelled_3dhp)


def densities(output: PersPoseOutput, target: Target) -> tuple[Tensor, Tensor]:
    """Errors (B, 1) mm to a pixel: of SMPL's first joint, and of the pelvis of MPI-INF-3DHP."""
    root, pelvis = target.joints[:, :1, 2], target.joints_3dhp[:, :1, 2]
    focal = target.focal[:, None] / 1000
    return (
        apart(output.density[:, :1], root / focal, target.smpl),
        apart(output.density[:, PELVIS, None], pelvis / focal, target.labelled_3dhp),
    )


def perspose_losses(
    output: PersPoseOutput,
    batch: Mapping[str, Tensor],
    weights: LossWeights | None = None,
    size: int = SIZE,
) -> dict[str, Tensor]:
    """The terms before their weights, by the names of LossWeights, and their weighted `total`.

    size: the crops' side, px.
    """
    target, smpl = target_of(batch, size), batch["has_smpl"][:, None]
    solid, tall = target.labelled_3dhp, ADULT_M / batch["height"][:, None]
    uv = apart(output.uv, target.uv, smpl[..., None]).norm(dim=-1)
    inside_coco = target.inside_coco
    uv_coco = apart(output.uv[:, COCO_AS], target.uv_coco, inside_coco[..., None]).norm(dim=-1)
    uv_3dhp = apart(output.uv[:, AS_3DHP], target.uv_3dhp, solid[..., None]).norm(dim=-1)
    away = target.joints - target.joints[:, :1]
    depth = apart(output.depth, away[..., 2], smpl).abs()
    density, density_3dhp = densities(output, target)
    xyz = apart(output.joints, away, smpl[..., None]).norm(dim=-1)
    twist = torch.nn.functional.normalize(output.twists[:, TWISTED], dim=-1)
    true_twist = torch.nn.functional.normalize(batch["twists"][:, TWISTED], dim=-1)
    leaves = apart(output.leaves, batch["pose"][:, list(LEAVES)], smpl[..., None, None])
    depth_3dhp = 100 * tall * depths_3dhp(output, target).abs()
    terms = {
        "uv": masked_mean(uv, target.inside * batch["uv_weight"][:, None]),
        "uv_coco": masked_mean((uv_coco - SLACK_PX).relu(), inside_coco),
        "uv_3dhp": masked_mean((uv_3dhp - SLACK_PX).relu(), solid),
        "depth": masked_mean(100 * tall * depth, target.inside),
        "depth_3dhp": masked_mean((depth_3dhp - SLACK_CM).relu(), solid),
        "density": masked_mean(tall * density.abs(), target.smpl),
        "density_3dhp": masked_mean((tall * density_3dhp.abs() - SLACK_DENSITY).relu(), solid),
        "xyz": masked_mean(100 * tall * xyz, target.smpl),
        "height": torch.zeros_like(uv.sum()),
        "twist": masked_mean(apart(twist, true_twist, smpl[..., None]).norm(dim=-1), target.smpl),
        "betas": masked_mean(apart(output.betas, batch["betas"], smpl).abs(), target.smpl),
        "leaves": masked_mean(leaves.flatten(2).norm(dim=-1), target.smpl),
    }
    return {**terms, "total": total(terms, weights or LossWeights())}


def total(terms: Mapping[str, Tensor], weights: LossWeights) -> Tensor:
    """The weighted sum."""
    names = [field.name for field in fields(LossWeights)]
    pairs = zip(names, astuple(weights), strict=True)
    return torch.stack([weight * terms[name] for name, weight in pairs]).sum()
