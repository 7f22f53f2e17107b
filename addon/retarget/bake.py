"""Bakes a body's motion into a new action of a character's armature."""

from dataclasses import dataclass

import bpy
import numpy as np

from ..action import ensure_action, scene_rate, write_keys
from . import link
from .channels import from_matrices, path_of, to_matrices
from .decimate import reduced
from .feet import keep_feet as kept_feet
from .helper import (
    RIGIFY_FK,
    add_constraints,
    key_helper,
    make_helper,
    remove_constraints,
    remove_helper,
    switch_to_fk,
)
from .read import read_body, read_contacts, read_rig
from .rig import BoneMap, RetargetError, Rig
from .transfer import Wanted, standing, transfer


@dataclass(frozen=True)
class Baked:
    """What was written: how many frames the motion has, how many bones move, and how many keys (of
    a bone's rotation, or of the travel) there were before and after the reduction; the action's
    name; controls: the rig has constraints or drivers and was evaluated frame by frame."""

    frames: int
    bones: int
    keys_before: int
    keys: int
    action: str
    controls: bool


def retarget(
    source: bpy.types.Object,
    target: bpy.types.Object,
    bone_map: BoneMap,
    *,
    keep_feet: bool = True,
    tolerance_mm: float | None = None,
    frames: np.ndarray | None = None,
    name: str | None = None,
) -> Baked:
    """Writes the motion of a Posecast body onto the target as a new action.

    The motion is read where the source has keys, or at `frames` (T,) of the scene. With keep_feet
    the legs are bent so that standing feet stay where the source's, scaled, stand. With
    tolerance_mm keys are left out as long as no joint moves by more than that (in the source's
    size). The target's earlier action stays in the file. Raises RetargetError.
    """
    bone_map = {joint: bone for joint, bone in bone_map.items() if bone}
    check_target(source, target)
    link.remove(target)
    body, resting = read_body(source, frames)
    rig = read_rig(target)
    wanted = transfer(body, rig, bone_map)
    place = standing(body, rig, wanted)
    if keep_feet:
        contacts = read_contacts(source, len(body.frames))
        wanted = kept_feet(wanted, body, place, contacts, scene_rate(bpy.context.scene))
    wanted = wanted.without(resting & {"left_foot", "right_foot", "left_hand", "right_hand"})
    _check_travel(target, wanted)
    controls = has_mechanism(target, wanted.bones)
    local = (
        _through_blender(target, wanted, body.frames)
        if controls
        else local_pose(target, rig, wanted)
    )
    kept = [np.arange(len(body.frames))] * (len(wanted.bones) + 1)
    before = sum(map(len, kept))
    if tolerance_mm:
        kept = _reduced(
            target, rig, wanted, local, body.frames, controls, tolerance_mm * place.scale
        )
    action = _write(
        target, wanted, local, body.frames, kept, name or f"{target.name} {source.name}"
    )
    bpy.context.view_layer.update()
    after = sum(map(len, kept))
    return Baked(len(body.frames), len(wanted.bones), before, after, action, controls)


def check_target(source: bpy.types.Object, target: bpy.types.Object) -> None:
    """Raises RetargetError where the target can't take a motion."""
    if target is None or target.type != "ARMATURE":
        raise RetargetError("Choose the character's armature.")
    if target is source:
        raise RetargetError("The character is the body itself; choose another armature.")
    if target.library is not None or (
        target.override_library and target.override_library.is_system_override
    ):
        raise RetargetError(
            f"{target.name} is linked from another file; make a library override of it first."
        )
    if target.mode == "EDIT":
        raise RetargetError(f"{target.name} is being edited; leave edit mode first.")
    if target.animation_data and target.animation_data.use_tweak_mode:
        raise RetargetError(f"A strip of {target.name} is being tweaked; leave tweak mode first.")
    if not any(target.name in scene.objects for scene in [bpy.context.scene]):
        raise RetargetError(f"{target.name} is not in this scene; link it to the scene first.")


def _check_travel(target, wanted: Wanted) -> None:
    bone = target.data.bones[wanted.bones[wanted.column("pelvis")]]
    if bone.parent is not None and bone.use_connect:
        raise RetargetError(
            f"The bone {bone.name} is connected to its parent and can't travel; "
            "switch off Connected in edit mode."
        )


def chain(target: bpy.types.Object, bones) -> set[str]:
    """The bones' names and those of all above them."""
    names = set()
    for name in bones:
        bone = target.data.bones[name]
        while bone is not None:
            names.add(bone.name)
            bone = bone.parent
    return names


def has_mechanism(target: bpy.types.Object, bones) -> bool:
    """Whether constraints, drivers or unusual inheritance have a say in these bones or above."""
    names = chain(target, bones)
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
            if any(f'bones["{name}"]' in driver.data_path for name in names):
                return True
    return False


