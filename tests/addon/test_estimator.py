import json
import os
import shutil
import stat
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from addon import estimator
from addon.estimator import Estimator, EstimatorError, find_python
from tests.addon.bodies import motion_arrays

FAKE = Path(__file__).with_name("fake_estimator.py")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in estimator is a shell script")


def fake_python(folder: Path) -> Path:
    """A program that takes the place of the estimator's Python."""
    real = sys.executable if Path(sys.executable).name.startswith("python") else "python3"
    program = folder / "fake_python"
    program.write_text(f'#!/bin/sh\nexec "{real}" "{FAKE}" "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def gone(pid: int) -> bool:
    """Whether no process of this number runs any more; a dead one may wait for its parent."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"


def wait_for(condition, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def start(tmp_path, monkeypatch):
    def run(how: str, options: dict | None = None) -> Estimator:
        motion = tmp_path / "made.npz"
        np.savez(motion, **motion_arrays(4))
        monkeypatch.setenv("FAKE", how)
        monkeypatch.setenv("FAKE_MOTION", str(motion))
        monkeypatch.setenv("FAKE_PIDS", str(tmp_path / "pids"))
        python = fake_python(tmp_path)
        return Estimator.estimate(
            python, tmp_path / "in.mp4", tmp_path / "out.npz", options or {}, tmp_path
        )

    return run


def test_progress_and_outputs(start, tmp_path):
    job = start("good")
    assert job.outputs() == [tmp_path / "out.npz"]
    assert (tmp_path / "out.npz").is_file()
    assert [record["stage"] for record in job.records] == ["detect", "done"]
    assert job.poll() == []


def test_several_people(start, tmp_path):
    assert start("two people").outputs() == [tmp_path / "out-1.npz", tmp_path / "out-2.npz"]


def test_options_are_passed_on():
    options = {"fov": 60.0, "smooth": None, "contacts": False, "mask": True, "models": ["a", "b"]}
    words = estimator.options_to_arguments(options | {"none": []})
    assert words == ["--fov", "60.0", "--no-contacts", "--mask", "--models", "a", "b"]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("fails", "^No person was found in the video; film one.$"),
        ("crashes", "No module named 'torch'.*quickstart.sh"),
        ("is killed", "SIGKILL"),
    ],
)
def test_a_failure_is_one_sentence(start, how, told):
    with pytest.raises(EstimatorError, match=told) as caught:
        start(how).outputs()
    assert "\n" not in str(caught.value)


def test_cancel_ends_all_that_was_started(start, tmp_path):
    job = start("hangs")
    wait_for(lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text().strip())
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    job.cancel()
    assert not job.running
    wait_for(lambda: all(gone(pid) for pid in pids))


def test_stopping_holds_nobody_up(start, tmp_path):
    """`stop` and `stopped` return at once; who doesn't end when asked is killed."""
    job = start("hangs")
    wait_for(lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text().strip())
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    job.stop()
    assert not job.stopped() and not gone(pids[0]), "it was asked, not yet killed"
    wait_for(job.stopped)
    wait_for(lambda: all(gone(pid) for pid in pids))


def test_the_last_lines_of_a_log(start):
    job = start("good")
    job.outputs()
    job.log.write_text("x" * 20000 + "\n\n" + "\n".join(f"line {n}" for n in range(30)))
    assert job.log_lines(2) == ["line 28", "line 29"]
    job.log.unlink()
    assert job.log_lines(2) == []


def test_a_line_half_written_waits(start):
    job = start("good")
    job.outputs()
    with job.progress_file.open("a") as file:
        file.write('{"stage": "la')
        file.flush()
        assert job.poll() == []
        file.write('te"}\nnot json\n[1]\n' + json.dumps({"stage": "last"}) + "\n")
    assert [record["stage"] for record in job.poll()] == ["late", "last"]


def test_blenders_environment_stays_outside(monkeypatch, tmp_path):
    for name in ("PYTHONHOME", "LD_LIBRARY_PATH", "PYTHONPATH"):
        monkeypatch.setenv(name, "/blender")
    clean = estimator.environment(tmp_path)
    assert not {"PYTHONHOME", "LD_LIBRARY_PATH", "PYTHONPATH"} & clean.keys()
    assert clean["PATH"] == os.environ["PATH"]


def test_a_clone_is_importable(tmp_path):
    (tmp_path / "regressor").mkdir()
    assert estimator.environment(tmp_path)["PYTHONPATH"] == str(tmp_path)


def test_finds_the_python(monkeypatch, tmp_path):
    own = tmp_path / ".venv/bin/python"
    own.parent.mkdir(parents=True)
    shutil.copy("/bin/sh", own)
    other = fake_python(tmp_path)
    monkeypatch.delenv(estimator.PYTHON_VARIABLE, raising=False)
    assert find_python(None, tmp_path) == own
    monkeypatch.setenv(estimator.PYTHON_VARIABLE, str(other))
    assert find_python(None, tmp_path) == other
    assert find_python(own, tmp_path) == own


def test_says_how_to_make_one(monkeypatch, tmp_path):
    monkeypatch.delenv(estimator.PYTHON_VARIABLE, raising=False)
    with pytest.raises(EstimatorError, match="press Set Up"):  # an installed add-on, no clone
        find_python(None, tmp_path)
    (tmp_path / "regressor").mkdir()
    with pytest.raises(EstimatorError, match=r"quickstart.sh.*python3.11 -m venv"):
        find_python(None, tmp_path)
    with pytest.raises(EstimatorError, match=r"--python names.*quickstart.sh"):
        find_python("/nowhere/python", tmp_path)
    monkeypatch.setenv(estimator.PYTHON_VARIABLE, "/nowhere/python")
    with pytest.raises(EstimatorError, match="POSECAST_PYTHON names"):
        find_python(None, tmp_path)


def test_a_python_without_the_estimator(tmp_path):
    (tmp_path / "installed").mkdir()
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho \"$0: No module named 'regressor'\" >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(EstimatorError, match="has no estimator of Posecast's; open Edit") as caught:
        Estimator(python, "regressor.estimate", [], tmp_path, tmp_path / "installed").outputs()
    assert "quickstart" not in str(caught.value)


def test_a_python_that_does_not_start(tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/nowhere/interpreter\n")
    broken.chmod(0o755)
    with pytest.raises(EstimatorError, match="doesn't start"):
        Estimator(broken, "regressor.estimate", [], tmp_path)
