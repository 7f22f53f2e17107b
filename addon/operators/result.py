"""Results from files, and what can be done with the bodies that are in the scene."""

import os
import tempfile
from pathlib import Path

import bpy
from bpy.props import CollectionProperty, EnumProperty, StringProperty
from bpy.types import Context

from .. import preferences, results, scene, shape
from ..camera import look_through, restore_view
from ..chosen_body import betas_for, chosen_body
from ..environment import find_python
from ..estimator import Estimator
from ..motion_file import MotionFileError, read_motion
from .base import Told

OTHERS = (".pkl", ".pt", ".pth", ".joblib")  # 4D-Humans's, WHAM's and GVHMR's results
NO_BODY = "Select a body that Posecast animated"


def the_body(context: Context) -> bpy.types.Object:
    """The active body, which poll has seen."""
    armature = results.active_body(context)
    if armature is None:
        raise MotionFileError(f"{NO_BODY}.")
    return armature


def own_body(context: Context) -> bpy.types.Object:
    """The active body, if this file may change it."""
    armature = the_body(context)
    if not results.is_editable(armature):
        raise MotionFileError(
            f"{armature.name} is linked from another file; make it local, or change it there."
        )
    return armature


def has_body(cls, context: Context) -> bool:
    """For poll: the active object is a body, or a part of one."""
    if results.active_body(context) is None:
        cls.poll_message_set(NO_BODY)
        return False
    return True


class POSECAST_OT_load_motion(Told, bpy.types.Operator):
    """Put motions from files onto bodies"""

    bl_idname = "posecast.load_motion"
    bl_label = "Load Motion"
    bl_description = (
        "Put a motion onto a body: Posecast's and AMASS's files (.npz), and the results of "
        "4D-Humans, WHAM and GVHMR (.pkl, .pt)"
    )

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.npz;*.pkl;*.pt;*.pth;*.joblib", options={"HIDDEN"})
    video: StringProperty(
        name="Video",
        description="Video that the motion was made from; looked for beside the file if empty",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: Context, event) -> set[str]:
        if self.filepath or self.files:  # dropped into the window
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: Context) -> str:
        with scene.wait_cursor(context):
            groups: dict[Path | None, list[Path]] = {}
            for file in self._chosen():
                for motion in as_motions(context, file):
                    groups.setdefault(self._video_of(context, motion, file), []).append(motion)
        made = []
        for video, motions in groups.items():
            # Without a video, nothing says that two motions belong together.
            for together in [motions] if video else [[motion] for motion in motions]:
                made += scene.add_result(context, together, video, context.scene.posecast)
        frames = sum(results.fact(armature, "frames") for armature in made)
        notes = {armature["posecast_note"] for armature in made} - {""}
        bodies = "a body" if len(made) == 1 else f"{len(made)} bodies"
        return " ".join([f"{frames} frames loaded onto {bodies}.", *notes])

    def _chosen(self) -> list[Path]:
        names = [item.name for item in self.files if item.name]
        files = [os.path.join(self.directory, name) for name in names] or [self.filepath]
        if not files[0]:
            raise MotionFileError("No motion file was named; choose one.")
        return [Path(bpy.path.abspath(file)) for file in files]

    def _video_of(self, context: Context, motion: Path, file: Path) -> Path | None:
        """The video that was named, else the Motion's own if it lies where one would look."""
        if self.video:
            return Path(bpy.path.abspath(self.video))
        name = read_motion(motion).video
        shown = Path(bpy.path.abspath(context.scene.posecast.video or "."))
        places = (file.parent / name, shown if shown.name == name else None)
        return next((place for place in places if name and place and place.is_file()), None)


def as_motions(context: Context, file: Path) -> list[Path]:
    """The Motion files of `file`: itself, or what the estimator makes of another tool's result."""
    if file.suffix.lower() not in OTHERS:
        return [file]
    if not file.is_file():
        raise MotionFileError(f"There is no file {file}; check the path.")
    folder = Path(tempfile.mkdtemp(prefix="posecast-", dir=bpy.app.tempdir or None))
    output = folder / f"{file.stem}.npz"
    python = find_python(preferences.get(context).python)
    progress = folder / "regressor.convert.jsonl"
    words = [str(file.absolute()), "--output", str(output)]
    words += ["--progress", "json", "--progress-file", str(progress)]
    job = Estimator(python, "regressor.convert", words, folder)
    try:
        return job.outputs() or [output]
    finally:
        job.cancel()


