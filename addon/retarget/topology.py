"""Bones of a humanoid by where they are, whatever they are called. Without bpy.

Two like chains that go down are the legs, and where they part are the hips; of the like chains
above, those that reach out furthest are the arms. Joints lie where a human's proportions put them,
so twist and helper bones on the way are passed over.
"""

from functools import cached_property
from itertools import combinations

import numpy as np

from .chains import ancestry, trunk_map
from .rig import BoneMap, Rig

LEG, ARM, REACH = 0.3, 0.22, 0.12  # least lengths, as shares of the whole rig's size
LIKE = 0.06  # how far two sides may differ, as a share of the size
CENTRE = 0.02  # what lies in the middle
HEAD = 0.55  # between the neck's beginning and the top: where no bone begins that is a head
FOREARM, HAND = 1.06, 0.78  # upper arm to forearm; shoulder to wrist within shoulder to tips
TOES = 0.6  # from ankle to tip


class Tree:
    """The bones as points in metres of the world, turned so that `up` is z."""

    def __init__(self, rig: Rig, up: np.ndarray):
        self.rig = rig
        turn = _upright(up) @ rig.world[:3, :3]
        self.heads, self.tails = rig.heads @ turn.T, rig.tails @ turn.T
        self.size = float(np.ptp(np.concatenate([self.heads, self.tails]), axis=0).max()) or 1.0

    @cached_property
    def children(self) -> list[list[int]]:
        found = [[] for _ in self.rig.names]
        for index, parent in enumerate(self.rig.parents):
            if parent >= 0:
                found[parent].append(index)
        return found

    @cached_property
    def below(self) -> list[list[int]]:
        """Of each bone, itself and all that hangs from it."""
        found = [[index] for index in range(len(self.rig))]
        for index in reversed(range(len(self.rig))):
            if self.rig.parents[index] >= 0:
                found[self.rig.parents[index]] += found[index]
        return found

    def path(self, start: int, end: int) -> list[int]:
        whole = ancestry(self.rig, end)
        return whole[whole.index(start) :]

    def fork(self, one: int, other: int) -> int:
        """The last bone that both hang from; -1 where there is none."""
        shared = [a for a, b in zip(*(ancestry(self.rig, i) for i in (one, other)), strict=False)
                  if a == b]  # fmt: skip
        return shared[-1] if shared else -1

    def distance(self, one: int, other: int) -> float:
        return float(np.linalg.norm(self.heads[one] - self.heads[other]))


def by_topology(rig: Rig) -> BoneMap:
    """As much of a bone map as the rig's shape tells; empty if it has no legs. Any axis may be
    the vertical one: the world's z is tried first, then the armature's."""
    axes = rig.world[:3, :3] / np.linalg.norm(rig.world[:3, :3], axis=0)
    best: BoneMap = {}
    for up in (np.array((0.0, 0, 1)), axes[:, 1], axes[:, 2], axes[:, 0]):
        found = _upright_map(Tree(rig, up))
        if len(found) > len(best):
            best = found
        if "left_elbow" in best:
            break
    return best


def _upright_map(tree: Tree) -> BoneMap:
    legs = _legs(tree)
    if legs is None:
        return {}
    middle = tree.heads[[leg[0] for leg in legs]].mean(axis=0)
    across = tree.heads[legs[0][0]] - tree.heads[legs[1][0]]
    across = np.array((across[0], across[1], 0)) / np.linalg.norm(across[:2])
    toes = [_toe(tree, leg[2]) for leg in legs]
    ahead = np.mean([way for _, way in toes], axis=0)
    # Left is where the first leg is if the toes point that way; without toes, faces look along -y.
    facing = ahead if np.linalg.norm(ahead[:2]) > CENTRE * tree.size else np.array((0, -1.0, 0))
    if np.cross((0, 0, 1), facing) @ across < 0:
        legs, toes, across = legs[::-1], toes[::-1], -across
    fork = tree.fork(legs[0][0], legs[1][0])
    found: BoneMap = {}
    for side, leg, (toe, _) in zip(("left", "right"), legs, toes, strict=True):
        names = zip(("hip", "knee", "ankle", "foot"), (*leg, toe), strict=True)
        found |= {f"{side}_{joint}": tree.rig.names[bone] for joint, bone in names if bone >= 0}
    return found | _upper_half(tree, fork, middle, across)


