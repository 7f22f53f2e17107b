"""What may be the target of an adaptation: Motions, Tracks, videos, and data sets' keypoints."""

import numpy as np
import pytest
import torch

from regressor.adapt.targets import read_targets
from regressor.errors import FileFormatError, PosecastError
from regressor.motion import Motion
from regressor.skeletons import JOINTS, MPI_INF_3DHP17
from tests import estimator
from tests.adapt.test_adapt import FRAMES as TRACKED
from tests.adapt.test_adapt import write_tracks
from tests.data import cmu
from tests.data.lifting_files import write_3dhp

FRAMES = 8
SIZE = (1280, 720)


def write_motion(file, **changes) -> np.ndarray:
    """A Motion of a wide camera that is known; in its last two frames nobody was observed."""
    keypoints = np.random.default_rng(1).uniform(200, 600, (FRAMES, 17, 2)).astype(np.float32)
    made = {
        "poses": np.zeros((FRAMES, 72)), "trans": np.zeros((FRAMES, 3)), "betas": np.zeros(10),
        "mocap_framerate": 25.0, "observed": np.arange(FRAMES) < FRAMES - 2,
        "keypoints": keypoints, "confidence": np.full((FRAMES, 17), 0.9), "skeleton": "h36m17",
        "image_size": np.array(SIZE), "fov_source": "given",
        "camera_intrinsics": np.array([[640.0, 0, 640], [0, 640, 360], [0, 0, 1]]),
    }  # fmt: skip
    Motion(**{**made, **changes}).save(file)
    return keypoints


def test_motions_are_seen_by_their_own_camera(tmp_path):
    keypoints = write_motion(tmp_path / "one.npz")
    found = read_targets(tmp_path)
    assert len(found) == FRAMES - 2 and not found.guessed
    np.testing.assert_allclose(found.keypoints[0], (keypoints[0] - (640, 360)) / 640, atol=1e-6)
    torch.testing.assert_close(found.cameras[0], torch.tensor([1.0, 1, 0, 0]))
    alone = read_targets(tmp_path / "one.npz")
    torch.testing.assert_close(alone.keypoints, found.keypoints)
    asked = read_targets(tmp_path, fov_deg=60.0)
    assert float(asked.cameras[0, 0]) == pytest.approx(3**0.5) and not asked.guessed


def test_a_camera_that_was_only_assumed_stays_a_guess(tmp_path):
    write_motion(tmp_path / "one.npz", fov_source="assumed")
    assert read_targets(tmp_path).guessed


def test_a_folder_may_hold_motions_and_tracks(tmp_path):
    write_motion(tmp_path / "one.npz")
    write_motion(tmp_path / "unsure.npz", confidence=np.full((FRAMES, 17), 0.1))
    write_tracks(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    found = read_targets(tmp_path)
    assert len(found) == FRAMES - 2 + TRACKED - 2
    assert found.described.startswith(f"{tmp_path.name} (3 of footage)")
    with pytest.raises(PosecastError, match="Nobody is seen well enough"):
        read_targets(tmp_path / "unsure.npz")


def test_a_data_set_of_other_joints_gives_those_that_correspond(tmp_path):
    """Human3.6M to MPI-INF-3DHP, as in the paper."""
    train, _ = write_3dhp(tmp_path)
    found = read_targets(tmp_path, fov_deg=67.4)
    assert found.keypoints.shape == (15, 17, 2)  # three views
    seen = train["S1 Seq1"][0]["0"]["data_2d"]
    for joint, theirs in ((0, "pelvis"), (8, "neck"), (9, "head"), (13, "left_wrist")):
        wanted = seen[:, MPI_INF_3DHP17.index(theirs)] / 1024 - 1
        np.testing.assert_allclose(found.keypoints[:5, joint], wanted, atol=1e-5)
    assert float(found.cameras[0, 0]) == pytest.approx(1.5, abs=0.01)


def test_motion_capture_is_seen_by_chance(tmp_path):
    cmu.write(tmp_path / "cmu_motion.npz")
    found = read_targets(tmp_path / "cmu_motion.npz")
    assert len(found) > 20 and float(found.keypoints.abs().median()) < 1


def test_a_video_is_looked_at_once(tmp_path, monkeypatch):
    pytest.importorskip("mediapipe")
    (tmp_path / "films").mkdir()
    estimator.film(tmp_path / "films" / "one.mp4", estimator.standing(3))
    first = read_targets(tmp_path / "films", cache=tmp_path / "cache")
    assert len(first) == 3 and first.guessed
    assert len(JOINTS["mediapipe33"]) != first.keypoints.shape[1] == 17

    def never(*args, **options):
        raise AssertionError("found before")

    monkeypatch.setattr("regressor.detection.detect", never)
    again = read_targets(tmp_path / "films", cache=tmp_path / "cache")
    torch.testing.assert_close(again.keypoints, first.keypoints)
    kept = read_targets(tmp_path / "cache")  # the Tracks that are left of it
    torch.testing.assert_close(kept.keypoints, first.keypoints)


def test_what_is_no_footage_is_told(tmp_path):
    with pytest.raises(FileFormatError, match="no data set"):
        read_targets(tmp_path)
