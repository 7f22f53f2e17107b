"""The panel's operators and the job, with a stand-in for the estimator; without a window."""

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from tests.addon.bodies import camera_arrays, motion_arrays
from tests.addon.test_estimator import fake_python, gone, wait_for

bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")

import addon  # noqa: E402
from addon import choices, environment, estimator, job, video_info  # noqa: E402
from addon.estimator import Estimator, EstimatorError  # noqa: E402
from addon.panels import estimate as estimate_panel  # noqa: E402

FRAMES = 5


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """The settings of an empty file whose video is there; FAKE says what the estimator does."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    addon.register()
    np.savez(tmp_path / "made.npz", **motion_arrays(FRAMES, **camera_arrays(FRAMES)))
    (tmp_path / "in.mp4").write_bytes(b"a film")
    monkeypatch.setenv("FAKE", "good")
    monkeypatch.setenv("FAKE_MOTION", str(tmp_path / "made.npz"))
    monkeypatch.setenv("FAKE_PIDS", str(tmp_path / "pids"))
    monkeypatch.setenv(estimator.PYTHON_VARIABLE, str(fake_python(tmp_path)))
    monkeypatch.setattr(environment, "user_folder", lambda: tmp_path / "user")
    found = bpy.context.scene.posecast
    found.video = str(tmp_path / "in.mp4")
    yield found
    addon.unregister()


def shown():
    return bpy.context.window_manager.posecast


def bodies() -> list:
    return [item for item in bpy.data.objects if item.type == "ARMATURE"]


def refused(operator) -> str:
    """The error that an operator reports, which the panel shows as well."""
    with pytest.raises(RuntimeError) as caught:
        operator()
    assert shown().state == "FAILED" and shown().message in str(caught.value)
    assert "Traceback" not in str(caught.value)
    return shown().message


def test_without_a_window_it_waits_for_the_body(settings):
    assert bpy.ops.posecast.estimate() == {"FINISHED"}
    assert shown().state == "DONE" and shown().message.startswith("All seen. It took ")
    assert len(bodies()) == 1 and bodies()[0].animation_data.action is not None
    assert job.current() is None and job.log_file() is not None


def test_the_same_again_is_there_at_once(settings, monkeypatch):
    bpy.ops.posecast.estimate()
    monkeypatch.setenv("FAKE", "fails")
    assert bpy.ops.posecast.estimate() == {"FINISHED"}
    assert "All seen. From an earlier run with the same settings." in shown().message
    assert "Blender can't read the video" in shown().message, "it is no film"
    settings.smooth = 0.1
    assert "No person was found" in refused(bpy.ops.posecast.estimate)


def test_the_box_of_uao_asks_for_it_where_the_method_is_a_lifter(settings, monkeypatch):
    """It is part of what an earlier result is known by, too."""
    words = {"label": "", "description": ""}
    listed = {
        "methods": [{"name": name, **words} for name in ("ktpformer", "plain")],
        "refinements": [{"name": "uao", "methods": "ktpformer mixste", **words}],
    }
    monkeypatch.setattr(choices.known_methods(), "listed", listed)
    asked = []

    def note(python, video, output, options, folder):
        asked.append(options)
        raise EstimatorError("as far as this goes")

    monkeypatch.setattr(Estimator, "estimate", note)
    for uao, method in ((False, "ktpformer"), (True, "ktpformer"), (True, "plain")):
        settings.uao, settings.method = uao, method
        assert "as far as this goes" in refused(bpy.ops.posecast.estimate)
    assert ["refine" in options for options in asked] == [False, True, False]
    assert asked[1]["refine"] == "uao"


def test_a_damaged_result_is_made_anew(settings, tmp_path):
    bpy.ops.posecast.estimate()
    (file,) = (tmp_path / "user/cache/runs").glob("*/*.npz")
    file.write_bytes(b"damaged")
    bpy.ops.posecast.estimate()
    assert "It took" in shown().message and file.stat().st_size > 100


def test_the_list_of_methods_follows_the_python(settings, monkeypatch):
    """One that is named or set up after the video was chosen."""
    listed = choices.known_methods()
    good = os.environ[estimator.PYTHON_VARIABLE]
    monkeypatch.setenv(estimator.PYTHON_VARIABLE, "/nowhere/python")
    assert choices.ask_methods() == choices.ASK_S and len(listed.names("methods")) == 1
    monkeypatch.setenv(estimator.PYTHON_VARIABLE, good)
    assert choices.ask_methods() == choices.ANSWER_S
    wait_for(lambda: choices.ask_methods() == choices.ASK_S)
    assert [item["name"] for item in listed.names("methods")] == ["ktpformer", "plain"]


def test_pictures_in_the_place_of_a_video(settings, tmp_path, monkeypatch):
    folder = tmp_path / "pictures"
    folder.mkdir()
    settings.use_range = True
    settings.video = str(folder)
    assert "without pictures" in video_info.known(str(folder))
    shutil.copy(write_picture(tmp_path), folder / "one.png")
    np.savez(tmp_path / "made.npz", **motion_arrays(1, **camera_arrays(1)), video="one.png")
    settings.video = str(folder)
    assert str(video_info.known(str(folder))) == "A picture, 64 x 36" and not settings.use_range
    assert not estimate_panel.POSECAST_PT_part.poll(bpy.context)
    bpy.ops.posecast.estimate()
    (armature,) = bodies()
    assert armature["posecast_video"] == str(folder / "one.png")
    bpy.ops.posecast.estimate()
    assert "earlier run" in shown().message
    shutil.copy(write_picture(tmp_path), folder / "two.png")
    settings.video = str(folder)
    assert str(video_info.known(str(folder))) == "2 pictures, a pose each"
    bpy.ops.posecast.estimate()
    assert "earlier run" not in shown().message, "another picture is there"


def write_picture(folder) -> Path:
    image = bpy.data.images.new("made", 64, 36)
    image.filepath_raw, image.file_format = str(folder / "made.png"), "PNG"
    image.save()
    bpy.data.images.remove(image)
    return folder / "made.png"


def test_several_people(settings, monkeypatch):
    monkeypatch.setenv("FAKE", "two people")
    settings.person = "ALL"
    bpy.ops.posecast.estimate()
    assert len(bodies()) == 2


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("fails", "No person was found in the video; film one."),
        ("crashes", "No module named 'torch'"),
        ("is killed", "SIGKILL"),
    ],
)
def test_a_failure_is_one_sentence(settings, monkeypatch, tmp_path, how, told):
    monkeypatch.setenv("FAKE", how)
    assert told in refused(bpy.ops.posecast.estimate)
    assert bodies() == [] and job.current() is None
    assert not any((tmp_path / "user/cache/runs").iterdir()), "nothing half-written"
    assert told in job.log_file().read_text(), "the log stays"


def test_what_keeps_a_run_from_starting(settings, monkeypatch, tmp_path):
    settings.video = ""
    assert "No video is chosen" in refused(bpy.ops.posecast.estimate)
    settings.video = str(tmp_path / "gone.mp4")
    assert "There is no video" in refused(bpy.ops.posecast.estimate)
    settings.video = str(tmp_path / "in.mp4")
    settings.body = "SMPL"
    assert "No SMPL file" in refused(bpy.ops.posecast.estimate)
    settings.body = "DEFAULT"
    (tmp_path / "user").write_text("a file where the folder belongs")
    assert "can't be kept" in refused(bpy.ops.posecast.estimate)
    monkeypatch.setenv(estimator.PYTHON_VARIABLE, "/nowhere/python")
    assert "Set Up" in refused(bpy.ops.posecast.estimate)


def test_a_video_that_goes_while_it_is_looked_at(settings, monkeypatch, tmp_path):
    """What was seen of it is still worth having."""
    made = Estimator.estimate.__func__

    def start(cls, python, video, *others):
        video.unlink()
        return made(cls, python, video, *others)

    monkeypatch.setattr(Estimator, "estimate", classmethod(start))
    assert bpy.ops.posecast.estimate() == {"FINISHED"}
    assert len(bodies()) == 1


def test_a_look_numbers_the_people(settings, monkeypatch, tmp_path):
    bpy.ops.posecast.look()
    assert shown().message == "2 people are there; choose one."
    seen = video_info.look(settings.video)
    assert list(seen.boxes) == [1, 2] and seen.point(2) == (0.5, 240.0, 175.0)
    assert seen.point(3) is None
    bpy.ops.posecast.choose_person(number=2)
    assert (settings.person, settings.person_number) == ("NUMBER", 2)
    asked = []
    made = Estimator.estimate.__func__

    def start(cls, python, video, output, options, *others):
        asked.append(options)
        return made(cls, python, video, output, options, *others)

    monkeypatch.setattr(Estimator, "estimate", classmethod(start))
    bpy.ops.posecast.estimate()
    assert asked[0]["person-at"] == ["0.5", "240", "175"]


def started(tmp_path, how: str, monkeypatch) -> tuple[job.Job, list]:
    """A job that runs as with a window: the test ticks."""
    monkeypatch.setenv("FAKE", how)
    python, seen = fake_python(tmp_path), []
    run = Estimator.estimate(python, tmp_path / "in.mp4", tmp_path / "out.npz", {}, tmp_path)
    found = job.Job(
        run,
        finish=lambda files, said: seen.append((files, said)) or "In the scene.",
        clear=lambda: seen.append("cleared"),
        last_log=tmp_path / "last.log",
    )
    monkeypatch.setattr(job, "_job", found)
    shown().state = "RUNNING"
    return found, seen


def tick_until_over() -> None:
    deadline = time.monotonic() + 30
    while job._tick() is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_ticks_see_a_run_through(settings, tmp_path, monkeypatch):
    _, seen = started(tmp_path, "good", monkeypatch)
    assert not bpy.ops.posecast.estimate.poll(), "one at a time"
    tick_until_over()
    assert seen == [([tmp_path / "out.npz"], "All seen.")]
    assert (shown().state, shown().message) == ("DONE", "In the scene.")


def test_the_result_waits_for_the_tool_in_use(settings, tmp_path, monkeypatch):
    found, seen = started(tmp_path, "good", monkeypatch)
    monkeypatch.setattr(job, "busy", lambda: True)
    wait_for(lambda: not found.run.running)
    for _ in range(3):
        job._tick()
    assert seen == [] and "waits" in shown().stage
    monkeypatch.setattr(job, "busy", lambda: False)
    tick_until_over()
    assert len(seen) == 1


def test_a_cancel_holds_nobody_up(settings, tmp_path, monkeypatch):
    started(tmp_path, "hangs", monkeypatch)
    pids = tmp_path / "pids"
    wait_for(lambda: pids.exists() and pids.read_text().strip())
    job._tick()
    assert shown().fraction == 0.5
    bpy.ops.posecast.cancel()
    assert job._tick() is not None, "it is asked to end, and not waited for"
    tick_until_over()
    assert (shown().state, shown().message) == ("IDLE", "Cancelled; nothing was changed.")
    assert bodies() == []
    wait_for(lambda: all(gone(int(pid)) for pid in pids.read_text().split()))


@pytest.mark.parametrize("how", ["another file", "unregister"])
def test_what_ends_a_run_at_once(settings, tmp_path, monkeypatch, how):
    _, seen = started(tmp_path, "hangs", monkeypatch)
    pids = tmp_path / "pids"
    wait_for(lambda: pids.exists() and pids.read_text().strip())
    if how == "unregister":
        addon.unregister()
        addon.register()
    else:
        bpy.ops.wm.read_homefile(use_factory_startup=True)
    assert job.current() is None and seen == ["cleared"]
    wait_for(lambda: all(gone(int(pid)) for pid in pids.read_text().split()))


def test_an_error_that_nobody_thought_of_is_told_too(settings, tmp_path, monkeypatch):
    found, _ = started(tmp_path, "good", monkeypatch)
    found.finish = lambda files, said: 1 / 0
    tick_until_over()
    assert shown().state == "FAILED" and "ZeroDivisionError" in shown().message


def test_only_the_part_with_the_people_is_shown():
    wide = np.zeros((100, 400, 4), np.float32)
    wide[:, 200:230] = 1
    cut = video_info.around(wide, np.array([[200, 10, 230, 90]]))
    assert cut.shape == (100, 100, 4) and cut[..., 0].sum() == 100 * 30
    high = np.swapaxes(wide, 0, 1)
    assert video_info.around(high, np.array([[10, 380, 90, 399]])).shape == (100, 100, 4)
    both = video_info.around(wide, np.array([[0, 0, 9, 9], [390, 0, 399, 9]]))
    assert both.shape == wide.shape
    assert video_info.padded(np.ones((300, 1200, 4))).shape == (400, 400, 4)
    assert video_info.padded(np.ones((20, 30, 4)))[..., 0].sum() == 600


def test_the_line_about_a_video():
    info = video_info.VideoInfo(162, 30.0, 640, 360)
    assert str(info) == "5.4 s, 162 frames at 30, 640 x 360"
    assert str(video_info.VideoInfo(3000, 29.97, 640, 360)).startswith("1:40, 3000 frames at 29.97")
