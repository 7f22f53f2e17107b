"""The panel that writes bodies and characters to files."""

import bpy
from bpy.types import Context

from .. import choices


class POSECAST_PT_export(bpy.types.Panel):
    """Files for other programs"""

    bl_label = "Export"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Posecast"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.posecast
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(settings, "export_what", expand=True)
        layout.prop(settings, "export_format")
        if missing := choices.missing_formats():
            layout.label(text=f"This Blender has no {missing}", icon="INFO")
        layout.operator("posecast.export", icon="EXPORT")


CLASSES = (POSECAST_PT_export,)
