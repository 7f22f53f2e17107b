"""The panel in a real Blender: what it shows, what its callbacks take, and that nothing is left.

It runs with a stand-in for the estimator. With POSECAST_PYTHON naming the real one's Python and
POSECAST_VIDEO a video of a person, it runs with those.
"""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from tests.addon.bodies import camera_arrays, motion_arrays
from tests.addon.test_estimator import fake_python
from tests.addon.window.blender import Screen, Window, members, program

CALLBACK_MS = 20
GONE_S = 1.0


@pytest.fixture(scope="module")
def variables(tmp_path_factory) -> dict[str, str]:
    """The estimator and the video of the stories."""
    program()
    folder = tmp_path_factory.mktemp("estimator")
    if video := os.environ.get("POSECAST_VIDEO"):
        return {"TEST_VIDEO": video}
    videos = pytest.importorskip("tests.videos")
    frames = 30
    np.savez(folder / "motion.npz", **motion_arrays(frames, **camera_arrays(frames)))
    video = videos.write(
        folder / "in.mp4",
        [n / 30 for n in range(frames)],
        lambda time: videos.picture(time, 640, 360),
    )
    return {
        "TEST_VIDEO": str(video),
        "POSECAST_PYTHON": str(fake_python(folder)),
        "FAKE": "slow",
        "FAKE_MOTION": str(folder / "motion.npz"),
    }


@pytest.fixture(scope="module")
def screen():
    program()
    made = Screen()
    yield made
    made.close()


@pytest.fixture
def play(screen, variables, tmp_path):
    windows = []

    def start(story: str) -> Window:
        windows.append(Window(screen, tmp_path / "window", story, **variables))
        return windows[-1]

    yield start
    for window in windows:
        window.close()


def gone_within(group: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while members(group):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_from_the_idle_panel_to_the_animated_body(play, variables):
    report = play("whole").report(400)
    assert "error" not in report, report["error"]
    assert report["idle"]
    slow = {
        name: ms
        for name, ms in report["slowest_ms"].items()
        if ms >= CALLBACK_MS
        and "loading" not in name
        and name not in ("posecast.estimate", "video chosen")
    }
    assert not slow, "callbacks that hold Blender's main loop up"
    assert report["calls"]["job._tick"] > 20 and report["calls"]["POSECAST_PT_estimate.draw"] > 5
    assert report["bodies"] >= 1 and report["bodies_after_undo"] == 0
    assert report["video_after_undo"]
    assert report["bodies_from_cache"] == report["bodies"] and report["from_cache_is_done"]
    assert report["chosen"] == ["NUMBER", 1]
    assert report["cancel_s"] < GONE_S and report["esc_s"] < GONE_S
    check_messages(report["messages"])


def check_messages(messages: dict) -> None:
    assert messages["done"][0] == "DONE" and messages["done"][1]
    assert messages["earlier"][1].endswith("From an earlier run with the same settings.")
    for name in ("cancel", "esc"):
        assert messages[name] == ["IDLE", "Cancelled; nothing was changed."]
    for name, told in (
        ("empty", "No video is chosen yet"),
        ("vanished", "There is no video"),
        ("no cache", "Results can't be kept in"),
        ("no set-up", "/nowhere/python isn't there"),
    ):
        reported, shown = messages[name]
        assert told in shown and told in reported, "in the panel and in the status bar"
    assert messages["killed"][0] == "FAILED" and "SIGKILL" in messages["killed"][1]


def test_all_settings_at_once(play, variables):
    """Every sub-panel is drawn without an error, and the estimator's list has come."""
    window = play("all_settings")
    report = window.report(120)
    assert "error" not in report, report["error"]
    assert report["methods"] == 2 or "FAKE" not in variables
    assert {name for name in report["calls"] if name.startswith("POSECAST_PT")} >= {
        f"POSECAST_PT_{name}.draw"
        for name in ("person", "part", "method", "refinement", "body", "camera")
    }
    assert report["messages"]["look"][0] == "DONE", report["messages"]
    assert "Traceback" not in window.log()


def test_a_tool_in_use_is_not_disturbed(play):
    report = play("tool_in_use").report(120)
    assert "error" not in report, report["error"]
    assert report["bodies_meanwhile"] == 0 and report["bodies"] >= 1
    assert report["messages"]["done"][0] == "DONE"


@pytest.mark.parametrize("story", ["quits", "left_running"])
def test_nothing_runs_on_without_blender(play, story):
    """Quit by the user, or killed so that it can't see to anything."""
    window = play(story)
    group = window.report(120)["group"]
    if story == "left_running":
        assert members(group)
        window.close()
    window.process.wait(timeout=30)
    assert gone_within(group, GONE_S)


def test_another_file_ends_the_run(play):
    report = play("opens_another_file").report(120)
    assert "error" not in report, report["error"]
    assert not report["still_alive"] and report["idle"]
    assert report["messages"]["opened"] == ["IDLE", ""]


def test_pictures_are_made(play):
    """The folder of the pictures is the one that was named."""
    folder = Path(os.environ.get("POSECAST_PICTURES", ""))
    if not folder.name:
        pytest.skip("POSECAST_PICTURES names no folder")
    assert len(list(folder.glob("*.png"))) >= 9
