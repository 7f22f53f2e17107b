"""A helper armature: what a character's bones copy their rotation and place from."""

import bpy
import numpy as np
from mathutils import Matrix

from ..action import ensure_action, write_keys
from ..motion_file import continuous, matrix_to_quaternion
from .transfer import Wanted

MARK = "Posecast"  # how the constraints made here begin
RIGIFY_FK = {
    "upper_arm_parent.L": ("IK_FK", 1.0),
    "upper_arm_parent.R": ("IK_FK", 1.0),
    "thigh_parent.L": ("IK_FK", 1.0),
    "thigh_parent.R": ("IK_FK", 1.0),
}


def make_helper(name: str, bones: dict[str, tuple[np.ndarray, str | None]]) -> bpy.types.Object:
    """A hidden armature at the world's origin in the current scene; bones: name -> rest matrix
    (4, 4), parent. Parents come first."""
    data = bpy.data.armatures.new(name)
    item = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(item)
    layer = bpy.context.view_layer
    before = layer.objects.active
    mode = before.mode if before is not None else "OBJECT"
    if mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    try:
        layer.objects.active = item
        bpy.ops.object.mode_set(mode="EDIT")
        for bone, (matrix, parent) in bones.items():
            made = data.edit_bones.new(bone)
            made.tail = (0, 1, 0)
            made.matrix = Matrix(matrix)
            made.parent = data.edit_bones[parent] if parent else None
        bpy.ops.object.mode_set(mode="OBJECT")
    finally:
        layer.objects.active = before
        if before is not None and mode != "OBJECT":
            bpy.ops.object.mode_set(mode=mode)
    for bone in item.pose.bones:
        bone.rotation_mode = "QUATERNION"
    item.hide_render = True
    item.hide_set(True)
    return item


def key_helper(helper: bpy.types.Object, wanted: Wanted, frames: np.ndarray) -> None:
    """The helper's bones, whose rest is no rotation, as the wanted ones in the world."""
    ensure_action(helper, helper.name)
    for at, bone in enumerate(wanted.bones):
        path = f'pose.bones["{bone}"].rotation_quaternion'
        quaternions = continuous(matrix_to_quaternion(wanted.rotations[:, at]))
        write_keys(helper, path, frames, quaternions)
    pelvis = wanted.bones[wanted.column("pelvis")]
    write_keys(helper, f'pose.bones["{pelvis}"].location', frames, wanted.place)


def add_constraints(target: bpy.types.Object, helper: bpy.types.Object, wanted: Wanted) -> None:
    """The target's bones copy the helper's, in the world."""
    pelvis = wanted.bones[wanted.column("pelvis")]
    for bone in wanted.bones:
        kinds = ["COPY_ROTATION", "COPY_LOCATION"] if bone == pelvis else ["COPY_ROTATION"]
        for kind in kinds:
            made = target.pose.bones[bone].constraints.new(kind)
            made.name = f"{MARK} {kind.split('_')[1].lower()}"
            made.target = helper
            made.subtarget = bone
            made.owner_space = made.target_space = "WORLD"


def remove_constraints(target: bpy.types.Object, helper: bpy.types.Object) -> None:
    """Takes away those that copy from the helper."""
    for bone in target.pose.bones:
        for constraint in list(bone.constraints):
            if getattr(constraint, "target", None) is helper:
                bone.constraints.remove(constraint)


def remove_helper(helper: bpy.types.Object) -> None:
    """The helper, its armature and its action."""
    data = helper.data
    action = helper.animation_data.action if helper.animation_data else None
    bpy.data.objects.remove(helper)
    bpy.data.armatures.remove(data)
    if action is not None:
        bpy.data.actions.remove(action)


def switch_to_fk(target: bpy.types.Object) -> dict[str, float]:
    """Sets a generated Rigify's limbs to FK; returns what they were set to before, by bone."""
    before = {}
    for bone, (name, value) in RIGIFY_FK.items():
        pose_bone = target.pose.bones.get(bone)
        if pose_bone is not None and name in pose_bone:
            before[bone] = float(pose_bone[name])
            pose_bone[name] = value
    if before:
        target.update_tag()
    return before


def switch_back(target: bpy.types.Object, before) -> None:
    """What switch_to_fk changed is as it was."""
    for bone, value in before.items():
        if bone in target.pose.bones:
            target.pose.bones[bone][RIGIFY_FK[bone][0]] = value
    target.update_tag()