def local_pose(target: bpy.types.Object, rig: Rig, wanted: Wanted) -> list[np.ndarray]:
    """Of each wanted bone (T, 4, 4): its own matrix under its parent's, without Blender's help."""
    bases = {}
    pose: dict[int, np.ndarray] = {}
    to_armature = np.linalg.inv(rig.world)
    for index, (name, relative) in enumerate(_needed(rig, wanted.bones)):
        if relative is None:
            continue
        parent = rig.parents[index]
        under = (pose[parent] if parent >= 0 else np.eye(4)) @ relative
        if name not in wanted.bones:
            pose[index] = under @ np.array(target.pose.bones[name].matrix_basis)
            continue
        at = wanted.bones.index(name)
        turn = rig.world[:3, :3] / np.cbrt(np.linalg.det(rig.world[:3, :3]))
        full = np.tile(np.eye(4), (len(wanted.rotations), 1, 1))
        full[:, :3, :3] = turn.T @ wanted.rotations[:, at]
        full[:, :3, 3] = under[..., :3, 3]
        if wanted.joints[at] == "pelvis":
            full[:, :3, 3] = wanted.place @ to_armature[:3, :3].T + to_armature[:3, 3]
        pose[index] = full
        inverse = np.swapaxes(under[..., :3, :3], -1, -2)
        own = full.copy()
        own[:, :3, :3] = inverse @ full[:, :3, :3]
        own[:, :3, 3] = np.squeeze(inverse @ (full[:, :3, 3] - under[..., :3, 3])[..., None], -1)
        bases[name] = own
    return [bases[name] for name in wanted.bones]


def _needed(rig: Rig, bones):
    """Each bone of the rig with its rest under its parent's (4, 4); None where no wanted bone hangs
    from it."""
    used = np.zeros(len(rig), bool)
    for name in bones:
        index = rig.index(name)
        while index >= 0:
            used[index] = True
            index = rig.parents[index]
    for index, name in enumerate(rig.names):
        parent = rig.parents[index]
        above = rig.rest[parent] if parent >= 0 else np.eye(4)
        yield name, np.linalg.inv(above) @ rig.rest[index] if used[index] else None


def _through_blender(target, wanted: Wanted, frames: np.ndarray) -> list[np.ndarray]:
    """The same for a rig with mechanisms: it follows a helper for a while, frame by frame.

    The frames are played in a scene of their own, where nothing else is to be evaluated.
    """
    eye = np.eye(4)
    scene, window_scene = bpy.data.scenes.new("Posecast bake"), bpy.context.scene
    helper = make_helper("Posecast bake", dict.fromkeys(wanted.bones, (eye, None)))
    data = target.animation_data
    before = _assigned(data) if data else (None, None)
    if data:
        data.action = None
    switch_to_fk(target)
    local = [np.tile(eye, (len(frames), 1, 1)) for _ in wanted.bones]
    try:
        key_helper(helper, wanted, frames)
        add_constraints(target, helper, wanted)
        scene.collection.objects.link(target)
        scene.collection.objects.link(helper)
        layer = scene.view_layers[0]
        for index, frame in enumerate(frames):
            whole = int(np.floor(frame))
            scene.frame_set(whole, subframe=float(frame - whole))
            seen = target.evaluated_get(layer.depsgraph)
            for at, bone in enumerate(wanted.bones):
                pose = seen.pose.bones[bone]
                local[at][index] = seen.convert_space(
                    pose_bone=pose, matrix=pose.matrix, from_space="POSE", to_space="LOCAL"
                )
    finally:
        remove_constraints(target, helper)
        remove_helper(helper)
        bpy.data.scenes.remove(scene)
        if data:
            _assign(data, before)
        window_scene.frame_set(window_scene.frame_current, subframe=window_scene.frame_subframe)
    for matrices in local:
        size = np.linalg.norm(matrices[:, :3, :3], axis=1, keepdims=True)
        matrices[:, :3, :3] /= np.maximum(size, 1e-12)
    return local


def _assigned(data) -> tuple:
    return data.action, getattr(data, "action_slot", None)


def _assign(data, before: tuple) -> None:
    data.action = before[0]
    if before[0] is not None and before[1] is not None:
        data.action_slot = before[1]


