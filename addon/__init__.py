"""Posecast inside Blender: puts a Motion on a skinned SMPL body, with bpy and NumPy alone.

Nothing is imported here, so that the parts without bpy can be used and tested anywhere.
"""

import sys

# Blender executes this file anew when scripts are reloaded or a new version was installed; the
# files beside it shall be read anew then, too.
for _name in [name for name in sys.modules if name.startswith(f"{__name__}.")]:
    del sys.modules[_name]
    globals().pop(_name.removeprefix(f"{__name__}."), None)


def register() -> None:
    """Called by Blender when the add-on is enabled."""
    from . import registration

    registration.register()


def unregister() -> None:
    """Called by Blender when the add-on is disabled."""
    from . import registration

    registration.unregister()
