"""Analytic inverse kinematics: SMPL's rotations from 24 joints, twists, and the leaves' rotations.

PersPose's (ICCV 2025, arXiv 2508.17239; after HybrIK, CVPR 2021, but with a twist that is
a direction and not an angle). A skeleton with the body's own bone lengths is laid along the
joints, from the pelvis outwards; each bone's direction and its ortho-twist give a rotation.

The authors' code calls some cross products without a dimension, so that it is wrong for batches of
exactly three people; this isn't. Its guard against a division by zero, `angle`'s, is kept: the
pelvis's triangles are so small that it turns them by some 1e-5 rad, and more near half a turn.
"""

from collections.abc import Callable
from typing import NamedTuple

import roma
import torch
from torch import Tensor
from torch.nn.functional import normalize

from regressor.skeletons import SMPL24_PARENTS
from regressor.smpl.body import local_rotations
from regressor.smpl.start import frames

LEAVES = (22, 23, 10, 11, 15)  # hands, feet, head: their rotations are told, not found
# The joints that end a bone whose direction and twist turn the joint before. The pelvis and the
# chest carry three bones each, and are laid out as wholes.
TWISTED = (*range(4, 12), *range(15, 24))
HIPS, CHEST, BRANCHES = (1, 2, 3), 9, (12, 13, 14)
FIRST_BETAS = torch.arange(-20, 20) / 10  # that are tried
AT_ONCE = 512  # people for whom they are tried together
FAR_M = 0.015  # from the target's own bone, whence "own_direction" takes that


class Skeleton(NamedTuple):
    """joints (..., 24, 3) m; the world rotations (..., 3, 3) of `pelvis` and `chest`."""

    joints: Tensor
    pelvis: Tensor
    chest: Tensor


class Solution(NamedTuple):
    """SMPL's parameters: rotations (..., 24, 3, 3) to the parents, translation (..., 3) m, betas.

    world: (..., 24, 3, 3), the same rotations to the world.
    """

    rotations: Tensor
    translation: Tensor
    betas: Tensor
    world: Tensor


def bones(joints: Tensor) -> Tensor:
    """Joints (..., 24, 3) to each one's way from its parent (..., 24, 3); the root's stays."""
    ways = joints[..., 1:, :] - joints[..., list(SMPL24_PARENTS[1:]), :]
    return torch.cat([joints[..., :1, :], ways], dim=-2)


def ortho_twists(rest: Tensor) -> Tensor:
    """Joints at rest (..., 24, 3) to unit vectors (..., 24, 3) square to their bones.

    That which points backward (-z) as nearly as it can; 0 where a bone runs along z.
    """
    along = normalize(bones(rest), dim=-1)
    back = along.new_tensor([0.0, 0.0, -1.0])
    return normalize(back - (back * along).sum(-1, keepdim=True) * along, dim=-1)


def posed_twists(rest: Tensor, world: Tensor) -> Tensor:
    """The ortho-twists (..., 24, 3) of a posed body, by its world rotations (..., 24, 3, 3).

    A bone turns with the joint where it begins. (The root ends none: its entry means nothing.)
    """
    carriers = world[..., [0, *SMPL24_PARENTS[1:]], :, :]
    return turned(carriers, ortho_twists(rest))


def solve(
    joints: Tensor,
    twists: Tensor,
    leaves: Tensor,
    betas: Tensor,
    joints_at_rest: Callable[[Tensor], Tensor],
) -> Solution:
    """SMPL's parameters from what a network says.

    joints and twists: (..., 24, 3) m and directions. leaves: (..., 5, 3, 3), the rotations of
    LEAVES to their parents. betas: (..., K); the first is searched for and not used.
    joints_at_rest: a body's, betas (..., K) to joints (..., 24, 3).
    """
    betas = search_first_beta(joints, betas, joints_at_rest)
    rest = joints_at_rest(betas)
    skeleton = fit_skeleton(rest, joints, own_direction=True)
    world = world_rotations(rest, skeleton, twists, leaves)
    translation = skeleton.joints[..., 0, :] - rest[..., 0, :]
    return Solution(local_rotations(world), translation, betas, world)


def search_first_beta(
    joints: Tensor, betas: Tensor, joints_at_rest: Callable[[Tensor], Tensor]
) -> Tensor:
    """betas (..., K) with the first of FIRST_BETAS whose skeleton lies nearest in x and y."""
    first, found = FIRST_BETAS.to(betas), []
    targets, known = joints.reshape(-1, 24, 3), betas.reshape(-1, betas.shape[-1])
    # All people at once would be 40 skeletons of each in memory.
    for target, own in zip(targets.split(AT_ONCE), known.split(AT_ONCE), strict=True):
        tried = own[:, None].repeat(1, len(first), 1)
        tried[..., 0] = first
        fitted = fit_skeleton(joints_at_rest(tried), target[:, None], keep_xy=True).joints
        away = (fitted - target[:, None])[..., :2].norm(dim=-1).mean(-1)
        found.append(tried[torch.arange(len(own), device=own.device), away.argmin(dim=-1)])
    return torch.cat(found).view(betas.shape)


