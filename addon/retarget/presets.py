"""Bone maps by name: the guess, the known families', the user's own as JSON. Without bpy."""

import contextlib
import json
import os
from pathlib import Path
from urllib.parse import quote, unquote

from ..skeleton import JOINTS
from .guess import METARIG, family_map, guess
from .maps import FAMILIES
from .rig import BoneMap, RetargetError, Rig

AUTO = "AUTO"
OWN = "own:"  # before the user's names, which may be those of families
SUFFIX = ".json"
LONGEST_NAME, LARGEST_FILE = 60, 100_000
LONGEST_BONE = 255  # bytes, since Blender 5.0; 63 before


def names(folder: Path | None = None) -> list[tuple[str, str, str]]:
    """(identifier, label, description) of each; the user's own are in `folder`."""
    listed = [(AUTO, "Guess", "By the bones' names and by where they are")]
    listed += [(family.identifier, family.label, family.description) for family in FAMILIES]
    listed += [(OWN + name, name, "Bone map that you saved") for name in user_presets(folder)]
    return listed


def find(identifier: str, rig: Rig, folder: Path | None = None) -> BoneMap:
    """The map of this name, as far as the rig has its bones. Raises RetargetError."""
    if identifier == AUTO:
        return guess(rig)
    if rig.metarig:
        raise RetargetError(METARIG)
    if identifier.startswith(OWN):
        label = identifier.removeprefix(OWN)
        wanted = load(label, folder)
        found = {joint: bone for joint, bone in wanted.items() if bone in rig.names}
    else:
        family = next((one for one in FAMILIES if one.identifier == identifier), None)
        if family is None:
            raise RetargetError(
                f"There is no bone map {identifier}; choose one of "
                f"{', '.join(name for name, _, _ in names(folder))}."
            )
        label, found = family.label, family_map(family, rig)
    if not found:
        raise RetargetError(
            f"The armature has none of the bones of {label}; choose Guess or another bone map."
        )
    return found


def user_presets(folder: Path | None) -> list[str]:
    """The names of the user's own, in alphabetical order."""
    if folder is None or not folder.is_dir():
        return []
    return sorted(unquote(path.stem) for path in folder.glob("*" + SUFFIX))


def load(name: str, folder: Path | None) -> BoneMap:
    """The user's map of this name. Raises RetargetError."""
    path = _path(name, folder)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError
        stored = json.loads(path.read_text(encoding="utf-8"))["bones"]
        if not isinstance(stored, dict) or not all(map(_is_pair, stored.items())):
            raise ValueError
    except FileNotFoundError:
        raise RetargetError(f"There is no bone map {name} any more; choose another.") from None
    except OSError as error:
        raise RetargetError(f"{path} can't be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise RetargetError(f"{path} isn't a bone map; save it anew or delete it.") from None
    return stored


def save(name: str, bone_map: BoneMap, folder: Path) -> str:
    """Keeps the map under this name, over one of the same name; returns the identifier.

    Raises RetargetError.
    """
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise RetargetError(f"Give the bone map a name of 1 to {LONGEST_NAME} characters.")
    bones = {joint: bone for joint, bone in bone_map.items() if bone}
    if not bones:
        raise RetargetError("No bone is chosen yet: there is nothing to save.")
    path = _path(name, folder)
    beside = path.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps({"bones": bones}, indent=1), encoding="utf-8")
        os.replace(beside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise RetargetError(f"{path} can't be written: {error.strerror}.") from None
    return OWN + name


def delete(name: str, folder: Path) -> None:
    """Forgets the user's map of this name. Raises RetargetError."""
    try:
        _path(name, folder).unlink()
    except FileNotFoundError:
        raise RetargetError(f"There is no bone map {name} any more.") from None
    except OSError as error:
        raise RetargetError(f"The bone map {name} can't be deleted: {error.strerror}.") from None


def _path(name: str, folder: Path | None) -> Path:
    return (folder or Path()) / (quote(name, safe=" ").replace(".", "%2E") + SUFFIX)


def _is_pair(pair: tuple) -> bool:
    joint, bone = pair
    return joint in JOINTS and isinstance(bone, str) and 0 < len(bone.encode()) <= LONGEST_BONE
