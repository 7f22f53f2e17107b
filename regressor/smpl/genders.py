"""Bodies of men and women: which of a user's SMPL files are whose, and what lies beside them."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from regressor.errors import FileFormatError, PosecastError
from regressor.smpl.body import Body, load_body

_NAMES = {  # as SMPL's files and their common copies are called
    "neutral": r"neutral",
    "male": r"(?:^|[_\-])(?:m|male)(?:[_\-.]|$)",
    "female": r"(?:^|[_\-])(?:f|female)(?:[_\-.]|$)",
}

REGRESSOR = "J_regressor_h36m.npy"


class ByGender(NamedTuple):
    """Bodies in the order of data sets' codes: 0 male, 1 female, -1 for anybody else."""

    male: Body
    female: Body
    neutral: Body


def body_file(folder: Path, gender: str) -> Path:
    """The SMPL file of a gender in a user's folder. Raises PosecastError where there is none."""
    if not folder.is_dir():
        raise PosecastError(f"There is no folder {folder}: name that of SMPL's files.")
    files = [file for file in sorted(folder.rglob("*")) if file.suffix in (".pkl", ".npz")]
    found = [file for file in files if re.search(_NAMES[gender], file.name.lower())]
    if not found:
        raise PosecastError(
            f"{folder} has no {gender} SMPL file: put SMPL's .pkl for {gender} there, under "
            f"a name such as SMPL_{gender.upper()}.pkl."
        )
    return found[0]


def load_bodies(path: Path | None = None) -> ByGender:
    """The bodies in a user's folder; or one for everybody, that of a file or the default body.

    Raises PosecastError for a folder that lacks one of the three, FileFormatError for files that
    are no SMPL bodies, or of different meshes.
    """
    if path is None or not path.is_dir():
        body = load_body(path)
        return ByGender(body, body, body)
    found = ByGender(*(load_body(body_file(path, gender), gender) for gender in ByGender._fields))
    if len({len(body.v_template) for body in found}) > 1:
        counts = ", ".join(f"{body.name} {len(body.v_template)}" for body in found)
        raise FileFormatError(
            f"The bodies in {path} differ in their numbers of vertices: {counts}."
        )
    return found


def h36m_regressor(
    folder: Path, vertices: int, names: tuple[str, ...] = (REGRESSOR,)
) -> np.ndarray | None:
    """(17, vertices) from a mesh to Human3.6M's joints, the first of `names` in a user's folder.

    None where there is none. SPIN's has the left leg before the right one. Raises FileFormatError
    for a file that can't be read, or is for another body.
    """
    found = [file for name in names for file in sorted(folder.rglob(name))]
    if not found:
        return None
    try:
        matrix = np.asarray(np.load(found[0], allow_pickle=False), np.float64)
    except (OSError, ValueError, EOFError) as error:
        raise FileFormatError(f"{found[0]} can't be read as an array.") from error
    if matrix.shape != (17, vertices):
        raise FileFormatError(
            f"{found[0]} is for another body: it is {matrix.shape} instead of (17, {vertices})."
        )
    return matrix
