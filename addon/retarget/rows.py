"""The editable bone map: the rows of the scene's settings."""

from pathlib import Path

from bpy.types import Object

from .. import environment
from ..skeleton import JOINTS
from . import presets
from .guess import LEGS, NO_HUMANOID, missing, partial_guess
from .read import read_rig
from .rig import BoneMap, RetargetError

# From the trunk to the limbs, the sides beside each other.
_PARTS: tuple[str, ...] = tuple(
    "pelvis spine1 spine2 spine3 neck head collar shoulder elbow wrist hand hip knee ankle "
    "foot".split()
)
ORDER = sorted(JOINTS, key=lambda joint: (_PARTS.index(joint.rpartition("_")[2]), joint))
SHOWN = 3  # bones or joints that a warning names


def folder() -> Path:
    """Where the user's own maps are."""
    return environment.user_folder() / "maps"


def fill(settings, target: Object | None, identifier: str) -> None:
    """Fills the rows with the target's bones by the map of this name; where there is none, they
    are empty and the settings' bones_problem says why."""
    write(settings, {})
    settings.bones_problem = ""
    if target is None:
        return
    if not target.data.bones:
        settings.bones_problem = NO_HUMANOID
        return
    rig = read_rig(target)
    try:
        if identifier == presets.AUTO:
            found = partial_guess(rig)
            settings.bones_problem = "" if found else NO_HUMANOID
        else:
            found = presets.find(identifier, rig, folder())
        write(settings, found)
    except RetargetError as error:
        settings.bones_problem = str(error)


def write(settings, bone_map: BoneMap) -> None:
    if [row.joint for row in settings.bones] != ORDER:
        settings.bones.clear()
        for joint in ORDER:
            settings.bones.add().joint = joint
    for row in settings.bones:
        row.bone = bone_map.get(row.joint, "")


def read(settings) -> BoneMap:
    return {row.joint: row.bone for row in settings.bones if row.bone}


def label(joint: str) -> str:
    """The joint's name for people: Left hip."""
    return joint.replace("_", " ").capitalize()


def short_label(joint: str) -> str:
    """The same for a list that is narrow: Hip L."""
    side, _, name = joint.partition("_")
    return f"{name.capitalize()} {side[0].upper()}" if name else label(joint)


def problem(settings, target: Object) -> str:
    """What keeps the rows from being used, in one sentence; "" for nothing."""
    bone_map = read(settings)
    if not bone_map:
        return settings.bones_problem or "No bone is chosen; press Guess Again, or pick bones."
    gone = [bone for bone in bone_map.values() if bone not in target.data.bones]
    if gone:
        return f"{target.name} has no bone {_listed(gone)}; choose another."
    for bone in bone_map.values():
        joints = [joint for joint, its in bone_map.items() if its == bone]
        if len(joints) > 1:
            return f"{bone} can't follow several joints: {_listed(map(label, joints))}."
    lacking = missing(bone_map)
    legs = not set(lacking) & set(LEGS)
    arms = not {joint for joint in lacking if joint != "pelvis"} - set(LEGS)
    if "pelvis" in lacking or not (legs or arms):
        return f"Bones are missing: {_listed(map(label, lacking))}."
    return ""


def note(settings, target: Object) -> str:
    """What will stay as it is though the rows can be used; "" for nothing."""
    lacking = missing(read(settings))
    return f"Left as they are: {_listed(map(label, lacking))}." if lacking else ""


def checked(settings, target: Object) -> BoneMap:
    """The rows' map; raises RetargetError where `problem` finds one."""
    found = problem(settings, target)
    if found:
        raise RetargetError(found)
    return read(settings)


def _listed(words) -> str:
    words = list(dict.fromkeys(words))
    more = len(words) - SHOWN
    return ", ".join(words[:SHOWN]) + (f" and {more} more" if more > 0 else "")
