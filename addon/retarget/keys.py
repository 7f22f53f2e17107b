"""A bake's channels as keys: of every frame, or of as few as keep the joints in place."""

import bpy
import numpy as np

from ..action import ensure_action, write_keys
from ..motion_file import matrix_to_quaternion
from .channels import from_matrices, multiply, path_of, to_quaternions, turn
from .decimate import reduced
from .follow import Follow, Local, as_smpl, solve
from .helper import RIGIFY_FK, switch_to_fk
from .rig import Rig
from .transfer import Wanted, world_scale


def keyed_channels(target, wanted: Wanted, local: Local) -> list[np.ndarray]:
    """Of each bone (T, c) in its own rotation mode, and last the travel (T, 3)."""
    turns = zip(local.turns, _modes(target, wanted), strict=True)
    return [from_matrices(own, mode) for own, mode in turns] + [local.travel]


def _modes(target, wanted: Wanted) -> list[str]:
    return [target.pose.bones[bone].rotation_mode for bone in wanted.bones]


def write_channels(
    target, wanted: Wanted, channels: list[np.ndarray], frames: np.ndarray, kept, name: str
) -> bpy.types.Action:
    """Keys the kept frames, by their indices, in a new action. A generated Rigify's limbs are keyed
    to FK."""
    data = target.animation_data or target.animation_data_create()
    data.action_blend_type, data.action_influence = "REPLACE", 1.0
    action = ensure_action(target, name)
    for at, bone in enumerate(wanted.bones):
        path = f'pose.bones["{bpy.utils.escape_identifier(bone)}"].'
        rotation = path + path_of(target.pose.bones[bone].rotation_mode)
        write_keys(target, rotation, frames[kept[at]], channels[at][kept[at]], bone)
        if wanted.joints[at] == "pelvis":
            travel = path + "location"
            write_keys(target, travel, frames[kept[-1]], channels[-1][kept[-1]], bone)
    for bone in switch_to_fk(target):
        path = f'pose.bones["{bone}"]["{RIGIFY_FK[bone][0]}"]'
        write_keys(target, path, frames[:1], np.array([RIGIFY_FK[bone][1]]), bone)
    return action


def reduced_keys(
    target,
    rig: Rig,
    wanted: Wanted,
    follows: list[Follow] | None,
    channels: list[np.ndarray],
    frames: np.ndarray,
    bound_m: float,
) -> list[np.ndarray]:
    """Of each bone's rotation, and of the travel, the indices of the frames that need keys."""
    modes, scale = _modes(target, wanted), world_scale(rig)
    if follows is None:  # what the keys really turn isn't known: judged as if it were SMPL's bones
        follows, modes, scale = as_smpl(wanted), ["QUATERNION"] * len(wanted.bones), 1.0
        local = solve(wanted, follows, scale)
        channels = [from_matrices(own, "QUATERNION") for own in local.turns] + [local.travel]
    # By a change of 1, a quaternion turns its bone by 2 rad, and angles by 1.
    turns = [2.0 if values.shape[1] == 4 else 1.0 for values in channels[:-1]]
    reaches = [own * reach for own, reach in zip(turns, _reaches(rig, wanted), strict=True)]
    joints = _joints(rig, wanted, follows, modes, scale)
    return reduced(frames, channels, [*reaches, scale], joints, bound_m)


def _reaches(rig: Rig, wanted: Wanted) -> list[float]:
    """(M,) m, of each bone how far it is to the farthest mapped joint below it, or to its tail."""
    reaches = [rig.lengths[rig.index(bone)] * world_scale(rig) for bone in wanted.bones]
    parents = wanted.parents()
    for at, above in enumerate(parents):
        while above >= 0:
            far = np.linalg.norm(wanted.heads[at] - wanted.heads[above])
            reaches[above] = max(reaches[above], far)
            above = parents[above]
    return reaches


def _joints(rig: Rig, wanted: Wanted, follows: list[Follow], modes: list[str], scale: float):
    """A function: channels (n, c) each to heads and tails (n, 2 M, 3) m of the mapped bones."""
    pelvis = wanted.column("pelvis")
    lengths = [rig.lengths[rig.index(bone)] * world_scale(rig) for bone in wanted.bones]

    def joints(drawn: list[np.ndarray]) -> np.ndarray:
        turns: dict[int, np.ndarray] = {}
        heads: dict[int, np.ndarray] = {}

        # Not by number: SMPL's parents needn't come before their children in the rig.
        def rotate(at: int) -> None:
            for needed in (follows[at].bone, follows[at].other):
                if needed >= 0 and needed not in turns:
                    rotate(needed)
            own = to_quaternions(drawn[at], modes[at])
            turns[at] = multiply(_under(turns, follows[at]), own)

        def place(at: int) -> None:
            follow, head = follows[at], follows[at].place[:, None]
            if follow.above >= 0:
                if follow.above not in heads:
                    place(follow.above)
                head = heads[follow.above] + turn(turns[follow.above], follow.place)
            if at == pelvis:
                head = head + scale * _turn_each(_under(turns, follow), drawn[-1].T)
            heads[at] = np.broadcast_to(head, (3, turns[at].shape[1]))

        every = range(len(follows))
        for find, found in ((rotate, turns), (place, heads)):
            for at in every:
                if at not in found:
                    find(at)
        tails = [heads[at] + turn(turns[at], np.array((0.0, lengths[at], 0.0))) for at in every]
        return np.stack([heads[at] for at in every] + tails)

    return joints


def _under(turns: dict[int, np.ndarray], follow: Follow) -> np.ndarray:
    """(4, n) or (4, 1): the rotation that the bone's own is counted from."""
    start = _turned(turns, follow.bone, follow.offset)
    if follow.other_offset is None:
        return start
    end = _turned(turns, follow.other, follow.other_offset)
    cosine = (start * end).sum(0)
    end, angle = end * np.sign(cosine), np.arccos(np.clip(np.abs(cosine), 0, 1))
    sine = np.sin(angle)
    near = sine < 1e-6
    sine = np.where(near, 1, sine)
    one = np.where(near, 1 - follow.share, np.sin((1 - follow.share) * angle) / sine)
    other = np.where(near, follow.share, np.sin(follow.share * angle) / sine)
    return one * start + other * end


def _turned(turns: dict[int, np.ndarray], bone: int, offset: np.ndarray) -> np.ndarray:
    offset = matrix_to_quaternion(offset)[:, None]
    return multiply(turns[bone], offset) if bone >= 0 else offset


def _turn_each(quaternions: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(3, n), vectors (3, n) turned by quaternions (4, n) or (4, 1)."""
    axis = np.broadcast_to(quaternions[1:], vectors.shape)
    across = 2 * np.cross(axis, vectors, axis=0)
    return vectors + quaternions[0] * across + np.cross(axis, across, axis=0)
