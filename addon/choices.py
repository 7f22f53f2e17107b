"""What the settings' lists offer, and what follows when one of them is changed."""

import bpy
from bpy.types import Context, Object

# Blender keeps no references to the strings of a list that is made when it is opened.
_kept: dict[str, list] = {}


def _keep(name: str, items: list) -> list:
    if _kept.get(name) != items:
        _kept[name] = items
    return _kept[name]


def methods(settings, context: Context | None) -> list:
    return _keep("methods", [("ktpformer", "KTPFormer", "Lifts 2D keypoints over a window")])


def presets(settings, context: Context | None) -> list:
    return _keep("presets", [("AUTO", "Guess", "From the bones' names and places")])


def export_formats(settings, context: Context | None) -> list:
    return _keep("formats", [("fbx", "FBX", "")])


def is_posecast_body(settings, item: Object) -> bool:
    return item.type == "ARMATURE" and "posecast_joints" in item.data


def is_other_armature(settings, item: Object) -> bool:
    return item.type == "ARMATURE" and not is_posecast_body(settings, item)


def video_changed(settings, context: Context) -> None: ...


def target_changed(settings, context: Context) -> None: ...


def preset_changed(settings, context: Context) -> None: ...
