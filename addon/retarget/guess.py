"""A bone map for any humanoid: by the bones that its kind has, by names, by shape. Without bpy."""

from ..skeleton import JOINTS
from .bone_names import by_names, sides_agree
from .chains import settle_spine
from .maps import FAMILIES
from .maps.family import Family
from .rig import BoneMap, RetargetError, Rig
from .topology import by_topology

LEGS = tuple(f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle"))
ARMS = tuple(
    f"{side}_{joint}" for side in ("left", "right") for joint in ("shoulder", "elbow", "wrist")
)
METARIG = (
    "This is Rigify's metarig: press Generate Rig in its Armature tab, "
    "then choose the generated rig as the character."
)


NO_HUMANOID = (
    "This armature doesn't look like a humanoid: no hips with both legs or both arms were found; "
    "fill in the bones by hand, or choose another armature."
)


def guess(rig: Rig) -> BoneMap:
    """The rig's bone map; raises RetargetError for a metarig and for what is no humanoid."""
    found = partial_guess(rig)
    if "pelvis" not in found or (set(LEGS) - set(found) and set(ARMS) - set(found)):
        raise RetargetError(NO_HUMANOID)
    return found


def partial_guess(rig: Rig) -> BoneMap:
    """The map of the rig's kind if it is known; else by names, if they give whole limbs, else by
    shape; what one leaves free the other fills in. Raises RetargetError for a metarig."""
    if rig.metarig:
        raise RetargetError(METARIG)
    kind = recognise(rig)
    if kind is not None:
        found = family_map(next(one for one in FAMILIES if one.identifier == kind), rig)
    else:
        named, shaped = by_names(rig), by_topology(rig)
        whole = sides_agree(rig, named) and not set(LEGS + ARMS) - set(named)
        found = _filled(named, shaped) if whole else _filled(shaped, named)
    return {joint: found[joint] for joint in JOINTS if joint in found}


def _filled(first: BoneMap, second: BoneMap) -> BoneMap:
    """The first map with what the second has besides; two spines aren't mixed."""
    mixed = ("spine1", "spine2", "spine3") if "spine3" in first else ()
    used = set(first.values())
    more = {
        joint: bone for joint, bone in second.items() if bone not in used and joint not in mixed
    }
    return more | first


def recognise(rig: Rig) -> str | None:
    """The identifier of the kind of rigs whose fingerprint it bears."""
    there = bones_by_name(rig)
    for family in FAMILIES:
        marks = all(name in there for name in family.fingerprint)
        if marks and not any(name in there for name in family.illegal):
            return family.identifier
    return None


def family_map(family: Family, rig: Rig) -> BoneMap:
    """The family's map, as far as the rig has its bones."""
    there = bones_by_name(rig)
    found = {}
    for joint, names in family.joints.items():
        bone = next((there[name] for name in names if name in there), None)
        if bone is not None:
            found[joint] = bone
    return settle_spine(found)


def bones_by_name(rig: Rig) -> dict[str, str]:
    """The rig's bones by their names and, where no other is called so, without namespace."""
    plain = {name.rpartition(":")[2]: name for name in reversed(rig.names)}
    return plain | {name: name for name in rig.names}


def missing(bone_map: BoneMap) -> list[str]:
    """The joints of hips, arms and legs that no bone follows."""
    return [joint for joint in ("pelvis", *LEGS, *ARMS) if joint not in bone_map]


def duplicates(bone_map: BoneMap) -> list[str]:
    """The bones that more than one joint has."""
    bones = list(bone_map.values())
    return sorted({bone for bone in bones if bones.count(bone) > 1})
