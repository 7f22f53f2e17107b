"""Reads the .npz archives of the lifters' data sets, whose dictionaries are stored as pickles."""

import io
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from regressor.errors import FileFormatError
from regressor.safe_pickle import MOST_BYTES, RefusedNameError, RestrictedUnpickler, refusal


def load_archive(file: str | Path, *keys: str) -> list[Any]:
    """The arrays, or the objects, under `keys` of an .npz; pickles through `safe_pickle` alone.

    Raises FileFormatError for a file that isn't one, lacks a key, or holds more than data.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            have = [name.removesuffix(".npy") for name in archive.namelist()]
            missing = [key for key in keys if key not in have]
            if missing:
                raise FileFormatError(
                    f"{file} lacks {' and '.join(missing)}; it holds {', '.join(have[:5])}."
                )
            if sum(archive.getinfo(f"{key}.npy").file_size for key in keys) > MOST_BYTES:
                raise FileFormatError(f"{file} unpacks to more than {MOST_BYTES >> 30} GiB.")
            return [_member(archive, f"{key}.npy") for key in keys]
    except FileFormatError:
        raise
    except RefusedNameError as error:
        raise FileFormatError(refusal(file, str(error))) from None
    except FileNotFoundError as error:
        raise FileFormatError(f"{file} can't be read: there is no such file.") from error
    except Exception as error:  # a broken archive can fail in any way
        raise FileFormatError(
            f"{file} is not a readable .npz archive: it may be incomplete or of another kind."
        ) from error


def keys_of(file: str | Path) -> set[str]:
    """The names of the arrays in an .npz; none where it isn't one."""
    try:
        with zipfile.ZipFile(file) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return set()


def _member(archive: zipfile.ZipFile, name: str) -> Any:
    with archive.open(name) as stream:
        if not _header(stream).hasobject:
            stream.seek(0)
            return npy.read_array(stream, allow_pickle=False)
        content = RestrictedUnpickler(io.BytesIO(stream.read())).load()
    # A dictionary is stored as an array of no dimension.
    return content.item() if isinstance(content, np.ndarray) and not content.shape else content


def _header(stream: IO[bytes]) -> np.dtype:
    """The data type; leaves the stream behind the header."""
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return read(stream)[2]


class Tree:
    """A stored tree of dictionaries and arrays, asked for with checks.

    Every complaint is one sentence that names the file and the place in it.
    """

    def __init__(self, file: str | Path, content: Any, place: str = ""):
        self.file, self.content, self.place = file, content, place

    def wrong(self, what: str) -> FileFormatError:
        """The error that says what is wrong here."""
        return FileFormatError(f"{self.file}: {self.place or 'its content'} {what}.")

    def items(self) -> list[tuple[str, "Tree"]]:
        """The entries of a dictionary."""
        if not isinstance(self.content, dict):
            raise self.wrong("is no dictionary")
        return [
            (str(key), Tree(self.file, entry, f"{self.place} {key}".strip()))
            for key, entry in self.content.items()
        ]

    def at(self, key: Any) -> "Tree":
        """The entry under `key` of a dictionary, or with that number in a list."""
        kind = list | tuple | np.ndarray if isinstance(key, int) else dict
        if not isinstance(self.content, kind):
            raise self.wrong(f"is no {'list' if isinstance(key, int) else 'dictionary'}")
        try:
            found = self.content[key]
        except (KeyError, IndexError):
            raise self.wrong(f"lacks {key}") from None
        return Tree(self.file, found, f"{self.place} {key}".strip())

    def number(self) -> float:
        """A positive number."""
        try:
            found = float(self.content)
        except (TypeError, ValueError):
            found = 0.0
        if not 0 < found < float("inf"):
            raise self.wrong(f"is {self.content!r} instead of a positive number")
        return found

    def array(self, *shape: int | None, finite: bool = True) -> np.ndarray:
        """As float32 of the given shape, None standing for any length."""
        try:
            found = np.asarray(self.content, np.float32)
        except (TypeError, ValueError):
            raise self.wrong("is no array of numbers") from None
        fits = found.ndim == len(shape) and all(
            wanted in (None, n) for wanted, n in zip(shape, found.shape, strict=True)
        )
        if not fits:
            text = " x ".join("any" if n is None else str(n) for n in shape)
            raise self.wrong(f"is an array of shape {found.shape} instead of {text}")
        if finite and not np.isfinite(found).all():
            raise self.wrong("holds values that are no numbers")
        return found
