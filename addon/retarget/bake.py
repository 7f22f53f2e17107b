"""Bakes a body's motion into a new action of a character's armature."""

from dataclasses import dataclass

import bpy
import numpy as np

from ..action import scene_rate
from . import link
from .feet import keep_feet as kept_feet
from .follow import rigid, solve
from .keys import keyed_channels, reduced_keys, write_channels
from .mechanism import channels_through_blender, has_mechanism
from .read import read_body, read_contacts, read_rig
from .rig import BoneMap, RetargetError
from .transfer import Wanted, standing, transfer, world_scale


@dataclass(frozen=True)
class Baked:
    """What was written: how many frames the motion has, how many bones move, and how many keys (of
    a bone's rotation, or of the travel) there were before and after the reduction; the action's
    name; controls: the rig has constraints or drivers."""

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
    if controls:
        local, follows = channels_through_blender(target, wanted, body.frames, world_scale(rig))
    else:
        follows = rigid(rig, wanted, _still(target))
        local = solve(wanted, follows, world_scale(rig))
    channels = keyed_channels(target, wanted, local)
    kept = [np.arange(len(body.frames))] * len(channels)
    before = sum(map(len, kept))
    if tolerance_mm:
        bound_m = tolerance_mm / 1000 * place.scale
        kept = reduced_keys(target, rig, wanted, follows, channels, body.frames, bound_m)
    if target.animation_data and target.animation_data.action:
        target.animation_data.action.use_fake_user = True
    name = name or f"{target.name} {source.name}"
    action = write_channels(target, wanted, channels, body.frames, kept, name).name
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


def _still(target: bpy.types.Object) -> dict[str, np.ndarray]:
    """Each bone's own matrix (4, 4), as it is posed now."""
    return {bone.name: np.array(bone.matrix_basis) for bone in target.pose.bones}
