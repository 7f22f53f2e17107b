"""Writing the body or the character to a file of another program."""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty
from bpy.types import Context

from .. import choices, export, results, scene
from .base import Told


class POSECAST_OT_export(Told, bpy.types.Operator):
    """Write the body or the character to a file"""

    bl_idname = "posecast.export"
    bl_label = "Export"
    bl_description = "Write the animated body or character for another program"
    bl_options = {"REGISTER"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    check_existing: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    format: EnumProperty(name="Format", items=choices.export_formats, options={"SKIP_SAVE"})
    what: EnumProperty(
        name="Export",
        items=[("BODY", "Body", ""), ("CHARACTER", "Character", "")],
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: Context, event) -> set[str]:
        chosen = context.scene.posecast
        self.format, self.what = chosen.export_format, chosen.export_what
        try:
            armature = exported(context, self.what)
        except export.ExportError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.filepath = bpy.path.clean_name(armature.name) + export.FORMATS[self.format].suffix
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, context: Context) -> bool:
        """Called by the file browser, which warns of what is there already: the suffix is on."""
        suffix = export.FORMATS[self.format].suffix
        if not Path(self.filepath).name or self.filepath.lower().endswith(suffix):
            return False
        self.filepath += suffix
        return True

    def run(self, context: Context) -> str:
        chosen = context.scene.posecast
        what = self.what if self.properties.is_property_set("what") else chosen.export_what
        given = self.properties.is_property_set("format")
        name = self.format if given else chosen.export_format
        if not self.filepath or self.filepath.endswith(("/", "\\")):
            raise export.ExportError("No file was named; choose one.")
        armature = exported(context, what)
        path = Path(bpy.path.abspath(self.filepath))
        if path.suffix.lower() == export.FORMATS[name].suffix:
            path = path.with_suffix("")
        with scene.wait_cursor(context):
            meshes = export.meshes_of(armature)
            (file,) = export.export(name, [(armature, *meshes)], path, context.scene)
        return f"{file.name} is written."


def exported(context: Context, what: str) -> bpy.types.Object:
    """The armature to be written; raises ExportError where it isn't chosen."""
    if what == "CHARACTER":
        target = context.scene.posecast.target
        active = context.object
        if target is None and active is not None and active.type == "ARMATURE":
            target = None if results.is_body(active) else active
        if target is None:
            raise export.ExportError("No character is chosen; choose one in Retarget.")
        return target
    body = results.active_body(context)
    found = [body] if body is not None else results.bodies(context.scene)
    if len(found) != 1:
        raise export.ExportError(
            "Select the body to export." if found else "There is no body yet; estimate one first."
        )
    return found[0]


CLASSES = (POSECAST_OT_export,)
