"""`evaluate 3dpw` from a folder to its files, on a tiny set of the default body."""

import csv
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from regressor import checkpoints, images
from regressor.data.threedpw import load_split
from regressor.errors import PosecastError
from regressor.evaluation.bodies import Bodies
from regressor.evaluation.options import ThreeDpwEvaluation
from regressor.evaluation.run import evaluate
from regressor.motion import Motion
from regressor.progress import Progress
from regressor.smpl import load_body
from regressor.smpl.body import DEFAULT_BODY
from tests.data import threedpw_files

ROOT = Path(__file__).parents[2]
IMAGE_SIZE = np.array([threedpw_files.WIDTH, threedpw_files.HEIGHT])


@pytest.fixture
def root(tmp_path):
    threedpw_files.write(tmp_path / "set", "walk_00", threedpw_files.sequence(4))
    threedpw_files.write(tmp_path / "set", "alone_01", threedpw_files.sequence(3, "f", 1))
    return tmp_path / "set"


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """An untrained network."""
    options = {"depth": 18, "hidden": 16}
    file = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    card = {"crops": "dsr", "body": "default"}
    network = images.create("hmr", **options)
    checkpoints.save(network, file, name="dsr", options=options, card=card)
    return file


def true_motion(person, frames=slice(None), **changes):
    """The person's truth as an estimate of it."""
    numbers = np.arange(len(person))[frames]
    content = {
        "poses": person.poses[frames],
        "trans": person.trans[frames],
        "betas": person.betas,
        "mocap_framerate": 30.0,
        "frames": numbers,
        "times": numbers / 30,
        "image_size": IMAGE_SIZE,
        "camera_intrinsics": person.intrinsics,
        "camera_extrinsics": person.extrinsics[frames],
    }
    return Motion(**{**content, **changes})


def motions(root, folder):
    """Everybody's truth as Motion files, named by a number of their own."""
    for number, person in enumerate(load_split(root)):
        true_motion(person).save(folder / f"{person.sequence}_{9 - number}.npz")
    return folder


def run(root, output, **changes):
    """The message, and what scores.json holds."""
    settings = {"default_body": True, "output": output, "worst": 0, "plot": False, **changes}
    message, paths = evaluate(ThreeDpwEvaluation(root=root, **settings), Progress("none"))
    assert all(path.is_file() for path in paths)
    return message, json.loads((output / "scores.json").read_text())


def test_the_truth_has_no_error(root, tmp_path):
    message, found = run(root, tmp_path / "out", motions=motions(root, tmp_path / "motions"))
    overall = found["overall"]
    assert (overall["frames"], overall["of"], overall["coverage"]) == (11, 11, 1.0)
    assert overall["challenge_pck50_percent"] == 100
    assert overall["challenge_auc"] == pytest.approx(1, abs=0.003)
    zero = [v for k, v in overall.items() if k.endswith(("_mm", "_deg", "frame2"))]
    assert len(zero) == 10 and max(zero) < 0.02
    assert found["protocol"]["truth_joints_from_jointPositions_mm"] < 0.01
    assert "MPJPE" in message and "are these the bodies" not in message


def test_a_known_error_is_found(root, tmp_path):
    """The camera looks the same way; the body is turned by 0.1 rad about its view axis."""
    for person in load_split(root):
        extrinsics = person.extrinsics.copy()
        tilt = np.array([[np.cos(0.1), -np.sin(0.1), 0], [np.sin(0.1), np.cos(0.1), 0], [0, 0, 1]])
        extrinsics[:, :3] = tilt @ extrinsics[:, :3]
        motion = true_motion(person, camera_extrinsics=extrinsics)
        motion.save(tmp_path / "motions" / f"{person.sequence}_{person.number}.npz")
    _, found = run(root, tmp_path / "out", motions=tmp_path / "motions")
    overall = found["overall"]
    assert overall["challenge_mpjae_deg"] == pytest.approx(np.degrees(0.1), abs=0.01)
    assert overall["challenge_mpjae_pa_deg"] < 0.05 and overall["pa_mpjpe_mm"] < 0.02
    assert overall["mpjpe_mm"] > 10 and overall["pve_root_mm"] > 10


