"""Meshes as game engines take them: at most four bones a vertex, the shape in the mesh itself.

All of it happens to copies, which bear the names of the user's meshes while they are exported.
"""

from contextlib import contextmanager

import bpy
import numpy as np

MOST_BONES = 4
SHAPE = "Shape"  # how the names of the betas' shape keys begin


@contextmanager
def engine_meshes(meshes: list[bpy.types.Object]):
    """Copies of skinned meshes, in their place and under their names; gone afterwards."""
    keys_before = set(bpy.data.shape_keys)
    copies, names = [], [(mesh.name, mesh.data.name) for mesh in meshes]
    try:
        for mesh, (name, data_name) in zip(meshes, names, strict=True):
            copies.append(_copy(mesh))
            mesh.name, mesh.data.name = f"{name}.kept", f"{data_name}.kept"
            copies[-1].name, copies[-1].data.name = name, data_name
        yield copies
    finally:
        for copy in copies:
            data = copy.data
            bpy.data.objects.remove(copy)
            bpy.data.meshes.remove(data)
        # Blender counts a user too many of a copied mesh's keys, and would complain when saving.
        bpy.data.batch_remove(set(bpy.data.shape_keys) - keys_before)
        for mesh, (name, data_name) in zip(meshes, names, strict=True):
            mesh.name, mesh.data.name = name, data_name


def _copy(mesh: bpy.types.Object) -> bpy.types.Object:
    copy = mesh.copy()
    copy.data = mesh.data.copy()
    copy.animation_data_clear()  # when it is to be seen; the shape keys keep their action
    copy.hide_viewport = copy.hide_render = False
    bpy.context.scene.collection.objects.link(copy)
    _bake_shape(copy)
    _limit_bones(copy)
    return copy


def _bake_shape(copy: bpy.types.Object) -> None:
    """Puts the betas into the mesh: their values leave the 0 to 1 that other programs keep to."""
    keys = copy.data.shape_keys
    if keys is None or f"{SHAPE}000" not in keys.key_blocks:
        return
    shapes = [key for key in keys.key_blocks if key.name.startswith(SHAPE)]
    basis = _points(keys.key_blocks[0])
    moved = sum(key.value * (_points(key) - basis) for key in shapes)
    for key in shapes:
        copy.shape_key_remove(key)
    for key in keys.key_blocks:
        key.data.foreach_set("co", (_points(key) + moved).ravel())
    copy.data.vertices.foreach_set("co", (basis + moved).ravel())
    if len(keys.key_blocks) == 1:
        copy.shape_key_clear()


def _points(key: bpy.types.ShapeKey) -> np.ndarray:
    flat = np.empty(3 * len(key.data), np.float32)
    key.data.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def _limit_bones(copy: bpy.types.Object) -> None:
    """Leaves each vertex its four strongest bones, which then weigh 1 together."""
    armature = next(m.object for m in copy.modifiers if m.type == "ARMATURE" and m.object)
    deforming = {bone.name for bone in armature.data.bones if bone.use_deform}
    groups = copy.vertex_groups
    bones = {group.index for group in groups if group.name in deforming}
    for vertex in copy.data.vertices:
        pairs = [(item.weight, item.group) for item in vertex.groups if item.group in bones]
        if len(pairs) <= MOST_BONES:
            continue
        pairs.sort(reverse=True)
        kept = sum(weight for weight, _ in pairs[:MOST_BONES])
        for weight, group in pairs[:MOST_BONES]:
            groups[group].add([vertex.index], weight / max(kept, 1e-9), "REPLACE")
        for _, group in pairs[MOST_BONES:]:
            groups[group].remove([vertex.index])
