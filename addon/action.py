"""Keyframes, written in bulk, for every supported Blender; and a Motion put onto a body."""

from array import array

import bpy
import numpy as np

from .body_axes import from_blender
from .motion_file import Motion, continuous, quaternion_to_matrix
from .skeleton import JOINTS

CONSTANT, LINEAR = 0, 1  # the numbers of Blender's interpolations
SAME_LEGS = 2e-3  # a ratio of leg lengths nearer to 1 than this is rounding
# SMPL's y-up pelvis in Blender's z-up bone: a turn by -90 degrees about x, w first.
PELVIS_TURN = np.array([np.sqrt(0.5), -np.sqrt(0.5), 0.0, 0.0])


def ensure_action(datablock: bpy.types.ID, name: str) -> bpy.types.Action:
    """A new action, assigned to `datablock`."""
    data = datablock.animation_data or datablock.animation_data_create()
    data.action = bpy.data.actions.new(name)
    return data.action


def assign_action(datablock: bpy.types.ID, action: bpy.types.Action | None) -> None:
    """Has `datablock` play an action, from 4.4 on by the first slot that fits."""
    data = datablock.animation_data or datablock.animation_data_create()
    data.action = action
    if action is not None and hasattr(data, "action_slot") and data.action_slot is None:
        data.action_slot = next(iter(data.action_suitable_slots), None)


def ensure_fcurve(datablock: bpy.types.ID, path: str, index: int = 0, group: str = ""):
    """The F-curve of `path`[index] in the action of `datablock`.

    From 4.4 on an action has slots, and a curve made in the old way evaluates to nothing.
    """
    action = datablock.animation_data.action
    if not hasattr(action, "fcurve_ensure_for_datablock"):  # 4.2, 4.3
        found = action.fcurves.find(path, index=index)
        return found or action.fcurves.new(path, index=index, action_group=group)
    try:
        return action.fcurve_ensure_for_datablock(datablock, path, index=index, group_name=group)
    except TypeError:  # 4.4, 4.5: no groups here
        return action.fcurve_ensure_for_datablock(datablock, path, index=index)


def fcurves(action: bpy.types.Action) -> list[bpy.types.FCurve]:
    """All F-curves of an action, whichever slot they are for."""
    layers = getattr(action, "layers", ())
    if not layers:
        return list(getattr(action, "fcurves", ()))  # before 4.4, and an action without keys
    strips = [strip for layer in layers for strip in layer.strips]
    return [curve for strip in strips for bag in strip.channelbags for curve in bag.fcurves]


def write_keys(
    datablock, path: str, frames: np.ndarray, values: np.ndarray, group="", between=LINEAR
) -> None:
    """Keys of one property: frames (T,), values (T,) or (T, channels); linear between them."""
    for index, channel in enumerate(np.atleast_2d(values.T)):
        curve = ensure_fcurve(datablock, path, index, group)
        points = curve.keyframe_points
        points.add(len(frames))
        points.foreach_set("co", np.stack([frames, channel], axis=1).astype(np.float32).ravel())
        points.foreach_set("interpolation", array("i", [between]) * len(frames))
        curve.update()


def frame_numbers(motion: Motion, scene_fps: float, start: float = 1, clip_start: float = 0.0):
    """(T,) scene frames of the Motion's frames, `clip_start` (s) of the video being at `start`.

    They are fractions where the video's rate isn't the scene's.
    """
    frames = start + (motion.times - clip_start) * scene_fps
    whole = np.round(frames)
    return np.where(np.abs(frames - whole) < 1e-3, whole, frames)


def apply_motion(motion: Motion, armature, mesh, frames: np.ndarray) -> bpy.types.Action:
    """Keys the body with the Motion at `frames` (T,): rotations, the path, pose correctives.

    On a body with other legs than the Motion's own the path is scaled by their length, so that the
    feet reach the floor and don't slide.
    """
    action = ensure_action(armature, armature.name)
    quaternions = motion.quaternions()
    correctives = _corrective_values(quaternions, mesh)
    quaternions[:, 0] = continuous(_multiply(PELVIS_TURN, quaternions[:, 0]))
    for joint, name in enumerate(JOINTS):
        path = f'pose.bones["{name}"].rotation_quaternion'
        write_keys(armature, path, frames, quaternions[:, joint], name)
    write_keys(
        armature, 'pose.bones["pelvis"].location', frames, _pelvis_path(motion, armature), "pelvis"
    )
    _key_correctives(correctives, armature, mesh, frames)
    return action


