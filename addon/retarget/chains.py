"""Which bones of a spine or a neck follow SMPL's, however many there are. Without bpy."""

from itertools import combinations

import numpy as np

from .rig import BoneMap, Rig

# How far up from the pelvis to the neck SMPL's joints lie.
SPINE1, SPINE2 = 0.22, 0.48


def ancestry(rig: Rig, index: int) -> list[int]:
    """The bone and its ancestors, the root first."""
    path = [index]
    while rig.parents[path[-1]] >= 0:
        path.append(int(rig.parents[path[-1]]))
    return path[::-1]


def spine_joints(heights: np.ndarray) -> dict[str, int]:
    """Which of the spine's bones follow spine1, spine2 and spine3.

    heights: (n,) from the pelvis (0) to the neck (1), in the chain's order. The last bone carries
    arms and neck, so it follows spine3; of the others those follow spine1 and spine2 that lie
    nearest to them, and a lone one follows the nearer.
    """
    count = len(heights)
    joints = {"spine3": count - 1} if count else {}
    if count == 2:
        nearer = abs(heights[0] - SPINE1) < abs(heights[0] - SPINE2)
        joints["spine1" if nearer else "spine2"] = 0
    elif count > 2:
        joints["spine1"], joints["spine2"] = min(
            combinations(range(count - 1), 2),
            key=lambda pair: abs(heights[pair[0]] - SPINE1) + abs(heights[pair[1]] - SPINE2),
        )
    return joints


def trunk_map(rig: Rig, spine: list[int], neck: list[int], head: int, pelvis: int) -> BoneMap:
    """The trunk's part of a bone map. spine: between pelvis and neck; neck: below the head, of
    which the first follows; all as indices, the pelvis' side first."""
    found = {"pelvis": rig.names[pelvis]}
    top = (neck or ([head] if head >= 0 else []))[:1]
    start = rig.heads[pelvis]
    if spine:
        end = rig.heads[top[0]] if top else rig.tails[spine[-1]]
        along = (end - start) / max(float((end - start) @ (end - start)), 1e-12)
        heights = (rig.heads[spine] - start) @ along
        for joint, place in spine_joints(heights).items():
            found[joint] = rig.names[spine[place]]
    if neck:
        found["neck"] = rig.names[neck[0]]
    if head >= 0:
        found["head"] = rig.names[head]
    return found


def settle_spine(bone_map: BoneMap) -> BoneMap:
    """The map with its uppermost spine bone at spine3, where a short spine left that free."""
    settled = dict(bone_map)
    for joint in ("spine2", "spine1"):
        if "spine3" not in settled and joint in settled:
            settled["spine3"] = settled.pop(joint)
    return settled