def _reduced(target, rig, wanted: Wanted, local, frames, controls: bool, bound_mm: float):
    """Of each bone's rotation, and of the travel, the indices of the frames that need keys."""
    if controls:
        channels, joints = _skeleton_channels(wanted)
    else:
        channels, joints = _rig_channels(target, rig, wanted, local)
    # By a change of 1, a quaternion turns its bone by 2 rad, and angles by 1.
    turns = [2.0 if values.shape[1] == 4 else 1.0 for values in channels[:-1]]
    reaches = [turn * reach for turn, reach in zip(turns, _reaches(rig, wanted), strict=True)]
    per_unit = np.cbrt(np.linalg.det(rig.world[:3, :3]))
    reaches.append(1.0 if controls else per_unit)
    return reduced(frames, channels, reaches, joints, bound_mm / 1000)


def _reaches(rig: Rig, wanted: Wanted) -> list[float]:
    """(M,) m, of each bone how far it is to the farthest mapped joint below it, or to its tail."""
    scale = np.cbrt(np.linalg.det(rig.world[:3, :3]))
    reaches = [rig.lengths[rig.index(bone)] * scale for bone in wanted.bones]
    for at, parent in enumerate(wanted.parents()):
        above = parent
        while above >= 0:
            far = np.linalg.norm(wanted.heads[at] - wanted.heads[above])
            reaches[above] = max(reaches[above], far)
            above = wanted.parents()[above]
    return reaches


def _rig_channels(target, rig: Rig, wanted: Wanted, local):
    """The channels as they're keyed, and the joints that follow from them through the rig."""
    modes = [target.pose.bones[bone].rotation_mode for bone in wanted.bones]
    channels = [from_matrices(own[:, :3, :3], mode) for own, mode in zip(local, modes, strict=True)]
    channels.append(local[wanted.column("pelvis")][:, :3, 3])
    needed = list(_needed(rig, wanted.bones))
    still = {
        name: np.array(target.pose.bones[name].matrix_basis)
        for name, relative in needed
        if relative is not None and name not in wanted.bones
    }
    pelvis = wanted.bones[wanted.column("pelvis")]

    def joints(drawn, _at):
        pose, points = {}, []
        for index, (name, relative) in enumerate(needed):
            if relative is None:
                continue
            parent = rig.parents[index]
            under = (pose[parent] if parent >= 0 else np.eye(4)) @ relative
            if name in still:
                pose[index] = under @ still[name]
                continue
            at = wanted.bones.index(name)
            basis = np.tile(np.eye(4), (len(drawn[at]), 1, 1))
            basis[:, :3, :3] = to_matrices(drawn[at], modes[at])
            if name == pelvis:
                basis[:, :3, 3] = drawn[-1]
            pose[index] = under @ basis
            tail = pose[index][:, :3, 3] + pose[index][:, :3, 1] * rig.lengths[index]
            points += [pose[index][:, :3, 3], tail]
        return np.stack(points, axis=1) @ rig.world[:3, :3].T

    return channels, joints


def _skeleton_channels(wanted: Wanted):
    """Of a rig whose inside isn't known: each mapped bone's rotation under the mapped one above."""
    parents = wanted.parents()
    channels = []
    for at, parent in enumerate(parents):
        own = wanted.rotations[:, at]
        under = np.swapaxes(wanted.rotations[:, parent], -1, -2) if parent >= 0 else np.eye(3)
        channels.append(from_matrices(under @ own, "QUATERNION"))
    channels.append(wanted.place)

    def joints(drawn, _at):
        turns, points = [], []
        for index, parent in enumerate(parents):
            own = to_matrices(drawn[index], "QUATERNION")
            turns.append(turns[parent] @ own if parent >= 0 else own)
            offset = wanted.heads[index] - wanted.heads[parent]
            if parent < 0:
                points.append(drawn[-1])
            else:
                points.append(points[parent] + turns[parent] @ (wanted.rest[parent].T @ offset))
        return np.stack(points, axis=1)

    return channels, joints


def _write(target, wanted: Wanted, local, frames, kept, name: str) -> str:
    """Keys the kept frames in a new action, in each bone's own rotation mode."""
    data = target.animation_data or target.animation_data_create()
    if data.action is not None:
        data.action.use_fake_user = True
    data.action_blend_type, data.action_influence = "REPLACE", 1.0
    action = ensure_action(target, name)
    for at, bone in enumerate(wanted.bones):
        mode = target.pose.bones[bone].rotation_mode
        path = f'pose.bones["{bpy.utils.escape_identifier(bone)}"].'
        values = from_matrices(local[at][:, :3, :3], mode)
        write_keys(target, path + path_of(mode), frames[kept[at]], values[kept[at]], bone)
        if wanted.joints[at] == "pelvis":
            write_keys(
                target, path + "location", frames[kept[-1]], local[at][kept[-1], :3, 3], bone
            )
    for bone in switch_to_fk(target):
        path = f'pose.bones["{bone}"]["{RIGIFY_FK[bone][0]}"]'
        write_keys(target, path, frames[:1], np.array([RIGIFY_FK[bone][1]]), bone)
    return action.name
