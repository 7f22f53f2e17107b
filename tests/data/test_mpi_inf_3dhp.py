"""MPI-INF-3DHP's archives for lifters."""

import numpy as np
import pytest

from regressor.data.sequences import read_set
from regressor.errors import FileFormatError, PosecastError
from tests.data.lifting_files import save, write_3dhp


def test_training_sequences_are_one_a_camera(tmp_path):
    train, _ = write_3dhp(tmp_path)
    found = read_set(tmp_path, "train")
    assert (found.name, found.skeleton, found.root, found.unit) == (
        *("MPI-INF-3DHP", "mpi_inf_3dhp17"),
        *(14, "mm"),
    )
    assert found.left == [5, 6, 7, 11, 12, 13] and found.right == [2, 3, 4, 8, 9, 10]
    names = [one.name for one in found.sequences]
    assert names == ["S1 Seq1 camera 0", "S1 Seq1 camera 8", "S3 Seq2 camera 4"]
    first, _, last = found.sequences
    assert (first.subject, first.action, first.fps, last.fps) == ("S1", "Seq1", 25, 50)
    assert (first.width, first.height, first.valid) == (2048, 2048, None)
    stored = train["S1 Seq1"][0]["0"]
    np.testing.assert_allclose(first.joints * 1000, stored["data_3d"], rtol=1e-5)
    np.testing.assert_allclose(first.keypoints, stored["data_2d"], rtol=1e-5)


def test_only_valid_frames_of_the_test_count(tmp_path):
    write_3dhp(tmp_path)
    indoors, outdoors = read_set(tmp_path, "test").sequences
    assert indoors.valid is not None
    assert indoors.valid.tolist() == [True, False, True, True, False]
    assert (indoors.width, indoors.height) == (2048, 2048)
    assert (outdoors.name, outdoors.width, outdoors.height) == ("TS5", 1920, 1080)
    for name in ("data_test_3dhp.npz", "data_train_3dhp.npz"):  # trainings check on the test
        same = read_set(tmp_path / name, "test").sequences[0]
        np.testing.assert_array_equal(same.joints, indoors.joints)


def test_cameras_may_be_numbers(tmp_path):
    train, _ = write_3dhp(tmp_path)
    views, fps = train["S1 Seq1"]
    numbered = [{int(camera): seen for camera, seen in views.items()}, fps]
    save(tmp_path / "data_train_3dhp.npz", data={"S1 Seq1": numbered})
    names = [one.name for one in read_set(tmp_path, "train").sequences]
    assert names == ["S1 Seq1 camera 0", "S1 Seq1 camera 8"]


def test_what_is_wrong_is_told(tmp_path):
    train, test = write_3dhp(tmp_path)
    with pytest.raises(PosecastError, match="no detections 'cpn'"):
        read_set(tmp_path, "test", "cpn")
    (tmp_path / "other.npz").write_bytes((tmp_path / "data_test_3dhp.npz").read_bytes())
    with pytest.raises(FileFormatError, match="not the archive of the train split"):
        read_set(tmp_path / "other.npz", "train")
    test["TS1"]["data_2d"] = test["TS1"]["data_2d"][:3]
    save(tmp_path / "data_test_3dhp.npz", data=test)
    with pytest.raises(FileFormatError, match=r"TS1 data_2d is an array of shape \(3, 17, 2\)"):
        read_set(tmp_path, "test")
    del test["TS1"]["valid"]
    save(tmp_path / "data_test_3dhp.npz", data=test | {"TS1": {}})
    with pytest.raises(FileFormatError, match="TS1 lacks data_3d"):
        read_set(tmp_path, "test")
    train["S1 Seq1"] = [train["S1 Seq1"][0], "fast"]
    save(tmp_path / "data_train_3dhp.npz", data=train)
    with pytest.raises(FileFormatError, match="S1 Seq1 1 is 'fast' instead of a positive number"):
        read_set(tmp_path, "train")
    (tmp_path / "data_train_3dhp.npz").unlink()
    with pytest.raises(FileFormatError, match="there is no such file"):
        read_set(tmp_path, "train")
