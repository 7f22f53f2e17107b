"""The SMPL body in Blender: 24 bones, a skinned mesh, the betas and pose correctives as shape keys.

Blender's z is up and its characters face -y, so SMPL's rest pose (y up, facing +z) is turned by 90
degrees about x. A bone that points up with roll 0 then has just this turn as its rest matrix: its
own axes are SMPL's, and SMPL's local rotations are the bones' rotations, unchanged.
"""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from . import modes
from .body_axes import to_blender
from .skeleton import JOINTS

BETAS = 10
DEFAULT = "default"
BONE_LENGTH_M = 0.1
# A corrective that can't move any vertex by more than this is left out.
LEAST_CORRECTION_M = 1e-4
# No entry of (rotation - identity), by which a corrective is multiplied, is larger.
LARGEST_POSE_FEATURE = 2.0
SLIDER_LIMIT = 10.0  # Blender allows no more

COLOURS = {  # linear RGB
    "skin": (0.58, 0.33, 0.22),
    "shirt": (0.10, 0.26, 0.55),
    "trousers": (0.06, 0.07, 0.10),
    "shorts": (0.06, 0.07, 0.10),
    "shoes": (0.55, 0.55, 0.53),
    "hair": (0.05, 0.027, 0.015),
}
PLAIN = (0.45, 0.50, 0.56)

_FILE_ERRORS = (
    OSError, ValueError, EOFError, TypeError, IndexError, zlib.error, zipfile.BadZipFile,
)  # fmt: skip


class BodyFileError(Exception):
    """The file is no SMPL body; the text is one sentence for the user."""


@dataclass(frozen=True)
class BodyData:
    """What is needed of a body file, in SMPL's axes and metres.

    template (V, 3); faces (F, 3); shapedirs (V, 3, 10); posedirs (V, 3, 207); regressor (24, V);
    weights (V, 24); parents (24,), -1 for the pelvis; part (V,) index into part_names, or None;
    name: "default", or the file's name.
    """

    template: np.ndarray
    faces: np.ndarray
    shapedirs: np.ndarray
    posedirs: np.ndarray
    regressor: np.ndarray
    weights: np.ndarray
    parents: np.ndarray
    part: np.ndarray | None
    part_names: tuple[str, ...]
    name: str = DEFAULT

    def rest_joints(self, betas: np.ndarray) -> np.ndarray:
        """(24, 3) joints of the rest pose for betas (10,), in SMPL's axes."""
        return self.regressor @ (self.template + self.shapedirs @ betas)


def default_body_file() -> Path:
    """The body that Posecast ships."""
    shipped = Path(__file__).parent / "data" / "default_body.npz"
    if shipped.is_file():  # in the installed extension; otherwise this is the repository
        return shipped
    return Path(__file__).resolve().parents[1] / "regressor" / "smpl" / "data" / "default_body.npz"


