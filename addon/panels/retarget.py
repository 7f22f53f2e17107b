"""The panel Retarget: whose motion, onto which character, which bone follows which joint."""

from bpy.types import Context, Panel, UILayout, UIList

from .. import results
from ..retarget import link, presets, rows
from .wrapped import draw_wrapped

ROWS = 8


class POSECAST_UL_bones(UIList):
    """A joint and the bone that follows it."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property) -> None:
        split = layout.split(factor=0.36)
        split.label(text=rows.short_label(item.joint))
        draw_bone(split.row(align=True), item, data.target)


class POSECAST_PT_retarget(Panel):
    """Put a body's motion onto a character of yours"""

    bl_label = "Retarget"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Posecast"

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.posecast
        draw_objects(layout, context)
        if settings.target is None:
            layout.label(text="Choose your character's armature", icon="INFO")
            return
        draw_map(layout, settings)
        problem = rows.problem(settings, settings.target)
        if problem:
            draw_wrapped(layout, context, problem, "ERROR")
        elif note := rows.note(settings, settings.target):
            draw_wrapped(layout, context, note, "INFO")
        draw_how(layout, settings)
        draw_buttons(layout, settings)


def draw_objects(layout: UILayout, context: Context) -> None:
    settings = context.scene.posecast
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(settings, "source", text="Body")
    if settings.source is None:
        body = results.active_body(context) or next(reversed(results.bodies(context.scene)), None)
        column.label(text=f"Body: {body.name}" if body else "There is no body yet", icon="INFO")
    column.prop(settings, "target")


def draw_map(layout: UILayout, settings) -> None:
    row = layout.row(align=True)
    row.prop(settings, "preset", text="")
    row.operator("posecast.save_bone_map", text="", icon="ADD")
    if settings.preset.startswith(presets.OWN):
        row.operator("posecast.delete_bone_map", text="", icon="REMOVE")
    layout.template_list(
        "POSECAST_UL_bones", "", settings, "bones", settings, "bones_index", rows=ROWS
    )
    # The sidebar is too narrow for long names and a button in each row.
    if 0 <= settings.bones_index < len(settings.bones):
        item = settings.bones[settings.bones_index]
        row = layout.row(align=True)
        draw_bone(row, item, settings.target)
        row.operator("posecast.pick_bone", text="", icon="EYEDROPPER").joint = item.joint
    row = layout.row(align=True)
    row.operator("posecast.guess_bones", icon="VIEWZOOM")
    row.operator("posecast.mirror_bones", text="Left to Right", icon="MOD_MIRROR")


def draw_bone(row: UILayout, item, target) -> None:
    if target is None:
        row.label(text=item.bone)
        return
    row.alert = bool(item.bone) and item.bone not in target.data.bones
    row.prop_search(item, "bone", target.data, "bones", text="")


def draw_how(layout: UILayout, settings) -> None:
    layout.row().prop(settings, "mode", expand=True)
    if settings.mode == "LIVE":
        return
    layout.prop(settings, "keep_feet")
    row = layout.row()
    row.prop(settings, "decimate")
    part = row.row()
    part.active = settings.decimate
    part.prop(settings, "tolerance_mm", text="mm")


def draw_buttons(layout: UILayout, settings) -> None:
    row = layout.row()
    row.scale_y = 1.5
    row.operator("posecast.retarget", icon="CON_ARMATURE")
    if link.is_linked(settings.target):
        row = layout.row(align=True)
        row.operator("posecast.bake_link", icon="KEYFRAME_HLT")
        row.operator("posecast.remove_link", text="Remove", icon="UNLINKED")


CLASSES = (POSECAST_UL_bones, POSECAST_PT_retarget)
