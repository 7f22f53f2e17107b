"""Writing bodies to the formats of other programs, with Blender's own exporters."""

from pathlib import Path

import bpy


class ExportError(Exception):
    """This Blender can't write the format; the text is one sentence for the user."""


def _fbx(path: str, scene: bpy.types.Scene) -> None:
    bpy.ops.export_scene.fbx(
        filepath=path,
        use_selection=True,
        object_types={"ARMATURE", "MESH"},
        add_leaf_bones=False,
        bake_anim_use_all_actions=False,
        bake_anim_use_nla_strips=False,
        bake_anim_simplify_factor=0.0,
    )


def _glb(path: str, scene: bpy.types.Scene) -> None:
    bpy.ops.export_scene.gltf(
        filepath=path,
        export_format="GLB",
        use_selection=True,
        export_animations=True,
        export_animation_mode="ACTIVE_ACTIONS",
        export_frame_range=True,
    )


def _bvh(path: str, scene: bpy.types.Scene) -> None:
    bpy.ops.export_anim.bvh(
        filepath=path,
        frame_start=scene.frame_start,
        frame_end=scene.frame_end,
        rotate_mode="ZXY",
        root_transform_only=True,
    )


def _usd(path: str, scene: bpy.types.Scene) -> None:
    bpy.ops.wm.usd_export(
        filepath=path,
        selected_objects_only=True,
        export_animation=True,
        export_armatures=True,
        export_shapekeys=True,
    )


# Format: (writer, operator that it needs, does one file hold several bodies).
_FORMATS = {
    "fbx": (_fbx, "export_scene.fbx", True),
    "glb": (_glb, "export_scene.gltf", True),
    "bvh": (_bvh, "export_anim.bvh", False),
    "usd": (_usd, "wm.usd_export", True),
}


def formats() -> list[str]:
    """All the formats, whether or not this Blender has them."""
    return list(_FORMATS)


def check(format_name: str) -> None:
    """Raises ExportError if this Blender can't write the format."""
    if format_name not in _FORMATS:
        raise ExportError(
            f"There is no export to {format_name}; choose from {', '.join(_FORMATS)}."
        )
    if not _exists(_FORMATS[format_name][1]):
        raise ExportError(
            f"This Blender ({bpy.app.version_string}) can't write {format_name}; "
            "enable its exporter in the preferences or choose another format."
        )


def export(format_name: str, bodies: list[tuple], path: Path, scene: bpy.types.Scene) -> list[Path]:
    """Writes bodies (armature, mesh) as `path` with the format's suffix, the scene's frames.

    BVH holds one skeleton: several bodies become path-1.bvh, path-2.bvh. It is written with z up,
    as Blender's exporter does. Returns the files.
    """
    check(format_name)
    writer, _, together = _FORMATS[format_name]
    if together or len(bodies) == 1:
        jobs = [(bodies, path.with_suffix(f".{format_name}"))]
    else:
        jobs = [
            ([body], path.with_name(f"{path.stem}-{number}.{format_name}"))
            for number, body in enumerate(bodies, 1)
        ]
    for chosen, file in jobs:
        _select([item for body in chosen for item in body])
        writer(str(file), scene)
        if not file.is_file():
            raise ExportError(f"Blender's exporter wrote no {file.name}; see its messages.")
    return [file for _, file in jobs]


def _exists(operator: str) -> bool:
    module, name = operator.split(".")
    try:
        getattr(getattr(bpy.ops, module), name).get_rna_type()
    except (KeyError, AttributeError):
        return False
    return True


def _select(items: list) -> None:
    layer = bpy.context.view_layer
    for item in layer.objects:
        item.select_set(item in items)
    layer.objects.active = items[0]
