"""Results kept by video and settings, and the estimator's list of methods."""

import json
import os

import pytest

from addon import cache
from addon.estimator import EstimatorError
from addon.methods import FIRST, Methods
from tests.addon.test_estimator import fake_python, wait_for


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "in.mp4"
    path.write_bytes(b"a film")
    return path


def kept(root, name: str, size: int = 10) -> list:
    folder = cache.begin(root, name)
    (folder / "motion.npz").write_bytes(bytes(size))
    return cache.keep(folder, [folder / "motion.npz"], "All seen.")


def test_a_run_is_found_again(tmp_path):
    files = kept(tmp_path, "name")
    assert files[0].is_file()
    assert cache.find(tmp_path, "name") == (files, "All seen.")
    assert cache.find(tmp_path, "other") is None
    files[0].unlink()
    assert cache.find(tmp_path, "name") is None, "a run without its files is none"


def test_an_unfinished_run_is_not_found(tmp_path):
    folder = cache.begin(tmp_path, "name")
    (folder / "motion.npz").write_bytes(b"half")
    assert cache.find(tmp_path, "name") is None
    cache.drop(folder)
    assert not folder.exists()


def test_a_key_tells_videos_and_settings_apart(video, tmp_path):
    weights = tmp_path / "weights"
    weights.write_bytes(b"1")
    key = cache.key(video, {"smooth": 0.1}, [weights])
    assert key == cache.key(video, {"smooth": 0.1}, [weights])
    assert key != cache.key(video, {"smooth": 0.2}, [weights])
    weights.write_bytes(b"22")
    changed = cache.key(video, {"smooth": 0.1}, [weights])
    assert key != changed
    video.write_bytes(b"another film")
    assert changed != cache.key(video, {"smooth": 0.1}, [weights])
    with pytest.raises(EstimatorError, match=r"gone\.npz can't be read"):
        cache.key(video, {}, [tmp_path / "gone.npz"])


def test_the_longest_unused_go_first(tmp_path):
    names = ["old", "used", "new"]
    for age, name in enumerate(reversed(names)):
        file = kept(tmp_path, name, 600_000)[0]
        os.utime(file.with_name(cache.RESULT), (1000 - age, 1000 - age))
    cache.find(tmp_path, "old")  # used now
    cache.prune(tmp_path, 1.3)
    assert [name for name in names if cache.find(tmp_path, name)] == ["old", "new"]
    spare = tmp_path / "runs" / "new"
    cache.prune(tmp_path, 0, spare)
    assert [name for name in names if cache.find(tmp_path, name)] == ["new"]


def test_what_was_abandoned_goes(tmp_path):
    folder = cache.begin(tmp_path, "name")
    cache.prune(tmp_path, 100)
    assert folder.exists(), "it may be at work still"
    os.utime(folder, (0, 0))
    cache.prune(tmp_path, 100)
    assert not folder.exists()


def test_a_place_where_nothing_can_be_kept(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(EstimatorError, match=r"can't be kept in .*file \(.*\); make room"):
        cache.begin(tmp_path / "file", "name")


@pytest.fixture
def python(tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE", "good")
    (tmp_path / "bin").mkdir()
    return fake_python(tmp_path / "bin")


def test_the_list_of_methods_is_asked_for_once(tmp_path, python):
    methods = Methods(tmp_path / "user")
    assert methods.names("methods") == FIRST["methods"]
    assert methods.query(python)
    wait_for(lambda: not methods.poll())
    assert [item["name"] for item in methods.names("methods")] == ["ktpformer", "plain"]
    assert methods.label("plain") != "plain" and methods.label("gone") == "gone"
    assert not methods.query(python)
    again = Methods(tmp_path / "user")
    assert again.names("methods") == methods.names("methods") and not again.query(python)
    assert again.advice("ktpformer") and again.advice("plain") == ""
    assert again.query(python, "own.safetensors"), "weights of one's own may bring methods"
    wait_for(lambda: not again.poll())
    assert again.advice("ktpformer") == "", "it is on the weights that come with Posecast"
    again.stop()


@pytest.mark.parametrize(
    "text", ["no list", "[]", '{"methods": []}', '{"methods": [], "refinements": []}']
)
def test_an_answer_that_is_no_list_changes_nothing(tmp_path, python, text):
    python.write_text(f"#!/bin/sh\necho '{text}'\n")
    methods = Methods(tmp_path / "user")
    assert methods.query(python)
    wait_for(lambda: not methods.poll())
    assert methods.names("methods") == FIRST["methods"]
    assert not methods.query(python), "it isn't asked over and over"
    (tmp_path / "user" / "methods.json").write_text(json.dumps({"key": 1, "listed": 2}))
    assert Methods(tmp_path / "user").names("methods") == FIRST["methods"]
