"""Archives with pickled dictionaries: nothing in them runs, and what is broken is told."""

import io
import pickle
import zipfile

import numpy as np
import pytest

from regressor.data.archives import Tree, keys_of, load_archive
from regressor.errors import FileFormatError
from tests import hostile
from tests.data.lifting_files import save


def npy_of(content) -> bytes:
    """An .npy whose pickle is `content`, whatever that is."""
    stream = io.BytesIO()
    header = {"descr": "|O", "fortran_order": False, "shape": ()}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + content


def test_dictionaries_arrays_and_lists_are_read(tmp_path):
    tree = {"S1": {"Walk": [np.arange(6.0).reshape(2, 3), "text", 2.5, None]}}
    save(tmp_path / "a.npz", positions=tree, plain=np.arange(3))
    found, plain = load_archive(tmp_path / "a.npz", "positions", "plain")
    assert found.keys() == {"S1"} and found["S1"]["Walk"][1:] == ["text", 2.5, None]
    np.testing.assert_array_equal(found["S1"]["Walk"][0], tree["S1"]["Walk"][0])
    assert plain.tolist() == [0, 1, 2]
    np.savez(tmp_path / "b.npz", numbers=np.eye(2))
    assert load_archive(tmp_path / "b.npz", "numbers")[0].tolist() == [[1, 0], [0, 1]]
    assert keys_of(tmp_path / "b.npz") == {"numbers"}
    assert keys_of(tmp_path / "none.npz") == set()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_of_all_ages_are_read(tmp_path, protocol):
    content = {"S1": {"Walk": [np.ones((3, 17, 2), np.float32)]}}
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        array = np.empty((), object)
        array[()] = content
        archive.writestr("data.npy", npy_of(pickle.dumps(array, protocol)))
    (found,) = load_archive(tmp_path / "a.npz", "data")
    assert found["S1"]["Walk"][0].shape == (3, 17, 2)


def test_nothing_in_an_archive_runs(tmp_path):
    marker = tmp_path / "marker"
    cases = {name: pickle.dumps(gadget) for name, gadget in hostile.gadgets(marker).items()}
    for content in (*cases.values(), *hostile.raw(marker).values()):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("data.npy", npy_of(content))
        with pytest.raises(FileFormatError):
            load_archive(tmp_path / "a.npz", "data")
        assert not marker.exists()


def test_broken_archives_are_told_in_a_sentence(tmp_path):
    good, file = tmp_path / "good.npz", tmp_path / "a.npz"
    save(good, data={"a": np.arange(1000.0)})
    whole = good.read_bytes()
    for content in (whole[:200], whole[: len(whole) // 2], b"", b"text", whole[:60] + whole[90:]):
        file.write_bytes(content)
        with pytest.raises(FileFormatError, match=r"a\.npz is not a readable .npz archive"):
            load_archive(file, "data")
    with pytest.raises(FileFormatError, match="there is no such file"):
        load_archive(tmp_path / "none.npz", "data")
    with pytest.raises(FileFormatError, match="lacks positions_3d; it holds data"):
        load_archive(good, "positions_3d")


def test_a_header_that_claims_too_much_is_refused(tmp_path):
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (1 << 45,)}
    np.lib.format.write_array_header_1_0(stream, header)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("data.npy", stream.getvalue())
    with pytest.raises(FileFormatError, match="not a readable"):
        load_archive(tmp_path / "a.npz", "data")


def test_a_tree_names_the_place_of_what_is_wrong():
    tree = Tree("f.npz", {"S1": [np.zeros((2, 3)), -1]})
    assert tree.at("S1").at(0).array(None, 3).dtype == np.float32
    with pytest.raises(FileFormatError, match=r"^f.npz: S1 0 is an array of shape \(2, 3\) inst"):
        tree.at("S1").at(0).array(2, 4)
    with pytest.raises(FileFormatError, match="S1 lacks 7"):
        tree.at("S1").at(7)
    with pytest.raises(FileFormatError, match="S1 is no dictionary"):
        tree.at("S1").items()
    with pytest.raises(FileFormatError, match="its content is no list"):
        tree.at(0)
    with pytest.raises(FileFormatError, match="S1 1 is -1 instead of a positive number"):
        tree.at("S1").at(1).number()
