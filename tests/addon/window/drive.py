"""Plays a story inside a Blender with a window, and times every callback of the add-on's.

blender -P drive.py -- STORY FOLDER

A story is a generator that a timer steps through: it yields seconds to wait, or a condition to wait
for. What it finds is written to FOLDER/report.json.
"""

import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path

import bpy

MODULE = "bl_ext.user_default.posecast"
STEP_S = 0.01
STORY, FOLDER = sys.argv[sys.argv.index("--") + 1 :][:2]
FOLDER = Path(FOLDER)
VIDEO = os.environ["TEST_VIDEO"]
REAL = "FAKE" not in os.environ

found: dict = {"slowest_ms": {}, "calls": {}, "messages": {}}
modules: dict = {}
_loading = [False]


def main() -> None:
    bpy.context.preferences.view.show_splash = False
    bpy.context.preferences.view.show_developer_ui = False
    import addon_utils

    addon_utils.enable(MODULE, default_set=True)
    for name in ("job", "screen", "choices", "environment", "video_info", "registration", "scene"):
        modules[name] = importlib.import_module(f"{MODULE}.{name}")
    time_callbacks()
    play = globals()[STORY]()
    waits = [lambda: True]
    since = [time.monotonic()]

    def step() -> float | None:
        wait = waits[0]
        over = wait() if callable(wait) else time.monotonic() - since[0] >= wait
        if not over:
            return STEP_S
        try:
            waits[0], since[0] = next(play), time.monotonic()
        except StopIteration:
            finish()
            return None
        except Exception:
            found["error"] = traceback.format_exc()
            finish()
            return None
        return STEP_S

    bpy.app.timers.register(step, first_interval=2.0, persistent=True)


def finish() -> None:
    part = FOLDER / "report.part"
    part.write_text(json.dumps(found, indent=1))
    part.rename(FOLDER / "report.json")


# --- the times that the add-on takes in Blender's main loop


def count(label: str, start: float) -> None:
    took = 1000 * (time.perf_counter() - start)
    if label == "job._tick" and _loading[0]:
        label, _loading[0] = "job._tick (loading)", False
    found["slowest_ms"][label] = max(took, found["slowest_ms"].get(label, 0))
    found["calls"][label] = found["calls"].get(label, 0) + 1


def time_function(owner, name: str, label: str) -> None:
    inner = getattr(owner, name)

    def outer():
        start = time.perf_counter()
        try:
            return inner()
        finally:
            count(label, start)

    setattr(owner, name, outer)


def time_method(cls, name: str, label: str) -> None:
    inner = getattr(cls, name)

    def outer(self, context):  # Blender counts the arguments
        start = time.perf_counter()
        try:
            return inner(self, context)
        finally:
            count(label, start)

    setattr(cls, name, outer)


def time_callbacks() -> None:
    job = modules["job"]
    time_function(job, "_tick", "job._tick")
    time_function(modules["choices"], "ask_methods", "choices.ask_methods")
    finish_job = job._finish

    def loading(*args):
        _loading[0] = True
        return finish_job(*args)

    job._finish = loading
    for module in modules["registration"].modules():
        for cls in getattr(module, "CLASSES", ()):
            if issubclass(cls, bpy.types.Panel):
                time_method(cls, "draw", f"{cls.__name__}.draw")
            elif issubclass(cls, bpy.types.Operator):
                time_method(cls, "execute", f"{cls.bl_idname}")


# --- what stories are made of


def ask(what: str):
    """Has the test outside do something; a condition that waits for it."""
    file = FOLDER / f"ask-{what}"
    file.touch()
    return lambda: not file.exists()


def view():
    return modules["screen"].in_view()


def view_area():
    areas = bpy.context.window_manager.windows[0].screen.areas
    return next(area for area in areas if area.type == "VIEW_3D")


def show_tab():
    """The sidebar has tabs once it has been drawn."""
    view_area().spaces.active.show_region_ui = True
    yield 1.0
    sidebar = next(region for region in view_area().regions if region.type == "UI")
    sidebar.active_panel_category = "Posecast"
    sidebar.tag_redraw()
    yield 1.0


def press(operator: str, **values) -> str:
    """Runs an operator as a button does; the error that it reported, or nothing."""
    group, _, name = operator.partition(".")
    try:
        with view():
            getattr(getattr(bpy.ops, group), name)("INVOKE_DEFAULT", True, **values)
    except RuntimeError as error:
        return str(error).removeprefix("Error: ").strip()
    return ""


def settings():
    return bpy.context.window_manager.windows[0].scene.posecast


def choose_video(video: str) -> None:
    """As the field does, with the undo step that Blender makes of it."""
    settings().video = video
    with view():
        bpy.ops.ed.undo_push(message="Video")


def shown():
    return bpy.context.window_manager.posecast


def idle() -> bool:
    return modules["job"].current() is None


def note(name: str) -> None:
    found["messages"][name] = [shown().state, shown().message]


def group() -> int:
    return modules["job"].current().run._process.pid


