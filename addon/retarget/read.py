"""Reads an armature of Blender's as a Rig, and the motion of an SMPL body."""

from pathlib import Path

import bpy
import numpy as np

from ..action import fcurves, key_frames
from ..motion_file import MotionFileError, quaternion_to_matrix, read_motion
from ..skeleton import JOINTS, PARENTS
from .rig import RetargetError, Rig
from .transfer import Body, unit_axes

SAME_TURN = 1e-4  # a joint whose quaternion is nearer to rest than this all the time isn't moved


def read_rig(armature: bpy.types.Object) -> Rig:
    """The rest pose of an armature object, parents before children."""
    bones = []
    pending = [bone for bone in armature.data.bones if bone.parent is None]
    while pending:
        bone = pending.pop(0)
        bones.append(bone)
        pending += list(bone.children)
    order = {bone.name: index for index, bone in enumerate(bones)}
    pose = armature.pose.bones
    return Rig(
        names=tuple(order),
        parents=np.array([order[bone.parent.name] if bone.parent else -1 for bone in bones], int),
        rest=np.array([np.array(bone.matrix_local) for bone in bones]).reshape(-1, 4, 4),
        lengths=np.array([bone.length for bone in bones]),
        world=np.array(armature.matrix_world),
        rotation_modes=tuple(pose[bone.name].rotation_mode for bone in bones),
        deform=np.array([bone.use_deform for bone in bones], bool),
        # Generated rigs keep the types on hidden bones, and have an identifier.
        metarig="rig_id" not in armature.data
        and any(getattr(pose[bone.name], "rigify_type", "") for bone in bones),
    )


def read_body(source: bpy.types.Object, frames=None) -> tuple[Body, set[str]]:
    """The motion of a Posecast body from its action's curves, and the joints that it doesn't move.

    It is read where it has keys, or at `frames`. Raises RetargetError.
    """
    if (
        source is None
        or source.type != "ARMATURE"
        or not set(JOINTS) <= set(source.data.bones.keys())
    ):
        raise RetargetError("Choose a body that Posecast made as the source of the motion.")
    action = source.animation_data.action if source.animation_data else None
    curves = (
        {(curve.data_path, curve.array_index): curve for curve in fcurves(action)} if action else {}
    )
    paths = [f'pose.bones["{joint}"].rotation_quaternion' for joint in JOINTS]
    used = [curve for (path, _), curve in curves.items() if path.startswith("pose.bones[")]
    if not used:
        raise RetargetError(
            f"{source.name} has no motion to be transferred; estimate one, or assign its action."
        )
    at = (
        np.unique(np.concatenate([key_frames(curve) for curve in used]))
        if frames is None
        else frames
    )
    at = np.asarray(at, float)
    local = np.stack([_channels(curves, path, at, (1, 0, 0, 0)) for path in paths], axis=1)
    local /= np.maximum(np.linalg.norm(local, axis=-1, keepdims=True), 1e-9)
    place = _channels(curves, 'pose.bones["pelvis"].location', at, (0, 0, 0))
    resting = {
        joint for index, joint in enumerate(JOINTS) if np.abs(local[:, index, 1:]).max() < SAME_TURN
    }
    return _posed(source, at, quaternion_to_matrix(local), place), resting - {"pelvis"}


def read_rest(source: bpy.types.Object) -> Body:
    """The body at rest, as a motion of one frame. Raises RetargetError."""
    _check_body(source)
    return _posed(source, np.zeros(1), np.tile(np.eye(3), (1, len(JOINTS), 1, 1)), np.zeros((1, 3)))


def _check_body(source: bpy.types.Object) -> None:
    bones = source.data.bones.keys() if source and source.type == "ARMATURE" else ()
    if not set(JOINTS) <= set(bones):
        raise RetargetError("Choose a body that Posecast made as the source of the motion.")


def _channels(curves, path: str, frames: np.ndarray, otherwise: tuple) -> np.ndarray:
    """(T, channels) of one property, from its keys where these are at `frames`."""
    columns = []
    for index, value in enumerate(otherwise):
        curve = curves.get((path, index))
        if curve is None:
            columns.append(np.full(len(frames), float(value)))
            continue
        flat = np.empty(2 * len(curve.keyframe_points), np.float32)
        curve.keyframe_points.foreach_get("co", flat)
        keys = flat.reshape(-1, 2).astype(float)
        if len(keys) == len(frames) and np.abs(keys[:, 0] - frames).max() < 1e-3:
            columns.append(keys[:, 1])
        else:
            columns.append(np.array([curve.evaluate(frame) for frame in frames]))
    return np.stack(columns, axis=1)


def _posed(source, frames: np.ndarray, local: np.ndarray, place: np.ndarray) -> Body:
    """The joints in the world: rotations local (T, 24, 3, 3), the pelvis's way place (T, 3)."""
    bones = [source.data.bones[joint] for joint in JOINTS]
    rest = np.array([np.array(bone.matrix_local) for bone in bones])
    axes, heads = rest[:, :3, :3], rest[:, :3, 3]
    world = np.array(source.matrix_world)
    turns, joints = np.zeros_like(local), np.zeros((*local.shape[:2], 3))
    for joint, parent in enumerate(PARENTS):
        own = axes[joint] @ local[:, joint] @ axes[joint].T
        if parent < 0:
            turns[:, joint] = own
            joints[:, joint] = heads[joint] + place @ axes[joint].T
        else:
            turns[:, joint] = turns[:, parent] @ own
            joints[:, joint] = joints[:, parent] + turns[:, parent] @ (heads[joint] - heads[parent])
    turn = unit_axes(world[:3, :3])
    return Body(
        frames=frames,
        rest=heads @ world[:3, :3].T + world[:3, 3],
        turns=turn @ turns @ turn.T,
        joints=joints @ world[:3, :3].T + world[:3, 3],
        origin=world[:3, 3],
    )


def read_contacts(source: bpy.types.Object, count: int) -> np.ndarray | None:
    """(count, 2) which foot stands, from the Motion that the body was made from, if it says."""
    path = source.get("posecast_motion")
    if not path or not Path(bpy.path.abspath(str(path))).is_file():
        return None
    try:
        contacts = read_motion(bpy.path.abspath(str(path))).contacts
    except MotionFileError:
        return None
    return contacts if contacts is not None and len(contacts) == count else None
