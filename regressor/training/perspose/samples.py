"""What PersPose's losses compare with, from what the samples of a batch say.

A sample is a dictionary of tensors: image (3, S, S) normalised; intrinsics (3, 3) of the crop, px;
rotation (3, 3) from the true camera's axes to the crop's; encoded, whether the intrinsics are
known; has_smpl, has_3dhp, has_coco and uv_weight; pose (24, 3, 3) rotations, the first in the true
camera's axes, betas (11,) and translation (3,) m of SMPL; joints_3dhp (17, 3) m and coco17 (17, 3)
px and visibility, of the crop; height, m, 0 where the betas tell it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from regressor.skeletons import H36M17
from regressor.smpl.analytic_ik import posed_twists
from regressor.smpl.body import Body, chain
from regressor.smpl.landmarks import RidingLandmarks


@dataclass
class Seen:
    """What a data set tells of one person; px are the picture's, axes the true camera's."""

    picture: Path
    box: Tensor
    """(4,) x, y, width and height, px, double."""
    intrinsics: np.ndarray | None
    """(3, 3) px, or None where the camera isn't known."""
    labels: dict[str, Tensor]
    """The part of a sample that tells of the person."""


class Labels(nn.Module):
    """The labels of batches, by the bones of one body."""

    def __init__(self, body: Body):
        super().__init__()
        self.body = body
        riding, pelvis = RidingLandmarks(body, "h36m17"), H36M17.index("pelvis")
        self.carrier = int(riding.carriers[pelvis])
        self.offset: Tensor
        self.directions: Tensor
        self.register_buffer("offset", riding.offsets[pelvis], persistent=False)
        self.register_buffer("directions", riding.directions[pelvis], persistent=False)

    @torch.no_grad()
    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The batch as `images.perspose_losses` takes it, in the crops' cameras.

        joints17 (B, 1, 3) has Human3.6M's pelvis alone, which is all that the losses read of it.
        """
        betas, turn = batch["betas"][:, :10], batch["rotation"]  # bodies here have ten
        rest = self.body.joints_at_rest(betas)
        world, joints = chain(batch["pose"], rest)
        joints = joints + batch["translation"][:, None]
        offset = self.offset + torch.einsum("bk,ck->bc", betas, self.directions)
        pelvis = joints[:, self.carrier] + (world[:, self.carrier] @ offset[..., None])[..., 0]
        world = turn[:, None] @ world
        pose = torch.cat([world[:, :1], batch["pose"][:, 1:]], dim=1)
        shaped = torch.einsum("bk,vk->bv", betas, self.body.shapedirs[:, 1])
        heights = self.body.v_template[:, 1] + shaped
        tall = heights.amax(1) - heights.amin(1)
        return {
            **batch,
            "joints24": joints @ turn.transpose(1, 2),
            "joints17": pelvis[:, None] @ turn.transpose(1, 2),
            "twists": posed_twists(rest, world),
            "pose": pose,
            "height": torch.where(batch["height"] > 0, batch["height"], tall),
        }
