"""Reads an armature of Blender's as a Rig."""

import bpy
import numpy as np

from .rig import Rig


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
        metarig=any(getattr(pose[bone.name], "rigify_type", "") for bone in bones),
    )
