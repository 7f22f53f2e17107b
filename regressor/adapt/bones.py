"""The 16 joints on which poses are augmented, their bones, and the way from and to the house's 17.

Human3.6M's 17 without the nose: PoseAug's skeleton. A bone's vector leads from the child to the
parent.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from regressor.skeletons import H36M17, H36M17_PARENTS
from regressor.smpl.start import smallest_rotation

NOSE = H36M17.index("nose")
KEPT = [joint for joint in range(17) if joint != NOSE]
JOINTS = len(KEPT)
CHILDREN = list(range(1, JOINTS))
# What hung on the nose hangs on what it hung on.
PARENTS = [
    KEPT.index(H36M17_PARENTS[NOSE] if H36M17_PARENTS[j] == NOSE else H36M17_PARENTS[j])
    for j in KEPT[1:]
]
BONES = len(PARENTS)
PELVIS_SPINE, SPINE_THORAX, THORAX_HEAD = 6, 7, 8
_THORAX, _HEAD = (H36M17.index(name) for name in ("thorax", "head_top"))
_HIPS = [H36M17.index(name) for name in ("right_hip", "left_hip")]


def to16(joints: Tensor) -> Tensor:
    """(..., 17, C) -> (..., 16, C): the nose is left out."""
    return joints[..., KEPT, :]


def to17(joints: Tensor, before: Tensor) -> Tensor:
    """(..., 16, 3) -> (..., 17, 3), the nose where it was in `before` (..., 17, 3).

    Choice: it follows the line from the thorax to the head by the smallest rotation and in scale.
    """
    old = before[..., _HEAD, :] - before[..., _THORAX, :]
    new = joints[..., THORAX_HEAD + 1, :] - joints[..., SPINE_THORAX + 1, :]
    turn = smallest_rotation(F.normalize(old, dim=-1), F.normalize(new, dim=-1))
    scale = new.norm(dim=-1, keepdim=True) / old.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    offset = before[..., NOSE, :] - before[..., _THORAX, :]
    nose = joints[..., SPINE_THORAX + 1, :] + scale * (turn @ offset[..., None])[..., 0]
    return torch.cat([joints[..., :NOSE, :], nose[..., None, :], joints[..., NOSE:, :]], dim=-2)


def vectors_of(joints: Tensor) -> Tensor:
    """Joints (..., 16, 3) -> bones' vectors (..., 15, 3)."""
    return joints[..., PARENTS, :] - joints[..., CHILDREN, :]


def joints_of(vectors: Tensor) -> Tensor:
    """Bones' vectors (..., 15, 3) -> joints (..., 16, 3), the root at 0."""
    joints = [torch.zeros_like(vectors[..., 0, :])]
    for bone, parent in enumerate(PARENTS):
        joints.append(joints[parent] - vectors[..., bone, :])
    return torch.stack(joints, dim=-2)


def body_axes(joints: Tensor) -> Tensor:
    """Joints (..., 17, 3) -> rotations (..., 3, 3) whose columns are the person's own axes.

    x from the right to the left hip, y from the pelvis towards the thorax, upright to x.
    """
    across = F.normalize(joints[..., _HIPS[1], :] - joints[..., _HIPS[0], :], dim=-1)
    along = joints[..., _THORAX, :] - joints[..., 0, :]
    along = along - (along * across).sum(-1, keepdim=True) * across
    along = F.normalize(along, dim=-1)
    return torch.stack([across, along, torch.linalg.cross(across, along)], dim=-1)
