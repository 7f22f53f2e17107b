"""How a character's bones have to turn in the world to move as an SMPL body does. Without bpy.

A bone's wanted rotation is (source pose x source rest^-1) x alignment x facing x target rest. The
facing turns the character at rest to where SMPL looks, the alignment turns its arms and legs onto
SMPL's, so that neither an A-pose nor a bone's roll or axis matters. The trunk, the collars, the
head and the soles are taken as they rest: upright or flat in every character.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..skeleton import JOINTS, PARENTS
from .rig import BoneMap, RetargetError, Rig

LIMBS = {  # joint -> the joint at which its limb ends
    f"{side}_{start}": f"{side}_{end}"
    for side in ("left", "right")
    for start, end in (
        ("hip", "knee"),
        ("knee", "ankle"),
        ("shoulder", "elbow"),
        ("elbow", "wrist"),
        ("wrist", "hand"),
    )
}
LEANING = np.cos(np.radians(35))  # a trunk nearer than this to an axis of the world stands along it
SOLE_M = 0.025  # SMPL's ball of the foot over the floor, on legs of LEG_M
LEG_M = 0.8
ANKLE_HEIGHT = (0.02, 0.3)  # over the floor, in leg lengths, of whatever has feet
STRAY = np.cos(np.radians(60))  # a hand bends no more than this at rest


@dataclass(frozen=True)
class Body:
    """An SMPL body through T frames, in the world's axes and metres.

    frames (T,) of the scene; rest (24, 3) its joints at rest; turns (T, 24, 3, 3) each joint's
    rotation from rest; joints (T, 24, 3); origin (3,) the point of the floor it counts from.
    """

    frames: np.ndarray
    rest: np.ndarray
    turns: np.ndarray
    joints: np.ndarray
    origin: np.ndarray

    def places(self) -> dict[str, np.ndarray]:
        """(3,) of each joint at rest."""
        return {str(joint): place for joint, place in zip(JOINTS, self.rest, strict=True)}


@dataclass(frozen=True)
class Wanted:
    """How a character's M mapped bones are to be in the world through T frames.

    joints and bones (M,) names, parents first; rotations (T, M, 3, 3); place (T, 3) of the pelvis
    bone's head; rest (M, 3, 3) and heads (M, 3) of the bones at rest in the world; axes (3, 3) what
    turns the character's rest to where the body looks.
    """

    joints: tuple[str, ...]
    bones: tuple[str, ...]
    rotations: np.ndarray
    place: np.ndarray
    rest: np.ndarray
    heads: np.ndarray
    axes: np.ndarray

    def column(self, joint: str) -> int:
        return self.joints.index(joint)

    def without(self, joints: set[str]) -> "Wanted":
        """The same for fewer joints."""
        kept = [at for at, joint in enumerate(self.joints) if joint not in joints]
        return replace(
            self,
            joints=tuple(self.joints[at] for at in kept),
            bones=tuple(self.bones[at] for at in kept),
            rotations=self.rotations[:, kept],
            rest=self.rest[kept],
            heads=self.heads[kept],
        )

    def parents(self) -> list[int]:
        """(M,) of each joint the nearest one above it in SMPL that is here, -1 for the pelvis."""
        found = []
        for joint in self.joints:
            above = PARENTS[JOINTS.index(joint)]
            while above >= 0 and JOINTS[above] not in self.joints:
                above = PARENTS[above]
            found.append(self.column(JOINTS[above]) if above >= 0 else -1)
        return found

    def turn(self, joint: str) -> np.ndarray:
        """(T, 3, 3) of the joint's bone from its rest."""
        at = self.column(joint)
        return self.rotations[:, at] @ self.rest[at].T

    def segment(self, start: str, end: str) -> np.ndarray:
        """(T, 3) m, from one mapped joint to the next, when nothing between them bends."""
        return self.turn(start) @ (self.heads[self.column(end)] - self.heads[self.column(start)])


