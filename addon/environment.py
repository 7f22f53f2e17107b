"""Where the estimator's Python is. Without bpy, but for the place of the user's folder."""

import functools
import json
import os
import tomllib
from pathlib import Path

from . import estimator
from .estimator import EstimatorError, repository_root

FOLDER = "environment"  # in the user's folder; made by set-up
MARK = "posecast.json"  # in it, once all is installed
HOW = (
    "open Edit > Preferences > Add-ons > Posecast and press Set Up, "
    "or name there a Python that has it"
)


def user_folder() -> Path:
    """Where Posecast may keep files of its own; it needn't exist yet."""
    import bpy

    package = __package__ or ""
    if package.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(package))
    return Path(bpy.utils.user_resource("DATAFILES", path="posecast"))


def find_python(given: str | Path = "", folder: Path | None = None) -> Path:
    """The estimator's Python; raises EstimatorError, which says where to get one.

    The given one (the preferences'), else POSECAST_PYTHON's, else the one that set-up made in
    `folder` (the user's), else the clone's .venv.
    """
    if given or os.environ.get(estimator.PYTHON_VARIABLE):
        try:
            return estimator.find_python(given)
        except EstimatorError:
            name = given or os.environ[estimator.PYTHON_VARIABLE]
            raise EstimatorError(f"The estimator's Python {name} isn't there; {HOW}.") from None
    made = (folder or user_folder()) / FOLDER
    if read_mark(made):
        return python_in(made)
    try:
        return estimator.find_python()
    except EstimatorError:
        raise EstimatorError(f"The estimator isn't set up yet; {HOW}.") from None


def python_in(environment: Path) -> Path:
    """The Python of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def read_mark(environment: Path) -> dict | None:
    """What set-up noted when it was done ("source", "version"); None where it isn't."""
    try:
        mark = json.loads((environment / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return mark if isinstance(mark, dict) and python_in(environment).is_file() else None


def write_mark(environment: Path, **mark: str) -> None:
    part = environment / f"{MARK}.part"
    part.write_text(json.dumps(mark), encoding="utf-8")
    part.replace(environment / MARK)


def clone() -> Path | None:
    """The repository this add-on runs from, if it does."""
    root = repository_root()
    return root if (root / "regressor").is_dir() else None


@functools.cache
def version() -> str:
    """This add-on's, which is the estimator's that comes with it."""
    manifest = Path(__file__).with_name("blender_manifest.toml")
    return tomllib.loads(manifest.read_text(encoding="utf-8"))["version"]
