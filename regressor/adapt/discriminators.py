"""Who tells real poses from generated ones: by their bones' angles, and by how they are seen.

PoseAug's networks (jfzhang95/PoseAug at f469ce4, models_poseaug/PosDiscriminator.py). PoseDA calls
its own "anchor discriminators" and doesn't say more.

Choice: each has the real poses of one domain as its anchor. In 3D these are the source's, the only
ones there are; they are compared with the pose after the change of angles, since nothing but angles
is seen. In 2D they are the target's keypoints, compared with the projection of the augmented pose
after the alignment. Both sides of the 2D comparison have the root at 0 and the box's mean side 1
(`about_root`): place and size are the alignment's affair.
"""

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regressor.adapt import bones

# Bones whose angles among each other are looked at together: both sides' trunk and arm, both legs
# with the spine, and the trunk with all that begins at it.
PARTS = (
    (7, 9, 10, 11),
    (7, 12, 13, 14),
    (0, 1, 2, 3, 6),
    (0, 3, 4, 5, 6),
    (0, 3, 6, 7, 8, 9, 12),
)


class Part(nn.Module):
    """A score from the products of a part's bones."""

    def __init__(self, dim: int):
        super().__init__()
        self.kcs_layer_1 = nn.Linear(bones.BONES**2, dim)
        self.kcs_layer_2 = nn.Linear(dim, dim)
        self.kcs_layer_3 = nn.Linear(dim, dim)
        self.layer_last = nn.Linear(dim, 100)
        self.layer_pred = nn.Linear(100, 1)

    def forward(self, products: Tensor) -> Tensor:
        """(B, 225) -> (B, 1)."""
        first = F.leaky_relu(self.kcs_layer_1(products))
        x = self.kcs_layer_3(F.leaky_relu(self.kcs_layer_2(first))) + first
        return self.layer_pred(F.leaky_relu(self.layer_last(x)))


class Discriminator3D(nn.Module):
    """Poses (B, 16, 3) to a score (B, 5) for each part."""

    def __init__(self, dim: int = 256):
        super().__init__()
        self.parts = nn.ModuleList(Part(dim) for _ in PARTS)
        inside = torch.zeros(len(PARTS), bones.BONES, 1)
        for number, part in enumerate(PARTS):
            inside[number, list(part)] = 1
        self.inside: Tensor
        self.register_buffer("inside", inside, persistent=False)

    def forward(self, poses: Tensor) -> Tensor:
        """Only the directions of the bones count."""
        units = F.normalize(bones.vectors_of(poses), dim=-1)
        scores = []
        for part, inside in zip(self.parts, self.inside, strict=True):
            some = units * inside
            scores.append(part((some @ some.mT).flatten(1)))
        return torch.cat(scores, dim=1)


class Discriminator2D(nn.Module):
    """Keypoints (B, 16, 2) to a score (B, 1)."""

    def __init__(self, dim: int = 100):
        super().__init__()
        self.pose_layer_1 = nn.Linear(2 * bones.JOINTS, dim)
        self.pose_layer_2 = nn.Linear(dim, dim)
        self.pose_layer_3 = nn.Linear(dim, dim)
        self.pose_layer_4 = nn.Linear(dim, dim)
        self.layer_last = nn.Linear(dim, dim)
        self.layer_pred = nn.Linear(dim, 1)

    def forward(self, keypoints: Tensor) -> Tensor:
        first = F.leaky_relu(self.pose_layer_1(keypoints.flatten(1)))
        x = F.leaky_relu(self.pose_layer_2(first))
        x = F.leaky_relu(self.pose_layer_3(x) + first)
        x = self.pose_layer_4(x)
        return self.layer_pred(F.leaky_relu(self.layer_last(x)))


def about_root(keypoints: Tensor) -> Tensor:
    """Keypoints (..., J, 2) with joint 0 at 0 and the mean side of their box 1."""
    box = keypoints.amax(dim=-2, keepdim=True) - keypoints.amin(dim=-2, keepdim=True)
    return (keypoints - keypoints[..., :1, :]) / box.mean(dim=-1, keepdim=True).clamp(min=1e-6)


def published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """PoseAug's parameter names to those of `Discriminator3D`; those of the 2D one are the same."""
    return {
        re.sub(r"^kcs_path_(\d)", lambda found: f"parts.{int(found[1]) - 1}", name): value
        for name, value in state.items()
    }
