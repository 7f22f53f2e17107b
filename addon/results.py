"""What is known of the bodies in a scene: which video and person each shows, its runs, its facts.

Everything is kept in custom properties, so that it is in the .blend and panels need only read.
"""

import os
import uuid
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from .action import assign_action
from .body import BETAS, mesh_of
from .motion_file import Motion

# A result's facts, on its action and on the armature that last got one.
FACTS = ("frames", "coverage", "method", "fov", "fps", "motion", "video", "person", "betas", "body")


def is_body(item: bpy.types.Object | None) -> bool:
    """Whether it is the armature of a body made here."""
    return item is not None and item.type == "ARMATURE" and "posecast_joints" in item.data


def active_body(context: bpy.types.Context) -> bpy.types.Object | None:
    """The body that the active object is, or is part of."""
    item = context.object
    while item is not None and not is_body(item):
        item = item.parent
    return item


def bodies(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    return [item for item in scene.objects if is_body(item)]


def is_editable(armature: bpy.types.Object) -> bool:
    """Whether its bones may be changed: not where it, or they alone, come from another file."""
    data = armature.data
    linked = armature.library or data.library or data.override_library
    return linked is None


def camera_of(scene: bpy.types.Scene, armature: bpy.types.Object) -> bpy.types.Object | None:
    """The camera of the armature's video."""
    wanted = armature.get("posecast_camera")
    found = [item for item in scene.objects if item.type == "CAMERA"]
    return next((item for item in found if wanted and item.get("posecast_camera") == wanted), None)


def find_body(scene, video: Path | None, person: int, body: str) -> bpy.types.Object | None:
    """The body that shows this person of this video already."""
    for item in bodies(scene):
        same = item.get("posecast_person") == person and item.data.get("posecast_body") == body
        if not is_editable(item):
            continue
        if same and video is not None and same_file(item.get("posecast_video", ""), video):
            return item
    return None


def same_file(one: str, other: Path) -> bool:
    if not one:
        return False
    paths = (os.path.realpath(bpy.path.abspath(str(path))) for path in (one, other))
    return len({os.path.normcase(path) for path in paths}) == 1


def record(armature: bpy.types.Object, motion: Motion, file: Path | None, video: Path | None):
    """Notes the facts of the run that was just keyed; gives the armature a name for its runs."""
    if "posecast_id" not in armature:
        armature["posecast_id"] = uuid.uuid4().hex
    camera = motion.camera
    fov = 2 * np.arctan(camera.image_size[0] / 2 / camera.intrinsics[0, 0]) if camera else 0.0
    facts = {
        "frames": len(motion),
        "coverage": float(motion.observed.mean()),
        "method": motion.method,
        "fov": float(np.degrees(fov)),
        "fps": motion.fps,
        "motion": str(file or ""),
        "video": str(video or ""),
        "person": motion.person,
        "betas": [float(beta) for beta in motion.betas],
        "body": motion.body,
    }
    action = active_action(armature)
    assert action is not None, "a run is recorded once it is keyed"
    for item in (armature, action):
        for name, value in facts.items():
            item[f"posecast_{name}"] = value
    action["posecast_id"] = armature["posecast_id"]
    for name, item in _companions(armature).items():
        if active_action(item) is not None:
            action[name] = active_action(item)  # keeps it in the file, too


def fact(armature: bpy.types.Object, name: str):
    """One of FACTS of the run that plays now, else of the last one; None where nothing is known."""
    action = active_action(armature)
    own = action.get(f"posecast_{name}") if action is not None else None
    return armature.get(f"posecast_{name}") if own is None else own


@dataclass(frozen=True)
class RecordedShape:
    """The betas (10,) of the run that plays, and of which body they are."""

    betas: tuple[float, ...]
    body: str


def recorded_shape(armature: bpy.types.Object) -> RecordedShape:
    betas = fact(armature, "betas")
    return RecordedShape(tuple(betas or [0.0] * BETAS), fact(armature, "body") or "")


def active_action(item: bpy.types.ID | None) -> bpy.types.Action | None:
    data = item.animation_data if item is not None else None
    return data.action if data is not None else None


def actions_of(armature: bpy.types.Object) -> list[bpy.types.Action]:
    """The runs of a body, the one that plays now included."""
    own = armature.get("posecast_id")
    return [item for item in bpy.data.actions if own and item.get("posecast_id") == own]


def play(armature: bpy.types.Object, action: bpy.types.Action) -> None:
    """Plays one of the body's runs, which may be any action for its bones."""
    assign_action(armature, action)
    for name, item in _companions(armature).items():
        assign_action(item, action.get(name))
    mesh = mesh_of(armature)
    for item in (armature, mesh):
        if item is not None:
            item.hide_viewport = item.hide_render = False


def put_aside(armature: bpy.types.Object, to_nla: bool) -> None:
    """Keeps the run that plays now: as an action that the file holds on to, or on a muted track."""
    for item in run_parts(armature):
        item.animation_data.action.use_fake_user = True
        if to_nla:
            push_to_nla(item, mute=True)


def run_parts(armature: bpy.types.Object) -> list[bpy.types.ID]:
    """The armature and the mesh's correctives, as far as an action plays on them."""
    parts = (armature, _companions(armature).get("posecast_correctives"))
    return [item for item in parts if active_action(item) is not None]


def push_to_nla(item: bpy.types.ID, mute: bool = False) -> None:
    """The active action becomes a strip where its keys are, on a track of its own."""
    data, action = item.animation_data, item.animation_data.action
    track = data.nla_tracks.new()
    track.name, track.mute = action.name, mute
    strip = track.strips.new(action.name, int(np.floor(action.frame_range[0])), action)
    strip.frame_start_ui = action.frame_range[0]  # which may be a fraction
    strip.extrapolation = "NOTHING"
    data.action = None


def _companions(armature: bpy.types.Object) -> dict[str, bpy.types.ID]:
    """What moves with the bones by actions of its own: custom property of the run -> datablock."""
    mesh = mesh_of(armature)
    if mesh is None:
        return {}
    return {"posecast_correctives": mesh.data.shape_keys, "posecast_visibility": mesh}