def _upper_half(tree: Tree, fork: int, middle: np.ndarray, across: np.ndarray) -> BoneMap:
    sideways = (tree.heads - middle) @ across
    arms = _arms(tree, (tree.tails - middle) @ across, sideways, tree.heads[fork, 2])
    if arms is None:
        return {"pelvis": tree.rig.names[fork]}
    chest = tree.fork(arms[0][0], arms[1][0])
    pelvis = tree.fork(fork, chest)
    if pelvis < 0 or tree.heads[pelvis, 2] < tree.heads[fork, 2] - 0.2 * tree.size:
        pelvis = fork
    found: BoneMap = {}
    for side, arm in zip(("left", "right"), arms, strict=True):
        names = zip(("collar", "shoulder", "elbow", "wrist"), arm, strict=True)
        found |= {f"{side}_{joint}": tree.rig.names[bone] for joint, bone in names if bone >= 0}
    spine = tree.path(pelvis, chest)[1:] if pelvis in ancestry(tree.rig, chest) else [chest]
    shoulders = np.mean([tree.heads[arm[1], 2] for arm in arms])
    # Some rigs hang the arms on the neck.
    neck = [bone for bone in spine if tree.heads[bone, 2] > shoulders]
    spine = [bone for bone in spine if bone not in neck]
    neck += _up_from(tree, chest, sideways)
    head = _head(tree, neck)
    return found | trunk_map(
        tree.rig, spine, neck[: neck.index(head)] if neck else [], head, pelvis
    )


def _legs(tree: Tree) -> list[tuple[int, int, int]] | None:
    """(hip, knee, ankle) of both sides; None if there are no two chains that go down."""
    lowest = [min(below, key=lambda bone: tree.tails[bone, 2]) for below in tree.below]
    drop = tree.heads[:, 2] - tree.tails[lowest, 2]
    best, best_drop = None, LEG * tree.size
    for siblings in tree.children:
        long = [bone for bone in siblings if drop[bone] > LEG * tree.size]
        for one, other in combinations(long, 2):
            paths = [tree.path(bone, lowest[bone]) for bone in (one, other)]
            legs = [leg for path in paths if (leg := _leg(tree, path))]
            if len(legs) < 2 or not _alike(tree, legs):
                continue
            if drop[one] + drop[other] > 2 * best_drop:
                best, best_drop = legs, (drop[one] + drop[other]) / 2
    return best


def _leg(tree: Tree, path: list[int]) -> tuple[int, int, int] | None:
    """(hip, knee, ankle) of the bones on the way to the ground."""
    ends = tree.heads[path]
    floor = tree.tails[path[-1], 2]
    # What comes before the hip joint lies in the middle, at the hips' own place.
    level = np.linalg.norm(ends[:, :2] - tree.heads[tree.rig.parents[path[0]], :2], axis=1)
    off = [bone for bone, out in zip(path, level, strict=True) if out > CENTRE * tree.size]
    if len(off) < 3:
        return None
    hip = off[0]

    def cost(pair: tuple[int, int]) -> float:
        knee, ankle = pair
        thigh, shin = tree.distance(hip, knee), tree.distance(knee, ankle)
        height = (tree.heads[ankle, 2] - floor) / tree.size
        return abs(np.log((thigh + 1e-9) / (shin + 1e-9))) + 3 * abs(height - 0.05)

    return (hip, *min(combinations(off[1:], 2), key=cost))


def _alike(tree: Tree, sides: list) -> bool:
    """Whether two chains are as long as each other, as high, and apart."""
    one, other = (tree.heads[list(side)] for side in sides)
    heights = np.abs(one[:, 2] - other[:, 2]).max()
    lengths = [np.linalg.norm(np.diff(side, axis=0), axis=1).sum() for side in (one, other)]
    apart = np.linalg.norm((one - other)[-1, :2])
    like = LIKE * tree.size
    return bool(heights < like and abs(lengths[0] - lengths[1]) < like and apart > like / 2)


