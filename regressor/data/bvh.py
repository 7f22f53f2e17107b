"""BVH motion capture: the hierarchy, forward kinematics, and Human3.6M's 17 joints by names.

Names differ from maker to maker: MotionBuilder's and Mixamo's (LeftUpLeg), Biovision's (LeftHip),
Poser's and DAZ's (lThigh), SMPL's (left_hip), 3ds Max's (Bip01_L_Thigh), Unreal's (thigh_l), VRM's
(J_Bip_L_UpperLeg), mocopi's (l_up_leg) and what is like them are known.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import roma
import torch

from regressor.errors import FileFormatError
from regressor.skeletons import H36M17

# Parts of names after "left"/"l" or "right"/"r", the surest first: many skeletons call the
# collarbone "shoulder", and some the whole arm. Where there is an ankle or a wrist, "foot" and
# "hand" are what lies beyond (SMPL's).
PARTS = {
    "hip": ("upleg", "upperleg", "thigh", "thighbend", "hip", "femur"),
    "knee": ("leg", "lowerleg", "lowleg", "shin", "calf", "knee", "tibia"),
    "ankle": ("ankle", "foot"),
    "shoulder": ("arm", "upperarm", "uparm", "shldr", "shldrbend", "shoulder", "humerus"),
    "elbow": ("forearm", "lowerarm", "lowarm", "forearmbend", "elbow", "radius"),
    "wrist": ("wrist", "hand"),
}
NECKS = ("neck", "lowerneck", "necklower", "neck1", "neck01", "upperneck")
HEADS = ("head",)
SPINE_SHARE = 0.47  # of the way from the hips to the thorax, as in Human3.6M
CROWN_SHARE = 0.14  # of the legs' length, from the head's joint to the crown
# Metres a unit: metres, centimetres, millimetres, inches, and CMU's 1/0.45 inch.
UNITS = (1.0, 0.01, 0.001, 0.0254, 0.0254 / 0.45)
LEG = 0.85  # m, a person's from hip to ankle
MOST_JOINTS = 1000
_CHANNEL = re.compile("[XYZ](position|rotation)", re.IGNORECASE)
_PREFIX = re.compile(r"^(bip\d+|jbipc?)")  # 3ds Max's and VRM's, before every name


@dataclass
class Joint:
    """One joint, or an end site: its place from its parent's, and where its channels begin."""

    name: str
    parent: int
    offset: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    channels: list[str] = field(default_factory=list)
    first: int = 0  # its first channel's column


@dataclass
class Recording:
    """Joints (T, J, 3) in the world, in the file's units, with their names and parents."""

    names: list[str]
    parents: list[int]
    positions: np.ndarray
    fps: float


def read_bvh(file: str | Path) -> Recording:
    """A recording, end sites included as NAME_end. Raises FileFormatError for another file."""
    try:
        text = Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise FileFormatError(f"{file} can't be read: {error.strerror}.") from error
    try:
        head, _, motion = text.partition("MOTION")
        joints = parse_hierarchy(head)
        fps, values = parse_motion(motion, sum(len(joint.channels) for joint in joints))
    except IndexError as error:
        raise FileFormatError(f"{file} is no BVH file: its hierarchy is cut off.") from error
    except (ValueError, OverflowError) as error:
        raise FileFormatError(f"{file} is no BVH file that can be read: {error}.") from error
    positions = forward(joints, values)
    return Recording([j.name for j in joints], [j.parent for j in joints], positions, fps)


def parse_hierarchy(text: str) -> list[Joint]:
    """The joints of the part before MOTION, parents first. Raises ValueError."""
    words = text.split()
    if words[:1] != ["HIERARCHY"]:
        raise ValueError("it doesn't begin with HIERARCHY")
    joints: list[Joint] = []
    open_joints, at, columns = [-1], 1, 0
    while at < len(words):
        word = words[at]
        if word in ("ROOT", "JOINT", "End"):
            parent = open_joints[-1]
            name = f"{joints[parent].name}_end" if word == "End" else words[at + 1]
            joints.append(Joint(name, parent))
            at += 2
        elif word == "{":
            open_joints.append(len(joints) - 1)
            at += 1
        elif word == "}":
            open_joints.pop()
            at += 1
        elif word == "OFFSET":
            joints[open_joints[-1]].offset = [float(number) for number in words[at + 1 : at + 4]]
            at += 4
        elif word == "CHANNELS":
            count = int(words[at + 1])
            joint = joints[open_joints[-1]]
            joint.channels, joint.first = words[at + 2 : at + 2 + count], columns
            if not (0 <= count <= 6 and all(map(_CHANNEL.fullmatch, joint.channels))):
                raise ValueError(f"{joint.name} has channels that are none")
            columns += count
            at += 2 + count
        else:
            raise ValueError(f"{word[:20]!r} has no meaning in a hierarchy")
        if len(joints) > MOST_JOINTS:
            raise ValueError(f"it has more than {MOST_JOINTS} joints")
    if open_joints != [-1] or not joints:
        raise ValueError("its hierarchy ends before it is closed")
    return joints


def parse_motion(text: str, columns: int) -> tuple[float, np.ndarray]:
    """Frames a second and values (T, columns) of the part after MOTION. Raises ValueError."""
    found = re.match(r"\s*Frames:\s*(\d+)\s*Frame Time:\s*(\S+)", text)
    if not found:
        raise ValueError("it has no MOTION with Frames and Frame Time")
    frames, seconds = int(found[1]), float(found[2])
    values = np.array(text[found.end() :].split(), np.float64)
    if values.size != frames * columns or not frames:
        raise ValueError(f"it has {values.size} values for {frames} frames of {columns}")
    if not (np.isfinite(values).all() and 1e-4 < seconds < 10):
        raise ValueError("its values or its frame time are no numbers of a motion")
    return 1 / seconds, values.reshape(frames, columns)


