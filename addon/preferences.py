"""What belongs to the user, not to a file: the estimator, models of their own, the cache."""

from dataclasses import dataclass, field

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty
from bpy.types import Context


@dataclass
class Chosen:
    """The preferences as plain values; paths are absolute, "" is none."""

    python: str = ""
    source: str = ""
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
        torch=kept.torch,
        smpl_file=_absolute(kept.smpl_file),
        gender=kept.gender,
        detector=kept.detector,
        detector_models=[_absolute(path) for path in models if path],
        weights=_absolute(kept.weights),
        device=kept.device,
        cache_size_mb=kept.cache_size_mb,
    )


def _absolute(path: str) -> str:
    return bpy.path.abspath(path) if path else ""


CLASSES = (POSECAST_AP_preferences,)