def key_correctives(armature: bpy.types.Object, mesh: bpy.types.Object) -> None:
    """Keys the mesh's pose correctives anew from the bones' rotations in the armature's action."""
    curves = {(c.data_path, c.array_index): c for c in fcurves(armature.animation_data.action)}
    paths = [f'pose.bones["{name}"].rotation_quaternion' for name in JOINTS]
    if (paths[0], 0) not in curves:
        return
    frames = key_frames(curves[paths[0], 0])
    quaternions = np.zeros((len(frames), len(JOINTS), 4))
    quaternions[..., 0] = 1.0
    for joint, path in enumerate(paths[1:], 1):
        for axis in range(4):
            if (path, axis) in curves:
                curve = curves[path, axis]
                quaternions[:, joint, axis] = [curve.evaluate(frame) for frame in frames]
    quaternions /= np.maximum(np.linalg.norm(quaternions, axis=-1, keepdims=True), 1e-9)
    _key_correctives(_corrective_values(quaternions, mesh), armature, mesh, frames)


def key_frames(curve: bpy.types.FCurve) -> np.ndarray:
    """(T,) the scene frames of a curve's keys."""
    flat = np.empty(2 * len(curve.keyframe_points), np.float32)
    curve.keyframe_points.foreach_get("co", flat)
    return flat[::2].astype(np.float64)


def _key_correctives(values: dict[str, np.ndarray], armature, mesh, frames: np.ndarray) -> None:
    if values:
        ensure_action(mesh.data.shape_keys, f"{armature.name} correctives")
    for name, channel in values.items():
        write_keys(mesh.data.shape_keys, f'key_blocks["{name}"].value', frames, channel)


def set_scene_rate(scene: bpy.types.Scene, fps: float) -> None:
    """Sets the scene's frames per second, 29.97 and the like included."""
    scene.render.fps = max(1, round(fps))
    scene.render.fps_base = scene.render.fps / fps


def scene_rate(scene: bpy.types.Scene) -> float:
    return scene.render.fps / scene.render.fps_base


def set_scene_range(scene: bpy.types.Scene, frames: np.ndarray) -> None:
    """The scene plays the whole frames between the first and the last of `frames`."""
    scene.frame_start = int(np.ceil(frames.min()))
    scene.frame_end = max(scene.frame_start, int(np.floor(frames.max())))


def leg_length(joints: np.ndarray) -> float:
    """m, from hip to ankle along the mean leg, of (24, 3) joints."""
    chains = (("left_hip", "left_knee", "left_ankle"), ("right_hip", "right_knee", "right_ankle"))
    legs = [np.diff(joints[[JOINTS.index(name) for name in chain]], axis=0) for chain in chains]
    return float(np.linalg.norm(legs, axis=-1).sum(1).mean())


def rest_joints(armature: bpy.types.Object) -> np.ndarray:
    """(24, 3) m, where the bones of a body begin at rest, in the armature's axes."""
    return np.array([armature.data.bones[name].head_local for name in JOINTS])


def _pelvis_path(motion: Motion, armature: bpy.types.Object) -> np.ndarray:
    """(T, 3) m, the pelvis's way from its rest place, in its bone's axes.

    SMPL turns the body about its rest pelvis as it stands in SMPL's axes, hence the difference.
    """
    rest = rest_joints(armature)
    place = motion.trans + from_blender(rest[0])
    if motion.joints is not None:
        legs = leg_length(rest) / leg_length(motion.joints[0])
        if abs(legs - 1) > SAME_LEGS:
            place = scaled_path(motion.joints[:, 0], legs)
    return from_blender(place - rest[0])


def scaled_path(place: np.ndarray, scale: float) -> np.ndarray:
    """(T, 3) m in a z-up world: travel on the floor from the first place on, and heights."""
    start = place[0] * (1, 1, 0)
    return start + scale * (place - start)


def _corrective_values(quaternions: np.ndarray, mesh: bpy.types.Object) -> dict[str, np.ndarray]:
    """Each pose corrective's value (T,): SMPL's pose feature, rotation minus identity."""
    if mesh is None:
        return {}
    keys = [key.name for key in mesh.data.shape_keys.key_blocks if key.name.startswith("Pose")]
    if not keys:
        return {}
    feature = quaternion_to_matrix(quaternions[:, 1:]) - np.eye(3)
    feature = feature.reshape(len(quaternions), -1)
    return {name: feature[:, int(name.removeprefix("Pose"))] for name in keys}


def _multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(..., 4) product of quaternions, w first."""
    aw, ax, ay, az = np.moveaxis(a, -1, 0)
    bw, bx, by, bz = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )
