"""An analytic pose from 17 joints: limb directions give the swings, bent hinges the twists.

The start of the fit. What 17 joints don't say (ankles, wrists, the spine's shares) is set to rest
or shared out evenly.
"""

import roma
import torch
from torch import Tensor
from torch.nn.functional import normalize

from regressor.skeletons import H36M17, SMPL24
from regressor.smpl.body import Body, local_rotations
from regressor.smpl.landmarks import RidingLandmarks
from rendering.rotations import smallest_rotation

STRAIGHT = 0.35  # sine of the bend below which a hinge's axis says little about the twist


def frames(first: Tensor, second: Tensor) -> Tensor:
    """(..., 3, 3) rotations: columns along `first`, `second` made square to it, and the third."""
    x = normalize(first, dim=-1)
    y = normalize(second - (second * x).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)


def share(rotation: Tensor, part: float) -> Tensor:
    """`part` of rotations (..., 3, 3) about their own axes."""
    return roma.rotvec_to_rotmat(part * roma.rotmat_to_rotvec(rotation))


def start_pose(joints: Tensor, body: Body) -> Tensor:
    """Human3.6M joints (T, 17, 3) to local rotations (T, 24, 3, 3), in the joints' own axes."""

    def at(name: str) -> Tensor:
        return joints[:, H36M17.index(name)]

    rest_points = RidingLandmarks(body, "h36m17")
    unturned = torch.eye(3).expand(24, 3, 3)
    rest = rest_points(unturned, body.rest_joints, torch.zeros(10))

    def rest_at(name: str) -> Tensor:
        return rest[H36M17.index(name)]

    def block(end: str, start: str, left: str, right: str) -> Tensor:
        """World rotation of a block of the trunk: its long axis, then its left-right axis."""
        posed = frames(at(end) - at(start), at(left) - at(right))
        still = frames(rest_at(end) - rest_at(start), rest_at(left) - rest_at(right))
        return posed @ still.transpose(-1, -2)

    world = torch.eye(3).repeat(len(joints), 24, 1, 1)
    pelvis = block("spine", "pelvis", "left_hip", "right_hip")
    chest = block("thorax", "spine", "left_shoulder", "right_shoulder")
    bend = pelvis.transpose(-1, -2) @ chest
    world[:, 0] = pelvis
    for i, name in enumerate(("spine1", "spine2", "spine3"), start=1):
        world[:, SMPL24.index(name)] = pelvis @ share(bend, i / 3)
    for side in ("left", "right"):
        world[:, SMPL24.index(f"{side}_collar")] = chest
    up, ahead = at("head_top") - at("thorax"), at("nose") - at("head_top")
    still = frames(rest_at("head_top") - rest_at("thorax"), rest_at("nose") - rest_at("head_top"))
    head = frames(up, ahead) @ still.T
    world[:, SMPL24.index("head")] = head
    world[:, SMPL24.index("neck")] = chest @ share(chest.transpose(-1, -2) @ head, 0.5)

    for side, sign in (("left", 1.0), ("right", -1.0)):
        arm = (f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist")
        leg = (f"{side}_hip", f"{side}_knee", f"{side}_ankle")
        # Rest hinges: the elbow bends forward about -y (left) or +y, the knee backward about +x.
        for limb, parent, hinge in (
            (arm, chest, (0.0, -sign, 0.0)),
            (leg, pelvis, (1.0, 0.0, 0.0)),
        ):
            place_limb(world, at, rest_at, limb, parent, torch.tensor(hinge))
        for child, source in (
            ("wrist", "elbow"),
            ("hand", "elbow"),
            ("ankle", "knee"),
            ("foot", "knee"),
        ):
            world[:, SMPL24.index(f"{side}_{child}")] = world[:, SMPL24.index(f"{side}_{source}")]
    return local_rotations(world)


def place_limb(
    world, at, rest_at, limb: tuple[str, str, str], parent: Tensor, hinge: Tensor
) -> None:
    """World rotations of a limb's two bones, hinge included, written into `world`."""
    top, middle, end = limb
    upper, lower = normalize(at(middle) - at(top), dim=-1), normalize(at(end) - at(middle), dim=-1)
    rest_upper, rest_lower = rest_at(middle) - rest_at(top), rest_at(end) - rest_at(middle)
    # Without a bend the hinge stays where the swing from the parent's rest takes it.
    swing = smallest_rotation(parent @ normalize(rest_upper, dim=0), upper)
    expected = (swing @ parent) @ hinge
    seen = torch.linalg.cross(upper, lower)
    seen = seen * torch.sign((seen * expected).sum(-1, keepdim=True) + 0.5 * STRAIGHT)
    trust = (seen.norm(dim=-1, keepdim=True) / STRAIGHT).clamp(max=1)
    axis = normalize(trust * normalize(seen, dim=-1) + (1 - trust) * expected, dim=-1)
    still = hinge.expand(len(upper), 3)
    for name, direction, rest in ((top, upper, rest_upper), (middle, lower, rest_lower)):
        turn = frames(direction, axis) @ frames(rest.expand_as(still), still).transpose(-1, -2)
        world[:, SMPL24.index(name)] = turn
