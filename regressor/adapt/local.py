"""Local pose augmentation of whole windows.

Choices, since nothing is published for lifters of several frames: a window gets one augmentation,
the generator's for its middle frame. The change of the bones' directions is carried through the
window in the person's own axes (so that it turns with them), the change of the lengths and the
rotation are the same in all frames; the window turns as a whole, with the person's path. What a
detector sees besides the joints (its points' offsets from them) turns along.
"""

import roma
import torch
from torch import Tensor

from regressor.adapt import bones
from regressor.adapt.generator import Change, Generator, turn_bones


def change_for(generator: Generator, joints: Tensor, noise: Tensor) -> Change:
    """What to do to windows (B, T, 17, 3) m in the camera's axes; noise (3, B, 48)."""
    return generator(bones.to16(joints[:, joints.shape[1] // 2]), noise).change


def apply(change: Change, joints: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Windows of joints and of a detector's points, each (B, T, 17, 3) m, after the change.

    The root of the middle frame stays where it is.
    """
    middle = joints.shape[1] // 2
    turn = roma.rotvec_to_rotmat(change.rotation)[:, None]
    root = joints[:, :, :1]
    path = root - root[:, middle : middle + 1]
    axes = bones.body_axes(joints)
    carried = axes @ axes[:, middle : middle + 1].mT  # (B, T, 3, 3), the identity in the middle
    offset = change.offset[:, None] @ carried.mT
    vectors = turn_bones(bones.vectors_of(bones.to16(joints)), offset)
    local = bones.joints_of(vectors * (1 + change.ratios[:, None, :, None]))
    changed = bones.to17(local, joints - root) + path
    placed = changed @ turn.mT + root[:, middle : middle + 1]
    return placed, placed + (seen - joints) @ turn.mT


def augment(
    generator: Generator, joints: Tensor, seen: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor]:
    """Both in one, without gradients."""
    with torch.no_grad():
        return apply(change_for(generator, joints, noise), joints, seen)
