"""The panel Estimate Pose from Video, and the settings below it."""

import time

from bpy.types import Context, Panel, UILayout

from .. import choices, environment, job, preferences, video_info
from ..estimator import EstimatorError
from .wrapped import draw_wrapped

ADD_ON = (__package__ or "").rpartition(".")[0]
THUMBNAIL, PEOPLE = 6.0, 10.5  # heights, in Blender's lines
PER_ROW = 6  # buttons for people
CHECK_S = 2.0  # how often the place of the estimator's Python is looked for

_python_problem = (0.0, "")  # when it was looked for, and what was said


class Sidebar:
    """Where all of these stand."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Posecast"


class POSECAST_PT_estimate(Sidebar, Panel):
    bl_idname = "POSECAST_PT_estimate"
    bl_label = "Estimate Pose from Video"

    def draw(self, context: Context) -> None:
        layout, shown = self.layout, context.window_manager.posecast
        problem = python_problem(context)
        if problem:
            draw_setup(layout, context, problem)
        column = layout.column()
        column.enabled = shown.state != "RUNNING"
        draw_video(column, context)
        if shown.state == "RUNNING":
            draw_job(layout, context)
            return
        row = layout.row()
        row.scale_y = 1.5
        row.operator("posecast.estimate", icon="ARMATURE_DATA")
        draw_last_word(layout, context)


class Settings(Sidebar):
    """A sub-panel of settings, which can't be changed while the estimator is at work."""

    bl_parent_id = "POSECAST_PT_estimate"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = context.window_manager.posecast.state != "RUNNING"
        self.draw_settings(layout, context)

    def draw_settings(self, layout: UILayout, context: Context) -> None:
        raise NotImplementedError


class POSECAST_PT_person(Settings, Panel):
    bl_label = "Person"
    bl_options = set()

    def draw_settings(self, layout: UILayout, context: Context) -> None:
        settings = context.scene.posecast
        row = layout.row()
        row.use_property_split = False  # three words side by side need the whole width
        row.prop(settings, "person", expand=True)
        if settings.person == "NUMBER":
            layout.prop(settings, "person_number")
        layout.operator("posecast.look", icon="VIEWZOOM")
        seen = video_info.look(video_info.absolute(settings.video))
        if seen is not None:
            draw_people(layout, settings, seen)


