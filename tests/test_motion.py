"""Motion files: what goes in comes out, AMASS's files are read, others are answered."""

import resource
from dataclasses import fields

import numpy as np
import pytest

from regressor.errors import FileFormatError, PosecastError
from regressor.motion import Motion
from tests import hostile


def arrays(frames=5):
    """What a Motion needs and AMASS's files have."""
    rng = np.random.default_rng(0)
    return {
        "poses": rng.normal(size=(frames, 72)).astype(np.float32),
        "trans": rng.normal(size=(frames, 3)).astype(np.float32),
        "betas": rng.normal(size=10).astype(np.float32),
        "gender": "female",
        "mocap_framerate": 29.97,
    }


def full(frames=5):
    """A Motion with every field given."""
    rng = np.random.default_rng(1)
    return Motion(
        **arrays(frames),
        frames=np.arange(7, 7 + frames),
        times=np.arange(7, 7 + frames) / 29.97,
        observed=np.arange(frames) != 2,
        joints=rng.normal(size=(frames, 24, 3)),
        keypoints=rng.normal(size=(frames, 33, 2)),
        confidence=rng.uniform(size=(frames, 33)),
        skeleton="mediapipe33",
        contacts=rng.uniform(size=(frames, 2)) > 0.5,
        image_size=np.array([640, 480]),
        camera_intrinsics=np.eye(3),
        camera_extrinsics=np.tile(np.eye(4), (frames, 1, 1)),
        camera_moves=True,
        fov_source="given",
        method="ktpformer",
        body="SMPL_FEMALE.npz",
        video="a dance.mp4",
        person=2,
    )


def test_every_field_comes_back(tmp_path):
    motion = full()
    motion.save(tmp_path / "motion.npz")
    loaded = Motion.load(tmp_path / "motion.npz")
    for field in fields(Motion):
        ours, theirs = getattr(motion, field.name), getattr(loaded, field.name)
        assert type(ours) is type(theirs), field.name
        np.testing.assert_array_equal(ours, theirs, err_msg=field.name)
    assert len(loaded) == 5 and list(tmp_path.iterdir()) == [tmp_path / "motion.npz"]


def test_the_types_are_those_of_the_format(tmp_path):
    full().save(tmp_path / "motion.npz")
    with np.load(tmp_path / "motion.npz", allow_pickle=False) as content:
        types = {name: content[name].dtype.str for name in content.files}
    assert types["poses"] == types["joints"] == types["keypoints"] == "<f4"
    assert types["frames"] == types["image_size"] == types["person"] == types["version"] == "<i8"
    assert types["times"] == types["mocap_framerate"] == "<f8"
    assert types["observed"] == types["contacts"] == types["camera_moves"] == "|b1"


def test_what_is_not_known_is_not_written(tmp_path):
    Motion(**arrays()).save(tmp_path / "motion.npz")
    loaded = Motion.load(tmp_path / "motion.npz")
    assert loaded.joints is None and loaded.camera_extrinsics is None
    np.testing.assert_array_equal(loaded.frames, np.arange(5))
    np.testing.assert_allclose(loaded.times, np.arange(5) / 29.97)
    assert loaded.observed.all()


def test_files_of_amass_are_read(tmp_path):
    content = arrays()
    poses = np.random.default_rng(2).normal(size=(5, 156))
    content |= {"poses": poses, "betas": np.arange(16.0), "dmpls": np.zeros((5, 8))}
    content |= {"gender": np.array(b"male"), "marker_data": np.array([{}], object)}
    np.savez(tmp_path / "amass.npz", **content)
    loaded = Motion.load(tmp_path / "amass.npz")
    np.testing.assert_allclose(loaded.poses[:, :66], poses[:, :66].astype(np.float32))
    assert not loaded.poses[:, 66:].any() and loaded.poses.shape == (5, 72)
    np.testing.assert_array_equal(loaded.betas, np.arange(10.0))
    assert loaded.gender == "male" and loaded.mocap_framerate == 29.97


def test_the_other_spelling_of_the_frame_rate(tmp_path):
    content = arrays()
    content["mocap_frame_rate"] = content.pop("mocap_framerate")
    np.savez(tmp_path / "a.npz", **content)
    assert Motion.load(tmp_path / "a.npz").mocap_framerate == 29.97


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"trans": None}, "it has no trans"),
        ({"trans": np.zeros((4, 3))}, r"trans has the shape \(4, 3\) instead of \(5, 3\)"),
        ({"poses": np.zeros((5, 60))}, "poses has the shape"),
        ({"poses": np.full((5, 72), np.nan)}, "poses holds numbers that are not finite"),
        ({"poses": np.array(["a"] * 5)}, "poses has the shape"),
        ({"mocap_framerate": 0}, "mocap_framerate is 0"),
        ({"version": 2}, "newer than this Posecast"),
        ({"observed": np.ones(3, bool)}, "observed has the shape"),
        ({"poses": np.zeros((0, 72)), "trans": np.zeros((0, 3))}, "it has no frames"),
    ],
)
def test_motions_that_are_none_are_answered(tmp_path, change, words):
    content = {name: value for name, value in {**arrays(), **change}.items() if value is not None}
    np.savez(tmp_path / "a.npz", **content)
    with pytest.raises(FileFormatError, match=words):
        Motion.load(tmp_path / "a.npz")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off", b"\x93NUMPY"])
def test_other_files_are_answered(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"a\.npz is not a motion"):
        Motion.load(tmp_path / "a.npz")


def test_an_array_and_a_missing_file_are_answered(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(FileFormatError, match="is not a motion"):
        Motion.load(tmp_path / "a.npy")
    with pytest.raises(FileFormatError, match="there is no such file"):
        Motion.load(tmp_path / "none.npz")


def test_a_hostile_motion_does_not_run(tmp_path):
    marker = tmp_path / "ran"
    payload = np.array([hostile.gadgets(marker)["os.system"]], object)
    np.savez(tmp_path / "a.npz", **{**arrays(), "poses": payload})
    with pytest.raises(FileFormatError, match="is not a motion"):
        Motion.load(tmp_path / "a.npz")
    assert not marker.exists()


def test_a_folder_is_made(tmp_path):
    full().save(tmp_path / "new folder" / "motion.npz")
    assert len(Motion.load(tmp_path / "new folder" / "motion.npz")) == 5


def test_a_place_that_cannot_be_written_is_answered(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PosecastError, match="can't be written"):
        full().save(tmp_path / "file" / "motion.npz")


def test_a_full_disk_leaves_the_older_file_and_nothing_else(tmp_path):
    file = tmp_path / "motion.npz"
    full(3).save(file)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(PosecastError, match="can't be written"):
            full(1000).save(file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(Motion.load(file)) == 3 and list(tmp_path.iterdir()) == [file]
