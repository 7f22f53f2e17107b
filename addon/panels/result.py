"""The panel of the active body: what is known of it, its runs, its camera."""

from pathlib import Path

import bpy
from bpy.types import Context

from .. import choices, results
from .wrapped import draw_wrapped


class POSECAST_PT_result(bpy.types.Panel):
    """Facts of the active body and what can be done with it"""

    bl_label = "Result"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Posecast"

    def draw(self, context: Context) -> None:
        layout = self.layout
        layout.operator("posecast.load_motion", icon="IMPORT")
        armature = results.active_body(context)
        if armature is None:
            layout.label(text="Select a body to see its result", icon="INFO")
            return
        _facts(layout.column(align=True), context, armature)
        _camera(layout, results.camera_of(context.scene, armature))
        _shape(layout, context.scene.posecast)
        _runs(layout, armature)


def _facts(column, context: Context, armature) -> None:
    column.label(text=armature.name, icon="OUTLINER_OB_ARMATURE")
    frames = results.fact(armature, "frames")
    if frames is None:
        return
    if frames == 1:
        column.label(text="One pose")
    else:
        column.label(text=f"{frames} frames at {results.fact(armature, 'fps'):g} a second")
        seen = 100 * results.fact(armature, "coverage")
        column.label(text=f"Person seen in {seen:.0f} % of them")
    method, fov = results.fact(armature, "method"), results.fact(armature, "fov")
    if method:
        column.label(text=f"Method: {choices.known_methods().label(method)}")
    if fov:
        column.label(text=f"Field of view: {fov:.0f}°")
    video = results.fact(armature, "video")
    if video:
        column.label(text=Path(video).name, icon="FILE_MOVIE")
    note = armature.get("posecast_note")
    if note:
        draw_wrapped(column, context, note, "ERROR")


def _camera(layout, camera) -> None:
    if camera is None:
        return
    row = layout.row(align=True)
    row.operator("posecast.view_camera", icon="CAMERA_DATA")
    row.prop(camera.data, "show_background_images", text="", icon="IMAGE_BACKGROUND")


def _shape(layout, settings) -> None:
    row = layout.row(align=True)
    row.operator("posecast.set_betas", text="Video's Shape").betas = "VIDEO"
    row.operator("posecast.set_betas", text="Neutral").betas = "NEUTRAL"
    layout.operator("posecast.apply_body", icon="MESH_DATA")


def _runs(layout, armature) -> None:
    playing = results.active_action(armature)
    column = layout.column(align=True)
    for action in results.actions_of(armature):
        icon = "PLAY" if action == playing else "ACTION"
        method = choices.known_methods().label(action.get("posecast_method", ""))
        text = f"{action.name} ({method})" if method else action.name
        column.operator("posecast.play_run", text=text, icon=icon).action = action.name
    layout.operator("posecast.push_nla", icon="NLA_PUSHDOWN")


CLASSES = (POSECAST_PT_result,)
