"""The check says in words what is there and what is missing."""

import importlib
import json
import subprocess
import sys

import pytest

from regressor import check
from regressor.errors import PosecastError
from tests.estimator import ROOT


def texts(found: dict, state: str) -> list[str]:
    return [finding["text"] for finding in found["findings"] if finding["state"] == state]


def test_the_command_tells_json_and_its_exit_status():
    command = [sys.executable, "-m", "regressor.check", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["ok"], done.stderr
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["packages"]["torch"] and found["device"] in ("cpu", "cuda")
    assert len(texts(found, "ok")) == 4 and not texts(found, "missing")


def test_a_package_that_is_missing_is_named(monkeypatch):
    real = check.version
    monkeypatch.setattr(check, "version", lambda name: None if name == "av" else real(name))
    found = check.check()
    assert not found["ok"] and found["device"] is None
    assert texts(found, "missing") == ["av isn't installed; set up again."]


def test_a_package_that_does_not_load_says_why(monkeypatch):
    def load(name):
        if name == "mediapipe":
            raise ImportError("libGL.so.1: cannot open shared object file\n")

    monkeypatch.setattr(importlib, "import_module", load)
    assert texts(check.check(), "missing") == [
        "mediapipe doesn't load: libGL.so.1: cannot open shared object file."
    ]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PosecastError("The body is damaged; install again."), "The body is damaged"),
        (RuntimeError("CUDA error:\n no kernel image."), "CUDA error: no kernel image."),
    ],
)
def test_what_does_not_work_is_one_sentence(monkeypatch, error, told):
    def fail():
        raise error

    monkeypatch.setattr(check, "read_body", fail)
    found = check.check()
    (text,) = texts(found, "missing")
    assert not found["ok"] and told in text and "\n" not in text


def test_optional_packages_are_only_noted(monkeypatch):
    real = check.version
    monkeypatch.setattr(check, "version", lambda name: None if name == "rtmlib" else real(name))
    found = check.check()
    assert found["ok"]
    assert any(text.startswith("rtmlib isn't installed") for text in texts(found, "note"))
