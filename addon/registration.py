"""Makes the add-on's classes known to Blender, and takes them back."""

import importlib

import bpy

# In this order; each may have CLASSES, and `register` and `unregister` for what is more than that.
MODULES = (
    "properties",
    "preferences",
    "setup_job",
    "operators.setup",
    "operators.estimate",
    "operators.look",
    "operators.result",
    "operators.retarget",
    "operators.export",
    "panels.estimate",
    "panels.result",
    "panels.retarget",
    "panels.export",
)


def modules() -> list:
    return [importlib.import_module(f".{name}", __package__) for name in MODULES]


def register() -> None:
    for module in modules():
        for cls in getattr(module, "CLASSES", ()):
            bpy.utils.register_class(cls)
        if hasattr(module, "register"):
            module.register()


def unregister() -> None:
    for module in reversed(modules()):
        if hasattr(module, "unregister"):
            module.unregister()
        for cls in reversed(getattr(module, "CLASSES", ())):
            bpy.utils.unregister_class(cls)
