"""The built zip, installed into a fresh profile of this Blender as a user would."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")

ROOT = Path(__file__).parents[2]
MODULE = "bl_ext.user_default.posecast"
PROGRAM = '''
import gc, json, os, sys, traceback
import bpy
import addon_utils

MODULE = "bl_ext.user_default.posecast"

def left():
    """What is registered of Posecast's, by kind."""
    ours = lambda name: "posecast" in name.lower()
    found = {
        "classes": [name for name in dir(bpy.types) if ours(name)],
        "operators": dir(bpy.ops.posecast),
        "handlers": [
            f"{name}: {handler.__module__}"
            for name in dir(bpy.app.handlers)
            if isinstance(getattr(bpy.app.handlers, name), list)
            for handler in getattr(bpy.app.handlers, name)
            if ours(getattr(handler, "__module__", ""))
        ],
        "properties": [
            f"{kind.__name__}.{name}"
            for kind in (bpy.types.Scene, bpy.types.WindowManager, bpy.types.Object)
            for name in dir(kind)
            if ours(name)
        ],
        "timers": [
            f"{module.__name__}.{name}"
            for module in list(sys.modules.values())
            if ours(getattr(module, "__name__", ""))
            for name, value in list(vars(module).items())
            if callable(value) and not isinstance(value, type)
            and bpy.app.timers.is_registered(value)
        ],
    }
    return {kind: names for kind, names in found.items() if names}

def main():
    result = {"before": left()}
    bpy.ops.extensions.package_install_files(
        filepath=sys.argv[-2], repo="user_default", enable_on_install=True
    )
    result["enabled"] = MODULE in bpy.context.preferences.addons
    result["there"] = sorted(left())
    result["after"] = []
    for turn in range(3):
        addon_utils.disable(MODULE, default_set=True)
        result["after"].append(left())
        addon_utils.enable(MODULE, default_set=True)
    import importlib
    result["fresh"] = []
    for turn in range(3):
        old = sys.modules[MODULE + ".environment"]
        old.stale = True
        if turn:  # as when another version is installed over this one
            os.utime(sys.modules[MODULE].__file__, (turn, turn))
            addon_utils.disable(MODULE, default_set=True)
            addon_utils.enable(MODULE, default_set=True)
        else:  # as bpy.ops.script.reload() does once Blender's loop runs
            bpy.utils.load_scripts(reload_scripts=True)
        result["fresh"].append(not hasattr(sys.modules[MODULE + ".environment"], "stale"))
    for turn in range(3):
        module = sys.modules[MODULE]
        module.unregister()
        result["after"].append(left())
        module.register()
    body = importlib.import_module(MODULE + ".body")
    data = body.read_body(body.default_body_file())
    result["body"] = str(body.default_body_file())
    result["joints"] = len(data.joints) if hasattr(data, "joints") else 24
    setup = importlib.import_module(MODULE + ".operators.setup")
    plan = setup.plan(bpy.context)
    result["source"], result["constraints"] = str(plan.source), str(plan.constraints)
    result["folder"] = str(plan.folder)
    result["offline"] = not bpy.ops.posecast.set_up.poll() and not bpy.app.online_access
    try:
        bpy.ops.posecast.check_setup()
    except RuntimeError as error:
        result["told"] = str(error)
    addon_utils.disable(MODULE, default_set=True)
    result["end"] = left()
    return result

try:
    told = main()
except BaseException:
    told = {"error": traceback.format_exc()}
with open(sys.argv[-1], "w") as file:
    json.dump(told, file)
os._exit(0)
'''


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The zip, made by a Python that has pip; it checks it by Blender's own tool where it can."""
    folder = tmp_path_factory.mktemp("built")
    python = sys.executable if Path(sys.executable).name.startswith("python") else "python3"
    command = [python, str(ROOT / "scripts/build_addon.py"), "--output", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "can't be built" in done.stderr:
        pytest.skip(f"pip can't build a wheel here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return next(folder.glob("posecast-*.zip"))


@pytest.fixture(scope="module")
def told(built, tmp_path_factory) -> dict:
    """What a Blender of its own, with a fresh profile, says of the installed extension."""
    folder = tmp_path_factory.mktemp("profile")
    program, answer = folder / "program.py", folder / "told.json"
    program.write_text(PROGRAM)
    in_blender = bool(bpy.app.binary_path)
    start = [bpy.app.binary_path, "-b", "-P", str(program), "--"]
    command = start if in_blender else [sys.executable, str(program)]
    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "POSECAST_PYTHON")}
    variables["BLENDER_USER_RESOURCES"] = str(folder / "user")
    words = [*command, str(built), str(answer)]
    done = subprocess.run(words, env=variables, cwd=folder, capture_output=True, text=True)
    assert answer.is_file(), done.stdout + done.stderr
    told = json.loads(answer.read_text())
    assert "error" not in told, told["error"]
    return told


def test_the_zip_holds_what_set_up_needs(built):
    with zipfile.ZipFile(built) as archive:
        names = archive.namelist()
        wheel = next(name for name in names if name.endswith(".whl"))
        manifest = archive.read("blender_manifest.toml").decode()
        with archive.open(wheel) as file, zipfile.ZipFile(file) as inner:
            carried = inner.namelist()
    assert {"__init__.py", "data/default_body.npz", "estimator/constraints.txt"} <= set(names)
    assert not [name for name in names if "__pycache__" in name or "test" in name]
    assert f'version = "{wheel.split("-")[1]}"' in manifest
    for name in ("check.py", "estimate.py", "smpl/data/default_body.npz"):
        assert f"regressor/{name}" in carried
    assert [name for name in carried if name.endswith(".safetensors")]


def test_the_same_sources_give_the_same_bytes(built, tmp_path):
    python = sys.executable if Path(sys.executable).name.startswith("python") else "python3"
    command = [python, str(ROOT / "scripts/build_addon.py"), "--output", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / built.name).read_bytes() == built.read_bytes()


def test_it_is_installed_and_enabled(told):
    assert told["before"] == {} and told["enabled"]
    assert {"classes", "operators", "properties"} <= set(told["there"])


def test_nothing_is_left_behind(told):
    assert told["after"] == [{}] * 6 and told["end"] == {}


def test_a_reload_reads_all_files_anew(told):
    assert told["fresh"] == [True] * 3


def test_it_finds_what_came_with_it(told):
    for name in ("body", "source", "constraints"):
        assert f"extensions{os.sep}user_default{os.sep}posecast" in told[name]
    assert "posecast" in told["folder"] and told["folder"] not in told["source"]


def test_without_a_set_up_it_says_what_to_press(told):
    assert told["offline"]
    assert "press Set Up" in told["told"]
