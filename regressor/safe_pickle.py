"""Reads pickles of arrays without letting them run anything.

A pickle may name any function and have it called. This reader admits the few names that files of
SMPL, 3DPW and the lifters need, and every one of them leads to code of this file: NumPy arrays,
data types and scalars are built from checked parts (a forged data type could otherwise make NumPy
follow a pointer from the file), sparse matrices and chumpy arrays become stand-ins that
`np.asarray` reads, and random states are dropped. Any other name is refused.

Files of joblib, which many published tools write, are read as well: pickles, compressed or not, in
which the bytes of every array follow a note of its shape.
"""

import bz2
import gzip
import io
import lzma
import math
import pickle
import re
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from regressor.errors import FileFormatError


def load_pickle(file: str | Path) -> Any:
    """The object in a pickle or a file of joblib: containers, numbers, text, NumPy arrays.

    Text of Python 2 is read as latin-1. Chumpy arrays and sparse matrices come as `ChumpyArray`
    and `SparseMatrix`. Raises FileFormatError for anything else, before it is called.
    """
    try:
        with Path(file).open("rb") as stream:
            return RestrictedUnpickler(_unpacked(stream)).load()
    except RefusedNameError as error:
        raise FileFormatError(refusal(file, str(error))) from None
    except OSError as error:
        raise FileFormatError(f"{file} can't be read: {error.strerror}.") from error
    except Exception as error:  # a broken pickle can fail in any way
        raise FileFormatError(
            f"{file} is not a readable pickle: it may be incomplete or a file of another kind."
        ) from error


def _unpacked(stream: BinaryIO) -> BinaryIO:
    """The stream itself, or what it holds where joblib compressed it."""
    start = stream.read(6)
    stream.seek(0)
    if start.startswith(b"\x78"):  # zlib, joblib's own choice
        return io.BytesIO(zlib.decompressobj().decompress(stream.read(), MOST_BYTES))
    for prefix, open_packed in _COMPRESSIONS.items():
        if start.startswith(prefix):
            with open_packed(stream) as packed:
                return io.BytesIO(packed.read(MOST_BYTES))
    return stream


def refusal(file: str | Path, name: str) -> str:
    """The sentence for a pickle that names what it has no business with."""
    return (
        f"{file} was not opened because it wants to use {name}, which data files don't need: "
        "get it from its original source."
    )


MOST_BYTES = 8 << 30  # of a file unpacked; a small one may otherwise claim to hold anything
_COMPRESSIONS = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7zXZ": lzma.open}


class RefusedNameError(pickle.UnpicklingError):
    """The pickle names something that is not on the list; its text is that name."""


class Dropped:
    """Stands where a pickle had an object that nobody needs."""

    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        pass


class ChumpyArray:
    """Stands for chumpy's Ch, which no longer imports; `x` is its array."""

    x: np.ndarray

    def __setstate__(self, state: dict):
        if isinstance(state.get("x"), ChumpyArray):
            state = {"x": state["x"].x}
        self.x = _as(np.ndarray, state.get("x"))

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.array(self.x, dtype)


class SparseMatrix:
    """Stands for SciPy's csc_matrix; `toarray` or `np.asarray` give the dense matrix."""

    def __setstate__(self, state: dict):
        self.shape = tuple(int(n) for n in state.get("_shape") or state["shape"])
        self.data = _as(np.ndarray, state["data"])
        self.indices = _as(np.ndarray, state["indices"])
        self.indptr = _as(np.ndarray, state["indptr"])

    def toarray(self) -> np.ndarray:
        """The dense matrix."""
        dense = np.zeros(self.shape, self.data.dtype)
        columns = np.repeat(np.arange(self.shape[1]), np.diff(self.indptr))
        np.add.at(dense, (self.indices, columns), self.data)
        return dense

    todense = toarray

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self.toarray(), dtype)


class _DataType:
    """Stands for numpy.dtype while reading; admits numbers, text and object lists."""

    def __init__(self, name: str | bytes, align: bool = False, copy: bool = True):
        text = name.decode("latin1") if isinstance(name, bytes) else name
        if not re.fullmatch(r"[<>|=]?[?biufcSUO]\d{0,9}", text):
            raise RefusedNameError(f"the data type {text}")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: tuple):
        order, parts = state[1], state[2:5]
        if any(part is not None for part in parts):
            raise RefusedNameError("a structured data type")
        if order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(order)


class _ArrayType:
    """Stands for numpy.ndarray where a pickle names the class."""


class _JoblibArray:
    """Stands for joblib's note that an array's bytes follow."""


