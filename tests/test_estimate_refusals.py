"""Bad input, full disks and interruptions: one sentence, an exit status, nothing half-written."""

import math
import os
import pickle
import resource
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from regressor import checkpoints, estimate, lifters
from regressor.errors import PosecastError
from regressor.lifting import load_lifter
from tests import estimator, hostile, videos


def check_refusal(done, sentence, status=1):
    """`done` ended with one sentence, on standard error and in the last JSON line, and no file."""
    assert done.status == status, done.err
    assert "Traceback" not in done.err
    assert sentence in done.err and done.err.endswith(".\n") and done.err.count("\n") == 1
    assert done.lines[-1]["stage"] == "error" and done.lines[-1]["message"] == done.err.strip()
    assert not [path for path in done.outputs if path.is_file()]


@pytest.fixture
def film(tmp_path):
    return estimator.film(tmp_path / "film.mp4", estimator.standing(4))


def empty(path):
    path.touch()


def text(path):
    path.write_text("I am a text.\n" * 50)


def cut_within_its_index(path):
    path.write_bytes(estimator.DEMO.read_bytes()[:400])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (empty, "film.mp4 is an empty file"),
        (text, "film.mp4 can't be read as a video"),
        (videos.write_sound, "film.mp4 holds no pictures, only sound"),
        (cut_within_its_index, "cut off"),
        (lambda path: None, "doesn't exist"),
        (Path.mkdir, "is a folder"),
    ],
)
def test_what_is_no_film(tmp_path, make, sentence):
    make(tmp_path / "film.mp4")
    done = estimator.run(tmp_path / "at", tmp_path / "film.mp4", "--output", "new/motion.npz")
    check_refusal(done, sentence)
    assert done.outputs == []  # not even a folder


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--output", "motion.bvh"], "motion.bvh can't be the output: a Motion file ends in .npz"),
        (["--output", "/dev/null/motion.npz"], "motion.npz can't be written (Not a directory)"),
        (["--output", "/proc/motion.npz"], "motion.npz can't be written"),
        (["--output", 300 * "long" + ".npz"], ".npz can't be written (File name too long)"),
        (["--fov", "0"], "A field of view of 0 degrees is none"),
        (["--fov", "1000"], "A field of view of 1000 degrees is none"),
        (["--smooth", "-1"], "--smooth -1 can't be used"),
        (["--fps", "0"], "--fps 0 can't be used"),
        (["--end", "nan"], "--end nan can't be used"),
    ],
)
def test_words_that_no_film_can_follow(tmp_path, words, sentence):
    check_refusal(estimator.run(tmp_path / "at", estimator.DEMO, *words), sentence)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"smooth": 1e9}, "--smooth 1e\\+09 can't be used: give a number from 0 to 60"),
        ({"person_at": (math.nan, 500, 800)}, "--person-at nan 500 800 can't be used: give three"),
    ],
)
def test_numbers_are_looked_at_before_the_film(tmp_path, option, sentence):
    with pytest.raises(PosecastError, match=sentence):
        estimate.check(estimate.Options(tmp_path / "film.mp4", **option))


def test_a_folder_is_no_output(tmp_path):
    (tmp_path / "motion.npz").mkdir()
    done = estimator.run(tmp_path / "at", estimator.DEMO, "--output", tmp_path / "motion.npz")
    check_refusal(done, "motion.npz can't be the output: it is a folder")
    assert list((tmp_path / "motion.npz").iterdir()) == []


@pytest.mark.parametrize("words", [[], ["a.mp4", "--fps", "many"], ["a.mp4", "--method", "magic"]])
def test_wrong_usage_has_a_status_of_its_own(tmp_path, words):
    done = estimator.finish(estimator.start(tmp_path, *words), tmp_path)
    assert done.status == 2 and done.outputs == []
    assert "Traceback" not in done.out + done.err and "--help" in done.out + done.err


