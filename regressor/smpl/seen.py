"""Where a detector sees the joints that a lifter gives: what to hold against keypoints.

A lifter is given combinations of a detector's landmarks and answers with Human3.6M's joints, which
lie elsewhere by centimetres at the hips, the trunk and the head. Before joints are projected onto
keypoints they have to be taken there.
"""

import torch
from torch import Tensor

from regressor.skeletons import to_h36m17
from regressor.smpl.body import Body
from regressor.smpl.fit import limits, posed_joints
from regressor.smpl.landmarks import RidingLandmarks

_POSES = 512
_STIFFNESS = 0.01  # m², against moving far for little


def seen_from_joints(body: Body, skeleton: str) -> Tensor:
    """(17, 17): joints (17, 3) from the pelvis to the points that `skeleton`'s detector gives.

    The linear map that does it best on random poses within the body's limits; as it is linear, it
    holds for any heading. Joints that are seen where they are stay there.
    """
    low, high, _ = limits()
    generator = torch.Generator().manual_seed(0)
    turns = low + (high - low) * torch.rand(_POSES, 23, 3, generator=generator)
    turns = torch.cat([torch.zeros(_POSES, 1, 3), turns], dim=1)
    betas = torch.zeros(10)
    posed = *posed_joints(body, turns, torch.zeros(_POSES, 3), betas), betas
    joints = RidingLandmarks(body, "h36m17")(*posed)
    seen = torch.as_tensor(to_h36m17(skeleton)) @ RidingLandmarks(body, skeleton)(*posed)
    apart = (seen - joints).transpose(0, 1).flatten(1)  # (17, 3 poses)
    joints = (joints - joints[:, :1]).transpose(0, 1).flatten(1)
    square = joints @ joints.T / _POSES + _STIFFNESS * torch.eye(17)
    return torch.eye(17) + torch.linalg.solve(square, joints @ apart.T / _POSES).T
