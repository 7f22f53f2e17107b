"""What each mapped bone's channels are counted from, so that all frames are solved on arrays.

In a plain armature that is the mapped bone above. In a control rig it is whatever the mechanism
makes of it: the armature, a mapped bone, or a blend of two by a constraint's influence. It is told
from a few frames that Blender evaluated. Without bpy.
"""

from dataclasses import dataclass, replace

import numpy as np

from .rig import Rig
from .transfer import Wanted

SAME = 2e-5  # of an entry of a rotation matrix: Blender's single precision
SAMPLES, CHECKS = 12, 8  # frames that tell, and frames that prove


@dataclass(frozen=True)
class Follow:
    """Where a bone is while its own channels are zero; bones by their number, -1 the armature.

    Its rotation is the followed bone's x offset (3, 3), from there the share `share` of the way to
    that of `other` x other_offset; its head lies at place (3,) m in the axes of the bone `above`.
    """

    bone: int
    offset: np.ndarray
    above: int
    place: np.ndarray
    other: int = -1
    other_offset: np.ndarray | None = None
    share: float = 0.0

    def rotation(self, rotations: np.ndarray) -> np.ndarray:
        """(T, 3, 3) or (3, 3), from rotations (T, M, 3, 3) of the bones in the world."""
        start = _turned(rotations, self.bone, self.offset)
        if self.other_offset is None:
            return start
        end = _turned(rotations, self.other, self.other_offset)
        return start @ power(np.swapaxes(start, -1, -2) @ end, self.share)


def _turned(rotations: np.ndarray, bone: int, offset: np.ndarray) -> np.ndarray:
    return rotations[:, bone] @ offset if bone >= 0 else offset


@dataclass(frozen=True)
class Local:
    """The channels: turns, of M bones (T, 3, 3), and travel (T, 3) of the pelvis's bone."""

    turns: list[np.ndarray]
    travel: np.ndarray


def solve(wanted: Wanted, follows: list[Follow], scale: float) -> Local:
    """The bones' own channels; scale: m per unit of the armature."""
    turns = [
        np.swapaxes(follow.rotation(wanted.rotations), -1, -2) @ wanted.rotations[:, at]
        for at, follow in enumerate(follows)
    ]
    pelvis = wanted.column("pelvis")
    way = wanted.place - _place(wanted, follows, pelvis)
    axes = np.broadcast_to(follows[pelvis].rotation(wanted.rotations), turns[pelvis].shape)
    return Local(turns, np.einsum("tji,tj->ti", axes, way) / scale)


def _place(wanted: Wanted, follows: list[Follow], at: int) -> np.ndarray:
    """(T, 3) or (3,) m, where the bone's head is while its own location is zero."""
    above, place = follows[at].above, follows[at].place
    if above < 0:
        return place
    head = wanted.place if wanted.joints[above] == "pelvis" else _place(wanted, follows, above)
    return head + wanted.rotations[:, above] @ place


def rigid(rig: Rig, wanted: Wanted, still: dict[str, np.ndarray]) -> list[Follow]:
    """Of an armature without constraints; still: the other bones' own matrices (4, 4)."""
    scale = float(np.cbrt(np.linalg.det(rig.world[:3, :3])))
    numbers = {name: at for at, name in enumerate(wanted.bones)}
    found: list[Follow | None] = [None] * len(wanted.bones)
    under: dict[int, tuple[int, np.ndarray]] = {-1: (-1, np.eye(4))}
    for index, name in enumerate(rig.names):
        parent = int(rig.parents[index])
        above, matrix = under[parent]
        rest = rig.rest[parent] if parent >= 0 else np.eye(4)
        matrix = matrix @ np.linalg.inv(rest) @ rig.rest[index]
        if name not in numbers:
            under[index] = above, matrix @ still.get(name, np.eye(4))
            continue
        under[index] = numbers[name], np.eye(4)
        turn, place = matrix[:3, :3], scale * matrix[:3, 3]
        if above < 0:
            turn = rig.world[:3, :3] / scale @ turn
            place = rig.world[:3, :3] @ matrix[:3, 3] + rig.world[:3, 3]
        found[numbers[name]] = Follow(above, turn, above, place)
    return [follow for follow in found if follow is not None]


def as_smpl(wanted: Wanted) -> list[Follow]:
    """Each bone under the mapped bone of the SMPL joint above: near enough to judge keys by, where
    what a rig's bones follow isn't known."""
    found = []
    for at, parent in enumerate(wanted.parents()):
        if parent < 0:
            found.append(Follow(-1, np.eye(3), -1, np.zeros(3)))
        else:
            place = wanted.rest[parent].T @ (wanted.heads[at] - wanted.heads[parent])
            found.append(Follow(parent, np.eye(3), parent, place))
    return found