def _as(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise pickle.UnpicklingError(f"expected {kind.__name__}, found {type(value).__name__}")
    return value


def _fill(array: np.ndarray, state: tuple) -> np.ndarray:
    """Gives `array` its (…, shape, data type, Fortran order, content), each checked."""
    shape, kind, fortran, content = state[-4:]
    shape = tuple(_as(int, n) for n in shape)
    dtype = _as(_DataType, kind).dtype
    if isinstance(content, str):  # bytes of Python 2
        content = content.encode("latin1")
    # NumPy itself doesn't compare a list's length with the shape.
    size = math.prod(shape) if dtype.hasobject else math.prod(shape) * dtype.itemsize
    content = _as(list if dtype.hasobject else bytes, content)
    if min(shape, default=0) < 0 or len(content) != size:
        raise pickle.UnpicklingError(f"an array of shape {shape} has {len(content)} for {size}")
    state = (1, shape, dtype, bool(fortran), content)
    array.__setstate__(state)  # pyright: ignore[reportArgumentType] (its stub asks for numpy.bool)
    return array


def _new_array(*_unused) -> np.ndarray:
    return np.empty(0)


def _array_from_buffer(buffer, dtype: _DataType, shape: tuple, order: str) -> np.ndarray:
    return _fill(np.empty(0), (shape, dtype, order == "F", bytes(buffer)))


def _scalar(dtype: _DataType, content=b"") -> Any:
    return _fill(np.empty(0), ((), dtype, False, content))[()]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise RefusedNameError(f"the codec {encoding}")
    return text.encode("latin1")


def _new_object(kind: type, base: type, _state: Any) -> Any:
    if kind not in (ChumpyArray, SparseMatrix, _JoblibArray) or base is not object:
        raise RefusedNameError(f"an object of {kind}")
    return kind.__new__(kind)


def _no_bytes() -> bytes:
    """What Python 3 writes for b"" in old protocols is a call of `bytes` without arguments."""
    return b""


def _default_dict(*_factory) -> dict:
    """What is read has the keys that it has, so it needs no default."""
    return {}


_BUILTINS = {
    "set": set,
    "frozenset": frozenset,
    "complex": complex,
    "object": object,
    "bytes": _no_bytes,
    "dict": dict,
}
_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _ArrayType,
    ("numpy", "dtype"): _DataType,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "defaultdict"): _default_dict,
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _JoblibArray,
    ("chumpy.ch", "Ch"): ChumpyArray,
    **{
        (f"numpy.{core}.{module}", name): function
        for core in ("core", "_core")  # NumPy 1 and NumPy 2
        for module, name, function in (
            ("multiarray", "_reconstruct", _new_array),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _array_from_buffer),
        )
    },
    **{(f"scipy.sparse{part}", "csc_matrix"): SparseMatrix for part in ("", ".csc", "._csc")},
    **{(module, "_reconstructor"): _new_object for module in ("copyreg", "copy_reg")},
    **{
        (module, name): kind
        for module in ("builtins", "__builtin__")
        for name, kind in _BUILTINS.items()
    },
}


# Python's own reader in Python, because only it lets us decide what a state may be given to.
class RestrictedUnpickler(pickle._Unpickler):
    """Admits the names of `_ADMITTED` and gives states to nothing but arrays and stand-ins."""

    def __init__(self, stream: BinaryIO):
        super().__init__(stream, encoding="latin1")
        self._stream = stream

    dispatch: ClassVar = dict(pickle._Unpickler.dispatch)  # pyright: ignore[reportAttributeAccessIssue]

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle gets for a name: never an attribute looked up by the pickle's text."""
        if module.split(".")[:2] == ["numpy", "random"]:
            return Dropped
        if (module, name) not in _ADMITTED:
            raise RefusedNameError(f"{module}.{name}")
        return _ADMITTED[module, name]

    def get_extension(self, code: int):
        """Numbered names come from a table of the process, so they are refused as well."""
        raise RefusedNameError(f"extension {code}")

    def load_build(self):
        """Gives the state on top of the stack to the object under it."""
        stack: list = self.stack  # pyright: ignore[reportAttributeAccessIssue]
        state, target = stack.pop(), stack[-1]
        if isinstance(target, np.ndarray):
            _fill(target, state)
        elif isinstance(target, _JoblibArray):
            stack[-1] = self._joblib_array(_as(dict, state))
        elif isinstance(target, Dropped | ChumpyArray | SparseMatrix | _DataType):
            target.__setstate__(state)
        else:
            raise RefusedNameError(f"a state for {type(target).__name__}")

    def _joblib_array(self, note: dict) -> np.ndarray:
        """The array whose bytes follow in the file; one of objects is a pickle of its own."""
        dtype = _as(_DataType, note["dtype"]).dtype
        if note["subclass"] is not _ArrayType:
            raise RefusedNameError(f"an array of {note['subclass']}")
        if dtype.hasobject:
            return _as(np.ndarray, RestrictedUnpickler(self._stream).load())
        read = self.read  # pyright: ignore[reportAttributeAccessIssue]
        if note.get("numpy_array_alignment_bytes") is not None:
            read(read(1)[0])
        shape = tuple(_as(int, n) for n in note["shape"])
        size = math.prod(shape) * dtype.itemsize
        content = read(size) if min(shape, default=0) >= 0 else b""
        return _fill(np.empty(0), (shape, _DataType(dtype.str), note["order"] == "F", content))

    dispatch[pickle.BUILD[0]] = load_build  # pyright: ignore[reportArgumentType]
