"""What PersPose's losses compare with, from what the samples of a batch say.

A sample is a dictionary of tensors: image (3, S, S) normalised; intrinsics (3, 3) of the crop, px;
rotation (3, 3) from the true camera's axes to the crop's; encoded, whether the intrinsics are
known; has_smpl, has_3dhp, has_coco and uv_weight; pose (24, 3, 3) rotations, the first in the true
camera's axes, betas (11,) and translation (3,) m of SMPL, and the gender of the body that they are
of, 0 male, 1 female, -1 neutral or not told; joints_3dhp (17, 3) m and coco17 (17, 3) px and
visibility, of the crop; height, m, 0 where the betas tell it.
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
from regressor.smpl.genders import ByGender
from regressor.smpl.landmarks import landmark_regressor


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
    """The labels of batches: joints, bones and heights are those of each sample's own body.

    The network predicts for the neutral body, yet the betas that it is to predict are the sample's
    own, of whatever body: the publication doesn't say so, but its data has no others. Men's and
    women's betas give the neutral body a somewhat other shape; they weigh little (0.01).

    pelvis: (V,) by which Human3.6M's pelvis follows from the vertices; the bodies' own if None.
    """

    def __init__(self, bodies: ByGender, pelvis: np.ndarray | None = None):
        super().__init__()
        self.rest: Tensor
        self.directions: Tensor
        self.share: Tensor
        self.pelvis: Tensor
        self.pelvis_shapes: Tensor
        self.pelvis_bends: Tensor
        self.upright: Tensor
        self.growth: Tensor
        every = [_linear(body, pelvis) for body in bodies]
        for name in every[0]:
            stacked = torch.stack([one[name] for one in every])
            self.register_buffer(name, stacked, persistent=False)

    @torch.no_grad()
    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The batch as `images.perspose_losses` takes it, in the crops' cameras.

        joints17 (B, 1, 3) has Human3.6M's pelvis alone, which is all that the losses read of it.
        """
        betas, turn = batch["betas"][:, :10], batch["rotation"]  # bodies here have ten
        body = batch["gender"]
        rest = self.rest[body] + torch.einsum("bk,bjck->bjc", betas, self.directions[body])
        world, joints = chain(batch["pose"], rest)
        joints = joints + batch["translation"][:, None]
        pelvis = self._pelvis(body, betas, batch["pose"], rest, world, joints)
        world = turn[:, None] @ world
        pose = torch.cat([world[:, :1], batch["pose"][:, 1:]], dim=1)
        heights = self.upright[body] + torch.einsum("bk,bvk->bv", betas, self.growth[body])
        tall = heights.amax(1) - heights.amin(1)
        return {
            **batch,
            "joints24": joints @ turn.transpose(1, 2),
            "joints17": pelvis @ turn.transpose(1, 2),
            "twists": posed_twists(rest, world),
            "pose": pose,
            "height": torch.where(batch["height"] > 0, batch["height"], tall),
        }

    def _pelvis(
        self, body: Tensor, betas: Tensor, pose: Tensor, rest: Tensor, world: Tensor, joints: Tensor
    ) -> Tensor:
        """Human3.6M's pelvis (B, 1, 3) m, as skinning all vertices would give it.

        It is linear in the skinned vertices, and these in what they are at rest, joint by joint.
        """
        bends = (pose[:, 1:] - torch.eye(3, device=pose.device)).flatten(1)
        still = self.pelvis[body] + torch.einsum("bk,bjck->bjc", betas, self.pelvis_shapes[body])
        still = still + torch.einsum("bp,bjcp->bjc", bends, self.pelvis_bends[body])
        share = self.share[body][..., None]
        away = (world @ (still - share * rest)[..., None])[..., 0]
        return (away + share * joints).sum(dim=1, keepdim=True)


def _linear(body: Body, pelvis: np.ndarray | None) -> dict[str, Tensor]:
    """What labels need of a body, and how it goes with the betas and bends.

    rest (24, 3) and directions (24, 3, 10): the joints at rest; share (24,), pelvis (24, 3),
    pelvis_shapes (24, 3, 10) and pelvis_bends (24, 3, 207): what each joint carries of Human3.6M's
    pelvis; upright (V,) and growth (V, 10): the vertices' heights.
    """
    own = landmark_regressor(body.arrays, "h36m17")[H36M17.index("pelvis")]
    row = own if pelvis is None else pelvis
    # As the authors apply it, about the vertices' mean: rows need not sum to one exactly.
    row = torch.as_tensor(row + (1 - row.sum()) / len(row), dtype=torch.float32)
    carried = row[:, None] * body.weights  # (V, 24)
    bends = torch.zeros(24, 3, 9 * 23)
    if body.posedirs is not None:
        bends = torch.einsum("vj,vcp->jcp", carried, body.posedirs)
    return {
        "rest": body.rest_joints,
        "directions": body.joint_shapedirs,
        "share": carried.sum(dim=0),
        "pelvis": carried.T @ body.v_template,
        "pelvis_shapes": torch.einsum("vj,vck->jck", carried, body.shapedirs),
        "pelvis_bends": bends,
        "upright": body.v_template[:, 1],
        "growth": body.shapedirs[:, 1],
    }
