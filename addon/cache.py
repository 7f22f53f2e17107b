"""Results of earlier runs, kept by video and settings; without bpy.

A run works in a folder of its own, which gets its final name only when the run is done: whatever
has a final name is whole. `detections` is the estimator's own cache of what it saw in videos.
"""

import hashlib
import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from .estimator import EstimatorError

RESULT = "result.json"
VERSION = 1  # another one when results of this add-on's settings become others
_PART = ".part-"
_ABANDONED_S = 24 * 3600.0


def identity(path: str | Path) -> list:
    """What tells a file from another and from its own earlier state: place, size, time."""
    status = os.stat(path)
    return [str(Path(path).resolve()), status.st_size, status.st_mtime_ns]


def key(video: Path, options: dict, files: list[Path] | tuple = ()) -> str:
    """The name of the result of `options` for `video`; `files` are what the options name.

    Raises EstimatorError where one of the files can't be looked at.
    """
    try:
        names = [identity(path) for path in (video, *files)]
    except OSError as error:
        raise EstimatorError(
            f"{error.filename} can't be read ({error.strerror}); check the path."
        ) from None
    told = json.dumps([VERSION, names, options], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:24]


def detections(root: Path) -> Path:
    return root / "detections"


def begin(root: Path, name: str) -> Path:
    """A folder for a run that shall be kept as `name`; raises EstimatorError."""
    folder = root / "runs" / f"{name}{_PART}{os.getpid()}"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "room").write_bytes(bytes(4096))  # a full disk lets folders be made still
        (folder / "room").unlink()
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise EstimatorError(
            f"Results can't be kept in {root} ({error.strerror}); make room there, or see that "
            "the folder can be written."
        ) from None
    return folder


def keep(folder: Path, files: list[Path], message: str) -> list[Path]:
    """Gives a finished run its final name; returns where its files are then."""
    final = folder.with_name(folder.name.partition(_PART)[0])
    names = [file.name for file in files]
    try:
        told = json.dumps({"files": names, "message": message})
        (folder / RESULT).write_text(told, encoding="utf-8")
        shutil.rmtree(final, ignore_errors=True)
        folder.rename(final)
    except OSError as error:
        raise EstimatorError(
            f"The result can't be kept in {folder.parent} ({error.strerror}); make room there."
        ) from None
    return [final / name for name in names]


def find(root: Path, name: str) -> tuple[list[Path], str] | None:
    """The files of an earlier run and what it said, or None."""
    folder = root / "runs" / name
    try:
        told = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        files, message = [folder / file for file in told["files"]], str(told["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not files or not all(file.is_file() for file in files):
        return None
    with suppress(OSError):
        os.utime(folder / RESULT)  # used now, so it goes last
    return files, message


def drop(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def prune(root: Path, limit_mb: float, spare: Path | None = None) -> None:
    """Takes the runs away that were longest unused, until the others fit; never `spare`."""
    with suppress(OSError):
        runs = []
        for folder in (root / "runs").iterdir():
            if _PART in folder.name:
                if time.time() - folder.stat().st_mtime > _ABANDONED_S:
                    drop(folder)
                continue
            result = folder / RESULT
            used = result.stat().st_mtime if result.is_file() else 0.0
            size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            runs.append((used, size, folder))
        runs.sort(reverse=True)
        total = 0
        for _, size, folder in runs:
            total += size
            if total > limit_mb * 1e6 and folder != spare:
                drop(folder)