def _toe(tree: Tree, ankle: int) -> tuple[int, np.ndarray]:
    """The bone of the toes (-1: none) and the way from the ankle to the foot's tip."""
    out = np.linalg.norm(tree.tails[tree.below[ankle], :2] - tree.heads[ankle, :2], axis=1)
    tip = tree.below[ankle][int(np.argmax(out))]
    path = tree.path(ankle, tip)[1:]
    way = tree.tails[tip] - tree.heads[ankle]
    if not path:
        return -1, way
    shares = [tree.distance(ankle, bone) / np.linalg.norm(way) for bone in path]
    return path[int(np.argmin(np.abs(np.array(shares) - TOES)))], way


def _arms(tree: Tree, reach: np.ndarray, sideways: np.ndarray, hips: float) -> list | None:
    """(collar or -1, shoulder, elbow, wrist) of the left and the right side; None without arms."""
    best, best_reach = None, 0.0
    for parent, siblings in enumerate(tree.children):
        if tree.heads[parent, 2] < hips - LIKE * tree.size:
            continue
        ends = {
            (bone, sign): max(tree.below[bone], key=lambda end: sign * reach[end])
            for bone in siblings
            for sign in (1, -1)
        }
        for pair in combinations(siblings, 2):
            for one, other in (pair, pair[::-1]):
                tips = ends[one, 1], ends[other, -1]
                out = min(reach[tips[0]], -reach[tips[1]])
                if out < max(REACH * tree.size, best_reach):
                    continue
                paths = map(tree.path, (one, other), tips)
                arms = [arm for path in paths if (arm := _arm(tree, path))]
                if len(arms) == 2 and _alike(tree, [arm[1:] for arm in arms]):
                    best, best_reach = arms, out
    return best


def _arm(tree: Tree, path: list[int]) -> tuple[int, int, int, int] | None:
    tip = tree.tails[path[-1]]
    if len(path) < 3 or np.linalg.norm(tip - tree.heads[path[0]]) < ARM * tree.size:
        return None
    hands = [bone for bone in path[2:] if _fingers(tree, bone) > 2]

    def cost(triple: tuple[int, int, int]) -> float:
        shoulder, elbow, wrist = triple
        upper, lower = tree.distance(shoulder, elbow), tree.distance(elbow, wrist)
        whole = np.linalg.norm(tip - tree.heads[shoulder]) * HAND
        if hands and wrist != hands[0]:
            return np.inf
        if upper + lower < 0.6 * np.linalg.norm(tree.heads[wrist] - tree.heads[path[0]]):
            return np.inf
        ratio = abs(np.log((upper + 1e-9) / (FOREARM * lower + 1e-9)))
        return ratio + 0.5 * abs(np.log((upper + lower + 1e-9) / whole))

    best = min(combinations(path, 3), key=cost)
    return (path[0] if path[0] != best[0] else -1, *best)


def _fingers(tree: Tree, bone: int) -> int:
    """How many chains hang from it: twist bones are single ones."""
    return sum(bool(tree.children[child]) for child in tree.children[bone])


def _up_from(tree: Tree, chest: int, sideways: np.ndarray) -> list[int]:
    """The bones in the middle that lead from the chest to the top of the head."""
    path, bone = [], chest
    top = [max(tree.tails[below, 2].max(), tree.heads[below, 2].max()) for below in tree.below]
    while True:
        centred = [
            child
            for child in tree.children[bone]
            if abs(sideways[child]) < CENTRE * tree.size
            and top[child] > tree.heads[bone, 2] + CENTRE * tree.size
            and tree.heads[child, 2] > tree.heads[bone, 2] - CENTRE * tree.size
        ]
        if not centred:
            return path
        bone = max(centred, key=lambda child: top[child])
        path.append(bone)


def _head(tree: Tree, neck: list[int]) -> int:
    """The last bone of the way up that begins below the skull's middle; -1 without one."""
    if not neck:
        return -1
    start = tree.heads[neck[0], 2]
    below = tree.below[neck[0]]
    top = max(tree.tails[below, 2].max(), tree.heads[below, 2].max())
    return [bone for bone in neck if tree.heads[bone, 2] <= start + HEAD * (top - start)][-1]


def _upright(up: np.ndarray) -> np.ndarray:
    """(3, 3) rotation that turns `up` onto z; the world's own z leaves everything as it is."""
    if up[2] > 0.9999:
        return np.eye(3)
    side = np.cross((1.0, 0, 0) if abs(up[0]) < 0.9 else (0, 1.0, 0), up)
    side /= np.linalg.norm(side)
    return np.stack([np.cross(side, up), side, up])
