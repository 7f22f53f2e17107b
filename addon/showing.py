"""What is seen and selected while something is exported, and as it was before afterwards."""

from contextlib import contextmanager

import bpy

from . import modes
from .action import fcurves
from .results import active_action


@contextmanager
def as_before(scene: bpy.types.Scene):
    """Frame, mode, selection and active object are afterwards what they were."""
    layer, frame = bpy.context.view_layer, scene.frame_current
    active, selected = layer.objects.active, [i for i in layer.objects if i.select_get()]
    mode = active.mode if active is not None else "OBJECT"
    modes.leave()
    try:
        yield
    finally:
        select(selected, active)
        if active is not None and mode != "OBJECT" and active.visible_get():
            bpy.ops.object.mode_set(mode=mode)
        scene.frame_set(frame)


@contextmanager
def seen(items: list[tuple]):
    """Nothing is hidden, also outside its own frames: exporters leave out what they can't see."""
    parts = [part for item in items for part in item]
    layer, root = bpy.context.view_layer, bpy.context.scene.collection
    before = [(part, part.hide_viewport, part.hide_get()) for part in parts]
    actions = [action for part in parts if (action := active_action(part)) is not None]
    curves = [c for action in actions for c in fcurves(action) if c.data_path.startswith("hide_")]
    curves = [curve for curve in curves if not curve.mute]
    linked = []
    try:
        for curve in curves:
            curve.mute = True
        for part in parts:
            part.hide_viewport = False
            part.hide_set(False)
        layer.update()
        for part in parts:
            if not part.visible_get() and part.name not in root.objects:
                root.objects.link(part)  # its own collections are hidden
                linked.append(part)
        yield
    finally:
        for part in linked:
            root.objects.unlink(part)
        for curve in curves:
            curve.mute = False
        for part, in_viewport, in_layer in before:
            part.hide_viewport = in_viewport
            part.hide_set(in_layer)


def select(items: list, active: bpy.types.Object | None = None) -> None:
    layer = bpy.context.view_layer
    for item in layer.objects:
        item.select_set(item in items)
    layer.objects.active = active or (items[0] if items else None)
