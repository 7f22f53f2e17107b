"""Estimate, cancel, and Esc, which cancels too."""

import time
from pathlib import Path
from types import SimpleNamespace

import bpy
from bpy.types import Context

from .. import (
    cache,
    choices,
    environment,
    gallery,
    job,
    preferences,
    request,
    scene,
    screen,
    video_info,
)
from ..estimator import Estimator, EstimatorError
from ..motion_file import MotionFileError
from ..pictures import pictures_in
from .base import TOLD, Told

EARLIER = "From an earlier run with the same settings."
_keymaps: list[tuple] = []


class POSECAST_OT_estimate(Told, bpy.types.Operator):
    """Estimate the motion of the people in the video, and put it on a body"""

    bl_idname = "posecast.estimate"
    bl_label = "Estimate"
    bl_options = {"REGISTER"}  # the result, when it is there, is an undo step of its own

    @classmethod
    def poll(cls, context: Context) -> bool:
        if job.current() is not None:
            cls.poll_message_set("Posecast is at work; wait for it, or cancel it")
        return job.current() is None

    def run(self, context: Context) -> str | None:
        try:
            return begin(context)
        except job.JobError:
            raise
        except TOLD as error:
            job.refuse(str(error))
            raise


class POSECAST_OT_cancel(Told, bpy.types.Operator):
    """End the work on the video; nothing in the scene changes (Esc)"""

    bl_idname = "posecast.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        return job.current() is not None

    def run(self, context: Context) -> None:
        job.cancel()


def begin(context: Context) -> str | None:
    """Starts the estimator, or takes the result of an earlier run; raises what TOLD names.

    In background it returns when the result is in the scene, with what is to be said of it.
    """
    settings, prefs = context.scene.posecast, preferences.get(context)
    path = video_info.absolute(settings.video)
    video = request.checked_video(path)
    info = video_info.known(path) or video_info.read(path)
    fps = info.fps if isinstance(info, video_info.VideoInfo) else None
    seen = video_info.look(path)
    point = seen.point(settings.person_number) if seen else None
    options, files = request.options_of(settings, prefs, fps, point)
    if settings.uao and choices.known_methods().refines("uao", settings.method):
        options["refine"] = "uao"
    python = environment.find_python(prefs.python)
    root = environment.user_folder() / "cache"
    name = cache.key(video, options | {"python": str(python)}, [*files, *pictures_in(video)])
    how = SimpleNamespace(
        scene=context.scene.name,
        rate=settings.rate,
        body=settings.body,
        betas=settings.betas,
        nla=settings.nla,
    )
    if (message := take_earlier(root, name, video, how)) is not None:
        return message
    folder = cache.begin(root, name)
    # One half of the room is for what was seen, the other for what was made of it.
    room = prefs.cache_size_mb / 2
    options |= {"cache": str(cache.detections(root)), "cache-mb": room}
    started = time.monotonic()

    def finish(made: list[Path], said: str) -> str:
        seconds = time.monotonic() - started
        kept = cache.keep(folder, made, told(said))
        note = place(kept, video, how)
        cache.prune(root, room, spare=kept[0].parent)
        return f"{told(said)} It took {seconds:.0f} s. {note}".strip()

    try:
        run = Estimator.estimate(python, video, folder / "motion.npz", options, folder)
    except EstimatorError:
        cache.drop(folder)
        raise
    job.start(job.Job(run, finish, lambda: cache.drop(folder), root / "last.log"))
    return context.window_manager.posecast.message or None


def take_earlier(root: Path, name: str, video: Path, how: SimpleNamespace) -> str | None:
    """Puts the result of an earlier run into the scene, if there is one; says so."""
    kept = cache.find(root, name)
    if kept is None:
        return None
    files, said = kept
    try:
        note = place(files, video, how)
    except MotionFileError:
        cache.drop(files[0].parent)  # damaged since; another run makes it anew
        return None
    message = f"{said} {EARLIER} {note}".strip()
    screen.tell("DONE", message)
    return message


def place(files: list[Path], video: Path, how: SimpleNamespace) -> str:
    """Puts the result into the scene, as one step that can be undone; what is to be noted of it."""
    with screen.in_view(how.scene), screen.showing(how.scene):
        if video.is_dir():
            made = gallery.add_pictures(bpy.context, files, video, how)
        else:
            made = scene.add_result(bpy.context, files, video if video.is_file() else None, how)
        if not bpy.app.background:
            bpy.ops.ed.undo_push(message="Estimate Pose from Video")
    return str(made[0].get("posecast_note", ""))


def told(said: str) -> str:
    """What the estimator said of its result, without the seconds of its stages."""
    return said.partition(" Seconds: ")[0] or "Done."


def register() -> None:
    job.register()
    keyconfig = bpy.context.window_manager.keyconfigs.addon
    if keyconfig is not None:  # without a window there are no keys
        keymap = keyconfig.keymaps.new("Window")
        item = keymap.keymap_items.new(POSECAST_OT_cancel.bl_idname, "ESC", "PRESS")
        _keymaps.append((keymap, item))


def unregister() -> None:
    for keymap, item in _keymaps:
        keymap.keymap_items.remove(item)
    _keymaps.clear()
    job.unregister()


CLASSES = (POSECAST_OT_estimate, POSECAST_OT_cancel)