def spread(wanted: Wanted, count: int) -> np.ndarray:
    """(count,) indices of frames whose poses differ, each from all before it, as much as can be."""
    pelvis = wanted.column("pelvis")
    pose = np.swapaxes(wanted.rotations[:, [pelvis]], -1, -2) @ wanted.rotations
    pose[:, pelvis] = wanted.rotations[:, pelvis]
    pose = pose.reshape(len(pose), -1).astype(np.float32)
    chosen = [0]
    distance = np.full(len(pose), np.inf, np.float32)
    while len(chosen) < min(count, len(pose)):
        away = pose - pose[chosen[-1]]
        distance = np.minimum(distance, np.einsum("ij,ij->i", away, away))
        chosen.append(int(np.argmax(distance)))
    return np.array(chosen)


def infer(wanted: Wanted, bases: np.ndarray) -> list[Follow] | None:
    """What the bones follow, from bases (n, M, 4, 4), where each would be in the world with its own
    channels at zero, at the n frames of `wanted`. None where that isn't told by what is known here.
    """
    pelvis = wanted.column("pelvis")
    size = np.ptp(wanted.heads, axis=0).max()
    if np.ptp(bases[:, pelvis, :3, 3], axis=0).max() > SAME * size:
        return None
    found = []
    for at, follow in enumerate(as_smpl(wanted)):
        basis = nearest_rotations(bases[:, at, :3, :3])
        told = _rotation(wanted, basis, at)
        if told is None:
            return None
        place = bases[:, pelvis, :3, 3].mean(0) if at == pelvis else follow.place
        found.append(replace(told, above=follow.above, place=place))
    return found


def _rotation(wanted: Wanted, basis: np.ndarray, at: int) -> Follow | None:
    """What basis (n, 3, 3) of bone `at` follows, its place apart; only bones before it count."""
    best, least = None, SAME
    for bone in range(-1, at):
        own = wanted.rotations[:, bone] if bone >= 0 else np.eye(3)
        offsets = np.swapaxes(own, -1, -2) @ basis
        offset = nearest_rotations(offsets.mean(0))
        error = np.abs(offsets - offset).max()
        if error < least:
            best, least = Follow(bone, offset, -1, np.zeros(3)), error
    return best or _blend(wanted, basis, at)


def _blend(wanted: Wanted, basis: np.ndarray, at: int) -> Follow | None:
    """The same for two bones that agree at rest, each with a share."""
    offsets = [wanted.rest[bone].T @ wanted.rest[at] for bone in range(at)]
    offsets.append(wanted.rest[at])  # the armature's, which is number -1
    turned = [_turned(wanted.rotations, bone, offsets[bone]) for bone in range(-1, at)]
    turned = [np.broadcast_to(turn, basis.shape) for turn in turned]
    best, least = None, SAME
    for one in range(len(turned)):
        for two in range(one + 1, len(turned)):
            apart = angles(turned[one], turned[two])
            widest = int(np.argmax(apart))
            if apart[widest] < 1e-3:
                continue
            share = angles(turned[one][widest], basis[widest]) / apart[widest]
            guess = Follow(
                one - 1, offsets[one - 1], -1, np.zeros(3), two - 1, offsets[two - 1], float(share)
            )
            error = np.abs(guess.rotation(wanted.rotations) - basis).max()
            if error < least:
                best, least = guess, error
    return best


def nearest_rotations(matrices: np.ndarray) -> np.ndarray:
    """(..., 3, 3) without scale and shear."""
    left, _, right = np.linalg.svd(matrices)
    return left @ right


def angles(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(...,) rad between rotations (..., 3, 3), exact for small ones too."""
    half = np.linalg.norm(one - other, axis=(-2, -1)) / np.sqrt(8)
    return 2 * np.arcsin(np.clip(half, 0, 1))


def power(rotations: np.ndarray, share: float) -> np.ndarray:
    """(..., 3, 3) rotations by that share of their angles, the short way."""
    angle = angles(rotations, np.eye(3))[..., None, None]
    cross = (rotations - np.swapaxes(rotations, -1, -2)) / 2
    cross = (
        cross
        / np.maximum(np.linalg.norm(cross, axis=(-2, -1)) / np.sqrt(2), 1e-12)[..., None, None]
    )
    turn = share * angle
    return np.eye(3) + np.sin(turn) * cross + (1 - np.cos(turn)) * (cross @ cross)