def test_a_traceback_only_with_debug(tmp_path):
    done = estimator.run(tmp_path / "at", "no.mp4", "--debug")
    assert done.status == 1 and "Traceback" in done.err and "VideoError" in done.err
    assert done.lines[-1]["stage"] == "error"


def test_a_progress_file_that_can_not_be_written(tmp_path):
    words = ["no.mp4", "--progress", "json", "--progress-file"]
    gone = estimator.finish(
        estimator.start(tmp_path / "a", *words, "no/such.jsonl"), tmp_path / "a"
    )
    assert gone.status == 1 and gone.err.count("\n") == 1
    assert "The progress file no/such.jsonl can't be written" in gone.err
    full = estimator.finish(estimator.start(tmp_path / "b", *words, "/dev/full"), tmp_path / "b")
    assert full.status == 1 and full.err.count("\n") == 1
    assert full.err.startswith("no.mp4 doesn't exist")  # the first error, not the second


@pytest.mark.parametrize(("option", "name"), [("--body", "SMPL.pkl"), ("--weights", "net.pt")])
def test_a_hostile_pickle_is_refused_and_not_run(tmp_path, option, name):
    content = {"v_template": hostile.gadgets(tmp_path / "marker")["os.system"]}
    (tmp_path / "SMPL.pkl").write_bytes(pickle.dumps(content))
    torch.save(content, tmp_path / "net.pt")
    done = estimator.run(tmp_path / "at", estimator.DEMO, option, tmp_path / name)
    check_refusal(done, f"{name} was not opened because it wants to use")
    assert not (tmp_path / "marker").exists()


def test_a_checkpoint_for_another_network(tmp_path):
    torch.save({"state_dict": {"layer.weight": torch.zeros(2, 2)}}, tmp_path / "other.pt")
    done = estimator.run(tmp_path / "at", estimator.DEMO, "--weights", tmp_path / "other.pt")
    check_refusal(done, "other.pt is for another network than ktpformer")


def test_weights_that_do_not_say_what_they_were_trained_on(tmp_path):
    small = {"frames": 9, "dim": 16, "depth": 1, "heads": 2}
    file, network = tmp_path / "bare.safetensors", lifters.create("ktpformer", **small)
    checkpoints.save(network, file, name="ktpformer", options=small, card={})
    with pytest.raises(PosecastError, match=r"bare\.safetensors doesn't say what keypoints"):
        load_lifter("ktpformer", file)


@pytest.mark.parametrize(
    ("joints", "card", "words"),
    [
        (17, {"skeleton": "mpi_inf_3dhp17"}, "another skeleton \\(mpi_inf_3dhp17\\)"),
        (17, {"skeleton": "h36m17", "keypoint_skeleton": "coco17"}, "another skeleton \\(coco17"),
        (15, {"skeleton": "humaneva15"}, "another skeleton \\(15 joints and humaneva15"),
    ],
)
def test_weights_for_joints_that_a_video_does_not_tell(tmp_path, joints, card, words):
    """17 joints in another order would go through, and give a heap of limbs."""
    file, options = tmp_path / "a.safetensors", {"frames": 9, "dim": 16, "joints": joints}
    network = lifters.create("videopose3d", **options)
    card = {"coordinates": "screen", "fps": 25.0, **card}
    checkpoints.save(network, file, name="videopose3d", options=options, card=card)
    with pytest.raises(PosecastError, match=words):
        load_lifter("videopose3d", file, "cpu")
    assert load_lifter("videopose3d", file, "cpu", any_skeleton=True)[1].fps == 25


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    (tmp_path / "kept").mkdir(mode=0o500)
    output = tmp_path / "kept" / "motion.npz"
    done = estimator.run(tmp_path / "at", estimator.DEMO, "--output", output)
    check_refusal(done, "motion.npz can't be written (Permission denied)")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(
            ["--device", "cuda"],
            "There is no device 'cuda' here: use --device cpu",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here"),
        ),
        (["--person", "7"], "There is no person 7: 1 person was found"),
        (["--start", "9"], "film.mp4 has nothing to show at 9 s"),
        (["--start", "0.1", "--end", "0.05"], "The end (0.05 s) must lie after the start"),
    ],
)
def test_what_is_not_there(tmp_path, film, words, sentence):
    check_refusal(estimator.run(tmp_path / "at", film, *words), sentence)


