"""What the panel edits: settings kept in the file (Scene.posecast), and the job that runs
(WindowManager.posecast), which no file keeps."""

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)
from bpy.types import PropertyGroup

from . import choices
from .skeleton import JOINTS

# From 4.5 on, Blender writes paths beside the .blend as such ("//video.mp4") only where asked to.
RELATIVE = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5) else set()


class POSECAST_PG_bone(PropertyGroup):
    """One row of the bone map."""

    joint: EnumProperty(
        name="Joint",
        description="Joint of the estimated body",
        items=[(joint, joint.replace("_", " ").capitalize(), "") for joint in JOINTS],
    )
    bone: StringProperty(name="Bone", description="Bone of the character that follows the joint")


class POSECAST_PG_settings(PropertyGroup):
    """How a video is estimated, and what is done with the result."""

    # Video
    video: StringProperty(
        name="Video",
        description="Video of a person or of several; or a picture, or a folder of pictures",
        subtype="FILE_PATH",
        options={"ANIMATABLE"} | RELATIVE,
        update=choices.video_changed,
    )
    use_range: BoolProperty(name="Part of the video", description="Estimate a part only")
    range_start: IntProperty(
        name="First", description="First frame of the video to estimate", default=1, min=1
    )
    range_end: IntProperty(
        name="Last", description="Last frame of the video to estimate", default=250, min=1
    )
    rate: EnumProperty(
        name="Frame rate",
        description="Whose frames per second count",
        items=[
            ("VIDEO", "Video's", "Set the scene's frame rate and range to the video's"),
            ("SCENE", "Scene's", "Keep the scene's; keys may fall between whole frames"),
        ],
    )
    # Who and how
    person: EnumProperty(
        name="Person",
        description="Who is animated",
        items=[
            ("LARGEST", "Largest", "The person who is largest in the picture"),
            ("NUMBER", "Number", "The person with this number in the picture of people"),
            ("ALL", "All", "Everybody, on a body each"),
        ],
    )
    person_number: IntProperty(
        name="Number",
        description="Number of the person in the picture of people, 1 being the largest",
        default=1,
        min=1,
    )
    method: EnumProperty(
        name="Method", description="Network that finds the pose in 3D", items=choices.methods
    )
    smooth: FloatProperty(
        name="Smoothing",
        description="Standard deviation of the smoothing over time; 0 turns it off",
        default=0.04,
        min=0.0,
        soft_max=0.5,
        step=1,
        precision=3,
        unit="TIME_ABSOLUTE",
    )
    contacts: BoolProperty(
        name="Foot contacts", description="Keep standing feet where they stand", default=True
    )
    uao: BoolProperty(
        name="Refine by UAO",
        description=(
            "For unusual views, such as from high above: move keypoints until the joints meet the "
            "video and bones keep their length. Not for methods that look at the picture"
        ),
    )
    use_fov: BoolProperty(
        name="Set the field of view",
        description="Give the camera's field of view instead of taking it from the file",
    )
    fov: FloatProperty(
        name="Field of view",
        description="Horizontal field of view of the camera",
        subtype="ANGLE",
        default=1.0472,
        min=0.0873,
        max=2.9671,
    )
    fov_by_lines: BoolProperty(
        name="Guess by lines",
        description=(
            "Where the file doesn't tell the field of view, guess it by the straight lines of the "
            "room or street in the first picture, if they tell it clearly"
        ),
    )
    # Body
    body: EnumProperty(
        name="Body",
        description="Body that is animated",
        items=[
            ("DEFAULT", "Default", "The body that comes with Posecast"),
            ("SMPL", "My SMPL", "The SMPL file that the preferences name"),
        ],
    )
    betas: EnumProperty(
        name="Shape",
        description="Shape of the body",
        items=[
            ("VIDEO", "Video's", "The person's own proportions"),
            ("NEUTRAL", "Neutral", "The body's mean shape"),
        ],
    )
    nla: BoolProperty(
        name="Keep runs in NLA",
        description="Put the action of an earlier run onto a muted NLA track",
    )
    # Retarget
    source: PointerProperty(
        name="Source",
        description="Body that was animated by Posecast",
        type=bpy.types.Object,
        poll=choices.is_posecast_body,
    )
    target: PointerProperty(
        name="Character",
        description="Armature of the character that shall move",
        type=bpy.types.Object,
        poll=choices.is_other_armature,
        update=choices.target_changed,
    )
    preset: EnumProperty(
        name="Bone map",
        description="Which bone follows which joint",
        items=choices.presets,
        update=choices.preset_changed,
    )
    bones: CollectionProperty(type=POSECAST_PG_bone)
    bones_index: IntProperty()
    bones_problem: StringProperty()  # why the map gave no bones
    mode: EnumProperty(
        name="Mode",
        description="How the character follows",
        items=[
            ("BAKE", "Keyframes", "Write an action of its own onto the character"),
            ("LIVE", "Live link", "Follow the body by constraints, until the link is removed"),
        ],
    )
    keep_feet: BoolProperty(
        name="Keep feet in place",
        description="Bend the legs so that standing feet stay where they stand, on the floor",
        default=True,
    )
    decimate: BoolProperty(name="Fewer keys", description="Leave out keys that are not needed")
    tolerance_mm: FloatProperty(
        name="Error (mm)",
        description="How far leaving out keys may move any joint, in millimetres",
        default=2.0,
        min=0.05,
        soft_max=50.0,
    )
    # Export
    export_format: EnumProperty(
        name="Format", description="Format of the file", items=choices.export_formats
    )
    export_what: EnumProperty(
        name="Export",
        description="What is written",
        items=[
            ("BODY", "Body", "The estimated body"),
            ("CHARACTER", "Character", "The retargeted character"),
        ],
    )


class POSECAST_PG_job(PropertyGroup):
    """The job of the estimator, as the panel shows it."""

    state: EnumProperty(
        items=[(name, name.capitalize(), "") for name in ("IDLE", "RUNNING", "DONE", "FAILED")]
    )
    stage: StringProperty()
    fraction: FloatProperty(default=-1.0)  # of the stage; below 0: not known
    seconds_left: FloatProperty(default=-1.0)  # below 0: not known yet
    message: StringProperty()  # the last word: what came out, or what went wrong
    show_log: BoolProperty(name="Log", description="Show the last lines of the log")


CLASSES = (POSECAST_PG_bone, POSECAST_PG_settings, POSECAST_PG_job)


def register() -> None:
    bpy.types.Scene.posecast = PointerProperty(type=POSECAST_PG_settings)
    bpy.types.WindowManager.posecast = PointerProperty(type=POSECAST_PG_job)


def unregister() -> None:
    del bpy.types.WindowManager.posecast
    del bpy.types.Scene.posecast
