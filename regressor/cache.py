"""What was found in videos, kept in a folder, so that another run needn't look for it again.

Detections are kept by the video and all that changes them, fits by the detections and all that
changes those; the sources that make them count as well, so that a newer Posecast looks anew. A file
is an .npz without pickles; one that is damaged is as good as none.
"""

import hashlib
import io
import json
import os
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from regressor.errors import PosecastError
from regressor.files import replacing

if TYPE_CHECKING:
    from regressor.detection import Detections
    from regressor.smpl.fit import Fit

VERSION = 1
PREFIX = "posecast-"
SOURCES = {
    "detections": ("detection", "video.py", "skeletons.py"),
    "fit": ("images", "lifters", "refine", "smpl", "lifting.py", "reconstruct.py", "skeletons.py"),
}
_BLOCK = 65536  # bytes at the beginning, the middle and the end of a file that tell it from others


class Cache:
    """A folder of at most `limit_mb`, from which the oldest goes first."""

    def __init__(self, folder: Path, limit_mb: float):
        self.folder, self._limit = folder, limit_mb * 1e6
        self.warning: str | None = None  # one sentence, when something couldn't be kept

    def detections(self, key: str) -> "tuple[Detections, str | None] | None":
        """What was seen, and what was wrong with the film; None where it isn't kept."""
        from regressor.detection import Detections, Track

        content = self._load(key) or {}
        kept: dict[str, Any] = {name: v if v.ndim else v.item() for name, v in content.items()}
        names = [field.name for field in fields(Track) if field.name != "world"]
        with suppress(KeyError, TypeError):
            warning, people = kept.pop("warning"), kept.pop("people")
            tracks = [
                Track(
                    **{name: kept.pop(f"{name}{i}") for name in names},
                    world=kept.pop(f"world{i}", None),
                )
                for i in range(people)
            ]
            kept["cuts"] = kept["cuts"].tolist()
            return Detections(tracks=tracks, **kept), warning or None
        return None

    def keep_detections(self, key: str, found: "Detections", warning: str | None) -> None:
        content = {field.name: getattr(found, field.name) for field in fields(found)}
        content |= {"warning": warning or "", "people": len(content.pop("tracks"))}
        for i, track in enumerate(found.tracks):
            content |= {f"{name}{i}": value for name, value in asdict(track).items()}
        self._save(key, {name: value for name, value in content.items() if value is not None})

    def fit(self, key: str) -> "Fit | None":
        """A fit that was kept, or None."""
        import torch

        from regressor.smpl.fit import Fit

        content = self._load(key) or {}
        with suppress(KeyError, TypeError):
            return Fit(*(torch.from_numpy(content[field.name]) for field in fields(Fit)))
        return None

    def keep_fit(self, key: str, found: "Fit") -> None:
        content = {field.name: getattr(found, field.name).numpy() for field in fields(found)}
        self._save(key, content)

    def _load(self, key: str) -> dict[str, np.ndarray] | None:
        file = self._file(key)
        try:
            with np.load(file, allow_pickle=False) as archive:
                content = {name: archive[name] for name in archive.files}
            os.utime(file)  # the oldest is the one that nobody wanted for longest
        except Exception:  # a damaged file can fail in any way, and is made anew
            return None
        return content

    def _save(self, key: str, content: dict[str, Any]) -> None:
        archive = io.BytesIO()
        np.savez(archive, **content)
        try:
            with replacing(self._file(key), told=False) as partial:
                partial.write_bytes(archive.getbuffer())
        except PosecastError as error:  # the work itself went well
            self.warning = str(error)
        self._prune()

    def _file(self, key: str) -> Path:
        return self.folder / f"{PREFIX}{key}.npz"

    def _prune(self) -> None:
        held = []
        with suppress(OSError):
            held = [(file.stat(), file) for file in self.folder.glob(f"{PREFIX}*.npz")]
        total = sum(stat.st_size for stat, _ in held)
        for stat, file in sorted(held, key=lambda item: item[0].st_mtime):
            if total <= self._limit:
                return
            with suppress(OSError):
                file.unlink()
                total -= stat.st_size


def key_of(kind: str, **parts: Any) -> str:
    """One name for everything that a result depends on; paths stand for what the files hold."""
    told = {name: _plain(value) for name, value in parts.items()}
    whole = json.dumps([VERSION, kind, _source(SOURCES[kind]), told], sort_keys=True)
    return f"{kind}-{hashlib.sha256(whole.encode()).hexdigest()[:32]}"


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return _identity(value)
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _identity(file: Path) -> list:
    """A file's path, size, time, and a hash of some of its blocks."""
    try:
        stat = file.stat()
        blocks = hashlib.sha256()
        with file.open("rb") as stream:
            for start in (0, stat.st_size // 2, max(0, stat.st_size - _BLOCK)):
                stream.seek(start)
                blocks.update(stream.read(_BLOCK))
    except OSError as error:
        raise PosecastError(f"{file} can't be read: {error.strerror}.") from error
    return [str(file.resolve()), stat.st_size, stat.st_mtime_ns, blocks.hexdigest()]


def _source(names: tuple[str, ...]) -> str:
    """A hash of the program's own files."""
    root, text = Path(__file__).parent, hashlib.sha256()
    for name in names:
        place = root / name
        for file in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            text.update(file.read_bytes())
    return text.hexdigest()
