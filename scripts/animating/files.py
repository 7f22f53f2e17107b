"""Where animate.py writes: checked before the work, all files put in place after it or none."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import bpy


class JobError(Exception):
    """What animate.py itself finds wrong, in one sentence."""


def prepare_folder(folder: Path) -> list[Path]:
    """Makes the output's folder if it isn't there; returns those that it made, inmost first."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        remove_empty(missing)
        raise JobError(
            f"{folder} can't be made ({error.strerror}); choose another output."
        ) from None
    check_writable(folder)
    return missing


def remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def check_writable(folder: Path) -> None:
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise JobError(
            f"Nothing can be written into {folder} ({error.strerror}); choose another output."
        ) from None


def save(made: Path, final_folder: Path) -> None:
    """Saves the .blend, its video named as seen from `final_folder`, where it goes afterwards."""
    absolute = {image: image.filepath for image in bpy.data.images if image.source == "MOVIE"}
    for image, path in absolute.items():
        with suppress(ValueError):  # another drive
            image.filepath = "//" + os.path.relpath(bpy.path.abspath(path), final_folder)
    bpy.ops.wm.save_as_mainfile(
        filepath=str(made), compress=True, relative_remap=False, check_existing=False
    )
    for image, path in absolute.items():
        image.filepath = path


def publish(files: list[tuple[Path, Path]]) -> None:
    """Puts finished files in place: beside first (it may be another disk), then all renamed."""
    parts = [(target.with_name(f".{target.name}.part"), target) for _, target in files]
    try:
        for (made, _), (part, _) in zip(files, parts, strict=True):
            shutil.move(made, part)
        for part, target in parts:
            part.replace(target)
    except OSError as error:
        for part, _ in parts:
            part.unlink(missing_ok=True)
        raise JobError(
            f"The result can't be written ({error}); make room or choose another output."
        ) from error