def transfer(body: Body, rig: Rig, bone_map: BoneMap) -> Wanted:
    """Puts the body's motion onto the rig. Raises RetargetError."""
    check_map(rig, bone_map)
    order = sorted(bone_map, key=lambda joint: rig.index(bone_map[joint]))
    indices = [rig.index(bone_map[joint]) for joint in order]
    scale = world_scale(rig)
    rest = rig.world[:3, :3] / scale @ unit_axes(rig.rest[indices, :3, :3])
    heads = world_heads(rig)[indices]
    places = dict(zip(order, heads, strict=True))
    axes = frame_of(body.places()) @ frame_of(places).T
    turned = _alignments(body, rig, bone_map, places, axes)
    rotations = np.stack(
        [
            body.turns[:, JOINTS.index(joint)] @ (turned[joint] @ axes @ rest[at])
            for at, joint in enumerate(order)
        ],
        axis=1,
    )
    bones = tuple(bone_map[joint] for joint in order)
    wanted = Wanted(tuple(order), bones, rotations, np.zeros(3), rest, heads, axes)
    return replace(wanted, place=_pelvis_place(body, rig, wanted))


def check_map(rig: Rig, bone_map: BoneMap) -> None:
    """Raises RetargetError when the map can't be for this rig."""
    if rig.metarig:
        raise RetargetError(
            "This is Rigify's metarig; press Generate Rig in its armature properties and choose "
            "the rig that comes out."
        )
    if not bone_map.get("pelvis"):
        raise RetargetError("No bone is mapped to the pelvis; choose the one that moves the hips.")
    for joint, bone in bone_map.items():
        if joint not in JOINTS:
            raise RetargetError(f"The bone map names {joint}, which is no joint of SMPL's.")
        if bone not in rig.names:
            raise RetargetError(
                f"The character has no bone {bone} for {joint}; choose another bone map."
            )
    if len(set(bone_map.values())) < len(bone_map):
        twice = sorted(bone_map.values(), key=list(bone_map.values()).count)[-1]
        raise RetargetError(f"The bone {twice} is mapped to two joints; choose one for it.")


def world_scale(rig: Rig) -> float:
    """Metres per unit of the armature; raises RetargetError for a scale of zero or below."""
    volume = float(np.linalg.det(rig.world[:3, :3]))
    if not np.isfinite(volume) or abs(volume) < 1e-18:
        raise RetargetError("The character's scale has a zero; give it one that isn't.")
    if volume < 0:
        raise RetargetError("The character's scale is negative; apply its scale first.")
    return volume ** (1 / 3)


def unit_axes(matrices: np.ndarray) -> np.ndarray:
    """(..., 3, 3) with columns of length 1."""
    return matrices / np.maximum(np.linalg.norm(matrices, axis=-2, keepdims=True), 1e-12)


def world_heads(rig: Rig) -> np.ndarray:
    """(N, 3) m, where the bones begin at rest in the world."""
    return rig.heads @ rig.world[:3, :3].T + rig.world[:3, 3]


def frame_of(places: dict[str, np.ndarray]) -> np.ndarray:
    """(3, 3) columns: a body's left, back and up at rest, from its joints' places in the world."""
    up = _up(places)
    for joint in ("hip", "shoulder", "collar", "knee", "ankle", "elbow", "wrist"):
        pair = [places.get(f"{side}_{joint}") for side in ("left", "right")]
        if pair[0] is not None and pair[1] is not None:
            left = pair[0] - pair[1]
            left = left - up * (left @ up)
            if np.linalg.norm(left) > 1e-6:
                left = left / np.linalg.norm(left)
                return np.stack([left, np.cross(up, left), up], axis=1)
    raise RetargetError("No left and right bones are mapped; map both thighs at least.")


def _up(places: dict[str, np.ndarray]) -> np.ndarray:
    """(3,) along the trunk: an axis of the world where it leans little from one."""
    low = _middle(places, "hip", "pelvis")
    for top in ("neck", "head", "spine3", "spine2", "spine1"):
        if top in places and np.linalg.norm(places[top] - low) > 1e-9:
            trunk = places[top] - low
            break
    else:
        feet = _middle(places, "ankle", "pelvis")
        trunk = low - feet
    if np.linalg.norm(trunk) < 1e-9:
        return np.array([0.0, 0.0, 1.0])
    trunk = trunk / np.linalg.norm(trunk)
    axis = int(np.argmax(np.abs(trunk)))
    return np.eye(3)[axis] * np.sign(trunk[axis]) if abs(trunk[axis]) > LEANING else trunk


