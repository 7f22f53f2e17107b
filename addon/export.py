"""Writing bodies and characters to the formats of other programs."""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from . import amass, bvh
from .action import rest_joints, scene_rate
from .body import mesh_of
from .engine_mesh import engine_meshes
from .results import is_body
from .sampling import sample, world_rest
from .showing import as_before, seen, select
from .skeleton import JOINTS


class ExportError(Exception):
    """This Blender can't write the format; the text is one sentence for the user."""


@dataclass(frozen=True)
class Format:
    """suffix of its files; operator that it needs, or ""; does one file hold several bodies."""

    label: str
    suffix: str
    write: Callable
    operator: str = ""
    together: bool = False
    bodies_only: bool = False


def _fbx(path: Path, items: list, scene: bpy.types.Scene) -> None:
    """As Unreal and Unity take it: no leaf bones, no bones that deform nothing, every frame."""
    with _for_engines(items) as selected:
        select(selected)
        bpy.ops.export_scene.fbx(
            filepath=str(path),
            use_selection=True,
            object_types={"ARMATURE", "MESH"},
            mesh_smooth_type="FACE",
            use_armature_deform_only=True,
            add_leaf_bones=False,
            bake_anim_use_all_actions=False,
            bake_anim_use_nla_strips=False,
            bake_anim_simplify_factor=0.0,
        )


def _glb(path: Path, items: list, scene: bpy.types.Scene) -> None:
    with _for_engines(items) as selected:
        select(selected)
        bpy.ops.export_scene.gltf(
            filepath=str(path),
            export_format="GLB",
            use_selection=True,
            export_def_bones=True,
            export_animations=True,
            export_animation_mode="ACTIVE_ACTIONS",
            export_frame_range=True,
        )


def _usd(path: Path, items: list, scene: bpy.types.Scene) -> None:
    select([item for armature, *meshes in items for item in (armature, *meshes)])
    bpy.ops.wm.usd_export(
        filepath=str(path),
        selected_objects_only=True,
        export_animation=True,
        export_armatures=True,
        export_shapekeys=True,
    )


def _bvh(path: Path, items: list, scene: bpy.types.Scene) -> None:
    """The bones that deform, and those between them and the root."""
    ((armature, *_),) = items
    names, parents, rest, tails = world_rest(armature)
    posed = sample(scene, armature, names)
    bvh.write(path, names, parents, rest, posed, tails, scene_rate(scene))


def _amass(path: Path, items: list, scene: bpy.types.Scene) -> None:
    ((armature, *_),) = items
    posed = sample(scene, armature, JOINTS)
    mesh = mesh_of(armature)
    keys = mesh.data.shape_keys.key_blocks if mesh is not None else {}
    names = [f"Shape{index:03d}" for index in range(10)]
    betas = np.array([keys[name].value if name in keys else 0.0 for name in names])
    body = armature.data.get("posecast_body", "")
    amass.save(path, amass.to_amass(posed, rest_joints(armature), betas, scene_rate(scene), body))


FORMATS = {
    "fbx": Format("FBX", ".fbx", _fbx, "export_scene.fbx", together=True),
    "glb": Format("glTF", ".glb", _glb, "export_scene.gltf", together=True),
    "bvh": Format("BVH", ".bvh", _bvh),
    "usd": Format("USD", ".usd", _usd, "wm.usd_export", together=True),
    "amass": Format("AMASS", ".npz", _amass, bodies_only=True),
}


def formats() -> list[str]:
    """All the formats, whether or not this Blender has them."""
    return list(FORMATS)


def available() -> list[str]:
    """The formats that this Blender can write."""
    return [name for name, item in FORMATS.items() if _exists(item.operator)]


def check(format_name: str) -> None:
    """Raises ExportError if this Blender can't write the format."""
    if format_name not in FORMATS:
        raise ExportError(f"There is no export to {format_name}; choose from {', '.join(FORMATS)}.")
    if format_name not in available():
        raise ExportError(
            f"This Blender ({bpy.app.version_string}) can't write {format_name}; "
            "enable its exporter in the preferences or choose another format."
        )


def export(format_name: str, items: list[tuple], path: Path, scene: bpy.types.Scene) -> list[Path]:
    """Writes bodies or characters (armature, *meshes) as `path` with the format's suffix.

    The scene's frames are written, at its rate. BVH (y up, in metres) and AMASS hold one skeleton:
    several become path-1.bvh, path-2.bvh. Returns the files, which are there whole or not at all;
    raises ExportError.
    """
    check(format_name)
    chosen = FORMATS[format_name]
    for armature, *_ in items if chosen.bodies_only else ():
        if not is_body(armature):
            raise ExportError(
                f"{armature.name} is no SMPL body, which AMASS's files hold; choose another format."
            )
    if chosen.together or len(items) == 1:
        jobs = [(items, path.with_name(path.stem + chosen.suffix))]
    else:
        jobs = [
            ([item], path.with_name(f"{path.stem}-{number}{chosen.suffix}"))
            for number, item in enumerate(items, 1)
        ]
    with as_before(scene), seen(items):
        _write_all(jobs, chosen, scene)
    return [file for _, file in jobs]


def meshes_of(armature: bpy.types.Object) -> list[bpy.types.Object]:
    """The visible meshes that the armature deforms."""
    return [
        item
        for item in bpy.context.view_layer.objects
        if item.type == "MESH"
        and any(m.type == "ARMATURE" and m.object == armature for m in item.modifiers)
        and (item.visible_get() or is_body(armature))
    ]


def _write_all(jobs: list[tuple], chosen: Format, scene: bpy.types.Scene) -> None:
    """Writes beside the targets first, so that none is left half-written."""
    target = jobs[0][1].parent
    try:
        folder = Path(tempfile.mkdtemp(prefix=".posecast-", dir=target))
    except OSError as error:
        raise ExportError(
            f"Nothing can be written into {target} ({error.strerror}); choose another folder."
        ) from None
    try:
        for items, file in jobs:
            chosen.write(folder / file.name, items, scene)
            if not (folder / file.name).is_file():
                raise ExportError(f"Blender's exporter wrote no {file.name}; see its messages.")
        for _, file in jobs:
            (folder / file.name).replace(file)
    except OSError as error:
        raise ExportError(
            f"{jobs[0][1].name} can't be written ({error.strerror}); choose another place."
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _exists(operator: str) -> bool:
    if not operator:
        return True
    module, name = operator.split(".")
    try:
        getattr(getattr(bpy.ops, module), name).get_rna_type()
    except (KeyError, AttributeError):
        return False
    return True


@contextmanager
def _for_engines(items: list[tuple]):
    """The armatures with copies of their meshes that engines take."""
    with engine_meshes([mesh for _, *meshes in items for mesh in meshes]) as copies:
        yield [armature for armature, *_ in items] + copies