def fit_skeleton(
    rest: Tensor, joints: Tensor, keep_xy: bool = False, own_direction: bool = False
) -> Skeleton:
    """Lays a body's bones, at rest (..., 24, 3), along joints (..., 24, 3), both in metres.

    Every bone begins where the fitted one before it ends, and points to its target joint.
    keep_xy: its x and y reach the target where the bone is long enough; the rest is depth.
    own_direction: where it would end FAR_M or more from where the target's own bone points,
        it goes there instead.
    """
    rest, joints = torch.broadcast_tensors(rest, joints)
    still, wanted = bones(rest), bones(joints)
    pelvis, moved = lay_pelvis(rest - rest[..., :1, :], joints - joints[..., :1, :])
    root = joints[..., 0, :] + moved
    fitted = [root, *(root + turned(pelvis, still[..., i, :]) for i in HIPS)]
    chest = pelvis
    for i in range(4, 24):
        start = fitted[SMPL24_PARENTS[i]]
        if i == BRANCHES[0]:
            chest = lay_chest(still, joints, start)
        if i in BRANCHES:
            fitted.append(start + turned(chest, still[..., i, :]))
            continue
        length = still[..., i, :].norm(dim=-1, keepdim=True)
        bone = towards(joints[..., i, :] - start, length, keep_xy)
        if own_direction:
            own = length * normalize(wanted[..., i, :], dim=-1)
            far = (bone - own).norm(dim=-1, keepdim=True) >= FAR_M
            bone = torch.where(far, own, bone)
        fitted.append(start + bone)
    return Skeleton(torch.stack(fitted, dim=-2), pelvis, chest)


def turned(rotation: Tensor, vector: Tensor) -> Tensor:
    """Vectors (..., 3) by rotations (..., 3, 3)."""
    return (rotation @ vector[..., None])[..., 0]


def towards(way: Tensor, length: Tensor, keep_xy: bool) -> Tensor:
    """Bones (..., 3) of a length (..., 1) along `way` (..., 3)."""
    plain = length * normalize(way, dim=-1)
    if not keep_xy:
        return plain
    left = length**2 - (way[..., :2] ** 2).sum(-1, keepdim=True)
    depth = torch.sign(way[..., 2:]) * left.clamp(min=0).sqrt()
    return torch.where(depth == 0, plain, torch.cat([way[..., :2], depth], dim=-1))


def lay_pelvis(rest: Tensor, joints: Tensor) -> tuple[Tensor, Tensor]:
    """The pelvis's rotation (..., 3, 3), and how far its root moves (..., 3) from the target's.

    rest and joints (..., 24, 3) about their roots. The triangles of hips and spine are brought
    into one plane, then turned in it by the mean of the three corners' angles.
    """
    before, after = rest[..., HIPS, :], joints[..., HIPS, :]
    old, new = normal(before), normal(after)
    tilt = angle(old, new)[..., None] * normalize(torch.linalg.cross(old, new, dim=-1), dim=-1)
    swing, axis = roma.rotvec_to_rotmat(tilt), normalize(new, dim=-1)
    spokes = about_middle(before) @ swing.transpose(-1, -2)
    turn = mean_angle(signed_angle(spokes, about_middle(after), axis[..., None, :]))
    rotation = roma.rotvec_to_rotmat(turn[..., None] * axis) @ swing
    return rotation, after.mean(dim=-2) - turned(rotation, before.mean(dim=-2))


def normal(triangle: Tensor) -> Tensor:
    """The normal (..., 3) of triangles (..., 3, 3), as long as twice their area."""
    first, second, third = triangle.unbind(-2)
    return torch.linalg.cross(second - first, third - first, dim=-1)


def about_middle(points: Tensor) -> Tensor:
    """Points (..., N, 3) about their mean."""
    return points - points.mean(dim=-2, keepdim=True)


def angle(one: Tensor, other: Tensor) -> Tensor:
    """(...) radians between vectors (..., 3), with the published guards."""
    lengths = one.norm(dim=-1) * other.norm(dim=-1)
    return torch.acos(((one * other).sum(-1) / (lengths + 1e-8)).clamp(1e-7 - 1, 1 - 1e-7))


def signed_angle(source: Tensor, target: Tensor, axis: Tensor) -> Tensor:
    """(...) radians from `source` to `target` (..., 3) about `axis` (..., 3), square to both."""
    side = torch.sign((torch.linalg.cross(source, target, dim=-1) * axis).sum(-1))
    return side * angle(source, target)


def mean_angle(angles: Tensor) -> Tensor:
    """The mean of three angles (..., 3), pairwise as published: ((a + b) / 2 + c) / 2."""
    first, second, third = angles.unbind(-1)
    return halfway(halfway(first, second), third)


def halfway(one: Tensor, other: Tensor) -> Tensor:
    """The angle between two, on the shorter side."""
    mean = (one + other) / 2
    return torch.where((one - other).abs() > torch.pi, mean + torch.pi, mean)


def lay_chest(still: Tensor, joints: Tensor, start: Tensor) -> Tensor:
    """The chest's rotation (..., 3, 3): neck and collars together, from where the spine ends.

    still: the bones at rest (..., 24, 3); joints (..., 24, 3); start: the fitted chest (..., 3).
    """
    before, after = still[..., BRANCHES, :], joints[..., BRANCHES, :] - start[..., None, :]
    rotation = roma.special_procrustes(after.transpose(-1, -2) @ before)
    assert isinstance(rotation, Tensor)  # and not singular values as well
    return rotation


def world_rotations(rest: Tensor, skeleton: Skeleton, twists: Tensor, leaves: Tensor) -> Tensor:
    """World rotations (..., 24, 3, 3) of a fitted skeleton, by twists (..., 24, 3) and leaves."""
    before = frames(bones(rest), ortho_twists(rest))
    after = frames(bones(skeleton.joints), twists)
    turns = after @ before.transpose(-1, -2)
    world: dict[int, Tensor] = {0: skeleton.pelvis, CHEST: skeleton.chest}
    world |= {SMPL24_PARENTS[end]: turns[..., end, :, :] for end in TWISTED}
    for i, leaf in enumerate(LEAVES):
        world[leaf] = world[SMPL24_PARENTS[leaf]] @ leaves[..., i, :, :]
    return torch.stack([world[i] for i in range(24)], dim=-3)
