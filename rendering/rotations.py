"""The one rotation that roma hasn't."""

import roma
import torch
from torch import Tensor


def smallest_rotation(source: Tensor, target: Tensor) -> Tensor:
    """(..., 3, 3) that turn unit vectors (..., 3) `source` into `target` the shortest way."""
    axis = torch.linalg.cross(source, target, dim=-1)
    sine = axis.norm(dim=-1, keepdim=True)
    angle = torch.atan2(sine, (source * target).sum(-1, keepdim=True))
    return roma.rotvec_to_rotmat(axis / sine.clamp(min=1e-6) * angle)
