"""A quick look at who is in the video, to choose a person by sight."""

# pyright: reportInvalidTypeForm=false

from pathlib import Path

import bpy
from bpy.props import IntProperty
from bpy.types import Context

from .. import cache, choices, environment, job, preferences, request, screen, video_info
from ..estimator import Estimator, EstimatorError
from ..scene import wait_cursor
from .base import TOLD, Told


class POSECAST_OT_look(Told, bpy.types.Operator):
    """Look for the people in the video, and show them with their numbers"""

    bl_idname = "posecast.look"
    bl_label = "Look for People"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        return job.current() is None

    def run(self, context: Context) -> str | None:
        try:
            begin(context)
        except job.JobError:
            raise
        except TOLD as error:
            job.refuse(str(error))
            raise


class POSECAST_OT_choose_person(Told, bpy.types.Operator):
    """Estimate the person who has this number in the picture"""

    bl_idname = "posecast.choose_person"
    bl_label = "Choose Person"
    bl_options = {"UNDO", "INTERNAL"}

    number: IntProperty(name="Number", min=1, default=1)

    def run(self, context: Context) -> None:
        settings = context.scene.posecast
        settings.person, settings.person_number = "NUMBER", self.number


def begin(context: Context) -> None:
    """Starts `regressor.look`; raises what TOLD names."""
    settings, prefs = context.scene.posecast, preferences.get(context)
    path = video_info.absolute(settings.video)
    video = request.checked_video(path)
    if video.is_dir():
        raise EstimatorError(
            f"{video} is a folder; choose one of its pictures to see who is there."
        )
    info = video_info.known(path) or video_info.read(path)
    fps = info.fps if isinstance(info, video_info.VideoInfo) else None
    options = request.look_options(settings, prefs, fps)
    python = environment.find_python(prefs.python)
    root = environment.user_folder() / "cache"
    folder = cache.begin(root, "look")

    def finish(made: list[Path], said: str) -> str:
        try:
            with screen.in_view(), wait_cursor(bpy.context):
                found = video_info.keep_look(path, folder / "look.png")
        finally:
            cache.drop(folder)
        count = len(found.boxes)
        return "1 person is there." if count == 1 else f"{count} people are there; choose one."

    try:
        run = Estimator.on_video(
            "regressor.look", python, video, folder / "look.png", options, folder
        )
    except EstimatorError:
        cache.drop(folder)
        raise
    job.start(job.Job(run, finish, lambda: cache.drop(folder), root / "last.log"))


def register() -> None:
    video_info.register()
    choices.register()


def unregister() -> None:
    choices.unregister()
    video_info.unregister()


CLASSES = (POSECAST_OT_look, POSECAST_OT_choose_person)
