"""What the user sees of the work: the panel, the status bar; and what of the screen must wait."""

import bpy

STATUS_S = 20.0  # how long the status bar shows the last word


def show(**values) -> None:
    """Sets what the panel shows, and has it drawn again."""
    shown = bpy.context.window_manager.posecast
    for name, value in values.items():
        setattr(shown, name, value)
    redraw()


def redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def in_view(scene: str = ""):
    """A context with a window and a 3D view, which a timer's has not; of this scene if it can."""
    windows = sorted(bpy.context.window_manager.windows, key=lambda w: w.scene.name != scene)
    for window in windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                region = next(region for region in area.regions if region.type == "WINDOW")
                return bpy.context.temp_override(window=window, area=area, region=region)
    return bpy.context.temp_override(window=windows[0] if windows else None)


def busy() -> bool:
    """Whether the user is in the midst of something during which the scene must not change."""
    if bpy.app.is_job_running("RENDER"):
        return True
    # Blender's own tools hold on to what they work at; those of add-ons may run for ever.
    return any(
        bpy.types.Operator.bl_rna_get_subclass_py(item.bl_idname) is None
        for window in bpy.context.window_manager.windows
        for item in window.modal_operators
    )


def tell(state: str, message: str) -> None:
    """The last word of a job, in the panel and the status bar."""
    show(state=state, message=message, fraction=-1.0, seconds_left=-1.0)
    say(f"Posecast: {message}")
    if not bpy.app.background:
        bpy.app.timers.register(_clear_status, first_interval=STATUS_S, persistent=True)


def say(text: str) -> None:
    """Until something else is said: an earlier word's time is over now."""
    if bpy.app.background:
        return
    if bpy.app.timers.is_registered(_clear_status):
        bpy.app.timers.unregister(_clear_status)
    _status(text)


def _status(text: str | None) -> None:
    for window in bpy.context.window_manager.windows:
        window.workspace.status_text_set(text)


def _clear_status() -> None:
    _status(None)


def unregister() -> None:
    if not bpy.app.background and bpy.app.timers.is_registered(_clear_status):
        # Only where there is a text: 4.3 can crash here when it quits with a second window open.
        _status(None)
        bpy.app.timers.unregister(_clear_status)
