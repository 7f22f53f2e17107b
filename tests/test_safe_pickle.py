"""The restricted unpickler reads data as pickle does, and runs nothing."""

import pickle
import subprocess
import sys
import types
from collections import defaultdict

import numpy as np
import pytest
import scipy.sparse

from regressor.errors import FileFormatError
from regressor.safe_pickle import ChumpyArray, Dropped, load_pickle
from tests import hostile, joblib_files

DATA = {
    "floats": np.arange(12.0).reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
    "big endian": np.arange(3, dtype=">f4"),
    "text": np.array(["ä", "bcd"]),
    "bytes": np.array([b"x", b"yy"]),
    "flags": np.array([True, False]),
    "empty": np.zeros((0, 3)),
    "objects": np.array([{"a": 1}, None, "x"], dtype=object),
    "scalar": np.float32(3.5),
    "plain": (1, 2.5, b"\xff", b"", "ü", None, True, {1, 2}, 1 + 2j),
}


@pytest.fixture
def dump(tmp_path):
    """Writes an object or bytes as a pickle and gives its path."""

    def write(content, protocol=2):
        file = tmp_path / "file.pkl"
        raw = content if isinstance(content, bytes) else pickle.dumps(content, protocol)
        file.write_bytes(raw)
        return file

    return write


@pytest.mark.parametrize("protocol", range(6))
def test_data_comes_as_it_was(dump, protocol):
    loaded = load_pickle(dump(DATA, protocol))
    assert loaded.keys() == DATA.keys()
    for name, value in DATA.items():
        assert type(loaded[name]) is type(value)
        np.testing.assert_array_equal(loaded[name], value, err_msg=name)
        if isinstance(value, np.ndarray):
            assert loaded[name].dtype.kind == value.dtype.kind, name


@pytest.mark.parametrize("compress", ["", "zlib", "gzip"])
def test_data_of_joblib_comes_as_it_was(tmp_path, compress):
    data = DATA | {"nested": {"again": [DATA["fortran"]] * 2}, "none": np.array(2.5)}
    people = defaultdict(dict, {np.int64(3): data})
    loaded = load_pickle(joblib_files.dump(people, tmp_path / "file.pkl", compress))
    assert type(loaded) is dict and list(loaded) == [3]
    for name, value in data.items():
        np.testing.assert_equal(loaded[3][name], value, err_msg=name)
        if isinstance(value, np.ndarray):
            assert loaded[3][name].dtype.kind == value.dtype.kind, name
            assert loaded[3][name].flags.f_contiguous == value.flags.f_contiguous, name


@pytest.mark.parametrize("compress", ["", "zlib", "gzip"])
@pytest.mark.parametrize("name", hostile.gadgets(hostile.Path("x")))
def test_hostile_files_of_joblib_raise_and_do_not_run(tmp_path, name, compress):
    content = [np.arange(3), hostile.gadgets(tmp_path / "ran")[name], np.arange(3)]
    file = joblib_files.dump(content, tmp_path / "file.pkl", compress)
    with pytest.raises(FileFormatError, match="was not opened because it wants to use"):
        load_pickle(file)
    assert not (tmp_path / "ran").exists()


def test_an_array_of_joblib_that_is_shorter_than_it_says_is_refused(tmp_path):
    file = joblib_files.dump(np.arange(100.0), tmp_path / "file.pkl")
    content = file.read_bytes()
    np.testing.assert_array_equal(load_pickle(file), np.arange(100.0))
    for broken in (content[:-300], content.replace(b"Kd\x85", b"K\xff\x85")):
        assert broken != content
        file.write_bytes(broken)
        with pytest.raises(FileFormatError, match="not a readable pickle"):
            load_pickle(file)


def test_a_class_of_joblib_that_is_no_array_of_ours_is_refused(tmp_path):
    file = joblib_files.dump(np.arange(3.0), tmp_path / "file.pkl")
    for other in (b"recarray", b"matrix__", b"memmap__"):
        content = file.read_bytes().replace(b"\x07ndarray", bytes([len(other)]) + other)
        (tmp_path / "other.pkl").write_bytes(content)
        with pytest.raises(FileFormatError):
            load_pickle(tmp_path / "other.pkl")


def test_names_of_numpy_2_are_understood(dump):
    content = pickle.dumps(np.arange(3), 2).replace(b"numpy.core.", b"numpy._core.")
    np.testing.assert_array_equal(load_pickle(dump(content)), [0, 1, 2])


def test_arrays_of_python_2_are_read(dump):
    # What Python 2 wrote for numpy.array([1.5, -2.0]): its bytes are a string.
    numbers = np.array([1.5, -2.0])
    content = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b"(I1\n(I2\ntcnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n"
        b"T" + len(numbers.tobytes()).to_bytes(4, "little") + numbers.tobytes() + b"tb."
    )
    np.testing.assert_array_equal(load_pickle(dump(content)), numbers)


