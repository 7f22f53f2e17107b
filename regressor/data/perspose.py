"""PersPose's own files: what its authors prepared of data sets, a dictionary of arrays for each.

Hao and Li, "PersPose: 3D Human Pose Estimation with Perspective Encoding and Perspective Rotation"
(2025). joblib wrote them, a row for each person in a picture. They lie in one folder, which the
authors call data, beside the pictures: SETS says where. What this training doesn't ask for isn't
kept: the visible vertices (`vis`), the masks, the frames' numbers.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from regressor.errors import FileFormatError
from regressor.images.perspose import BETAS
from regressor.safe_pickle import load_pickle

_BOX = {"bbox": (4,)}
_CAMERA = _BOX | {"cam_intrinsics": (3, 3)}
_SMPL = _CAMERA | {"smpl_theta": (24, 3), "smpl_beta": (BETAS,), "smpl_transl": (3,)}


class Layout(NamedTuple):
    """A data set's file and the folder of its pictures, and the arrays that a row has of each."""

    file: str
    pictures: str
    shapes: Mapping[str, tuple[int, ...]]


# As people write them, and SPIN's numbers. What isn't told is taken for neutral.
GENDERS = {
    **dict.fromkeys(("male", "m", "0"), 0),
    **dict.fromkeys(("female", "f", "1"), 1),
    **dict.fromkeys(("neutral", "n", "-1", "", "none"), -1),
}
SETS = {
    "h36m": Layout("h36m/densepose_train_5.pt", "h36m/images", _SMPL),
    "3dpw": Layout("3dpw/densepose_train.pt", "3dpw", _SMPL),
    "bedlam": Layout("bedlam/densepose_train_3.pt", "bedlam/data", _SMPL),
    "bedlam-val": Layout("bedlam/densepose_val_3.pt", "bedlam/data", _SMPL),
    "mpi-inf-3dhp": Layout(
        "3dhp/3dhp_train_v2.pt", "3dhp/mpi_inf_3dhp_train_set", _CAMERA | {"3dhp_j17": (17, 3)}
    ),
    "coco": Layout("coco/coco_train2017.pt", "coco/train2017", _BOX | {"coco_kp17": (17, 3)}),
}
# Of MPI-INF-3DHP's subjects, m, as the authors have them.
HEIGHTS = (1.7994, 1.8039, 1.7621, 1.6546, 1.6756, 1.6977, 1.7823, 1.7548)
ADULT = 1.8  # m, of those whose height isn't told


@dataclass
class Prepared:
    """N people in pictures, by the files' own names of things.

    arrays, float32: bbox (N, 4) x, y, width and height, px; cam_intrinsics (N, 3, 3) px; of SMPL,
    in the camera's axes, smpl_theta (N, 24, 3) rad, smpl_beta (N, 11), of which only BEDLAM has the
    last, and smpl_transl (N, 3) m; 3dhp_j17 (N, 17, 3) m in the camera's axes, in Human3.6M's
    order; coco_kp17 (N, 17, 3) px and visibility. Only those of the set's Layout are there.
    """

    name: str  # the data set's
    root: Path  # folder that the pictures' names start from
    names: np.ndarray  # (N,) str, of pictures
    arrays: dict[str, np.ndarray]
    genders: np.ndarray
    """(N,) the bodies that poses and betas are of, by `data.images.GENDER_CODES`; -1 for neutral
    ones, and where the file doesn't say. BEDLAM's, of 11 betas, are neutral whoever it is."""

    def __len__(self) -> int:
        return len(self.names)

    def picture(self, index: int) -> Path:
        """A record's picture; the .jpg of that name where only that is there (some of BEDLAM's)."""
        file = self.root / str(self.names[index])
        other = file.with_suffix(".jpg")
        return other if not file.is_file() and other.is_file() else file


def load_prepared(data: str | Path, name: str) -> Prepared:
    """The data set `name` (a key of SETS) in the authors' folder.

    Raises FileFormatError for a file that can't be read, or is another.
    """
    layout = SETS[name]
    file = Path(data) / layout.file
    content = load_pickle(file)
    wanted = ("file_name", *layout.shapes)
    if missing := [key for key in wanted if not isinstance(content, dict) or key not in content]:
        raise FileFormatError(
            f"{file} is not PersPose's file of {name}: it has no {' and no '.join(missing)}."
        )
    try:
        names = np.asarray(content["file_name"]).astype(str)
        if names.ndim != 1 or not len(names):
            raise ValueError("it names no pictures")
        arrays = {
            key: _checked(key, content[key], (len(names), *shape))
            for key, shape in layout.shapes.items()
        }
        genders = _genders(content.get("gender"), len(names), name)
    except (ValueError, TypeError, OverflowError) as error:
        raise FileFormatError(f"{file} is not PersPose's file of {name}: {error}.") from error
    return Prepared(name, Path(data) / layout.pictures, names, arrays, genders)


def _checked(key: str, value: Any, wanted: tuple[int, ...]) -> np.ndarray:
    """An array in its shape; poses and keypoints may lie flat in a row."""
    array = np.asarray(value, np.float32)
    if key == "smpl_beta" and array.shape == (wanted[0], 10):
        array = np.pad(array, ((0, 0), (0, BETAS - 10)))
    if array.shape[:1] != wanted[:1] or array.size != math.prod(wanted):
        raise ValueError(f"{key} has the shape {array.shape} instead of {wanted}")
    return array.reshape(wanted)


def _genders(value: Any, count: int, name: str) -> np.ndarray:
    if value is None or "smpl_beta" not in SETS[name].shapes or name.startswith("bedlam"):
        return np.full(count, -1)
    told = np.asarray(value)
    if told.shape == ():  # one for all
        told = np.full(count, told)
    if told.size != count or told.shape[0] != count:
        raise ValueError(f"gender has the shape {told.shape} instead of {(count,)}")
    words = [_word(gender) for gender in told.ravel().tolist()]
    if unknown := set(words) - set(GENDERS):
        raise ValueError(
            f"gender is {min(unknown)!r} in it, not male, female or neutral (nor 0, 1 or -1)"
        )
    return np.array([GENDERS[word] for word in words])


def _word(gender: Any) -> str:
    """A gender as one of GENDERS, if it is any: text in bytes or not, or a whole number."""
    if isinstance(gender, bytes):
        gender = gender.decode("ascii", "replace")
    if isinstance(gender, float) and gender.is_integer():
        gender = int(gender)
    return str(gender).strip().lower()


def height_3dhp(picture: str) -> float:
    """The height, m, of the subject that the name of one of MPI-INF-3DHP's pictures tells."""
    subject = re.search(r"S([1-8])[_/\\]Seq\d", picture)
    return HEIGHTS[int(subject[1]) - 1] if subject else ADULT