def forward(joints: list[Joint], values: np.ndarray) -> np.ndarray:
    """(T, J, 3) positions; a joint's position channels stand in place of its offset."""
    turned: list[torch.Tensor] = []
    placed: list[torch.Tensor] = []
    for joint in joints:
        own = torch.as_tensor(values[:, joint.first : joint.first + len(joint.channels)])
        offset = torch.tensor(joint.offset, dtype=torch.float64).repeat(len(values), 1)
        axes, angles = "", []
        for column, channel in enumerate(joint.channels):
            axis = "XYZ".index(channel[:1].upper())
            if channel.lower().endswith("position"):
                offset[:, axis] = own[:, column]
            else:
                axes += "XYZ"[axis]
                angles.append(own[:, column])
        local = torch.eye(3, dtype=torch.float64).repeat(len(values), 1, 1)
        if axes:
            local = roma.euler_to_rotmat(axes, torch.stack(angles, -1), degrees=True)
        if joint.parent < 0:
            turned.append(local)
            placed.append(offset)
        else:
            placed.append(placed[joint.parent] + (turned[joint.parent] @ offset[..., None])[..., 0])
            turned.append(turned[joint.parent] @ local)
    return torch.stack(placed, 1).numpy()


def find_joints(names: list[str]) -> dict[str, int]:
    """Our names of the joints that were recognised, and their numbers."""
    plain = [re.sub(r"[^a-z0-9]", "", name.rpartition(":")[2].lower()) for name in names]
    plain = [_PREFIX.sub("", name) for name in plain]

    def first(candidates: list[str]) -> int | None:
        return next((plain.index(name) for name in candidates if name in plain), None)

    wanted = {
        f"{side}_{joint}": [f"{s}{part}" for part in parts for s in (side, side[0])]
        + [f"{part}{s}" for part in parts for s in (side[0],)]
        for side in ("left", "right")
        for joint, parts in PARTS.items()
    }
    wanted |= {"neck": list(NECKS), "head": list(HEADS), "head_end": ["headend", "headtopend"]}
    return {name: found for name, c in wanted.items() if (found := first(c)) is not None}


def to_h36m17(recording: Recording, file: str | Path, metres_per_unit: float | None) -> np.ndarray:
    """(T, 17, 3) m in the world's axes. Raises FileFormatError that names what wasn't recognised.

    The pelvis is the middle of the hips, the nose the head's joint, the crown the head's end; the
    spine lies on the chain from the hips to the thorax. metres_per_unit: else the unit of `UNITS`
    in which the legs are likest to a person's.
    """
    found = find_joints(recording.names)
    needed = [f"{side}_{part}" for side in ("left", "right") for part in PARTS]
    if missing := [name for name in [*needed, "neck", "head"] if name not in found]:
        raise FileFormatError(
            f"{file} has no joint that looks like {', '.join(missing[:4])}; it has "
            f"{', '.join(recording.names[:8])} ..."
        )
    place = {name: recording.positions[:, joint] for name, joint in found.items()}
    place["pelvis"] = (place["left_hip"] + place["right_hip"]) / 2
    place["thorax"], place["nose"] = place["neck"], place["head"]
    place["head_top"] = place.get("head_end", _above(place))
    place["spine"] = _along_spine(recording, found["neck"], place["pelvis"])
    joints = np.stack([place[name] for name in H36M17], axis=1)
    return (joints * (metres_per_unit or guess_unit(joints))).astype(np.float32)


def _above(place: dict[str, np.ndarray]) -> np.ndarray:
    """(T, 3) the crown of a head without an end: on from the neck, by the legs' length."""
    hip, knee, ankle = (place[f"left_{name}"][0] for name in ("hip", "knee", "ankle"))
    leg = np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee)
    up = place["head"] - place["neck"]
    length = np.linalg.norm(up, axis=-1, keepdims=True)
    return place["head"] + up * (CROWN_SHARE * leg / np.maximum(length, 1e-9))


def _along_spine(recording: Recording, neck: int, pelvis: np.ndarray) -> np.ndarray:
    """(T, 3): the point on the chain from the hips to the neck, by the first frame's lengths."""
    chain, joint = [neck], recording.parents[neck]
    while joint > 0:  # the root itself is where the hips are
        chain.insert(0, joint)
        joint = recording.parents[joint]
    points = np.concatenate([pelvis[:, None], recording.positions[:, chain]], axis=1)
    lengths = np.linalg.norm(np.diff(points[0], axis=0), axis=1)
    at = np.concatenate([[0], np.cumsum(lengths)])
    wanted = SPINE_SHARE * at[-1]
    left = min(int(np.searchsorted(at, wanted, side="right")) - 1, len(lengths) - 1)
    share = (wanted - at[left]) / max(lengths[left], 1e-9)
    return points[:, left] * (1 - share) + points[:, left + 1] * share


def guess_unit(joints: np.ndarray) -> float:
    """Metres a unit, by the legs of joints (T, 17, 3)."""
    hip, knee, ankle = (joints[0, H36M17.index(f"left_{n}")] for n in ("hip", "knee", "ankle"))
    leg = max(float(np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee)), 1e-9)
    return min(UNITS, key=lambda unit: abs(np.log(unit * leg / LEG)))
