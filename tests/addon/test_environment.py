"""Set-up: the estimator's Python is found, made, checked; whatever fails is one sentence."""

import json
import os
import stat
import sys
import time
from pathlib import Path

import pytest

from addon import environment, installation, setup_plan
from addon.estimator import EstimatorError
from addon.setup_plan import Plan
from tests.addon.test_estimator import gone, wait_for

FAKE = Path(__file__).with_name("fake_base_python.py")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in Python is a shell script")


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A Plan whose Python is the stand-in."""
    real = sys.executable if Path(sys.executable).name.startswith("python") else "python3"
    base = program(tmp_path / "base", f'#!/bin/sh\nexec "{real}" "{FAKE}" "$@"\n')
    wheel = tmp_path / "posecast-0.1.0-py3-none-any.whl"
    wheel.touch()
    for name, value in (("", "good"), ("_PROGRAM", base), ("_CALLS", tmp_path / "calls")):
        monkeypatch.setenv(f"FAKE{name}", str(value))
    monkeypatch.setenv("FAKE_PIDS", str(tmp_path / "pids"))
    for name in ("POSECAST_PYTHON", setup_plan.INDEX_VARIABLE, setup_plan.BASE_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(setup_plan, "CPU_SPACE", 0)
    monkeypatch.setattr(setup_plan, "NVIDIA_SPACE", 0)
    return Plan(tmp_path / "user", wheel, tmp_path / "constraints.txt", "0.1.0", base=str(base))


def run(plan: Plan, seen: list | None = None) -> installation.Work:
    work = installation.install(plan)
    while work.poll():
        if seen is not None:
            seen.append((work.stage, work.detail, work.fraction))
        time.sleep(0.01)
    return work


def calls(plan: Plan) -> list[list[str]]:
    return [json.loads(line) for line in (plan.folder.parent / "calls").read_text().splitlines()]


def sentence(text: str) -> bool:
    return text.endswith(".") and "\n" not in text


# Finding


def test_the_order_in_which_a_python_is_found(tmp_path, monkeypatch):
    monkeypatch.delenv("POSECAST_PYTHON", raising=False)
    monkeypatch.setattr("addon.estimator.repository_root", lambda: tmp_path / "clone")
    with pytest.raises(EstimatorError, match=r"isn't set up yet.*press Set Up"):
        environment.find_python("", tmp_path)
    venv = program(tmp_path / "clone/.venv/bin/python", "")
    assert environment.find_python("", tmp_path) == venv
    made = tmp_path / environment.FOLDER
    program(environment.python_in(made), "")
    assert environment.find_python("", tmp_path) == venv  # it is only half-made
    environment.write_mark(made, source="", version="0.1.0")
    assert environment.find_python("", tmp_path) == environment.python_in(made)
    named, given = program(tmp_path / "named", ""), program(tmp_path / "given", "")
    monkeypatch.setenv("POSECAST_PYTHON", str(named))
    assert environment.find_python("", tmp_path) == named
    assert environment.find_python(str(given), tmp_path) == given


def test_a_python_that_is_gone_is_told(tmp_path, monkeypatch):
    with pytest.raises(EstimatorError, match="gone isn't there; open Edit > Preferences"):
        environment.find_python(str(tmp_path / "gone"), tmp_path)
    made = tmp_path / environment.FOLDER
    program(environment.python_in(made), "")
    environment.write_mark(made, version="0.1.0")
    environment.python_in(made).unlink()  # as when the Blender that it links to is removed
    assert environment.read_mark(made) is None


# Making


def test_an_environment_is_made_and_checked(fake):
    seen = []
    work = run(fake, seen)
    assert not work.error and work.found["ok"] and work.fraction == 1.0
    assert environment.read_mark(fake.folder / environment.FOLDER)["version"] == "0.1.0"
    modules = [call[0] for call in calls(fake)]
    assert modules[:2] == ["sysconfig", "venv"] and modules[-1] == "regressor.check"
    for call in calls(fake):
        if call[0] == "pip" and "--force-reinstall" not in call:
            assert call[call.index("--constraint") + 1] == str(fake.constraints)
    fractions = [fraction for _, _, fraction in seen]
    assert fractions == sorted(fractions)
    log = work.log.read_text()
    assert "--- Installing the estimator" in log and "Collecting torch" in log


def test_where_pytorch_comes_from(fake, monkeypatch):
    fake.torch = "CPU"
    monkeypatch.setattr(sys, "platform", "linux")
    run(fake)
    pip = [call for call in calls(fake) if call[0] == "pip"]
    assert pip[0][-3:] == ["--index-url", setup_plan.CPU_INDEX, "torch"]
    assert pip[1][-1] == str(fake.source)
    assert setup_plan.torch_index("NVIDIA") is None
    monkeypatch.setattr(setup_plan, "has_nvidia", lambda: False)
    assert setup_plan.torch_index("AUTO") == setup_plan.CPU_INDEX
    monkeypatch.setattr(setup_plan, "has_nvidia", lambda: True)
    assert setup_plan.torch_index("AUTO") is None
    monkeypatch.setenv(setup_plan.INDEX_VARIABLE, "https://example.com/torch")
    assert setup_plan.torch_index("CPU") == "https://example.com/torch"


def test_another_try_goes_on_with_what_is_there(fake, monkeypatch):
    monkeypatch.setenv("FAKE", "pip says ERROR: it broke")
    run(fake)
    target = fake.folder / environment.FOLDER
    assert environment.read_mark(target) is None
    monkeypatch.setenv("FAKE", "good")
    run(fake)
    first, second = (call for call in calls(fake) if call[0] == "venv")
    assert "--clear" in first and "--clear" not in second
    assert environment.read_mark(target)


def test_a_failed_update_leaves_no_mark(fake, monkeypatch):
    run(fake)
    monkeypatch.setenv("FAKE", "pip says ERROR: it broke")
    run(fake)
    assert environment.read_mark(fake.folder / environment.FOLDER) is None


def test_cancel_ends_all_that_was_started(fake, monkeypatch):
    monkeypatch.setenv("FAKE", "hangs")
    work, pids = installation.install(fake), fake.folder.parent / "pids"
    wait_for(lambda: work.poll() and pids.exists() and pids.read_text().strip())
    wait_for(lambda: work.poll() and work.detail.startswith("Downloading torch (180.4 MB)"))
    work.stop()
    wait_for(lambda: not work.poll())
    wait_for(lambda: all(gone(int(pid)) for pid in pids.read_text().split()))
    assert environment.read_mark(fake.folder / environment.FOLDER) is None
    assert "Downloading" in work.lines(9)[-1]


def test_end_waits_until_nothing_runs(fake, monkeypatch):
    monkeypatch.setenv("FAKE", "hangs")
    work, pids = installation.install(fake), fake.folder.parent / "pids"
    wait_for(lambda: work.poll() and pids.exists() and pids.read_text().strip())
    work.end()
    wait_for(lambda: all(gone(int(pid)) for pid in pids.read_text().split()))


# Failing


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("no venv", "can't make environments"),
        ("pip says ERROR: [Errno 28] No space left on device", "disk is full; make room"),
        ("pip says WARNING: NewConnectionError(x)\nERROR: No matching", "network is there"),
        ("pip says SSLError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "certificate isn't trusted"),
        ("pip says ERROR: No matching distribution found for torch==2.13.0", "package torch==2"),
        ("pip says ERROR: [Errno 13] Permission denied: '/x'", "can't be written"),
        ("pip says ERROR: Something else.\nmore", "failed: Something else; the log"),
        ("no check", "No module named 'tyro'"),
    ],
)
def test_a_failure_is_one_sentence(fake, monkeypatch, how, told):
    monkeypatch.setenv("FAKE", how)
    work = run(fake)
    assert told in work.error and sentence(work.error)
    assert environment.read_mark(fake.folder / environment.FOLDER) is None


def test_another_python_is_told(fake, monkeypatch):
    monkeypatch.setenv("FAKE_VERSION", "3.13")
    assert "is Python 3.13; name a Python 3.11 or 3.12" in run(fake).error
    fake.base = str(fake.folder / "none")
    assert "doesn't run" in run(fake).error


def test_no_python_at_all_is_told(fake, monkeypatch):
    fake.base = ""
    monkeypatch.setattr(installation, "candidates", lambda given: [])
    work = run(fake)
    assert "found none; install it from python.org" in work.error and sentence(work.error)


def test_too_little_room_is_told_before_anything_is_begun(fake, monkeypatch):
    monkeypatch.setattr(setup_plan, "CPU_SPACE", 1e18)
    monkeypatch.setattr(setup_plan, "NVIDIA_SPACE", 1e18)
    work = run(fake)
    assert "GB free" in work.error and sentence(work.error)
    assert not fake.folder.exists()


def test_a_folder_without_posecast_is_told(fake, tmp_path):
    fake.source = tmp_path
    assert "doesn't hold Posecast" in run(fake).error
    (tmp_path / "pyproject.toml").touch()
    assert not run(fake).error


def test_a_user_folder_that_cannot_be_made_is_told(fake):
    fake.folder.parent.joinpath("file").touch()
    fake.folder = fake.folder.parent / "file/user"
    assert sentence(run(fake).error)


# Checking


def test_what_is_missing_is_found(fake, monkeypatch, tmp_path):
    monkeypatch.setenv("FAKE", "missing")
    work = installation.check(Path(fake.base), tmp_path / "log")
    wait_for(lambda: not work.poll())
    assert not work.error and not work.found["ok"]
    assert work.found["findings"][0]["state"] == "missing"
