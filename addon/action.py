"""Keyframes, written in bulk, for every supported Blender; and a Motion put onto a body."""

from array import array

import bpy
import numpy as np

from .body import JOINTS, from_blender
from .motion_file import Motion, continuous, quaternion_to_matrix

LINEAR = 1  # the number of 'LINEAR' among Blender's interpolations
# SMPL's y-up pelvis in Blender's z-up bone: a turn by -90 degrees about x, w first.
PELVIS_TURN = np.array([np.sqrt(0.5), -np.sqrt(0.5), 0.0, 0.0])


def ensure_action(datablock: bpy.types.ID, name: str) -> bpy.types.Action:
    """A new action, assigned to `datablock`."""
    data = datablock.animation_data or datablock.animation_data_create()
    data.action = bpy.data.actions.new(name)
    return data.action


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


def write_keys(datablock, path: str, frames: np.ndarray, values: np.ndarray, group="") -> None:
    """Keys of one property: frames (T,), values (T,) or (T, channels); linear between them."""
    for index, channel in enumerate(np.atleast_2d(values.T)):
        curve = ensure_fcurve(datablock, path, index, group)
        points = curve.keyframe_points
        points.add(len(frames))
        points.foreach_set("co", np.stack([frames, channel], axis=1).astype(np.float32).ravel())
        points.foreach_set("interpolation", array("i", [LINEAR]) * len(frames))
        curve.update()


def frame_numbers(motion: Motion, scene_fps: float, start: float = 1, clip_start: float = 0.0):
    """(T,) scene frames of the Motion's frames, `clip_start` (s) of the video being at `start`.

    They are fractions where the video's rate isn't the scene's.
    """
    frames = start + (motion.times - clip_start) * scene_fps
    whole = np.round(frames)
    return np.where(np.abs(frames - whole) < 1e-3, whole, frames)


def apply_motion(motion: Motion, armature, mesh, frames: np.ndarray) -> bpy.types.Action:
    """Keys the body with the Motion at `frames` (T,): rotations, the path, pose correctives."""
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
    if correctives:
        ensure_action(mesh.data.shape_keys, f"{armature.name} correctives")
        for name, values in correctives.items():
            write_keys(mesh.data.shape_keys, f'key_blocks["{name}"].value', frames, values)
    return action


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


def _pelvis_path(motion: Motion, armature: bpy.types.Object) -> np.ndarray:
    """(T, 3) m, the pelvis's way from its rest place, in its bone's axes.

    SMPL turns the body about its rest pelvis as it stands in SMPL's axes, hence the difference.
    """
    rest = np.array(armature.data.bones["pelvis"].head_local)
    moved = motion.trans + from_blender(rest) - rest
    return from_blender(moved)


def _corrective_values(quaternions: np.ndarray, mesh: bpy.types.Object) -> dict[str, np.ndarray]:
    """Each pose corrective's value (T,): SMPL's pose feature, rotation minus identity."""
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
