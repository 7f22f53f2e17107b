"""Cameras that turn to each person before the crop is cut, as PersPose's do.

Crops are drawn as the turned camera sees them: what is drawn has gone round it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rendering.perspective import turned_crop, turned_translation

from .outfits import Draw
from .views import ViewOptions, Views


@dataclass
class Turned(Views):
    """Views whose translation (B, 3) and crop_intrinsics are those of the turned camera.

    rotation (B, 3, 3): from the true camera's axes to the turned camera's.
    """

    rotation: Tensor

    def turn(self, transforms: Tensor, joints: Tensor, points: Tensor) -> tuple[Tensor, ...]:
        """Bodies that are posed in the true camera's axes, turned about their first joint.

        transforms (B, 24, 3, 4) from rest; joints (B, J, 3) and points (B, P, 3), m.
        """
        turn = self.rotation.to(joints)
        root = joints[:, :1]
        back = turn.transpose(1, 2)
        shift = (transforms[..., 3] - root) @ back + root
        turned = torch.cat([turn[:, None] @ transforms[..., :3], shift[..., None]], dim=-1)
        return turned, (joints - root) @ back + root, (points - root) @ back + root

    def turn_pose(self, pose: Tensor) -> Tensor:
        """SMPL's rotations (B, 24, 3, 3) likewise: the first is to the camera's axes."""
        first = self.rotation.to(pose) @ pose[:, 0]
        return torch.cat([first[:, None], pose[:, 1:]], dim=1)


@dataclass
class TurnedViews(ViewOptions):
    """The same cameras, turned."""

    def draw(self, joints: Tensor, size: int, draw: Draw) -> Turned:
        """joints (B, J, 3) m: the first is that about which SMPL turns."""
        plain = super().draw(joints, size, draw)
        side = plain.box_side[:, None]
        boxes = torch.cat([plain.box_centre - side / 2, side, side], dim=1)
        crop = turned_crop(boxes.double(), plain.intrinsics.double(), size)
        rotation, intrinsics = crop.rotation.float(), crop.intrinsics.float()
        root = joints[:, 0] + plain.translation
        translation = turned_translation(plain.translation, root, rotation)
        places = (plain.intrinsics, plain.box_centre, plain.box_side)
        return Turned(translation, *places, intrinsics, rotation)