def alive(number: int) -> bool:
    """Whether anything of a process group lives."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of) == number and state != "Z":
            return True
    return False


def started() -> bool:
    return shown().fraction > 0.1


def bodies() -> int:
    return sum(item.type == "ARMATURE" for item in bpy.data.objects)


# --- the stories


def whole():
    """From the idle panel to the animated body, and all that can end otherwise."""
    job = modules["job"]
    bpy.data.objects["Cube"].hide_set(True)  # it would stand in the body's way
    yield from show_tab()
    yield ask("picture-1-idle")
    found["messages"]["empty"] = [press("posecast.estimate"), shown().message]
    yield 0.3

    start = time.perf_counter()
    choose_video(VIDEO)
    found["slowest_ms"]["video chosen"] = 1000 * (time.perf_counter() - start)
    yield 4.0
    yield ask("picture-2-video")

    press("posecast.look")
    yield 0.3
    yield idle
    note("look")
    yield 1.0
    yield ask("picture-3-people")
    press("posecast.choose_person", number=1)
    yield 0.5
    found["chosen"] = [settings().person, settings().person_number]

    press("posecast.estimate")
    yield lambda: started() or idle()
    yield ask("picture-4-running")
    shown().show_log = True
    yield lambda: shown().fraction > 0.6 or idle()
    yield ask("picture-5-running-log")
    yield idle
    note("done")
    shown().show_log = False
    yield 1.0
    found["bodies"] = bodies()
    yield from camera_view()
    yield ask("picture-6-done")
    view_area().spaces.active.region_3d.view_perspective = "PERSP"

    with view():
        bpy.ops.ed.undo()
    yield 1.0
    found["bodies_after_undo"] = bodies()
    found["video_after_undo"] = settings().video == VIDEO

    start = time.perf_counter()
    press("posecast.estimate")
    found["from_cache_s"] = time.perf_counter() - start
    found["from_cache_is_done"] = idle()
    note("earlier")
    found["bodies_from_cache"] = bodies()

    yield from stopped_by("cancel", lambda: press("posecast.cancel"))
    yield from stopped_by("esc", lambda: ask("key-Escape"))

    settings().smooth = 0.051
    press("posecast.estimate")
    yield started
    os.killpg(group(), 9)
    yield idle
    note("killed")
    yield 0.5
    yield ask("picture-7-failed")

    settings().video = str(FOLDER / "gone.mp4")
    yield 0.3
    found["messages"]["vanished"] = [press("posecast.estimate"), shown().message]
    (FOLDER / "text.mp4").write_text("no film")
    settings().video = str(FOLDER / "text.mp4")
    yield 0.5
    yield ask("picture-8-unreadable")

    settings().video = VIDEO
    cache = modules["environment"].user_folder() / "cache"
    cache.rename(cache.with_name("aside"))
    cache.write_text("a file where the folder belongs")
    found["messages"]["no cache"] = [press("posecast.estimate"), shown().message]
    cache.unlink()

    os.environ["POSECAST_PYTHON"] = "/nowhere/python"
    yield 2.5
    found["messages"]["no set-up"] = [press("posecast.estimate"), shown().message]
    yield ask("picture-9-no-setup")
    found["idle"] = job.current() is None


def camera_view():
    view_area().spaces.active.region_3d.view_perspective = "CAMERA"
    scene = bpy.context.window_manager.windows[0].scene
    scene.frame_set((scene.frame_start + scene.frame_end) // 2)
    yield 2.0


def stopped_by(name: str, act):
    """Starts a run that differs from those before, ends it with `act`, and takes the time."""
    settings().smooth += 0.013
    press("posecast.estimate")
    yield lambda: started() or idle()
    number = group()
    start = time.perf_counter()
    act()
    yield lambda: idle() and not alive(number)
    found[f"{name}_s"] = time.perf_counter() - start
    note(name)


def all_settings():
    """Every sub-panel open."""
    panels = importlib.import_module(f"{MODULE}.panels.estimate")
    for cls in panels.CLASSES[1:]:
        bpy.utils.unregister_class(cls)
        cls.bl_options = set()
        bpy.utils.register_class(cls)
    choose_video(VIDEO)
    settings().body = "SMPL"
    yield from show_tab()
    yield 3.0
    yield ask("picture-0-settings")
    for _ in range(2):  # the second picture takes the place of the first
        press("posecast.look")
        yield 0.3
        yield idle
        yield 0.5
        note("look")
    found["methods"] = len(modules["choices"].methods(settings(), None))


def tool_in_use():
    """The result comes while the user moves the cube; Esc ends that, and not the job."""
    yield 1.0
    settings().video = VIDEO
    press("posecast.estimate")
    yield started
    with view():
        bpy.ops.transform.translate("INVOKE_DEFAULT", True)
    yield lambda: "waits" in shown().stage or idle()
    found["bodies_meanwhile"] = bodies()
    yield ask("key-Escape")
    yield idle
    note("done")
    found["bodies"] = bodies()


def left_running():
    """Leaves an estimator running; the test ends Blender from outside."""
    yield 1.0
    settings().video = VIDEO
    press("posecast.estimate")
    yield started
    found["group"] = group()


def quits():
    """Quits Blender while the estimator runs."""
    yield from left_running()
    finish()
    with view():
        bpy.ops.wm.quit_blender()


def opens_another_file():
    """Opens another file while the estimator runs."""
    yield from left_running()
    number = group()
    start = time.perf_counter()
    bpy.ops.wm.read_homefile(use_factory_startup=False)
    found["still_alive"] = alive(number)
    found["load_s"] = time.perf_counter() - start
    yield 0.5
    note("opened")
    found["idle"] = idle()


main()
