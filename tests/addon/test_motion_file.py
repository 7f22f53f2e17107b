import numpy as np
import pytest

from addon.motion_file import (
    MotionFileError,
    matrix_to_quaternion,
    quaternion_to_matrix,
    read_motion,
    rotvec_to_quaternion,
)
from tests.addon.bodies import camera_arrays, motion_arrays, rodrigues


def saved(folder, **arrays):
    path = folder / "motion.npz"
    np.savez(path, **arrays)
    return path


def test_reads_what_the_estimator_writes(tmp_path):
    arrays = motion_arrays(12, **camera_arrays(12))
    arrays |= {"frames": np.arange(5, 17), "times": np.arange(5, 17) / 30, "body": "default"}
    motion = read_motion(saved(tmp_path, **arrays))
    np.testing.assert_allclose(motion.poses, arrays["poses"])
    np.testing.assert_allclose(motion.times[0], 5 / 30)
    assert motion.camera.image_size == (640, 360)
    assert motion.observed.all() and len(motion) == 12 and motion.gender == "neutral"


def test_reads_amass(tmp_path):
    """SMPL-H's 52 joints, 16 betas, the rate under its other name, gender as bytes."""
    poses = np.random.default_rng(0).normal(size=(4, 156))
    path = saved(
        tmp_path, poses=poses, trans=np.zeros((4, 3)), betas=np.arange(16.0),
        gender=np.array(b"female"), mocap_frame_rate=np.array(120.0), dmpls=np.zeros((4, 8)),
    )  # fmt: skip
    motion = read_motion(path)
    np.testing.assert_allclose(motion.poses[:, :66], poses[:, :66])
    assert not motion.poses[:, 66:].any(), "SMPL-H's finger joints are not SMPL's hands"
    np.testing.assert_allclose(motion.betas, np.arange(10.0))
    assert (motion.gender, motion.fps, motion.camera) == ("female", 120.0, None)
    np.testing.assert_allclose(motion.times, np.arange(4) / 120)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"poses": np.zeros((60, 70))}, "72"),
        ({"poses": np.zeros((0, 72)), "trans": np.zeros((0, 3))}, "no frames"),
        ({"poses": np.full((60, 72), np.nan)}, "aren't numbers"),
        ({"trans": np.zeros((59, 3))}, "trans"),
        ({"mocap_framerate": np.array(0.0)}, "frames per second"),
        ({"observed": np.ones(3, bool)}, "observed"),
        ({"version": np.array(99)}, "newer"),
        ({"mocap_framerate": np.array([30.0, 25.0])}, "can't be read|doesn't hold"),
    ],
)
def test_says_what_is_wrong_with_a_motion(tmp_path, change, told):
    with pytest.raises(MotionFileError, match=told) as caught:
        read_motion(saved(tmp_path, **(motion_arrays() | change)))
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize("key", ["poses", "trans", "betas", "mocap_framerate"])
def test_names_what_is_missing(tmp_path, key):
    arrays = motion_arrays()
    del arrays[key]
    with pytest.raises(MotionFileError, match=key):
        read_motion(saved(tmp_path, **arrays))


@pytest.mark.parametrize("content", [b"", b"not a motion", b"PK\x03\x04cut off", b"\x93NUMPY"])
def test_refuses_other_files(tmp_path, content):
    path = tmp_path / "motion.npz"
    path.write_bytes(content)
    with pytest.raises(MotionFileError, match="not a motion file"):
        read_motion(path)


def test_refuses_a_plain_array_and_a_missing_file(tmp_path):
    path = tmp_path / "motion.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(MotionFileError, match="not a motion file"):
        read_motion(path)
    with pytest.raises(MotionFileError, match="no motion file"):
        read_motion(tmp_path / "none.npz")


class Hostile:
    def __reduce__(self):
        return (exec, ("import pathlib; pathlib.Path('hostile_ran').touch()",))


def test_runs_nothing_from_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arrays = motion_arrays() | {"gender": np.array(Hostile(), dtype=object)}
    with pytest.raises(MotionFileError):
        read_motion(saved(tmp_path, **arrays))
    assert not (tmp_path / "hostile_ran").exists()


def test_rotations_agree():
    rotvec = np.random.default_rng(1).normal(size=(200, 3)) * 2
    rotvec[0] = 0
    rotvec[1] = (np.pi, 0, 0)
    quaternions = rotvec_to_quaternion(rotvec)
    matrices = rodrigues(rotvec)
    np.testing.assert_allclose(quaternion_to_matrix(quaternions), matrices, atol=1e-12)
    back = matrix_to_quaternion(matrices)
    np.testing.assert_allclose(quaternion_to_matrix(back), matrices, atol=1e-12)


def test_quaternions_never_jump(tmp_path):
    """A body that turns around several times, as axis-angle that is wrapped at half a turn."""
    angle = np.linspace(0, 20, 400)
    arrays = motion_arrays(400)
    wrapped = (angle + np.pi) % (2 * np.pi) - np.pi
    arrays["poses"] = np.zeros((400, 72))
    arrays["poses"][:, 1] = wrapped
    quaternions = read_motion(saved(tmp_path, **arrays)).quaternions()
    assert np.abs(np.diff(quaternions, axis=0)).max() < 0.05