def read_body(path: str | Path) -> BodyData:
    """The body in a plain .npz with SMPL's names; raises BodyFileError."""
    path = Path(path)
    if not path.is_file():
        raise BodyFileError(f"There is no body file {path}; check the path.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        return _body(arrays, DEFAULT if path == default_body_file() else path.name)
    except KeyError as error:
        raise BodyFileError(
            f"{path.name} lacks {error}; give a body file with SMPL's names."
        ) from None
    except _FILE_ERRORS:
        raise BodyFileError(
            f"{path.name} is not a plain body file (.npz with SMPL's arrays); give another one."
        ) from None


def _body(arrays: dict[str, np.ndarray], name: str) -> BodyData:
    template = arrays["v_template"].astype(np.float64)
    count, joints = len(template), len(JOINTS)
    parents = arrays["kintree_table"][0].astype(np.int64)[:joints]
    parents[0] = -1  # written as 2**32 - 1 in SMPL's own files
    weights = arrays["weights"].astype(np.float64)
    if not (np.isfinite(weights).all() and (weights.sum(1) > 0).all()):
        raise ValueError("a vertex without weights")
    part = arrays["part"].astype(np.int64) if "part" in arrays else None
    return BodyData(
        template=template.reshape(count, 3),
        faces=arrays["f"].astype(np.int64).reshape(-1, 3),
        shapedirs=arrays["shapedirs"][..., :BETAS].astype(np.float64).reshape(count, 3, BETAS),
        posedirs=arrays["posedirs"].astype(np.float32).reshape(count, 3, 9 * (joints - 1)),
        regressor=arrays["J_regressor"].astype(np.float64).reshape(joints, count),
        weights=(weights / weights.sum(1, keepdims=True)).reshape(count, joints),
        parents=parents,
        part=part,
        part_names=tuple(str(name) for name in arrays["part_names"]) if part is not None else (),
        name=name,
    )


def create_body(
    data: BodyData, betas: np.ndarray, name: str = "Posecast", parent_collection=None
) -> tuple[bpy.types.Object, bpy.types.Object]:
    """Armature and skinned mesh in a collection of their own, in the rest pose for betas (10,)."""
    collection = bpy.data.collections.new(name)
    (parent_collection or bpy.context.scene.collection).children.link(collection)
    armature = _create_armature(data, name, collection)
    mesh = _create_mesh(data, f"{name} body", collection)
    _bind(mesh, armature)
    set_betas(armature, mesh, betas)
    return armature, mesh


def replace_body(armature: bpy.types.Object, data: BodyData, betas: np.ndarray):
    """Gives an armature made here another body: its bones stay, with their animation and whatever
    refers to them, the mesh is a new one; returns that."""
    old_mesh, old_data = mesh_of(armature), armature.data
    spare = _create_armature(data, armature.name, bpy.context.scene.collection)
    armature.data = spare.data
    bpy.data.objects.remove(spare)
    mesh = _create_mesh(data, f"{armature.name} body", armature.users_collection[0])
    _bind(mesh, armature)
    if old_mesh is not None:
        _take_over(mesh, old_mesh)
    if old_data.users == 0:
        bpy.data.armatures.remove(old_data)
    set_betas(armature, mesh, betas)
    return mesh


def mesh_of(armature: bpy.types.Object) -> bpy.types.Object | None:
    """The body's mesh, or None where the user took it away."""
    for child in armature.children:
        keys = child.data.shape_keys if child.type == "MESH" else None
        if keys is not None and "Shape000" in keys.key_blocks:
            return child
    return None


def _bind(mesh: bpy.types.Object, armature: bpy.types.Object) -> None:
    mesh.parent = armature
    mesh.modifiers.new("Armature", "ARMATURE").object = armature


def _take_over(mesh: bpy.types.Object, old: bpy.types.Object) -> None:
    """Takes `old` away; when it was to be seen is kept."""
    if old.animation_data is not None and old.animation_data.action is not None:
        mesh.animation_data_create().action = old.animation_data.action
        if hasattr(old.animation_data, "action_slot"):
            mesh.animation_data.action_slot = old.animation_data.action_slot
    name, data = old.name, old.data
    bpy.data.objects.remove(old)
    if data.users == 0:
        bpy.data.meshes.remove(data)
    mesh.name = name


def set_betas(armature: bpy.types.Object, mesh: bpy.types.Object | None, betas: np.ndarray) -> None:
    """Gives the body another shape: the shape keys' values, and the bones where its joints are.

    Its actions are for another pelvis then; `shape.reshape` sees to them too.
    """
    for index, value in enumerate(betas):
        if mesh is None:
            break  # the user took it away
        mesh.data.shape_keys.key_blocks[f"Shape{index:03d}"].value = value
    with _edit_mode(armature.data) as bones:
        for joint, head in zip(JOINTS, shaped_joints(armature, betas), strict=True):
            bone = bones[joint]
            bone.head = head
            bone.tail = head + (0, 0, BONE_LENGTH_M)
            bone.roll = 0.0


def shaped_joints(armature: bpy.types.Object, betas: np.ndarray) -> np.ndarray:
    """(24, 3) m, where the bones of a body of this shape begin at rest, in the armature's axes."""
    template = np.array(armature.data["posecast_joints"]).reshape(-1, 3)
    directions = np.array(armature.data["posecast_joint_directions"]).reshape(-1, 3, BETAS)
    return to_blender(template + directions @ np.asarray(betas, np.float64))


class _edit_mode:
    """Edit mode for an armature; whatever was active before is so again afterwards.

    It is entered through an object made for it, as the armature's own may be hidden.
    """

    def __init__(self, data: bpy.types.Armature):
        self.data = data

    def __enter__(self):
        layer = bpy.context.view_layer
        self.before = layer.objects.active
        modes.leave()
        self.item = bpy.data.objects.new("Posecast edit", self.data)
        bpy.context.scene.collection.objects.link(self.item)
        layer.objects.active = self.item
        bpy.ops.object.mode_set(mode="EDIT")
        return self.data.edit_bones

    def __exit__(self, *_):
        bpy.ops.object.mode_set(mode="OBJECT")
        bpy.data.objects.remove(self.item)
        bpy.context.view_layer.objects.active = self.before


def _create_armature(data: BodyData, name: str, collection) -> bpy.types.Object:
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    collection.objects.link(armature)
    armature.show_in_front = True
    armature.data.display_type = "STICK"
    armature.data["posecast_body"] = data.name
    # Kept in the file, so that the shape can be changed when the body file is no longer there.
    armature.data["posecast_joints"] = (data.regressor @ data.template).ravel().tolist()
    directions = np.einsum("jv,vck->jck", data.regressor, data.shapedirs)
    armature.data["posecast_joint_directions"] = directions.ravel().tolist()
    with _edit_mode(armature.data) as bones:
        for joint, parent in zip(JOINTS, data.parents, strict=True):
            bone = bones.new(joint)
            bone.tail = (0, 0, BONE_LENGTH_M)  # a bone without length would be deleted
            bone.parent = bones[JOINTS[parent]] if parent >= 0 else None
    for bone in armature.pose.bones:
        bone.rotation_mode = "QUATERNION"
    return armature


def _create_mesh(data: BodyData, name: str, collection) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(to_blender(data.template).tolist(), [], data.faces.tolist())
    mesh.polygons.foreach_set("use_smooth", np.ones(len(data.faces), bool))
    item = bpy.data.objects.new(name, mesh)
    collection.objects.link(item)
    _add_weights(item, data.weights)
    _add_shape_keys(item, data)
    _add_materials(mesh, data)
    mesh.update()
    return item


def _add_weights(item: bpy.types.Object, weights: np.ndarray) -> None:
    for joint, column in zip(JOINTS, weights.T, strict=True):
        group = item.vertex_groups.new(name=joint)
        used = np.flatnonzero(column > 0)
        # One call per distinct weight: far fewer than one per vertex on rigid parts.
        values, which = np.unique(column[used].astype(np.float32), return_inverse=True)
        order = np.argsort(which, kind="stable")
        runs = np.split(used[order], np.cumsum(np.bincount(which))[:-1]) if len(used) else []
        for value, vertices in zip(values, runs, strict=True):
            group.add(vertices.tolist(), float(value), "REPLACE")


def _add_shape_keys(item: bpy.types.Object, data: BodyData) -> None:
    item.shape_key_add(name="Basis", from_mix=False)
    for index in range(BETAS):
        _add_key(item, f"Shape{index:03d}", data.template + data.shapedirs[..., index])
    for index in corrective_indices(data.posedirs):
        _add_key(item, f"Pose{index:03d}", data.template + data.posedirs[..., index])


def corrective_indices(posedirs: np.ndarray) -> np.ndarray:
    """Those of the 207 pose correctives that can move a vertex by a visible amount."""
    reach = np.linalg.norm(posedirs, axis=1).max(axis=0) * LARGEST_POSE_FEATURE
    return np.flatnonzero(reach > LEAST_CORRECTION_M)


def _add_key(item: bpy.types.Object, name: str, vertices: np.ndarray) -> None:
    key = item.shape_key_add(name=name, from_mix=False)
    key.slider_min, key.slider_max = -SLIDER_LIMIT, SLIDER_LIMIT
    key.data.foreach_set("co", to_blender(vertices).astype(np.float32).ravel())


def _add_materials(mesh: bpy.types.Mesh, data: BodyData) -> None:
    for name in data.part_names or ("body",):
        mesh.materials.append(_material(name))
    if data.part is not None:
        # A triangle across a seam belongs to the part of the middle one of its three corners.
        by_face = np.median(data.part[data.faces], axis=1).astype(np.int32)
        mesh.polygons.foreach_set("material_index", by_face)


def nodes_of(item):
    """The shader nodes of a material or a world, which before 5.0 have to be switched on."""
    has_nodes = item.node_tree is not None
    if not has_nodes:
        item.use_nodes = True
    return item.node_tree.nodes


def _material(name: str) -> bpy.types.Material:
    material = bpy.data.materials.new(f"Posecast {name}")
    colour = (*COLOURS.get(name, PLAIN), 1.0)
    material.diffuse_color = colour  # what the viewport and Workbench show
    material.roughness = 0.7
    shader = nodes_of(material).get("Principled BSDF")
    shader.inputs["Base Color"].default_value = colour
    shader.inputs["Roughness"].default_value = 0.7
    return material