def _middle(places: dict[str, np.ndarray], joint: str, otherwise: str) -> np.ndarray:
    pair = [places.get(f"{side}_{joint}") for side in ("left", "right")]
    if pair[0] is None or pair[1] is None:
        return places[otherwise]
    return (pair[0] + pair[1]) / 2


def smallest_turn(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(..., 3, 3) the smallest rotation that takes the direction `start` to `end` (..., 3)."""
    start = start / np.maximum(np.linalg.norm(start, axis=-1, keepdims=True), 1e-12)
    end = end / np.maximum(np.linalg.norm(end, axis=-1, keepdims=True), 1e-12)
    axis = np.cross(start, end)
    cosine = np.maximum((start * end).sum(-1), -1 + 1e-9)[..., None, None]
    x, y, z = np.moveaxis(axis, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    return np.eye(3) + cross + cross @ cross / (1 + cosine)


def _alignments(body: Body, rig: Rig, bone_map: BoneMap, places, axes) -> dict[str, np.ndarray]:
    """Of each mapped joint (3, 3), what turns its limb at rest, once it faces as the body, onto
    the body's. A limb starts from its parent's, so that an elbow or a knee that is bent at rest
    straightens about its own hinge."""
    rest = body.places()
    found: dict[str, np.ndarray] = {}
    for joint, parent in zip(JOINTS, PARENTS, strict=True):
        limb = joint.endswith(("knee", "elbow", "wrist", "foot", "_hand"))
        base = found[JOINTS[parent]] if limb else np.eye(3)
        if joint in LIMBS and joint in bone_map:
            end, theirs = _segment(rig, bone_map, places, joint)
            if theirs is not None:
                base = smallest_turn(base @ axes @ theirs, rest[end] - rest[joint]) @ base
        elif joint.endswith("ankle") and joint in bone_map:
            base = _heading(rig, bone_map, places, joint, rest, axes)
        found[joint] = base
    return {joint: found[joint] for joint in bone_map}


def _segment(rig: Rig, bone_map: BoneMap, places, joint: str):
    """The joint at which a limb's direction ends, and that direction in the world at rest."""
    end = LIMBS[joint]
    if end in places:
        return end, places[end] - places[joint]
    if not joint.endswith("wrist"):  # an arm or a leg whose end isn't mapped: to the bone's own end
        return end, _own_direction(rig, bone_map[joint])
    arm = joint.replace("wrist", "elbow")
    fore = places[joint] - places[arm] if arm in places else None
    for hand in (_to_children(rig, bone_map[joint]), _own_direction(rig, bone_map[joint])):
        if hand is None or fore is None:
            continue
        if hand @ fore > STRAY * np.linalg.norm(hand) * np.linalg.norm(fore):
            return end, hand
    return end, None


def _own_direction(rig: Rig, bone: str) -> np.ndarray:
    direction = rig.world[:3, :3] @ rig.rest[rig.index(bone), :3, 1]
    return direction


def _to_children(rig: Rig, bone: str) -> np.ndarray | None:
    """From a bone's head to the middle of its children's, such as the fingers'."""
    at = rig.index(bone)
    children = np.flatnonzero(rig.parents == at)
    if len(children) == 0:
        return None
    heads = world_heads(rig)
    way = heads[children].mean(0) - heads[at]
    return way if np.linalg.norm(way) > 1e-6 else None


def _heading(rig: Rig, bone_map: BoneMap, places, joint: str, rest, axes) -> np.ndarray:
    """What turns a foot about the vertical, and only so: a sole that rests flat stays flat."""
    toe = joint.replace("ankle", "foot")
    theirs = places[toe] - places[joint] if toe in places else None
    if theirs is None:
        theirs = _to_children(rig, bone_map[joint])
    if theirs is None:
        theirs = _own_direction(rig, bone_map[joint])
    up = frame_of(rest)[:, 2]
    ours = rest[toe] - rest[joint]
    flat = [way - up * (way @ up) for way in (axes @ theirs, ours)]
    sizes = [np.linalg.norm(way) for way in flat]
    if sizes[0] < 0.3 * np.linalg.norm(theirs) or flat[0] @ flat[1] < 0.5 * sizes[0] * sizes[1]:
        return np.eye(3)  # the bone points down or elsewhere: it doesn't tell where the foot looks
    return smallest_turn(flat[0], flat[1])


@dataclass(frozen=True)
class Standing:
    """How the source's places become the character's: scale about the floor's points, then a lift.

    origins (3,) each; lift (3,) m, for a character whose ankle isn't as high as the body's, scaled.
    """

    scale: float
    origin: np.ndarray
    target_origin: np.ndarray
    lift: np.ndarray

    def __call__(self, places: np.ndarray) -> np.ndarray:
        """(..., 3) places of the source to the character's."""
        return self.target_origin + self.scale * (places - self.origin) + self.lift


def standing(body: Body, rig: Rig, wanted: Wanted) -> Standing:
    """Where the character is to be when the body is somewhere, so that its feet reach the floor."""
    rest = body.places()
    places = dict(zip(wanted.joints, wanted.heads, strict=True))
    ours, theirs = leg_length(rest), leg_length(places)
    if ours is None or theirs is None:
        low, high = _extent(rest, places)
        return Standing(high / low, body.origin, rig.world[:3, 3], np.zeros(3))
    scale = theirs / ours
    up, their_up = frame_of(rest)[:, 2], frame_of(places)[:, 2]
    ankle = (_middle(rest, "ankle", "pelvis") - _middle(rest, "foot", "pelvis")) @ up
    ankle = scale * (ankle + SOLE_M * ours / LEG_M)
    origin = rig.world[:3, 3]
    theirs_at = _middle(places, "ankle", "pelvis") @ their_up
    height = theirs_at - origin @ their_up
    if not ANKLE_HEIGHT[0] < height / theirs < ANKLE_HEIGHT[1]:
        # The armature's origin isn't on the floor (it may be at the hips): the ankle tells it.
        origin = origin + their_up * (theirs_at - ankle - origin @ their_up)
        height = ankle
    return Standing(scale, body.origin, origin, up * (height - ankle))


def leg_length(places: dict[str, np.ndarray]) -> float | None:
    """m, hip to knee to ankle, the mean of the legs whose joints are known."""
    lengths = []
    for side in ("left", "right"):
        leg = [places.get(f"{side}_{joint}") for joint in ("hip", "knee", "ankle")]
        if all(joint is not None for joint in leg):
            lengths.append(np.linalg.norm(np.diff(np.array(leg), axis=0), axis=1).sum())
    return float(np.mean(lengths)) if lengths and min(lengths) > 1e-9 else None


def _extent(rest: dict, places: dict) -> tuple[float, float]:
    """The sizes of body and character over the joints that both have."""
    sizes = []
    for joints in (rest, places):
        points = np.array([joints[name] for name in places])
        sizes.append(float(np.linalg.norm(np.ptp(points, axis=0))))
    return (sizes[0], sizes[1]) if min(sizes) > 1e-9 else (1.0, 1.0)


def _pelvis_place(body: Body, rig: Rig, wanted: Wanted) -> np.ndarray:
    """(T, 3) m: so that the middle between the hip joints is where the body has its own, scaled."""
    source = {str(name): body.joints[:, at] for at, name in enumerate(JOINTS)}
    places = dict(zip(wanted.joints, wanted.heads, strict=True))
    both = "left_hip" in places and "right_hip" in places
    middle = _middle(source, "hip", "pelvis") if both else source["pelvis"]
    offset = _middle(places, "hip", "pelvis") - places["pelvis"]
    return standing(body, rig, wanted)(middle) - wanted.turn("pelvis") @ offset