def test_sparse_matrices_come_as_stand_ins(dump):
    dense = np.arange(35).reshape(5, 7) % 4 / 4
    matrix = scipy.sparse.csc_matrix(dense)
    for name in (b"scipy.sparse._csc", b"scipy.sparse.csc"):
        content = pickle.dumps(matrix, 2).replace(b"scipy.sparse._csc", name)
        np.testing.assert_array_equal(np.asarray(load_pickle(dump(content))), dense)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_chumpy_arrays_keep_their_x(dump, monkeypatch, protocol):
    module = types.ModuleType("chumpy.ch")
    fake = type("Ch", (), {"__module__": "chumpy.ch"})
    module.Ch = fake  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    monkeypatch.setitem(sys.modules, "chumpy.ch", module)
    original = fake()
    for key, value in {"x": np.arange(4.0), "_dirty_vars": set(), "_itr": None}.items():
        setattr(original, key, value)
    loaded = load_pickle(dump({"shapedirs": original}, protocol))["shapedirs"]
    assert isinstance(loaded, ChumpyArray)
    np.testing.assert_array_equal(np.asarray(loaded), np.arange(4.0))


@pytest.mark.parametrize("protocol", [2, 5])
def test_random_states_are_dropped(dump, protocol):
    loaded = load_pickle(dump([np.random.RandomState(1), 7], protocol))
    assert isinstance(loaded[0], Dropped) and loaded[1] == 7


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("name", hostile.gadgets(hostile.Path("x")))
def test_hostile_pickles_raise_and_do_not_run(dump, tmp_path, name, protocol):
    marker = tmp_path / "ran"
    with pytest.raises(FileFormatError, match="was not opened because it wants to use"):
        load_pickle(dump(hostile.gadgets(marker)[name], protocol))
    assert not marker.exists()


@pytest.mark.parametrize("name", hostile.raw(hostile.Path("x")))
def test_pickles_written_by_hand_raise_and_do_not_run(dump, tmp_path, name):
    marker = tmp_path / "ran"
    with pytest.raises(FileFormatError, match="was not opened because it wants to use"):
        load_pickle(dump(hostile.raw(marker)[name]))
    assert not marker.exists()


def test_the_gadgets_do_run_in_an_ordinary_unpickler(dump, tmp_path):
    """Otherwise the tests above would show nothing."""
    for pickles in (hostile.gadgets, hostile.raw):
        name = {hostile.gadgets: "os.system", hostile.raw: "old instance"}[pickles]
        marker = tmp_path / f"ran {pickles.__name__}"
        file = dump(pickles(marker)[name])
        program = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'))"
        subprocess.run([sys.executable, "-c", program, str(file)], check=True)
        assert marker.exists()


def forged(dtype: bytes, content: bytes, shape: bytes = b"I1\n") -> bytes:
    """A pickled array whose parts contradict each other."""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b"(I1\n(" + shape + b"tcnumpy\ndtype\n(" + dtype + b"tbI00\n" + content + b"tb."
    )


PLAIN_STATE = b"I0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\n"
EIGHT_BYTES = b"S'AAAAAAAA'\n"


def test_the_way_arrays_are_forged_here_gives_good_ones_too(dump):
    good = load_pickle(dump(forged(b"S'f8'\n" + PLAIN_STATE, EIGHT_BYTES)))
    assert good.shape == (1,)


@pytest.mark.parametrize(
    "content",
    [
        # A pointer out of the file: an object array with bytes for its content.
        forged(b"S'O'\n" + PLAIN_STATE, EIGHT_BYTES),
        # The same behind a structured type that claims to hold no objects.
        forged(b"S'V8'\n" + PLAIN_STATE, EIGHT_BYTES),
        forged(b"S'f8'\nI0\nI1\ntR(I3\nS'<'\nN(S'a'\nt(dI-1\nI-1\nI0\n", EIGHT_BYTES),
        # More items than there are.
        forged(b"S'f8'\n" + PLAIN_STATE, EIGHT_BYTES, b"I4\n"),
        forged(b"S'O'\n" + PLAIN_STATE, b"(lNa", b"I9\n"),
        forged(b"S'f8'\n" + PLAIN_STATE, EIGHT_BYTES, b"I-1\n"),
        # The type of an array given as something else.
        forged(b"S'f8'\n" + PLAIN_STATE, b"(d"),
    ],
)
def test_forged_arrays_are_refused(dump, content):
    with pytest.raises(FileFormatError):
        load_pickle(dump(content))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x02}q\x00(U\x01a"])
def test_broken_files_are_answered_in_a_sentence(dump, content):
    with pytest.raises(FileFormatError, match="not a readable pickle"):
        load_pickle(dump(content))


def test_a_missing_file_is_answered_in_a_sentence(tmp_path):
    with pytest.raises(FileFormatError, match="No such file"):
        load_pickle(tmp_path / "none.pkl")
