"""scripts/compare_motion.py finds the errors that were put in."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import roma
import torch

from regressor.errors import PosecastError
from regressor.motion import Motion

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "compare_motion.py"


def walk(frames=20, fps=30.0, **changes):
    """A person with waving arms who moves 1 m a second along x; without a camera."""
    times = np.arange(frames) / fps
    poses = np.zeros((frames, 72))
    poses[:, 0] = np.pi / 2  # upright in a world with z up
    poses[:, 16 * 3 + 2] = np.sin(4 * times)
    trans = np.stack([times, 0 * times, 0 * times + 0.95], axis=1)
    content = {"poses": poses, "trans": trans, "betas": np.zeros(10), "mocap_framerate": fps}
    return Motion(**{**content, **changes})


def turned_about_z(motion, angle):
    """The same motion with another north, moved over the floor."""
    turn = roma.rotvec_to_rotmat(torch.tensor([0.0, 0.0, angle]))
    orient = roma.rotvec_to_rotmat(torch.from_numpy(motion.poses[:, :3]))
    motion.poses[:, :3] = roma.rotmat_to_rotvec(turn @ orient).numpy()
    motion.trans[:] = motion.trans @ turn.numpy().T + np.float32([3, -2, 0])
    return motion


@pytest.fixture(scope="module")
def compare():
    """The script's function of that name."""
    spec = importlib.util.spec_from_file_location("compare_motion", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["compare_motion"] = module
    spec.loader.exec_module(module)
    return module.compare


def test_a_motion_is_equal_to_itself(compare):
    result = compare(walk(), walk())
    assert result["frames"] == result["of"] == 20
    for errors in result["mm"].values():
        assert max(errors.values()) < 0.01
    assert set(result["mm"]) == {"SMPL, 24", "H36M, 17"}


def test_another_north_and_place_are_no_errors(compare):
    result = compare(turned_about_z(walk(), 1.0), walk())
    for errors in result["mm"].values():
        assert max(errors.values()) < 0.01


def test_drift_counts_in_the_world_alone(compare):
    drifting = walk()
    drifting.trans[:, 1] += np.linspace(0, 0.19, 20)  # 10 mm a frame
    result = compare(drifting, walk())
    errors = result["mm"]["SMPL, 24"]
    assert errors["mpjpe"] < 0.01 and errors["pa_mpjpe"] < 0.01
    assert errors["world_mpjpe"] == pytest.approx(95, abs=0.1)
    assert errors["velocity"] == pytest.approx(10, abs=0.01)


def test_other_frame_rates_are_matched_by_time(compare):
    result = compare(walk(10, 15.0), walk(40, 60.0))
    assert result["frames"] == 10
    assert result["mm"]["SMPL, 24"]["world_mpjpe"] < 0.5


def test_with_cameras_a_tilt_counts(compare):
    cameras = np.tile(np.eye(4), (20, 1, 1))
    tilted = cameras.copy()
    tilted[:, :3, :3] = roma.rotvec_to_rotmat(torch.tensor([0.1, 0.0, 0.0])).numpy()
    same = compare(walk(camera_extrinsics=cameras), walk(camera_extrinsics=cameras))
    assert same["mm"]["SMPL, 24"]["mpjpe"] < 0.01
    other = compare(walk(camera_extrinsics=tilted), walk(camera_extrinsics=cameras))
    assert other["mm"]["SMPL, 24"]["mpjpe"] > 10 and other["mm"]["SMPL, 24"]["pa_mpjpe"] < 0.01


def test_motions_of_other_times_are_answered(compare):
    with pytest.raises(PosecastError, match="share no time"):
        compare(walk(times=np.arange(20) + 100.0), walk())


def run(folder, *arguments):
    """The script as a command in `folder`, which works without an installation too."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_command_prints_and_writes_its_figures(tmp_path):
    walk().save(tmp_path / "a motion.npz")
    done = run(tmp_path, "a motion.npz", "a motion.npz", "--json", "figures.json")
    assert "20 of 20 frames compared" in done.stdout and "PA-MPJPE" in done.stdout
    assert json.loads((tmp_path / "figures.json").read_text())["mm"]["H36M, 17"]["mpjpe"] < 0.01


def test_a_missing_motion_is_one_sentence(tmp_path):
    done = run(tmp_path, "none.npz", "none.npz")
    assert done.returncode == 1
    assert done.stderr == "none.npz can't be read: there is no such file.\n"
