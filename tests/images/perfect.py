"""What networks that know the truth say of people who are seen by cameras that are turned."""

import torch
from torch import Tensor

from regressor.images.hmr import HmrOutput
from regressor.images.perspose import PersPoseOutput
from regressor.smpl.analytic_ik import LEAVES, posed_twists
from regressor.smpl.body import Body, chain


def perspose(
    body: Body, rotations: Tensor, betas: Tensor, pelvis: Tensor, turn: Tensor
) -> PersPoseOutput:
    """People of rotations (N, 24, 3, 3), betas (N, 10), pelvis (N, 3) m in the true camera's axes.

    turn (N, 3, 3): from these axes to those of the crops' cameras.
    """
    turn, pad = turn.float(), torch.zeros(len(turn), 1, 3)
    rest = body.joints_at_rest(betas)
    world, joints = chain(rotations, rest)
    seen = (joints - joints[:, :1] + pelvis[:, None]) @ turn.transpose(1, 2)
    twists = posed_twists(rest, turn[:, None] @ world)
    first = torch.full((len(turn), 1), 9.0)  # which nobody should believe
    return PersPoseOutput(
        uv=torch.zeros(len(turn), 25, 2),
        depth=torch.zeros(len(turn), 25),
        density=torch.zeros(len(turn), 25),
        joints=torch.cat([seen - seen[:, :1], pad], dim=1),
        root=seen[:, 0],
        twists=torch.cat([twists, pad], dim=1),
        leaves=rotations[:, LEAVES],
        betas=torch.cat([first, betas[:, 1:], first], dim=1),
    )


def hmr(
    body: Body,
    rotations: Tensor,
    betas: Tensor,
    pelvis: Tensor,
    turn: Tensor,
    intrinsics: Tensor,
    size: int = 224,
) -> HmrOutput:
    """The same, its weak perspective placing the pelvis; intrinsics (N, 3, 3): of the crops, px."""
    turn, rest = turn.float(), body.joints_at_rest(betas)
    first = turn @ rotations[:, 0]
    x, y, z = ((turn @ pelvis[..., None])[..., 0] - rest[:, 0]).unbind(-1)
    focal = intrinsics[:, 0, 0]
    away = (size / 2 - intrinsics[:, :2, 2]) * (z / focal)[:, None]
    cam = torch.stack([2 * focal / (size * z), x - away[:, 0], y - away[:, 1]], dim=-1)
    return HmrOutput(torch.cat([first[:, None], rotations[:, 1:]], dim=1), betas, cam)
