"""CMU's own motion capture: a skeleton (.asf, Acclaim) and its motions (.amc).

A bone turns about its start in axes of its own: world = parent * C * M * C^-1, C being the bone's
`axis` and M its angles in the frame; its end lies `length` along `direction`.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import roma
import torch

from regressor.errors import FileFormatError
from regressor.skeletons import H36M17

FPS = 120.0  # of most recordings; the files don't tell
# Human3.6M's joints as ends of bones; two ends: half-way between them.
ENDS = {
    "pelvis": ("lhipjoint", "rhipjoint"),
    "spine": ("lowerback",),
    "thorax": ("thorax", "lowerneck"),
    "nose": ("upperneck",),
    "head_top": ("head",),
}
ENDS |= {
    f"{side}_{joint}": (side[0] + bone,)
    for side in ("left", "right")
    for joint, bone in (
        ("hip", "hipjoint"),
        ("knee", "femur"),
        ("ankle", "tibia"),
        ("shoulder", "clavicle"),
        ("elbow", "humerus"),
        ("wrist", "wrist"),
    )
}


@dataclass
class Bone:
    """A bone, or the root (without length): angles in degrees."""

    name: str
    direction: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    length: float = 0.0
    axis: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    order: str = "XYZ"
    freedoms: list[str] = field(default_factory=list)  # rx, ry, rz (tx, ty, tz of the root)
    parent: str = ""


@dataclass
class Skeleton:
    """Bones by name, parents first, the root leading; metres a unit."""

    bones: dict[str, Bone]
    metres_per_unit: float
    degrees: bool = True


def read_asf(file: str | Path) -> Skeleton:
    """A skeleton. Raises FileFormatError for another file."""
    sections = _sections(_text(file))
    try:
        units = {line[0]: line[1] for line in sections["units"] if len(line) > 1}
        length = float(units.get("length", 1.0))
        if not length > 0:
            raise ValueError(f"its unit of length is {length}")
        bones = {"root": _root(sections["root"])}
        for bone in _bones(sections["bonedata"]):
            bones[bone.name] = bone
        ordered = _ordered(bones, sections["hierarchy"])
    except KeyError as error:
        raise FileFormatError(f"{file} is no ASF skeleton: it has no {error.args[0]}.") from error
    except IndexError as error:
        raise FileFormatError(f"{file} is no ASF skeleton: one of its lines is cut off.") from error
    except ValueError as error:
        raise FileFormatError(f"{file} is no ASF skeleton that can be read: {error}.") from error
    return Skeleton(ordered, 0.0254 / length, units.get("angle", "deg").startswith("deg"))


def _text(file: str | Path) -> str:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise FileFormatError(f"{file} can't be read: {error.strerror}.") from error


def _sections(text: str) -> dict[str, list[list[str]]]:
    """Lines, as words, by the keyword with a colon before them."""
    sections: dict[str, list[list[str]]] = {}
    current: list[list[str]] = []
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words and words[0].startswith(":"):
            current = sections.setdefault(words[0][1:].lower(), [])
        elif words:
            current.append(words)
    return sections


def _root(lines: list[list[str]]) -> Bone:
    entries = {line[0].lower(): line[1:] for line in lines}
    return Bone(
        "root",
        axis=_three(entries.get("orientation", ["0", "0", "0"])),
        order=_order("".join(entries.get("axis", ["XYZ"]))),
        freedoms=_freedoms(entries["order"]),
    )


def _bones(lines: list[list[str]]) -> list[Bone]:
    bones: list[Bone] = []
    for words in lines:
        key = words[0].lower()
        if key == "begin":
            bones.append(Bone(""))
        elif key == "name":
            bones[-1].name = words[1]
        elif key == "direction":
            bones[-1].direction = _three(words[1:])
        elif key == "length":
            bones[-1].length = float(words[1])
        elif key == "axis":
            bones[-1].axis = _three(words[1:])
            bones[-1].order = _order(words[4])
        elif key == "dof":
            bones[-1].freedoms = _freedoms(words[1:])
    return bones


def _three(words: list[str]) -> list[float]:
    return [float(words[i]) for i in range(3)]


def _order(word: str) -> str:
    if sorted(word.upper()) != ["X", "Y", "Z"]:
        raise ValueError(f"{word[:20]!r} is no order of axes")
    return word.upper()


def _freedoms(words: list[str]) -> list[str]:
    known = ("rx", "ry", "rz", "tx", "ty", "tz", "l")
    if wrong := [word for word in words if word.lower() not in known]:
        raise ValueError(f"{wrong[0][:20]!r} is no degree of freedom")
    return [word.lower() for word in words]


def _ordered(bones: dict[str, Bone], lines: list[list[str]]) -> dict[str, Bone]:
    """Parents first, by the hierarchy; each bone has one parent, named on an earlier line."""
    ordered = {"root": bones["root"]}
    for words in lines:
        if words[0] in ("begin", "end"):
            continue
        if words[0] not in ordered:
            raise ValueError(f"the bone {words[0]} has children before it has a parent")
        for name in words[1:]:
            if name in ordered:
                raise ValueError(f"the bone {name} has two parents")
            ordered[name] = bones[name]
            ordered[name].parent = words[0]
    return ordered


def read_amc(file: str | Path, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """The values (T, its freedoms) of every bone that moves. Raises FileFormatError."""
    values: dict[str, list[list[float]]] = {}
    frames, degrees = 0, skeleton.degrees
    try:
        for line in _text(file).splitlines():
            words = line.split("#")[0].split()
            if not words:
                continue
            if words[0].startswith(":"):
                degrees = {":DEGREES": True, ":RADIANS": False}.get(words[0].upper(), degrees)
            elif words[0].isdigit():
                frames += 1
            else:
                values.setdefault(words[0], []).append([float(word) for word in words[1:]])
        return _checked(values, frames, skeleton, 1.0 if degrees else 180 / np.pi)
    except ValueError as error:
        raise FileFormatError(f"{file} is no AMC motion that can be read: {error}.") from error


def _checked(
    values: dict[str, list[list[float]]], frames: int, skeleton: Skeleton, scale: float
) -> dict[str, np.ndarray]:
    if not frames or "root" not in values:
        raise ValueError("it has no frames with a root")
    checked = {}
    for name, rows in values.items():
        if name not in skeleton.bones:
            raise ValueError(f"its skeleton has no bone {name}")
        freedoms = skeleton.bones[name].freedoms
        if len(rows) != frames or {len(row) for row in rows} != {len(freedoms)}:
            raise ValueError(
                f"{name} has not {len(freedoms)} values in each of the {frames} frames"
            )
        checked[name] = np.array(rows) * [scale if f.startswith("r") else 1.0 for f in freedoms]
        if not np.isfinite(checked[name]).all():
            raise ValueError(f"{name} has values that are no numbers")
    return checked


def forward(skeleton: Skeleton, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The ends (T, 3) of all bones in the world, metres, y up."""
    frames = len(values["root"])
    turned, ends = {}, {}
    for name, bone in skeleton.bones.items():
        rows = values.get(name, np.zeros((frames, len(bone.freedoms))))
        place, angles = np.zeros((frames, 3)), []
        for column, freedom in zip(rows.T, bone.freedoms, strict=True):
            if freedom.startswith("t"):
                place[:, "xyz".index(freedom[1])] = column
            elif freedom.startswith("r"):
                angles.append((freedom[1], column))
        axes = _turn(bone.order, np.array([bone.axis]))
        motion = torch.eye(3, dtype=torch.float64)
        if angles:
            motion = _turn("".join(a for a, _ in angles), np.stack([v for _, v in angles], 1))
        local = (axes @ motion @ axes.mT).expand(frames, 3, 3)
        if not bone.parent:
            turned[name], ends[name] = local, torch.as_tensor(place)
            continue
        turned[name] = turned[bone.parent] @ local
        along = torch.tensor(bone.direction, dtype=torch.float64) * bone.length
        ends[name] = ends[bone.parent] + turned[name] @ along
    return {name: (end * skeleton.metres_per_unit).numpy() for name, end in ends.items()}


def _turn(order: str, degrees: np.ndarray) -> torch.Tensor:
    """(T, 3, 3): turns about fixed axes, the first of `order` first."""
    return roma.euler_to_rotmat(order.lower(), torch.as_tensor(degrees), degrees=True)


def to_h36m17(ends: dict[str, np.ndarray], file: str | Path) -> np.ndarray:
    """(T, 17, 3) m from the ends of CMU's bones. Raises FileFormatError that names missing ones."""
    if missing := sorted({bone for pair in ENDS.values() for bone in pair if bone not in ends}):
        raise FileFormatError(f"{file} is not CMU's skeleton: it has no {', '.join(missing)}.")
    joints = [np.mean([ends[bone] for bone in ENDS[name]], axis=0) for name in H36M17]
    return np.stack(joints, axis=1).astype(np.float32)
