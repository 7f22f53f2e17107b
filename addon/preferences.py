"""What belongs to the user, not to a file: the estimator, models of their own, the cache."""

from dataclasses import dataclass, field

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty
from bpy.types import Context, UILayout

from . import environment, setup_job
from .estimator import EstimatorError
from .installation import Work
from .panels.wrapped import draw_wrapped

LOG_LINES = 8
LOG_WIDTH = 120  # letters
OFFLINE = "Set-up downloads packages, and Blender isn't allowed to go online yet."
ICONS = {"ok": "CHECKMARK", "missing": "ERROR", "note": "INFO"}


@dataclass
class Chosen:
    """The preferences as plain values; paths are absolute, "" is none."""

    python: str = ""
    source: str = ""
    base_python: str = ""
    torch: str = "AUTO"
    smpl_file: str = ""
    gender: str = "neutral"
    detector: str = "mediapipe"
    detector_models: list[str] = field(default_factory=list)
    weights: str = ""
    device: str = "auto"
    cache_size_mb: int = 500


class POSECAST_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = __package__

    python: StringProperty(
        name="Python",
        description="Python that has the estimator; if empty, the one that was set up here",
        subtype="FILE_PATH",
    )
    source: StringProperty(
        name="Install from",
        description="Folder of Posecast's repository to set up from; if empty, this release",
        subtype="DIR_PATH",
    )
    base_python: StringProperty(
        name="Made with",
        description="Python 3.11 or 3.12 to set up with; if empty, one is looked for",
        subtype="FILE_PATH",
    )
    torch: EnumProperty(
        name="PyTorch",
        description="Build of PyTorch that is set up; POSECAST_TORCH_INDEX names another index",
        items=[
            ("AUTO", "Automatic", "The build for NVIDIA where a driver is found, else for the CPU"),
            ("CPU", "CPU only", "A small download that runs everywhere"),
            ("NVIDIA", "NVIDIA", "Several gigabytes, for a graphics card of NVIDIA's"),
        ],
    )
    smpl_file: StringProperty(
        name="SMPL file",
        description="Your licensed SMPL model (.pkl or .npz), for the body My SMPL file",
        subtype="FILE_PATH",
    )
    gender: EnumProperty(
        name="Gender",
        description="Gender of the SMPL model",
        items=[(name, name.capitalize(), "") for name in ("neutral", "female", "male")],
    )
    detector: EnumProperty(
        name="Detector",
        description="What finds people and their keypoints in the video",
        items=[
            ("mediapipe", "mediapipe", "Comes with the estimator"),
            ("rtmlib", "RTMPose (rtmlib)", "Runs model files of yours"),
        ],
    )
    person_model: StringProperty(
        name="Person model",
        description="Model file (.onnx) that finds people; if empty, there is one in the picture",
        subtype="FILE_PATH",
    )
    pose_model: StringProperty(
        name="Pose model",
        description="Model file (.onnx) that finds keypoints",
        subtype="FILE_PATH",
    )
    weights: StringProperty(
        name="Lifter weights",
        description="Weights of your own for the method; if empty, those that come with it",
        subtype="FILE_PATH",
    )
    device: EnumProperty(
        name="Device",
        description="Where the estimator computes",
        items=[
            ("auto", "Automatic", "The graphics card if it can be used"),
            ("cpu", "CPU", "The processor"),
            ("cuda", "NVIDIA", "The graphics card of NVIDIA's"),
        ],
    )
    cache_size_mb: IntProperty(
        name="Cache (MB)",
        description="How much of earlier runs is kept, so that they needn't be made again",
        default=Chosen.cache_size_mb,
        min=0,
        soft_max=10000,
    )
    show_options: BoolProperty(
        name="Options", description="Show what is installed, and with what it is made"
    )
    show_log: BoolProperty(name="Log", description="Show the last lines of the log")

    def draw(self, context: Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        self._draw_estimator(layout, context)
        layout.separator()
        self._draw_models(layout)
        layout.separator()
        row = layout.row(align=True)
        row.prop(self, "cache_size_mb")
        row.operator("posecast.clear_cache", text="", icon="TRASH")

    def _draw_estimator(self, layout: UILayout, context: Context) -> None:
        box = layout.box()
        work = setup_job.current()
        if work is None:
            self._draw_state(box, context)
        else:
            self._draw_work(box, work)
        if self.show_log and (work or setup_job.log()):
            lines = (work or setup_job).lines(LOG_LINES)
            column = box.column(align=True)
            column.scale_y = 0.8
            for line in lines or ["The log is empty."]:
                column.label(text=line[:LOG_WIDTH])

        column = layout.column()
        column.active = work is None
        column.prop(self, "python", placeholder="The one that was set up")
        column.prop(self, "device")

    def _draw_state(self, box: UILayout, context: Context) -> None:
        """What there is, what came out last, and the buttons."""
        last, message = setup_job.last()
        if last is None:
            draw_wrapped(box, context, *at_hand(self))
        else:
            good = not last.error and not last.stopping and (last.found or {}).get("ok")
            draw_wrapped(box, context, message, "CHECKMARK" if good else "ERROR")
            for finding in (last.found or {}).get("findings", []):
                if finding["text"] != message:
                    draw_wrapped(box, context, finding["text"], ICONS.get(finding["state"], "DOT"))
        if not bpy.app.online_access:
            draw_wrapped(box, context, OFFLINE, "INTERNET_OFFLINE")
            box.operator("extensions.userpref_allow_online", text="Allow Online Access")
        row = box.row()
        row.operator("posecast.set_up", icon="IMPORT")
        row.operator("posecast.check_setup", icon="VIEWZOOM")
        row = toggles(box)
        row.prop(self, "show_options", icon=arrow(self.show_options), emboss=False)
        if last is not None:
            row.prop(self, "show_log", icon=arrow(self.show_log), emboss=False)
            row.operator("posecast.open_setup_log", text="", icon="TEXT")
        if self.show_options:
            column = box.column()
            column.prop(self, "torch")
            column.prop(self, "source", placeholder="This release")
            column.prop(self, "base_python", placeholder="Looked for")

    def _draw_work(self, box: UILayout, work: Work) -> None:
        row = box.row()
        row.progress(factor=work.fraction, text=work.stage)
        row.operator("posecast.cancel_setup", text="", icon="CANCEL")
        row = toggles(box)
        row.label(text=work.detail or "This may take some minutes.")
        row.prop(self, "show_log", icon=arrow(self.show_log), emboss=False)

    def _draw_models(self, layout: UILayout) -> None:
        column = layout.column()
        column.prop(self, "smpl_file")
        row = column.row()
        row.active = bool(self.smpl_file)
        row.prop(self, "gender", expand=True)
        column = layout.column()
        column.prop(self, "detector")
        if self.detector == "rtmlib":
            column.prop(self, "pose_model")
            column.prop(self, "person_model")
        column.prop(self, "weights")


def get(context: Context) -> Chosen:
    """The user's choices, or the defaults where the add-on runs without preferences."""
    addon = context.preferences.addons.get(__package__)
    if addon is None or addon.preferences is None:
        return Chosen()
    kept = addon.preferences
    models = [kept.person_model, kept.pose_model] if kept.pose_model else []
    return Chosen(
        python=_absolute(kept.python),
        source=_absolute(kept.source),
        base_python=_absolute(kept.base_python),
        torch=kept.torch,
        smpl_file=_absolute(kept.smpl_file),
        gender=kept.gender,
        detector=kept.detector,
        detector_models=[_absolute(path) for path in models if path],
        weights=_absolute(kept.weights),
        device=kept.device,
        cache_size_mb=kept.cache_size_mb,
    )


def at_hand(chosen: POSECAST_AP_preferences) -> tuple[str, str]:
    """A sentence on the estimator that would be used, and an icon."""
    try:
        python = environment.find_python(_absolute(chosen.python))
    except EstimatorError:
        return "The estimator isn't set up yet; this needs the network once.", "INFO"
    mark = environment.read_mark(environment.user_folder() / environment.FOLDER)
    if mark and not chosen.python and mark.get("version") != environment.version():
        return "The estimator is of another version than this add-on; set it up again.", "ERROR"
    return f"The estimator's Python is {python}.", "CHECKMARK"


def toggles(layout: UILayout) -> UILayout:
    """A row for what opens more, beginning at the left."""
    row = layout.row()
    row.use_property_split = False
    row.alignment = "LEFT"
    return row


def arrow(shown: bool) -> str:
    return "DOWNARROW_HLT" if shown else "RIGHTARROW"


def _absolute(path: str) -> str:
    return bpy.path.abspath(path) if path else ""


CLASSES = (POSECAST_AP_preferences,)
