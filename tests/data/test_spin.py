"""SPIN's files: every key, keys left out, and files of another kind."""

import numpy as np
import pytest

from regressor.data.spin import load_named, load_spin
from regressor.errors import PosecastError
from tests.data.people_files import spin_arrays, spin_set


def test_all_keys_arrive(tmp_path):
    arrays, records = spin_arrays(), load_spin(*spin_set(tmp_path), name="here")
    assert len(records) == 4 and records.name == "here"
    np.testing.assert_allclose(records.keypoints[:, 25:], arrays["part"], rtol=1e-6)
    np.testing.assert_allclose(records.joints3d, arrays["S"], rtol=1e-6)
    np.testing.assert_allclose(records.pose, arrays["pose"], rtol=1e-6)
    np.testing.assert_allclose(records.betas, arrays["shape"], rtol=1e-6)
    assert records.has_smpl.tolist() == [False, True, False, True]
    assert records.gender.tolist() == [0, 1, 0, 1]


def test_what_is_left_out_is_unknown(tmp_path):
    without = dict.fromkeys(("openpose", "S", "pose", "shape", "has_smpl", "gender"))
    records = load_spin(*spin_set(tmp_path, **without))
    assert not records.keypoints[:, :25].any() and records.keypoints[:, 25:, 2].all()
    assert not records.joints3d.any() and not records.has_smpl.any()
    assert (records.gender == -1).all()


def test_poses_are_bodies_unless_the_file_says_otherwise(tmp_path):
    records = load_spin(*spin_set(tmp_path, has_smpl=None))
    assert records.has_smpl.all()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"center": None, "scale": None}, "it has no center and no scale"),
        (dict.fromkeys(("part", "openpose", "S", "pose")), "nothing to learn from"),
        ({"part": np.zeros((3, 24, 3))}, "not in SPIN's layout"),
        ({"S": np.zeros((4, 17, 4))}, r"joints3d has the shape \(4, 17, 4\)"),
        ({"imgname": np.array([object()] * 4)}, "can't be read as a data set"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path, changes, sentence):
    with pytest.raises(PosecastError, match=sentence) as raised:
        load_spin(*spin_set(tmp_path, **changes))
    assert "\n" not in str(raised.value)


def test_no_file_and_no_npz_are_sentences(tmp_path):
    with pytest.raises(PosecastError, match="there is no such file"):
        load_spin(tmp_path / "none.npz", tmp_path)
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(PosecastError, match="can't be read as a data set"):
        load_spin(tmp_path / "text.npz", tmp_path)


def test_named_sets_lie_where_dsr_lays_them(tmp_path):
    file, _ = spin_set(tmp_path / "dataset_folders" / "mpii")
    (tmp_path / "dataset_extras").mkdir()
    file.rename(tmp_path / "dataset_extras" / "mpii_train.npz")
    records = load_named(tmp_path, "mpii")
    assert (records.root / records.imgname[0]).is_file()
    with pytest.raises(PosecastError, match="no part to evaluate"):
        load_named(tmp_path, "mpii", train=False)
    with pytest.raises(PosecastError, match="no data set called mpi"):
        load_named(tmp_path, "mpi")