def test_nobody_is_there(tmp_path):
    film = estimator.film(tmp_path / "room.mp4", [estimator.empty_scene()] * 4)
    done = estimator.run(tmp_path / "at", film)
    check_refusal(done, "No person was found in the 4 frames of room.mp4")


def test_a_full_disk(tmp_path, film):
    older = tmp_path / "at" / "motion.npz"
    older.parent.mkdir()
    older.write_text("older")
    # As on a full disk, the system refuses to write: here whatever is longer than 4 kB.
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (4096, 4096))
    done = estimator.run(older.parent, film, preexec_fn=limit)
    assert done.outputs == [older] and older.read_text() == "older"
    older.unlink()
    done.outputs.clear()
    check_refusal(done, "motion.npz can't be written (File too large)")


def at_stage(process, stage):
    """Reads the process's JSON lines until it is in the midst of `stage`."""
    read = []
    for line in process.stdout:
        read.append(line)
        if f'"stage": "{stage}"' in line and '"done": 0' not in line:
            return "".join(read)
    raise AssertionError("".join(read) + process.stderr.read())


@pytest.mark.parametrize("stage", ["detect", "fit"])
def test_control_c(tmp_path, film, stage):
    source = estimator.DEMO if stage == "detect" else film
    process = estimator.start(tmp_path / "at", source, "--progress", "json")
    at_stage(process, stage)
    process.send_signal(signal.SIGINT)
    done = estimator.finish(process, tmp_path / "at")
    check_refusal(done, "Stopped; nothing was written.", status=130)


def test_terminated(tmp_path):
    older = tmp_path / "at" / "motion.npz"
    older.parent.mkdir()
    older.write_text("older")
    process = estimator.start(tmp_path / "at", estimator.DEMO, "--progress", "json")
    at_stage(process, "detect")
    process.send_signal(signal.SIGTERM)
    done = estimator.finish(process, tmp_path / "at")
    assert done.outputs == [older] and older.read_text() == "older"
    older.unlink()
    done.outputs.clear()
    check_refusal(done, "Stopped; nothing was written.", status=143)


def test_killed(tmp_path):
    older = tmp_path / "motion.npz"
    older.write_text("older")
    process = estimator.start(tmp_path, estimator.DEMO, "--progress", "json")
    at_stage(process, "detect")
    process.kill()
    done = estimator.finish(process, tmp_path)
    assert done.status == -signal.SIGKILL and done.err == ""
    assert done.outputs == [older] and older.read_text() == "older"


def test_the_reader_of_the_progress_goes_away(tmp_path, film):
    process = estimator.start(tmp_path / "at", film, "--progress", "json")
    at_stage(process, "detect")
    process.stdout.close()
    error = process.stderr.read()
    assert process.wait(timeout=300) == 1
    assert "Traceback" not in error and error.count("\n") == 1
    assert error.startswith("The progress can't be written any more (Broken pipe)")
    assert list((tmp_path / "at").iterdir()) == []


def test_what_is_read_is_never_overwritten(tmp_path):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"a film")
    for options in (["--progress-file", "film.mp4"], ["--output", "film.mp4"]):
        result = subprocess.run(
            [sys.executable, "-m", "regressor.estimate", str(film), "--progress", "json", *options],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])},
            capture_output=True,
            text=True,
        )
        assert result.returncode == 1
        assert "would be overwritten" in result.stderr
        assert film.read_bytes() == b"a film"
