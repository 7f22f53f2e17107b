"""The losses of SPIN, which DSR keeps (DSR, losses.py, `HMRLoss`).

Those of the rendered body stand in `rendering.semantic`. Every loss is a number; a term that no
sample of the batch can have is 0, and still has a gradient.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from regressor.images.hmr import HmrOutput
from regressor.images.joints import J24, LABELLED
from rendering.cameras import FOCAL_PX, weak_to_translation

HIPS = (J24.index("right_hip"), J24.index("left_hip"))


@dataclass
class LossWeights:
    """Weights of the terms, as published."""

    keypoints: float = 5.0
    """Of the 2D keypoints."""
    joints: float = 5.0
    """Of the 3D joints."""
    pose: float = 1.0
    betas: float = 0.001
    vertices: float = 0.0
    """Of the mesh (`loss_shape` there)."""
    camera: float = 1.0
    """Keeps the camera's scale positive."""
    openpose: float = 0.0
    """Factor of the confidences of OpenPose's 25 keypoints."""
    labelled: float = 1.0
    """Factor of the confidences of the 24 keypoints of the data sets."""
    total: float = 60.0
    """Of the sum of all."""


def project_normalised(joints: Tensor, cam: Tensor, size: int = 224) -> Tensor:
    """Joints (B, J, 3) m under weak perspective cam (B, 3) to (B, J, 2) in the crop.

    -1 to 1 over the crop, its middle the origin, y down: by a pinhole of FOCAL_PX, as SPIN does.
    """
    points = joints + weak_to_translation(cam, size=size)[:, None]
    return FOCAL_PX / (size / 2) * points[..., :2] / points[..., 2:]


def keypoint_loss(predicted: Tensor, target: Tensor, weights: LossWeights) -> Tensor:
    """predicted (B, 49, 2), target (B, 49, 3) with confidence: the mean squared distance a number.

    A keypoint without confidence counts as a hit, also in the mean.
    """
    factor = torch.full_like(target[0, :, 2], weights.openpose)
    factor[LABELLED] = weights.labelled
    confidence = (target[..., 2] * factor)[..., None]
    return (confidence * (predicted - target[..., :2]).square()).mean()


def joint_loss(predicted: Tensor, target: Tensor, has: Tensor) -> Tensor:
    """predicted (B, 24, 3) and target (B, 24, 4), m, each about the middle of its hips (J24).

    `has` (B,) says which samples have 3D joints.
    """
    centred = predicted - predicted[:, HIPS].mean(dim=1, keepdim=True)
    truth = target[..., :3] - target[:, HIPS, :3].mean(dim=1, keepdim=True)
    return _mean(target[..., 3:] * _apart(centred, truth, has).square(), has)


def _apart(predicted: Tensor, truth: Tensor, has: Tensor) -> Tensor:
    """predicted - truth (B, ...); 0 in the samples that have no truth, whatever stands there."""
    keep = has.bool().view(-1, *[1] * (predicted.dim() - 1))
    # Chosen before the difference: not even the gradient sees a NaN.
    return predicted - torch.where(keep, truth, predicted.detach())


def _mean(values: Tensor, has: Tensor) -> Tensor:
    """The mean over the samples of values (B, ...) that `has` (B,) names; 0 of none."""
    return values.sum() / (has.bool().sum() * values[0].numel()).clamp(min=1)


def hmr_losses(
    output: HmrOutput,
    joints: Tensor,
    sample: Mapping[str, Tensor],
    weights: LossWeights | None = None,
    vertices: tuple[Tensor, Tensor] | None = None,
) -> dict[str, Tensor]:
    """The weighted terms, by the names of LossWeights, and their `total` (60 times the sum).

    joints (B, 49, 3): of the predicted body (`joints.Joints49`), m; sample: keypoints (B, 49, 3) in
    -1..1 with confidence, pose (B, 24, 3, 3), betas (B, 10) and has_smpl (B,), joints3d (B, 24, 4)
    with their validity, and has_joints3d (B,) (every sample with a valid joint, if not given);
    vertices: predicted and true (B, V, 3), where their weight isn't 0.
    """
    weights = weights or LossWeights()
    seen, has = project_normalised(joints, output.cam), sample["has_smpl"]
    solid = sample.get("has_joints3d")
    solid = (sample["joints3d"][..., 3] > 0).any(dim=1) if solid is None else solid
    terms = {
        "keypoints": keypoint_loss(seen, sample["keypoints"], weights),
        "joints": joint_loss(joints[:, LABELLED], sample["joints3d"], solid),
        "pose": _mean(_apart(output.rotmat, sample["pose"], has).square(), has),
        "betas": _mean(_apart(output.betas, sample["betas"], has).square(), has),
        "camera": torch.exp(-10 * output.cam[:, 0]).square().mean(),
    }
    if vertices is not None:
        predicted, truth = vertices
        terms["vertices"] = _mean(_apart(predicted, truth, has).abs(), has)
    terms = {name: getattr(weights, name) * value for name, value in terms.items()}
    terms["total"] = weights.total * torch.stack(list(terms.values())).sum()
    return terms
