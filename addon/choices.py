"""What the settings' lists offer, and what follows when one of them is changed."""

import zlib

import bpy
from bpy.types import Context, Object

from . import environment, export, preferences, setup_job, video_info
from .estimator import EstimatorError
from .methods import FIRST, Methods
from .retarget import presets as bone_maps
from .retarget import rows

ASK_S, ANSWER_S = 2.0, 0.2  # how often the list's age is looked at, and its answer is looked for

# Blender keeps no references to the strings of a list that is made when it is opened.
_kept: dict[str, list] = {}
_methods: Methods | None = None


def _keep(name: str, items: list) -> list:
    if _kept.get(name) != items:
        _kept[name] = items
    return _kept[name]


def methods(settings, context: Context | None) -> list:
    listed, advice = known_methods().names("methods"), known_methods().advice
    told = {m["name"]: f"{advice(m['name'])}\n{m['description']}".strip() for m in listed}
    return _keep(
        "methods",
        [(m["name"], m["label"], told[m["name"]], "NONE", _number(m["name"])) for m in listed],
    )


def _number(method: str) -> int:
    """What a file stores of the choice: the same whatever else is listed; 0 for the default."""
    is_default = method == FIRST["methods"][0]["name"]
    return 0 if is_default else zlib.crc32(method.encode()) & 0x7FFFFFFF or 1


def known_methods() -> Methods:
    """The estimator's own list, as it was given last."""
    global _methods
    if _methods is None:
        _methods = Methods(environment.user_folder())
    return _methods


def ask_methods() -> float:
    """Asks the estimator for its list if that may be another one by now; a timer calls it again.

    Another Python or other weights were named in the preferences, or a set-up is through.
    """
    if setup_job.current() is not None:
        return ASK_S
    prefs = preferences.get(bpy.context)
    try:
        python = environment.find_python(prefs.python)
    except EstimatorError:
        return ASK_S
    methods = known_methods()
    awaited = methods.query(python, str(prefs.weights or "")) and methods.poll()
    return ANSWER_S if awaited else ASK_S


def refinement_is_there(name: str) -> bool:
    return any(item["name"] == name for item in known_methods().names("refinements"))


def presets(settings, context: Context | None) -> list:
    listed = bone_maps.names(rows.folder())
    return _keep("presets", [(*item, "NONE", _map_number(item[0])) for item in listed])


def _map_number(identifier: str) -> int:
    """The same whatever else is listed; 0 for the default."""
    automatic = identifier == bone_maps.AUTO
    return 0 if automatic else zlib.crc32(identifier.encode()) & 0x7FFFFFFF or 1


def export_formats(settings, context: Context | None) -> list:
    numbers = {name: number for number, name in enumerate(export.FORMATS)}
    items = [(name, export.FORMATS[name].label, "", numbers[name]) for name in export.available()]
    return _keep("formats", items)


def missing_formats() -> str:
    """The formats that this Blender can't write, by commas."""
    there = export.available()
    return ", ".join(item.label for name, item in export.FORMATS.items() if name not in there)


def is_posecast_body(settings, item: Object) -> bool:
    return item.type == "ARMATURE" and "posecast_joints" in item.data


def is_other_armature(settings, item: Object) -> bool:
    return item.type == "ARMATURE" and not is_posecast_body(settings, item)


def video_changed(settings, context: Context) -> None:
    """Reads what the panel shows of the video; the part to estimate is all of it."""
    found = video_info.read(video_info.absolute(settings.video))
    if isinstance(found, video_info.VideoInfo):
        settings.range_start, settings.range_end = 1, found.frames
    elif isinstance(found, video_info.Stills):
        settings.use_range = False
    shown = bpy.context.window_manager.posecast
    if shown.state != "RUNNING":
        shown.state, shown.message = "IDLE", ""


def target_changed(settings, context: Context) -> None:
    """Another character's bones are guessed."""
    settings.preset = bone_maps.AUTO


def preset_changed(settings, context: Context) -> None:
    rows.fill(settings, settings.target, settings.preset)


def register() -> None:
    if not bpy.app.background:
        bpy.app.timers.register(ask_methods, first_interval=0.5, persistent=True)


def unregister() -> None:
    global _methods
    if not bpy.app.background and bpy.app.timers.is_registered(ask_methods):
        bpy.app.timers.unregister(ask_methods)
    if _methods is not None:
        _methods.stop()
    _methods = None
