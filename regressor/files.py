"""Writes files so that none is ever left half-written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from regressor.errors import PosecastError

_partial: set[Path] = set()  # what is being written now
_finished: set[Path] = set()  # what this process has written


@contextmanager
def replacing(file: str | Path, told: bool = True) -> Iterator[Path]:
    """A path beside `file` to write to; it takes the place of `file` when the block ends well.

    Makes the folder if there is none. When the block fails, what was written is removed and an
    older `file` stays as it was. told: whether it is one of the files that were asked for. Raises
    PosecastError where the system refuses to write.
    """
    file = Path(file)
    partial = file.with_name(f".{file.stem}.{os.getpid()}.partial{file.suffix}")
    _partial.add(partial)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(file)
        if told:
            _finished.add(file)
    except OSError as error:
        if error.errno is None:  # raised by the block itself, not by the system
            raise
        raise PosecastError(
            f"{file} can't be written ({error.strerror}): choose another place or free some space."
        ) from error
    finally:
        # Nothing to remove when all went well, nor when there is no such folder.
        if partial.parent.is_dir():
            partial.unlink(missing_ok=True)
        _partial.discard(partial)


def remove_partial_files() -> None:
    """For the end of a process in the midst of its work: from any thread, it removes them all."""
    for partial in list(_partial):
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def finished() -> int:
    """How many of the files that were asked for this process has written."""
    return len(_finished)
