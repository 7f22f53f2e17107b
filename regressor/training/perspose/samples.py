"""What PersPose's losses compare with, from what the samples of a batch say.

A sample is a dictionary of tensors: image (3, S, S) normalised; intrinsics (3, 3) of the crop, px;
rotation (3, 3) from the true camera's axes to the crop's; encoded, whether the intrinsics are
known; has_smpl, has_3dhp, has_coco and uv_weight; pose (24, 3, 3) rotations, the first in the true
camera's axes, betas (10,) and translation (3,) m of SMPL; joints_3dhp (17, 3) m and coco17 (17, 3)
px and visibility, of the crop.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from regressor.images.perspose import BETAS
from regressor.skeletons import H36M17
from regressor.smpl.analytic_ik import posed_twists
from regressor.smpl.body import Body, chain
from regressor.smpl.landmarks import RidingLandmarks


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
        betas, turn = batch["betas"], batch["rotation"]
        rest = self.body.joints_at_rest(betas)
        world, joints = chain(batch["pose"], rest)
        joints = joints + batch["translation"][:, None]
        offset = self.offset + torch.einsum("bk,ck->bc", betas, self.directions)
        pelvis = joints[:, self.carrier] + (world[:, self.carrier] @ offset[..., None])[..., 0]
        world = turn[:, None] @ world
        pose = torch.cat([world[:, :1], batch["pose"][:, 1:]], dim=1)
        tall = self.body.v_template[:, 1] + torch.einsum(
            "bk,vk->bv", betas, self.body.shapedirs[:, 1]
        )
        return {
            **batch,
            "joints24": joints @ turn.transpose(1, 2),
            "joints17": pelvis[:, None] @ turn.transpose(1, 2),
            "twists": posed_twists(rest, world),
            "pose": pose,
            "betas": nn.functional.pad(betas, (0, BETAS - betas.shape[1])),
            "height": tall.amax(1) - tall.amin(1),
        }