class POSECAST_PT_part(Settings, Panel):
    bl_label = "Part and Frame Rate"

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Pictures have neither."""
        video = video_info.absolute(context.scene.posecast.video)
        return not isinstance(video_info.known(video), video_info.Stills)

    def draw_settings(self, layout: UILayout, context: Context) -> None:
        settings = context.scene.posecast
        layout.prop(settings, "use_range")
        column = layout.column(align=True)
        column.active = settings.use_range
        column.prop(settings, "range_start")
        column.prop(settings, "range_end")
        layout.row().prop(settings, "rate", expand=True)


class POSECAST_PT_method(Settings, Panel):
    bl_label = "Method"

    def draw_settings(self, layout: UILayout, context: Context) -> None:
        settings = context.scene.posecast
        layout.prop(settings, "method")
        known = choices.known_methods()
        listed = {m["name"]: m["description"] for m in known.names("methods")}
        if about := known.advice(settings.method) or listed.get(settings.method):
            draw_wrapped(layout, context, about)


class POSECAST_PT_refinement(Settings, Panel):
    bl_label = "Refinement"

    def draw_settings(self, layout: UILayout, context: Context) -> None:
        settings = context.scene.posecast
        layout.prop(settings, "smooth")
        layout.prop(settings, "contacts")
        if choices.refinement_is_there("uao"):
            row = layout.row()
            row.enabled = choices.known_methods().refines("uao", settings.method)
            row.prop(settings, "uao")


class POSECAST_PT_body(Settings, Panel):
    bl_label = "Body"

    def draw_settings(self, layout: UILayout, context: Context) -> None:
        settings = context.scene.posecast
        layout.row().prop(settings, "body", expand=True)
        if settings.body == "SMPL" and not preferences.get(context).smpl_file:
            draw_wrapped(layout, context, "Name your SMPL file in the preferences.", "INFO")
            layout.operator("preferences.addon_show", text="Preferences").module = ADD_ON
        layout.row().prop(settings, "betas", expand=True)
        layout.prop(settings, "nla")


class POSECAST_PT_camera(Settings, Panel):
    bl_label = "Camera"

    def draw_settings(self, layout: UILayout, context: Context) -> None:
        settings = context.scene.posecast
        layout.prop(settings, "use_fov")
        row = layout.row()
        row.active = settings.use_fov
        row.prop(settings, "fov")
        row = layout.row()
        row.active = not settings.use_fov
        row.prop(settings, "fov_by_lines")


def python_problem(context: Context) -> str:
    """Why there is no estimator, looked for every other second; "" where there is one."""
    global _python_problem
    when, said = _python_problem
    if time.monotonic() - when > CHECK_S:
        try:
            environment.find_python(preferences.get(context).python)
            said = ""
        except EstimatorError as error:
            said = str(error)
        _python_problem = time.monotonic(), said
    return said


def draw_setup(layout: UILayout, context: Context, problem: str) -> None:
    box = layout.box()
    draw_wrapped(box, context, problem, "ERROR")
    box.operator("preferences.addon_show", text="Set up", icon="PREFERENCES").module = ADD_ON


def draw_video(layout: UILayout, context: Context) -> None:
    settings = context.scene.posecast
    layout.prop(settings, "video", text="")
    path = video_info.absolute(settings.video)
    found = video_info.known(path)
    if found is None:
        if not path:
            layout.label(text="Choose a video or a picture", icon="INFO")
        return
    if isinstance(found, str):
        draw_wrapped(layout.box(), context, found, "ERROR")
        return
    icon = video_info.thumbnail(path)
    if icon:
        layout.template_icon(icon_value=icon, scale=THUMBNAIL)
    draw_wrapped(layout, context, str(found))


def draw_people(layout: UILayout, settings, seen: video_info.Look) -> None:
    """The picture with numbered boxes, and a button for each number."""
    if seen.icon:
        layout.template_icon(icon_value=seen.icon, scale=PEOPLE)
    grid = layout.grid_flow(row_major=True, columns=PER_ROW, align=True)
    for number in seen.boxes:
        chosen = settings.person == "NUMBER" and settings.person_number == number
        button = grid.operator("posecast.choose_person", text=str(number), depress=chosen)
        button.number = number


def draw_job(layout: UILayout, context: Context) -> None:
    shown = context.window_manager.posecast
    box = layout.box()
    draw_wrapped(box, context, shown.stage)
    known = shown.fraction >= 0
    text = time_left(shown.seconds_left) if shown.seconds_left >= 0 else ""
    if known and not text:
        text = f"{shown.fraction:.0%}"
    box.progress(factor=max(0.0, min(1.0, shown.fraction)) if known else 0.0, text=text)
    box.operator("posecast.cancel", icon="X", text="Cancel (Esc)")
    draw_log(box, context)


def draw_last_word(layout: UILayout, context: Context) -> None:
    shown = context.window_manager.posecast
    video = video_info.known(video_info.absolute(context.scene.posecast.video))
    if not shown.message or shown.message in (_python_problem[1], video):  # they stand above
        return
    box = layout.box()
    failed = shown.state == "FAILED"
    icon = "ERROR" if failed else "CHECKMARK" if shown.state == "DONE" else "INFO"
    draw_wrapped(box, context, shown.message, icon)
    if job.log_file() is not None:
        draw_log(box, context)


def draw_log(layout: UILayout, context: Context) -> None:
    shown, file = context.window_manager.posecast, job.log_file()
    row = layout.row()
    left = row.row()
    left.alignment = "LEFT"
    icon = "DISCLOSURE_TRI_DOWN" if shown.show_log else "DISCLOSURE_TRI_RIGHT"
    left.prop(shown, "show_log", icon=icon, emboss=False)
    if not shown.show_log:
        return
    if file is not None:
        right = row.row()
        right.alignment = "RIGHT"
        right.operator("wm.path_open", text="Open", icon="TEXT").filepath = str(file)
    column = layout.column(align=True)
    column.scale_y = 0.7
    for line in job.log_lines() or ["Nothing yet"]:
        column.label(text=line)


def time_left(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s left"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s left"


CLASSES = (
    POSECAST_PT_estimate,
    POSECAST_PT_person,
    POSECAST_PT_part,
    POSECAST_PT_method,
    POSECAST_PT_refinement,
    POSECAST_PT_body,
    POSECAST_PT_camera,
)
