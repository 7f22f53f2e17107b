"""Rigs with constraints and drivers: Blender evaluates them, at as few frames as will do."""

from contextlib import contextmanager

import bpy
import numpy as np

from .follow import CHECKS, SAMPLES, Follow, Local, angles, infer, solve, spread
from .helper import (
    add_constraints,
    key_helper,
    make_helper,
    remove_constraints,
    remove_helper,
    switch_to_fk,
)
from .keys import keyed_channels, write_channels
from .transfer import Wanted, unit_axes

FEW = 40  # frames that are sooner evaluated than guessed
TURNED = 1e-4  # rad, and
MOVED = 6e-5  # of the rest pose's size (0.1 mm of a human): what a guess may be off


def has_mechanism(target: bpy.types.Object, bones) -> bool:
    """Whether constraints, drivers or unusual inheritance have a say in these bones or above, or
    the armature itself is moved by something."""
    if target.parent is not None or any(not each.mute for each in target.constraints):
        return True
    data = target.animation_data
    if data and any(not track.mute for track in data.nla_tracks):
        return True
    names = _chain(target, bones)
    for name in names:
        bone, pose = target.data.bones[name], target.pose.bones[name]
        if any(not constraint.mute for constraint in pose.constraints):
            return True
        if not (bone.use_inherit_rotation and bone.use_local_location):
            return True
        if np.abs(np.array(pose.scale) - 1).max() > 1e-4:
            return True
    for owner in (target, target.data):
        for driver in owner.animation_data.drivers if owner.animation_data else ():
            of_bones = driver.data_path.startswith(("pose.bones", "bones"))
            if not of_bones or any(f'bones["{name}"]' in driver.data_path for name in names):
                return True
    return False


def _chain(target: bpy.types.Object, bones) -> set[str]:
    """The bones' names and those of all above them."""
    names = set()
    for name in bones:
        bone = target.data.bones[name]
        while bone is not None:
            names.add(bone.name)
            bone = bone.parent
    return names


def channels_through_blender(
    target: bpy.types.Object, wanted: Wanted, frames: np.ndarray, scale: float
) -> tuple[Local, list[Follow] | None]:
    """The channels of a rig with mechanisms, and what its bones follow.

    What they follow is told from a few frames and proved at others. Where that fails, every frame
    is evaluated, and the second thing is None.
    """
    with _alone(target) as scene:
        if len(frames) > FEW:
            chosen = spread(wanted, SAMPLES + CHECKS)
            few, proof = np.sort(chosen[:SAMPLES]), np.sort(chosen[SAMPLES:])
            some = wanted.at(few)
            own, posed = _evaluated(scene, target, some, frames[few])
            follows = infer(some, posed @ np.linalg.pinv(own))
            if follows is not None and _holds(
                scene, target, wanted.at(proof), follows, scale, frames[proof]
            ):
                return solve(wanted, follows, scale), follows
        own, _ = _evaluated(scene, target, wanted, frames)
    turns = [unit_axes(own[:, at, :3, :3]) for at in range(len(wanted.bones))]
    return Local(turns, own[:, wanted.column("pelvis"), :3, 3]), None


@contextmanager
def _alone(target: bpy.types.Object):
    """A scene with nothing but the target, which has no action and its limbs in FK."""
    scene, window_scene = bpy.data.scenes.new("Posecast bake"), bpy.context.scene
    data = target.animation_data
    before = (data.action, getattr(data, "action_slot", None)) if data else (None, None)
    if data:
        data.action = None
    switch_to_fk(target)
    try:
        scene.collection.objects.link(target)
        yield scene
    finally:
        bpy.data.scenes.remove(scene)
        data = target.animation_data
        if data:
            data.action = before[0]
            if before[0] is not None and before[1] is not None:
                data.action_slot = before[1]
        window_scene.frame_set(window_scene.frame_current, subframe=window_scene.frame_subframe)


def _evaluated(scene, target, wanted: Wanted, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bones' own matrices (T, M, 4, 4) while they follow a helper, and those in the world."""
    own = np.empty((len(frames), len(wanted.bones), 4, 4))
    posed = np.empty_like(own)
    helper = make_helper("Posecast bake", dict.fromkeys(wanted.bones, (np.eye(4), None)))
    try:
        key_helper(helper, wanted, frames)
        add_constraints(target, helper, wanted)
        scene.collection.objects.link(helper)
        for index, seen in enumerate(_played(scene, target, frames)):
            for at, bone in enumerate(wanted.bones):
                pose = seen.pose.bones[bone]
                local = seen.convert_space(
                    pose_bone=pose, matrix=pose.matrix, from_space="POSE", to_space="LOCAL"
                )
                own[index, at] = local
                posed[index, at] = seen.matrix_world @ pose.matrix
    finally:
        remove_constraints(target, helper)
        remove_helper(helper)
    return own, posed


def _played(scene, target, frames: np.ndarray):
    """The target as evaluated, frame by frame."""
    for frame in frames:
        whole = int(np.floor(frame))
        scene.frame_set(whole, subframe=float(frame - whole))
        yield target.evaluated_get(scene.view_layers[0].depsgraph)


def _holds(scene, target, wanted: Wanted, follows, scale: float, frames: np.ndarray) -> bool:
    """Whether the solved channels, once they are keyed, give what is wanted at these frames."""
    channels = keyed_channels(target, wanted, solve(wanted, follows, scale))
    every = [np.arange(len(frames))] * len(channels)
    write_channels(target, wanted, channels, frames, every, "Posecast check")
    most = MOVED * np.ptp(wanted.heads, axis=0).max()
    pelvis = wanted.column("pelvis")
    try:
        for index, seen in enumerate(_played(scene, target, frames)):
            posed = [seen.matrix_world @ seen.pose.bones[bone].matrix for bone in wanted.bones]
            posed = np.array([np.array(matrix) for matrix in posed])
            turned = angles(unit_axes(posed[:, :3, :3]), wanted.rotations[index])
            moved = np.linalg.norm(posed[pelvis, :3, 3] - wanted.place[index])
            if turned.max() > TURNED or moved > most:
                return False
        return True
    finally:
        bpy.data.actions.remove(target.animation_data.action)