class POSECAST_OT_apply_body(Told, bpy.types.Operator):
    """Put the body of the settings onto the active body's bones"""

    bl_idname = "posecast.apply_body"
    bl_label = "Change Body"
    bl_description = (
        "Give the active body the mesh and shape that the settings name, without estimating "
        "again; its keys stay, its path is adapted to the legs"
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        return has_body(cls, context)

    def run(self, context: Context) -> str:
        armature, chosen = own_body(context), context.scene.posecast
        with scene.wait_cursor(context):
            data = chosen_body(context, chosen.body)
            betas = betas_for(data.name, results.recorded_shape(armature), chosen.betas)
            shape.change_body(armature, data, betas)
        return f"{armature.name} has another body."


class POSECAST_OT_set_betas(Told, bpy.types.Operator):
    """Change the active body's shape"""

    bl_idname = "posecast.set_betas"
    bl_label = "Set Shape"
    bl_description = "Give the active body the video's shape or the mean one, feet on the floor"

    betas: EnumProperty(
        name="Shape",
        items=[
            ("VIDEO", "From the video", "The person's own proportions"),
            ("NEUTRAL", "Neutral", "The body's mean shape"),
        ],
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        return has_body(cls, context)

    def run(self, context: Context) -> str:
        armature = own_body(context)
        body = armature.data["posecast_body"]
        shape.reshape(armature, betas_for(body, results.recorded_shape(armature), self.betas))
        return f"{armature.name} has {'the mean' if self.betas == 'NEUTRAL' else 'its own'} shape."


class POSECAST_OT_view_camera(Told, bpy.types.Operator):
    """Look at the body through the video's camera"""

    bl_idname = "posecast.view_camera"
    bl_label = "View Through Video Camera"
    bl_description = (
        "Look through the camera of the body's video, with the video behind the body; it becomes "
        "the scene's camera, with the video's picture size"
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        return has_body(cls, context)

    def run(self, context: Context) -> str | None:
        armature = the_body(context)
        camera = results.camera_of(context.scene, armature)
        if camera is None:
            raise MotionFileError(
                f"The motion of {armature.name} says nothing of a camera; estimate it from a video."
            )
        camera.data.show_background_images = True
        look_through(context.scene, camera)
        space = context.space_data
        if space is not None and space.type == "VIEW_3D":
            space.region_3d.view_perspective = "CAMERA"
        return None


class POSECAST_OT_play_run(Told, bpy.types.Operator):
    """Play another run of the active body"""

    bl_idname = "posecast.play_run"
    bl_label = "Play Run"
    bl_description = "Play this run, which is an action of the body"

    action: StringProperty(name="Action", description="Name of the action")

    @classmethod
    def poll(cls, context: Context) -> bool:
        return has_body(cls, context)

    def run(self, context: Context) -> str:
        armature = own_body(context)
        found = {action.name: action for action in results.actions_of(armature)}
        if self.action not in found:
            raise MotionFileError(f"{armature.name} has no run {self.action}; choose another.")
        shape.play(armature, found[self.action])
        camera = results.camera_of(context.scene, armature)
        if camera is not None:
            restore_view(camera, found[self.action])
        return f"{armature.name} plays {self.action}."


class POSECAST_OT_push_nla(Told, bpy.types.Operator):
    """Put the run that plays onto an NLA track"""

    bl_idname = "posecast.push_nla"
    bl_label = "Push to NLA"
    bl_description = "Put the run that plays onto a track of its own in the NLA"

    @classmethod
    def poll(cls, context: Context) -> bool:
        if not has_body(cls, context):
            return False
        if results.active_action(results.active_body(context)) is None:
            cls.poll_message_set("The body plays no action of its own")
            return False
        return True

    def run(self, context: Context) -> str:
        armature = own_body(context)
        for item in results.run_parts(armature):
            results.push_to_nla(item)
        return f"The run of {armature.name} is on a track of its own."


class POSECAST_FH_motion(bpy.types.FileHandler):
    """A motion file that is dropped into a 3D view."""

    bl_idname = "POSECAST_FH_motion"
    bl_label = "Posecast motion"
    bl_import_operator = "posecast.load_motion"
    bl_file_extensions = ".npz"

    @classmethod
    def poll_drop(cls, context: Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


CLASSES = (
    POSECAST_OT_load_motion,
    POSECAST_OT_apply_body,
    POSECAST_OT_set_betas,
    POSECAST_OT_view_camera,
    POSECAST_OT_play_run,
    POSECAST_OT_push_nla,
    POSECAST_FH_motion,
)
