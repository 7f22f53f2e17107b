"""An armature's bones in the world, at rest and frame by frame, as arrays."""

import bpy
import numpy as np


def world_rest(armature: bpy.types.Object) -> tuple:
    """Names (N,), parents (N,), rest (N, 4, 4), tails (N, 3) m of the bones that deform and all
    that they hang from, parents first (-1 for a root).

    They are turned and scaled as the object is, and stand at the origin.
    """
    bones = _deforming_bones(armature)
    index = {bone.name: number for number, bone in enumerate(bones)}
    parents = [index[bone.parent.name] if bone.parent else -1 for bone in bones]
    world = np.array(armature.matrix_world)
    world[:3, 3] = 0
    rest = world @ np.array([np.array(bone.matrix_local) for bone in bones])
    tails = np.array([np.array(bone.tail_local) for bone in bones])
    return list(index), parents, rest, tails @ world[:3, :3].T


def sample(scene: bpy.types.Scene, armature: bpy.types.Object, names: list[str]) -> np.ndarray:
    """(T, N, 4, 4): the bones in the world at each frame of the scene, as they are seen."""
    frames = range(scene.frame_start, scene.frame_end + 1)
    found = np.empty((len(frames), len(names), 4, 4))
    for index, frame in enumerate(frames):
        scene.frame_set(frame)
        posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
        bones = posed.pose.bones
        found[index] = np.array([bones[name].matrix for name in names])
        found[index] = np.array(posed.matrix_world) @ found[index]
    return found


def _deforming_bones(armature: bpy.types.Object) -> list[bpy.types.Bone]:
    """The deforming bones and all that they hang from, parents first."""
    needed = set()
    for bone in armature.data.bones:
        if bone.use_deform:
            needed |= {bone.name, *(parent.name for parent in bone.parent_recursive)}
    pending = [bone for bone in armature.data.bones if bone.parent is None]
    order = []
    while pending:
        bone = pending.pop(0)
        if bone.name in needed:
            order.append(bone)
        pending += list(bone.children)
    return order
