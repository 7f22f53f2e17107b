"""PersPose's own files: what is read of them, and what is refused."""

import pickle

import numpy as np
import pytest

from regressor.data.perspose import ADULT, SETS, height_3dhp, load_prepared
from regressor.errors import FileFormatError
from tests import hostile
from tests.data import perspose_files
from tests.data.people_files import picture


@pytest.mark.parametrize("compress", ["", "zlib"])
@pytest.mark.parametrize("name", SETS)
def test_a_set_comes_as_it_was_written(tmp_path, name, compress):
    made = perspose_files.write(tmp_path, name, compress=compress)
    found = load_prepared(tmp_path, name)
    assert len(found) == 4 and found.name == name and "vis" not in found.arrays
    assert list(found.names) == list(made["file_name"])
    for key, array in found.arrays.items():
        wanted = made[key].reshape(4, -1)
        flat = array.reshape(4, -1)
        np.testing.assert_allclose(flat[:, : wanted.shape[1]], wanted, rtol=1e-6, err_msg=key)
        assert array.dtype == np.float32 and not flat[:, wanted.shape[1] :].any()
    assert all(found.picture(index).is_file() for index in range(4))
    if "smpl_beta" in found.arrays:
        assert found.arrays["smpl_beta"].shape == (4, 11)
        assert found.arrays["smpl_beta"][:, 10].any() == name.startswith("bedlam")


WORDS = ["male", "f", "Neutral", "M"]


@pytest.mark.parametrize("name", ["h36m", "3dpw"])
@pytest.mark.parametrize(
    "told",
    [
        np.array(WORDS),
        np.array(WORDS, bytes),
        np.array(WORDS, object),
        np.array([word.encode() for word in WORDS], object),
        np.array([" Male", "FEMALE", None, "m"], object),
        np.array(WORDS)[:, None],
        WORDS,
        np.array([0, 1, -1, 0]),
        np.array([[0], [1], [-1], [0]], np.int8),
        np.array([0.0, 1.0, -1.0, 0.0], np.float32),
        np.array(["0", "1", "-1", "0"]),
    ],
)
def test_genders_are_those_of_the_bodies(tmp_path, name, told):
    perspose_files.write(tmp_path, name, pictures=False, gender=told)
    assert load_prepared(tmp_path, name).genders.tolist() == [0, 1, -1, 0]


@pytest.mark.parametrize(
    ("told", "code"), [(None, -1), ("neutral", -1), (np.str_("f"), 1), (b"m", 0), ([""] * 4, -1)]
)
def test_genders_may_be_told_for_all_at_once_or_not_at_all(tmp_path, told, code):
    perspose_files.write(tmp_path, "h36m", pictures=False, gender=told)
    assert load_prepared(tmp_path, "h36m").genders.tolist() == [code] * 4


def test_bedlam_s_people_have_the_neutral_body(tmp_path):
    perspose_files.write(tmp_path, "bedlam", gender=np.array(["male"] * 4))
    assert load_prepared(tmp_path, "bedlam").genders.tolist() == [-1] * 4


def test_a_plain_pickle_is_read_and_one_that_runs_something_is_not(tmp_path):
    made = perspose_files.write(tmp_path, "coco")
    file = tmp_path / SETS["coco"].file
    file.write_bytes(pickle.dumps(made))
    assert len(load_prepared(tmp_path, "coco")) == 4
    file.write_bytes(pickle.dumps(next(iter(hostile.gadgets(tmp_path / "ran").values()))))
    with pytest.raises(FileFormatError, match="was not opened"):
        load_prepared(tmp_path, "coco")
    assert not (tmp_path / "ran").exists()


def test_bedlam_s_pictures_may_be_jpegs(tmp_path):
    made = perspose_files.write(tmp_path, "bedlam", pictures=False)
    png = tmp_path / SETS["bedlam"].pictures / made["file_name"][1]
    found = load_prepared(tmp_path, "bedlam")
    assert found.picture(1) == png
    picture(png.with_suffix(".jpg"))
    assert found.picture(1) == png.with_suffix(".jpg")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"smpl_theta": None, "bbox": None}, "of 3dpw: it has no bbox and no smpl_theta"),
        ({"file_name": None}, "it has no file_name"),
        ({"gender": np.array(["male", "x", "f", "y"])}, "gender is 'x' in it, not male, female"),
        ({"gender": np.array([0, 1, 2, 1])}, "gender is '2' in it, not male, female"),
        ({"gender": np.array([0.5, 1, 1, 1])}, "gender is '0.5' in it, not male, female"),
        ({"gender": np.array([True, False, True, True])}, "gender is 'false' in it, not male"),
        ({"gender": np.zeros((2, 2))}, r"gender has the shape \(2, 2\) instead of \(4,\)"),
        ({"gender": np.array(["male"])}, r"gender has the shape \(1,\) instead of \(4,\)"),
        ({"file_name": np.array([], str)}, "it names no pictures"),
        ({"file_name": np.array("one")}, "it names no pictures"),
        ({"bbox": np.zeros((3, 4))}, r"bbox has the shape \(3, 4\) instead of \(4, 4\)"),
        ({"smpl_beta": np.zeros((4, 9))}, r"smpl_beta has the shape \(4, 9\)"),
        ({"smpl_transl": np.float64(1)}, r"smpl_transl has the shape \(\)"),
        ({"smpl_transl": np.array(["a"] * 4)}, "could not convert string"),
        ({"cam_intrinsics": [[1, 2], [3]]}, "is not PersPose's file of 3dpw"),
    ],
)
def test_another_file_is_a_sentence(tmp_path, changes, sentence):
    perspose_files.write(tmp_path, "3dpw", pictures=False, **changes)
    with pytest.raises(FileFormatError, match=sentence):
        load_prepared(tmp_path, "3dpw")


@pytest.mark.parametrize("kind", ["text", "half", "list"])
def test_a_file_that_is_none_is_a_sentence(tmp_path, kind):
    perspose_files.write(tmp_path, "h36m", pictures=False)
    file = tmp_path / SETS["h36m"].file
    broken = {"text": b"hello", "half": file.read_bytes()[:4000], "list": pickle.dumps([1, 2])}
    file.write_bytes(broken[kind])
    with pytest.raises(FileFormatError, match=f"{file.name} is not"):
        load_prepared(tmp_path, "h36m")


def test_a_subject_s_height_is_told_by_the_picture_s_name():
    assert height_3dhp("S1/Seq1/images/S1_Seq1_V0/img_S1_Seq1_V0_000001.jpg") == 1.7994
    assert height_3dhp("img_S8_Seq2_V4_000001.jpg") == 1.7548
    assert height_3dhp("TS1/imageSequence/img_000001.jpg") == ADULT