def test_people_side_by_side_are_told_apart_and_gaps_lower_the_coverage(root, tmp_path):
    one, other = load_split(root)[1:]
    true_motion(one, slice(0, 2)).save(tmp_path / "m" / "walk_00-b.npz")
    true_motion(one, slice(3, 4)).save(tmp_path / "m" / "walk_00-c.npz")
    true_motion(other, video="walk_00.mp4").save(tmp_path / "m" / "a.npz")
    true_motion(other).save(tmp_path / "m" / "nobody.npz")
    away = true_motion(one, trans=one.trans + [9, 0, 0])
    away.save(tmp_path / "m" / "walk_00-passer-by.npz")
    message, found = run(root, tmp_path / "out", motions=tmp_path / "m")
    walk = found["sequences"]["walk_00"]
    assert (walk["frames"], walk["of"]) == (7, 8) and walk["mpjpe_mm"] < 0.02
    assert found["sequences"]["alone_01"]["coverage"] == 0
    assert found["sequences"]["alone_01"]["mpjpe_mm"] is None
    assert found["overall"]["coverage"] == round(7 / 11, 4)
    assert "2 motions show nobody" in message


def test_a_network_is_scored_with_all_files(root, tmp_path, weights):
    output = tmp_path / "out"
    _, found = run(root, output, checkpoint=weights, worst=2, plot=True)
    assert found["overall"]["coverage"] == 1 and found["overall"]["mpjpe_mm"] > 50
    rows = list(csv.DictReader((output / "scores.csv").open()))
    assert [row["sequence"] for row in rows] == ["all", "alone_01", "walk_00"]
    assert float(rows[0]["mpjpe_mm"]) == pytest.approx(found["overall"]["mpjpe_mm"])
    frames = list(csv.DictReader((output / "frames.csv").open()))
    errors = [float(row["mpjpe_mm"]) for row in frames]
    assert np.mean(errors) == pytest.approx(found["overall"]["mpjpe_mm"], abs=0.01)
    assert (output / "errors.png").stat().st_size > 5000
    worst = max(frames, key=lambda row: float(row["mpjpe_mm"]))
    drawn = sorted(file.name for file in (output / "worst").iterdir())
    assert len(drawn) == 2
    assert drawn[0] == "01_{sequence}_{person}_{frame:0>5}.png".format(**worst)


def test_pictures_that_cant_be_read_lower_the_coverage(root, tmp_path, weights, caplog):
    (root / "imageFiles" / "alone_01" / "image_00001.jpg").write_bytes(b"broken")
    (root / "imageFiles" / "walk_00" / "image_00003.jpg").unlink()
    with caplog.at_level(logging.WARNING):
        message, found = run(root, tmp_path / "out", checkpoint=weights)
    assert (found["overall"]["frames"], found["overall"]["of"]) == (8, 11)
    assert "3 pictures can't be read" in message and len(caplog.records) == 1


def test_gendered_truth_is_of_the_users_files(tmp_path):
    """Three bodies of different heights; the set was made with the man's and the woman's."""
    folder, bodies = tmp_path / "smpl", {}
    folder.mkdir()
    with np.load(DEFAULT_BODY) as stored:
        arrays = dict(stored)
    for gender, size in {"neutral": 1.0, "male": 1.1, "female": 0.9}.items():
        changed = {**arrays, "v_template": (size * arrays["v_template"]).astype(np.float32)}
        np.savez(folder / f"SMPL_{gender.upper()}.npz", **changed)
        bodies[gender[0]] = load_body(folder / f"SMPL_{gender.upper()}.npz")
    np.save(folder / "J_regressor_h36m.npy", arrays["J_regressor_h36m"])
    root = tmp_path / "set"
    threedpw_files.write(root, "walk_00", threedpw_files.sequence(3, bodies=bodies))
    folder_of_motions = tmp_path / "m"
    for person in load_split(root):
        motion = true_motion(person, body="SMPL_NEUTRAL.npz", gender=person.gender)
        motion.save(folder_of_motions / f"walk_00_{person.number}.npz")
    settings = {"default_body": False, "smpl": folder, "motions": folder_of_motions}
    message, found = run(root, tmp_path / "out", **settings)
    assert found["protocol"]["truth"] == "gendered" and "gendered truth" in message
    assert found["protocol"]["truth_joints_from_jointPositions_mm"] < 0.01
    assert found["overall"]["pve_root_mm"] < 0.02
    message, found = run(root, tmp_path / "out", truth="neutral", **settings)
    assert found["protocol"]["truth"] == "neutral" and "neutral truth" in message
    assert found["overall"]["pve_root_mm"] > 30


