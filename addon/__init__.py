"""Posecast inside Blender: puts a Motion on a skinned SMPL body, with bpy and NumPy alone.

Nothing is imported here, so that the parts without bpy can be used and tested anywhere.
"""


def register() -> None:
    """Called by Blender when the add-on is enabled."""
    from . import registration

    registration.register()


def unregister() -> None:
    """Called by Blender when the add-on is disabled."""
    from . import registration

    registration.unregister()
