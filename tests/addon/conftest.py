"""A process that has Blender as a module may hang or crash while Python shuts down (seen with 4.2
and 4.5), so it is ended as soon as pytest has said all it has to say."""

import os
import sys

import pytest

_status = pytest.ExitCode.OK


def pytest_sessionfinish(exitstatus):
    global _status
    _status = exitstatus


@pytest.hookimpl(trylast=True)
def pytest_unconfigure():
    if "bpy" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(_status))


def pytest_collection_modifyitems(items):
    """Rigify last: Blender may crash in any test that comes after it was enabled."""
    items.sort(key=lambda item: "metarig" in item.name)


@pytest.fixture
def scene():
    """The only scene of an empty file, at 30 frames a second."""
    bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 30
    return bpy.context.scene
