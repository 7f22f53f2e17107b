"""What the commands share: how they tell their progress and errors, and how they are stopped."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from regressor.errors import PosecastError
from regressor.memory import keep_memory
from regressor.progress import Progress
from regressor.stopping import Listener


@dataclass(kw_only=True)
class Reporting:
    """Options of every command that works for a while."""

    progress: Literal["json", "bar", "none"] = "bar"
    """A bar for people, JSON lines for programs."""
    progress_file: Path | None = None
    """A file for the JSON lines, instead of standard output."""
    stop_with_parent: bool = False
    """End when standard input does: it is a pipe that the program which started this one holds."""
    debug: bool = False
    """Show where an error came from."""


def run(
    options: Reporting,
    work: Callable[[Progress], tuple[str, list[Path]]],
    listener: Listener | None,
    reads: Iterable[Path | None] = (),
    writes: Iterable[Path | None] = (),
) -> None:
    """Does `work`, which gives a message and the files it wrote, and tells how it went.

    Exit status: 0; 1 for an error, told in one sentence; 130 and 143 when it was stopped. Keeps
    what is written (`writes` and the progress) from taking the place of what is read.
    """
    progress = None
    keep_memory()
    try:
        keep_apart(list(reads), [*writes, options.progress_file])
        progress = Progress(options.progress, options.progress_file)
        if listener is not None:
            listener.progress = progress
            if options.stop_with_parent:
                listener.end_with_parent()
        message, paths = work(progress)
        progress.done(message, paths)
        if options.progress == "bar":
            wrote = f"\nWrote {', '.join(str(path) for path in paths)}." if paths else ""
            print(message + wrote)
    except PosecastError as error:
        end(progress, str(error), 1, options.debug)
    except MemoryError:
        sentence = "There isn't enough memory: use --start and --end, or --fps."
        end(progress, sentence, 1, options.debug)
    except Exception as error:
        told = " ".join(str(error).split())  # torch tells its errors in paragraphs
        sentence = f"Something went wrong in Posecast itself ({type(error).__name__}: {told}); "
        end(progress, sentence + "run it again with --debug to see where.", 1, options.debug)


def end(progress: Progress | None, sentence: str, status: int, debug: bool) -> None:
    """Tells the sentence everywhere that it is waited for, and exits."""
    if progress is not None:
        with suppress(PosecastError, OSError):  # a second error would hide the first
            progress.fail(sentence)
            progress.close()
    if debug:
        raise  # this is called while the error is being handled
    print(sentence, file=sys.stderr)
    sys.exit(status)


def keep_apart(read: Iterable[Path | None], written: Iterable[Path | None]) -> None:
    """Raises PosecastError where a file of `written` is one of `read`."""
    for output in written:
        for file in read:
            if not (file and output):
                continue
            # os.path's answer is no, not an error, for a name that no file can have.
            if os.path.exists(file) and os.path.exists(output) and file.samefile(output):
                raise PosecastError(f"{output} would be overwritten: it is read, so name another.")


def check_output(output: Path, suffix: str, kind: str) -> None:
    """Says now, not after minutes of work, that the output can't be written; leaves nothing."""
    if output.suffix != suffix:
        raise PosecastError(f"{output} can't be the output: {kind} ends in {suffix}.")
    try:
        if output.is_dir():
            raise PosecastError(f"{output} can't be the output: it is a folder.")
        folder = next(folder for folder in output.absolute().parents if folder.exists())
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise PosecastError(
            f"{output} can't be written ({error.strerror}): choose another place."
        ) from error
