"""The body that the settings name: the one that comes with Posecast, or the user's SMPL file."""

import hashlib
import tempfile
from pathlib import Path

import bpy
import numpy as np

from . import preferences
from .body import BETAS, DEFAULT, BodyData, BodyFileError, default_body_file, read_body
from .environment import find_python
from .estimator import Estimator
from .motion_file import Motion
from .results import RecordedShape


def chosen_body(context: bpy.types.Context, choice: str) -> BodyData:
    """The BodyData of "DEFAULT" or "SMPL"; raises BodyFileError, EstimatorError."""
    if choice == "DEFAULT":
        return read_body(default_body_file())
    chosen = preferences.get(context)
    if not chosen.smpl_file:
        raise BodyFileError(
            "No SMPL file is named yet; name yours in Posecast's preferences, "
            "or choose the default body."
        )
    file = Path(bpy.path.abspath(chosen.smpl_file))
    if file.suffix.lower() == ".pkl":
        return _converted(file, chosen.python)
    return read_body(file)


def betas_for(body: str, recorded: Motion | RecordedShape, choice: str) -> np.ndarray:
    """(10,) what was recorded with "VIDEO", if it is of this kind of `body`; otherwise neutral.

    `body` and the recorded one are "default" or a body file's name.
    """
    own = (recorded.body == DEFAULT) == (body == DEFAULT)
    return np.array(recorded.betas) if choice == "VIDEO" and own else np.zeros(BETAS)


def _converted(file: Path, python: str) -> BodyData:
    """A pickled SMPL file, made into plain arrays by the estimator's Python once."""
    if not file.is_file():
        raise BodyFileError(f"There is no body file {file}; correct it in Posecast's preferences.")
    mark = hashlib.sha256(f"{file.resolve()} {file.stat().st_mtime_ns}".encode()).hexdigest()[:16]
    folder = Path(bpy.app.tempdir or tempfile.gettempdir()) / f"posecast-{mark}"
    folder.mkdir(exist_ok=True)
    plain = folder / f"{file.stem}.npz"
    if not plain.is_file():
        words = [str(file), "--output", str(plain)]
        job = Estimator(find_python(python), "regressor.smpl.convert", words, folder)
        try:
            job.outputs()
        finally:
            job.cancel()
    return read_body(plain)
