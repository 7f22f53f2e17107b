"""The user's own character: taken into the file from a .blend, and moved as the body moves."""

import json
from pathlib import Path

import bpy

from addon.retarget.rig import BoneMap, RetargetError
from animating.files import JobError


def split_target(text: str) -> tuple[Path, str]:
    """FILE.blend[:ARMATURE] to the file and the name, "" where there is none."""
    file, colon, name = text.rpartition(":")
    if not colon or not file.lower().endswith(".blend"):
        file, name = text, ""
    path = Path(file).expanduser().absolute()
    if path.suffix.lower() != ".blend":
        raise JobError(
            f"--target {text} has to be a .blend, and its armature's name after a colon."
        )
    if not path.is_file():
        raise JobError(f"There is no character file {path}; check the path.")
    return path, name


def append_character(path: Path, name: str, collection) -> bpy.types.Object:
    """The armature `name` (or the only one) of a .blend with all that belongs to it."""
    try:
        with bpy.data.libraries.load(str(path), link=False) as (_, wanted):
            wanted.objects = list(_.objects)
    except OSError:
        raise JobError(f"{path.name} can't be read as a .blend of this Blender.") from None
    found = [item for item in wanted.objects if item is not None]
    armatures = {item.name: item for item in found if item.type == "ARMATURE"}
    if name not in armatures and (name or len(armatures) != 1):
        listed = ", ".join(armatures) or "none"
        raise JobError(
            f"{path.name} has no armature {name}; it has {listed}."
            if name
            else f"Say which armature of {path.name} is meant, after a colon; it has {listed}."
        )
    armature = armatures[name] if name else next(iter(armatures.values()))
    for item in found:
        if _belongs(item, armature):
            collection.objects.link(item)
    # What nothing needs; custom shapes of bones, say, are needed.
    bpy.data.batch_remove([item for item in found if item.users == 0])
    return armature


def retarget(source, target, options) -> None:
    """Moves `target` as the body `source` moves; raises RetargetError."""
    from addon.retarget import bake

    bake.retarget(
        source,
        target,
        bone_map(options.map, target),
        keep_feet=not options.no_feet,
        tolerance_mm=options.tolerance_mm,
    )


def bone_map(name: str, target: bpy.types.Object) -> BoneMap:
    """A preset's by its name, in any case; "" or "auto" the guessed one; a .json file's."""
    if name.lower().endswith(".json"):
        return _read_map(Path(name).expanduser())
    from addon.retarget import presets
    from addon.retarget.read import read_rig

    known = {identifier.lower(): identifier for identifier, *_ in presets.names()}
    wanted = (name or "auto").lower()
    if wanted not in known and wanted != "auto":
        raise RetargetError(f"There is no bone map {name}; choose from {', '.join(known)}.")
    return presets.find(known.get(wanted, "AUTO"), read_rig(target))


def _read_map(path: Path) -> BoneMap:
    """{"joint": "bone", …}, or that under "bones"."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content = content.get("bones", content)
        return {str(joint): str(bone) for joint, bone in content.items()}
    except OSError as error:
        raise JobError(f"The bone map {path} can't be read ({error.strerror}).") from None
    except (ValueError, AttributeError):
        raise JobError(
            f'{path.name} is no bone map; it is a JSON file like {{"pelvis": "hips", …}}.'
        ) from None


def _belongs(item: bpy.types.Object, armature: bpy.types.Object) -> bool:
    """Whether it is the armature, hangs from it, or is deformed by it."""
    parent = item
    while parent is not None:
        if parent == armature:
            return True
        parent = parent.parent
    return any(getattr(modifier, "object", None) == armature for modifier in item.modifiers)
