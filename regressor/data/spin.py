"""Data sets in the files that SPIN made of them: one .npz of plain arrays a data set.

Kolotouros et al., "Learning to Reconstruct 3D Human Pose and Shape via Model-fitting in the Loop"
(2019); DSR and many others use the same files. In a folder, as DSR lays it out, are
`dataset_extras/` with these files and `dataset_folders/NAME/` with the pictures.
"""

import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from regressor.data.images import Records, gender_codes, no_labels
from regressor.errors import FileFormatError, PosecastError

EXTRAS, FOLDERS = "dataset_extras", "dataset_folders"
# Name: file to train on, file to evaluate on.
FILES = {
    "h36m": ("h36m_train.npz", "h36m_valid_protocol2.npz"),
    "lsp": ("lsp_dataset_original_train.npz", "lsp_dataset_test.npz"),
    "mpii": ("mpii_train.npz", None),
    "lspet": ("hr-lspet_train.npz", None),
    "coco": ("coco_2014_train.npz", None),
    "mpi-inf-3dhp": ("mpi_inf_3dhp_train.npz", "mpi_inf_3dhp_valid.npz"),
    "3dpw": ("3dpw_train.npz", "3dpw_test.npz"),
}
_NEEDED = ("imgname", "center", "scale")
_LABELS = ("part", "openpose", "S", "pose")
_OTHERS = ("shape", "has_smpl", "gender")


def load_spin(file: str | Path, root: str | Path, name: str = "") -> Records:
    """A file in SPIN's layout; `root` is the folder that its pictures' names start from.

    Raises FileFormatError that names what is missing, or says that it is no such file.
    """
    arrays = _read(Path(file))
    if missing := [key for key in _NEEDED if key not in arrays]:
        raise FileFormatError(
            f"{file} is not in SPIN's layout: it has no {' and no '.join(missing)}."
        )
    if not any(key in arrays for key in _LABELS):
        raise FileFormatError(
            f"{file} has nothing to learn from: none of {', '.join(_LABELS)} is in it."
        )
    count = len(arrays["imgname"])
    try:
        filled = no_labels(count) | _labels(arrays)
    except (ValueError, IndexError) as error:
        raise FileFormatError(f"{file} is not in SPIN's layout: {error}.") from error
    return Records(
        name=name or Path(file).name,
        root=Path(root),
        imgname=arrays["imgname"].astype(str),
        center=arrays["center"].astype(np.float64),
        scale=arrays["scale"].astype(np.float64).reshape(count),
        **filled,
    )


def _read(file: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(file, allow_pickle=False) as stored:
            wanted = {*_NEEDED, *_LABELS, *_OTHERS}
            return {key: stored[key] for key in stored.files if key in wanted}
    except FileNotFoundError as error:
        raise FileFormatError(f"{file} can't be read: there is no such file.") from error
    except (OSError, ValueError, EOFError, BadZipFile, AttributeError, zlib.error) as error:
        raise FileFormatError(
            f"{file} can't be read as a data set: a file in SPIN's layout (.npz) is needed."
        ) from error


def _labels(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What Records hold of the optional keys."""
    found, count = {}, len(arrays["imgname"])
    if "part" in arrays or "openpose" in arrays:
        openpose = arrays.get("openpose", np.zeros((count, 25, 3)))
        part = arrays.get("part", np.zeros((count, 24, 3)))
        found["keypoints"] = np.concatenate([openpose, part], axis=1).astype(np.float32)
    if "S" in arrays:
        found["joints3d"] = arrays["S"].astype(np.float32)
    if "pose" in arrays:
        found["pose"] = arrays["pose"].astype(np.float32).reshape(count, 72)
        found["betas"] = arrays.get("shape", np.zeros((count, 10)))[:, :10].astype(np.float32)
        found["has_smpl"] = np.ones(count, bool)
        if "has_smpl" in arrays:
            found["has_smpl"] = arrays["has_smpl"].reshape(count).astype(bool)
    if "gender" in arrays:
        found["gender"] = gender_codes(arrays["gender"])
    return found


def load_named(data: str | Path, name: str, train: bool = True) -> Records:
    """The data set `name` (a key of FILES) in a folder laid out as above."""
    if name not in FILES:
        raise PosecastError(f"There is no data set called {name}: choose {', '.join(FILES)}.")
    file = FILES[name][0 if train else 1]
    if file is None:
        raise PosecastError(f"{name} has no part to evaluate on.")
    return load_spin(Path(data) / EXTRAS / file, Path(data) / FOLDERS / name, name)


def save_spin(file: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes arrays in SPIN's layout, whole or not at all."""
    from regressor.files import replacing

    with replacing(file) as beside, beside.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
