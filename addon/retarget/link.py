"""The live link: a character follows a body by constraints, until it's baked or let go.

A hidden helper armature stands between. Of each mapped joint it has a bone that copies the body's
rotation and, hanging from that one, a bone that is turned as the character's bone has to be. Feet
aren't kept on the floor here; the bake does that.
"""

import bpy
import numpy as np

from ..skeleton import JOINTS
from .helper import (
    add_constraints,
    make_helper,
    remove_constraints,
    remove_helper,
    switch_back,
    switch_to_fk,
)
from .read import read_rest, read_rig
from .rig import BoneMap
from .transfer import Body, Wanted, standing, transfer, unit_axes

HELPER, BEFORE = "posecast_link", "posecast_link_before"  # properties of a linked character


def add(source: bpy.types.Object, target: bpy.types.Object, bone_map: BoneMap) -> None:
    """The target follows the body from now on, whatever its own action says of these bones.

    Raises RetargetError.
    """
    body, rig = read_rest(source), read_rig(target)
    bone_map = {joint: bone for joint, bone in bone_map.items() if bone}
    wanted = transfer(body, rig, bone_map)
    remove(target)
    helper = make_helper(f"{target.name} follows {source.name}", _bones(source, body, wanted, rig))
    for joint in wanted.joints:
        _follow(helper.pose.bones[f"of {joint}"], source, joint)
    place = standing(body, rig, wanted)
    _travel(helper.pose.bones["of pelvis"], source, place.scale, place(np.zeros(3)))
    add_constraints(target, helper, wanted)
    target[HELPER] = helper
    target[BEFORE] = switch_to_fk(target)
    bpy.context.view_layer.update()


def remove(target: bpy.types.Object) -> None:
    """The target is let go, and is as it was before; nothing happens where it isn't linked."""
    if target is None or HELPER not in target:
        return
    helper = target[HELPER]
    before = target.get(BEFORE)
    if before is not None:
        switch_back(target, before.to_dict())
    if helper is not None:
        remove_constraints(target, helper)
        remove_helper(helper)
    for name in (HELPER, BEFORE):
        if name in target:
            del target[name]
    bpy.context.view_layer.update()


def is_linked(target: bpy.types.Object) -> bool:
    return target is not None and target.get(HELPER) is not None


def _bones(source, body: Body, wanted: Wanted, rig) -> dict:
    """The helper's bones at rest: "of JOINT" without a turn, and the character's under it."""
    world = unit_axes(np.array(source.matrix_world)[:3, :3])
    found = {}
    for at, (joint, bone) in enumerate(zip(wanted.joints, wanted.bones, strict=True)):
        theirs = np.eye(4)
        rest = world @ np.array(source.data.bones[joint].matrix_local)[:3, :3]
        theirs[:3, :3] = rest.T @ wanted.rotations[0, at]
        if joint == "pelvis":
            pelvis = body.rest[JOINTS.index("pelvis")]
            theirs[:3, 3] = rest.T @ (wanted.place[0] - standing(body, rig, wanted)(pelvis))
        found[f"of {joint}"] = (np.eye(4), None)
        found[bone] = (theirs, f"of {joint}")
    return found


def _follow(bone: bpy.types.PoseBone, source, joint: str) -> None:
    made = bone.constraints.new("COPY_ROTATION")
    made.target, made.subtarget = source, joint
    made.owner_space = made.target_space = "WORLD"


def _travel(bone: bpy.types.PoseBone, source, scale: float, start: np.ndarray) -> None:
    """The pelvis's place times `scale`, from `start` (3,) m."""
    made = bone.constraints.new("TRANSFORM")
    made.target, made.subtarget = source, "pelvis"
    made.owner_space = made.target_space = "WORLD"
    made.use_motion_extrapolate = True
    made.map_from = made.map_to = "LOCATION"
    made.mix_mode = "REPLACE"
    for at, axis in enumerate("xyz"):
        setattr(made, f"map_to_{axis}_from", axis.upper())
        setattr(made, f"from_min_{axis}", -1.0)
        setattr(made, f"from_max_{axis}", 1.0)
        setattr(made, f"to_min_{axis}", start[at] - scale)
        setattr(made, f"to_max_{axis}", start[at] + scale)
