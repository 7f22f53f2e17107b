"""PoseAug's generator: other bone directions, bone lengths and viewpoints for a pose.

jfzhang95/PoseAug at f469ce4, models_poseaug/gan_generator.py: a branch for each, of one shape. It
gives the parameters of a change of fixed form, not joints.

Choice: PoseDA's places come from the alignment (`gpa.py`), so the translation is left out;
`translation` brings PoseAug's back. That PoseDA keeps the rotation is a reading of its authors'
answers, too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import roma
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regressor.adapt import bones

NOISE = 48  # numbers a branch
LENGTH_LIMIT = 0.2
MOST_ANGLE = 3.1415  # of each part of the axis-angle vector, as published
# Bones that have a ratio of lengths in common, hip to forearm.
_ALIKE = ((0, 3), (1, 4), (2, 5), (6,), (7,), (8,), (9, 12), (10, 13), (11, 14))
# From the pelvis to the spine and on to the thorax: turned, they would turn the whole body.
_FIXED = (bones.PELVIS_SPINE, bones.SPINE_THORAX)
_FIXED_RATIO = 4  # of spine to thorax: what is large could be near


@dataclass
class Change:
    """What is done to poses, and how far that goes.

    offset (B, 15, 3), added to the bones' unit vectors; ratios (B, 15), by which the lengths
    change; rotation (B, 3) axis-angle about the root; translation (B, 1, 3) m or None. turned
    (B, 15) is 1 - cos of each bone's turn; groups (B, 9) the ratios that differ.
    """

    offset: Tensor
    ratios: Tensor
    rotation: Tensor
    translation: Tensor | None
    turned: Tensor
    groups: Tensor


@dataclass
class Augmented:
    """Poses (B, 16, 3) after each step, and the whole change.

    angled and lengthened have the root where it was, rotated at 0 or at the translation.
    """

    angled: Tensor
    lengthened: Tensor
    rotated: Tensor
    change: Change


class Stage(nn.Module):
    """Two linear layers, normalised and activated; nothing goes past them."""

    def __init__(self, dim: int):
        super().__init__()
        self.w1, self.batch_norm1 = nn.Linear(dim, dim), nn.BatchNorm1d(dim)
        self.w2, self.batch_norm2 = nn.Linear(dim, dim), nn.BatchNorm1d(dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, dim) -> (B, dim)."""
        x = F.leaky_relu(self.batch_norm1(self.w1(x)))
        return F.leaky_relu(self.batch_norm2(self.w2(x)))


class Branch(nn.Module):
    """From what is known of a pose and noise to the parameters of a change."""

    def __init__(self, known: int, answers: int, dim: int, depth: int):
        super().__init__()
        self.w1, self.batch_norm1 = nn.Linear(known + NOISE, dim), nn.BatchNorm1d(dim)
        self.linear_stages = nn.Sequential(*(Stage(dim) for _ in range(depth)))
        self.w2 = nn.Linear(dim, answers)

    def forward(self, *known: Tensor) -> Tensor:
        """Parts of (B, known + 48) -> (B, answers)."""
        x = self.w1(torch.cat([part.flatten(1) for part in known], dim=1))
        return self.w2(self.linear_stages(F.leaky_relu(self.batch_norm1(x))))


class Generator(nn.Module):
    """Poses (B, 16, 3) and noise (3 or 4, B, 48) to augmented poses."""

    def __init__(self, dim: int = 256, depth: int = 2, translation: bool = False):
        super().__init__()
        pose = 3 * bones.JOINTS
        self.angle = Branch(pose, 3 * bones.BONES, dim, depth)
        self.length = Branch(pose + bones.BONES, len(_ALIKE), dim, depth)
        self.rotation = Branch(pose, 3, dim, depth)
        self.translation = Branch(pose, 3, dim, depth) if translation else None
        group = torch.zeros(bones.BONES, dtype=torch.long)
        for number, alike in enumerate(_ALIKE):
            group[list(alike)] = number
        self.group: Tensor
        self.register_buffer("group", group, persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, poses: Tensor, noise: Tensor) -> Augmented:
        """poses m, in the camera's axes; noise in the order angle, length, rotation, translation.

        All branches see the pose as it came, about its root. Raises ValueError for too little
        noise.
        """
        needed = 3 if self.translation is None else 4
        if len(noise) < needed:
            raise ValueError(f"noise for {len(noise)} branches, not for {needed}")
        root = poses[:, :1]
        pose, vectors = poses - root, bones.vectors_of(poses)
        offset = self.angle(pose, noise[0]).unflatten(1, (bones.BONES, 3))
        angled = turn_bones(vectors, offset)
        turned = 1 - F.cosine_similarity(angled, vectors, dim=-1)
        groups = torch.tanh(self.length(pose, vectors.norm(dim=-1), noise[1])) * LENGTH_LIMIT
        groups = groups * (torch.arange(len(_ALIKE), device=poses.device) != _FIXED_RATIO)
        ratios = groups[:, self.group]
        longer = bones.joints_of(angled * (1 + ratios[..., None]))
        rotation = torch.tanh(self.rotation(pose, noise[2])) * MOST_ANGLE
        rotated = longer @ roma.rotvec_to_rotmat(rotation).mT
        shift = None
        if self.translation is not None:
            shift = self.translation(pose, noise[3])[:, None]
            shift = torch.cat([shift[..., :2], shift[..., 2:].square()], dim=-1)
            rotated = rotated + shift
        change = Change(offset, ratios, rotation, shift, turned, groups)
        return Augmented(bones.joints_of(angled) + root, longer + root, rotated, change)


def turn_bones(vectors: Tensor, offset: Tensor) -> Tensor:
    """Bones' vectors (..., 15, 3) with `offset` added to their directions, as long as before."""
    length = vectors.norm(dim=-1, keepdim=True)
    turned = F.normalize(vectors / length.clamp(min=1e-6) + offset, dim=-1) * length
    fixed = torch.zeros(bones.BONES, 1, dtype=torch.bool, device=vectors.device)
    fixed[list(_FIXED)] = True
    return torch.where(fixed, vectors, turned)


def published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """PoseAug's parameter names to those of `Generator`."""
    branches = {"BAprocess": "angle", "BLprocess": "length", "R": "rotation", "T": "translation"}
    renamed = {}
    for name, value in state.items():
        process, layer, *rest = name.split(".")
        plain = re.sub(r"_(BL|R|T)$", "", layer)
        branch = branches.get(process) or branches[layer[-1]]
        plain = "batch_norm1" if plain == "batch_norm" else plain
        renamed[".".join([branch, plain, *rest])] = value
    return renamed
