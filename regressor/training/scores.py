"""Errors of the regressor on people whose bodies are known, in millimetres."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from regressor.images.hmr import HmrOutput
from regressor.images.joints import J24, J24_TO_J14, LABELLED
from regressor.metrics import similarity_aligned
from regressor.training.objective import PosedBody

HIPS = [25 + J24.index("right_hip"), 25 + J24.index("left_hip")]
NAMES = ("mpjpe", "pa_mpjpe", "pve", "shape")


@torch.no_grad()
def errors(posed: PosedBody, output: HmrOutput, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each sample's error (B,), mm: mpjpe, pa_mpjpe, pve, shape.

    mpjpe and pa_mpjpe are over the 14 joints of the field (of J24), about the middle of the hips;
    pve over all vertices about the same point; shape over the vertices of the bodies at rest,
    each about its mean: what is left when the pose doesn't count.
    """
    vertices, joints = posed(output.rotmat, output.betas)
    true_vertices, true_joints = posed(batch["pose"], batch["betas"])
    middle, true_middle = (j[:, HIPS].mean(1, keepdim=True) for j in (joints, true_joints))
    some, true = (j[:, LABELLED][:, list(J24_TO_J14)] for j in (joints, true_joints))
    some, true = some - middle, true - true_middle
    aligned = similarity_aligned(some.cpu().numpy(), true.cpu().numpy())
    apart = np.linalg.norm(aligned - true.cpu().numpy(), axis=-1).mean(-1)
    rest, true_rest = posed.shaped(output.betas), posed.shaped(batch["betas"])
    shape = (rest - rest.mean(1, keepdim=True)) - (true_rest - true_rest.mean(1, keepdim=True))
    found = {
        "mpjpe": (some - true).norm(dim=-1).mean(1),
        "pa_mpjpe": torch.as_tensor(apart, dtype=torch.float32, device=some.device),
        "pve": (vertices - middle - true_vertices + true_middle).norm(dim=-1).mean(1),
        "shape": shape.norm(dim=-1).mean(1),
    }
    return {name: 1000 * value for name, value in found.items()}