def test_bodies_that_arent_the_sets_are_noticed(root, tmp_path):
    for file in (root / "sequenceFiles" / "test").iterdir():
        content = threedpw_files.sequence(4 if file.stem == "walk_00" else 3)
        content["jointPositions"] = [1.1 * joints for joints in content["jointPositions"]]
        threedpw_files.write(root, file.stem, content)
    message, found = run(root, tmp_path / "out", motions=motions(root, tmp_path / "m"))
    assert found["protocol"]["truth_joints_from_jointPositions_mm"] > 10
    assert "are these the bodies" in message


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"default_body": False}, "name the folder of your SMPL files by --smpl"),
        ({"split": "train"}, "has no train split"),
        ({"motions": Path("none")}, "no folder none"),
        ({"motions": Path("none"), "checkpoint": Path("a.pt")}, "not both"),
        ({"checkpoint": Path("none.safetensors")}, "can't be read"),
        ({"workers": -1}, "--workers and --worst can't be below 0"),
    ],
)
def test_what_is_missing_is_one_sentence(root, tmp_path, changes, sentence):
    with pytest.raises(PosecastError, match=sentence) as raised:
        run(root, tmp_path / "out", **changes)
    assert "\n" not in str(raised.value) and not (tmp_path / "out").exists()


def test_an_output_that_can_t_be_is_told_before_the_work(root, tmp_path, monkeypatch):
    monkeypatch.setattr("regressor.evaluation.run.load_split", lambda *a, **k: pytest.fail("began"))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PosecastError, match="can't be written"):
        run(root, tmp_path / "file" / "out")


def test_a_missing_smpl_file_is_one_sentence(root, tmp_path):
    folder = tmp_path / "smpl"
    folder.mkdir()
    with pytest.raises(PosecastError, match=r"has no male SMPL file: .* SMPL_MALE\.pkl"):
        run(root, tmp_path / "out", default_body=False, smpl=folder)
    with pytest.raises(PosecastError, match="has no neutral SMPL file"):
        run(root, tmp_path / "out", default_body=False, smpl=folder, truth="neutral")
    with pytest.raises(PosecastError, match="no folder"):
        run(root, tmp_path / "out", default_body=False, smpl=tmp_path / "none")


@pytest.mark.parametrize(
    "names",
    [
        ("SMPL_NEUTRAL.npz", "SMPL_MALE.npz", "SMPL_FEMALE.npz"),
        (
            "basicModel_neutral_lbs_10_207_0_v1.0.0.npz",
            "basicmodel_m_lbs_10_207_0_v1.1.0.npz",
            "basicModel_f_lbs_10_207_0_v1.0.0.npz",
        ),
    ],
)
def test_smpls_files_are_found_by_their_names(tmp_path, names):
    """The files are copies of the default body, which says so itself."""
    for name in names:
        (tmp_path / name).write_bytes(DEFAULT_BODY.read_bytes())
    bodies = Bodies(tmp_path)
    for gender, name in zip(("neutral", "male", "female"), names, strict=True):
        assert bodies.get(gender).name == name
    assert bodies.get("male", default=True).name == "default"
    with pytest.raises(PosecastError, match=r"has no J_regressor_h36m\.npy"):
        bodies.regressor(bodies.get("male"))
    count = len(load_body().v_template)
    np.save(tmp_path / "J_regressor_h36m.npy", np.zeros((17, 6890)))
    with pytest.raises(PosecastError, match=rf"\(17, 6890\) instead of \(17, {count}\)"):
        bodies.regressor(bodies.get("male"))
    np.save(tmp_path / "J_regressor_h36m.npy", np.ones((17, count)))
    assert bodies.regressor(bodies.get("male")).shape == (17, count)


def test_motions_that_show_nobody_or_know_no_camera_are_sentences(root, tmp_path):
    person = load_split(root)[0]
    folder = tmp_path / "m"
    folder.mkdir()
    with pytest.raises(PosecastError, match="holds no Motion files"):
        run(root, tmp_path / "out", motions=folder)
    true_motion(person).save(folder / "elsewhere_00.npz")
    with pytest.raises(PosecastError, match="None of the 1 motions"):
        run(root, tmp_path / "out", motions=folder)
    true_motion(person, camera_extrinsics=None).save(folder / "alone_01_1.npz")
    with pytest.raises(PosecastError, match=r"alone_01_1\.npz knows no camera"):
        run(root, tmp_path / "out", motions=folder)


def test_smpls_motions_arent_judged_on_the_default_body(root, tmp_path):
    person = load_split(root)[0]
    true_motion(person, body="SMPL_NEUTRAL.pkl").save(tmp_path / "m" / "alone_01_1.npz")
    with pytest.raises(PosecastError, match="predictions are of SMPL's body"):
        run(root, tmp_path / "out", motions=tmp_path / "m")


def test_the_command_and_its_script_tell_errors_in_a_sentence(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "scripts" / "evaluate_3dpw.py"), "none", "--default-body"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("none is not 3DPW's folder")
    assert "Traceback" not in done.stderr
