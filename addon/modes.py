"""Leaving edit and pose mode, and what of the scene the view layer shows."""

import bpy


def leave() -> None:
    """Object mode for the active object, which may have been hidden since it got its mode."""
    active = bpy.context.view_layer.objects.active
    if active is None or active.mode == "OBJECT":
        return
    before = active.hide_viewport, active.hide_get()
    root = bpy.context.scene.collection
    linked = not active.visible_get() and active.name not in root.objects
    active.hide_viewport = False
    active.hide_set(False)
    if linked:
        root.objects.link(active)  # its own collection may be hidden
    try:
        bpy.ops.object.mode_set(mode="OBJECT")
    finally:
        if linked:
            root.objects.unlink(active)
        active.hide_viewport = before[0]
        active.hide_set(before[1])


def include(item: bpy.types.Object, branch: bpy.types.LayerCollection) -> None:
    """Ticks the collections below `branch` that lead to `item`, so that the view layer holds it.

    Parents go first: ticking one sets those in it to what they were.
    """
    for child in branch.children:
        if item in list(child.collection.all_objects):
            child.exclude = False
            include(item, child)
