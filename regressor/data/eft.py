"""EFT's fits, JSON, to a data set in SPIN's layout (.npz).

python -m regressor.data.eft COCO2014-Part-ver01.json --folder train2014 -o coco_2014_train.npz

Joo et al., "Exemplar Fine-Tuning for 3D Human Model Fitting Towards In-the-Wild 3D Human Pose
Estimation" (2021). The fits hold no keypoints: for COCO they come from its own annotations, by
--annotations person_keypoints_train2014.json.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import roma
import torch
import tyro

from regressor.data.spin import save_spin
from regressor.errors import FileFormatError, PosecastError

# COCO's 17 keypoints among the 24 in which data sets are labelled (SPIN, preprocess/coco.py).
COCO_TO_J24 = (19, 20, 21, 22, 23, 9, 8, 10, 7, 11, 6, 3, 2, 4, 1, 5, 0)
_NEEDED = ("parm_pose", "parm_shape", "bbox_scale", "bbox_center", "imageName")


def convert(fits: Path, annotations: Path | None = None, folder: str = "") -> dict[str, np.ndarray]:
    """Arrays in SPIN's layout; fits of other bodies than SMPL are left out.

    annotations: COCO's keypoints, joined by their id; folder: put before the pictures' names.
    Raises FileFormatError for files of another kind.
    """
    entries = _read(fits, "data")
    smpl = [entry for entry in entries if entry.get("smpltype", "smpl") == "smpl"]
    if not smpl:
        raise FileFormatError(f"{fits} holds no fits of SMPL.")
    for number, entry in enumerate(smpl):
        if missing := [key for key in _NEEDED if key not in entry]:
            raise FileFormatError(
                f"{fits} is not EFT's: entry {number} has no {' and no '.join(missing)}."
            )
    try:
        found = _arrays(smpl, folder)
    except (ValueError, TypeError) as error:
        raise FileFormatError(f"{fits} is not EFT's: {error}.") from error
    if annotations is not None:
        keypoints = _coco_keypoints(annotations)
        ids = [int(entry.get("annotId", -1)) for entry in smpl]
        if not any(number in keypoints for number in ids):
            raise FileFormatError(f"{annotations} has none of the people in {fits}: is it COCO's?")
        nothing = np.zeros((24, 3), np.float32)
        found["part"] = np.array([keypoints.get(number, nothing) for number in ids])
    return found


def _arrays(entries: list[dict[str, Any]], folder: str) -> dict[str, np.ndarray]:
    rotations = torch.tensor([entry["parm_pose"] for entry in entries], dtype=torch.float64)
    if rotations.shape[1:] != (24, 3, 3):
        raise ValueError(f"parm_pose has the shape {tuple(rotations.shape[1:])}")
    # Fits are rounded: the nearest rotations.
    poses = roma.rotmat_to_rotvec(roma.special_procrustes(rotations))
    names = [str(entry["imageName"]) for entry in entries]
    return {
        "imgname": np.array([f"{folder}/{name}" if folder else name for name in names]),
        "center": np.array([entry["bbox_center"] for entry in entries], np.float64).reshape(-1, 2),
        "scale": np.array([entry["bbox_scale"] for entry in entries], np.float64).reshape(-1),
        "pose": poses.flatten(1).numpy().astype(np.float32),
        "shape": np.array([np.ravel(entry["parm_shape"])[:10] for entry in entries], np.float32),
        "has_smpl": np.ones(len(entries), np.uint8),
    }


def _coco_keypoints(file: Path) -> dict[int, np.ndarray]:
    """(24, 3) px and confidence, 1 where labelled, by the annotation's id."""
    found = {}
    for annotation in _read(file, "annotations"):
        if "keypoints" not in annotation:
            continue
        points = np.array(annotation["keypoints"], np.float32).reshape(17, 3)
        points[:, 2] = points[:, 2] > 0
        found[annotation["id"]] = np.zeros((24, 3), np.float32)
        found[annotation["id"]][list(COCO_TO_J24)] = points
    return found


def _read(file: Path, key: str) -> list[dict[str, Any]]:
    try:
        content = json.loads(Path(file).read_text())
        entries = content[key]
    except OSError as error:
        raise FileFormatError(f"{file} can't be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileFormatError(f"{file} is not EFT's or COCO's: no JSON with '{key}'.") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise FileFormatError(f"{file} is not EFT's or COCO's: its '{key}' is no list of entries.")
    return entries


@dataclass
class Options:
    """Options of `eft`."""

    fits: Annotated[Path, tyro.conf.Positional]
    """EFT's fits, .json."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The data set to write, .npz."""
    annotations: Path | None = None
    """COCO's person_keypoints_….json, for the 2D keypoints."""
    folder: str = ""
    """Where the pictures lie below the data set's folder, such as train2014."""


def main() -> None:
    options = tyro.cli(Options, prog="python -m regressor.data.eft", description=__doc__)
    try:
        arrays = convert(options.fits, options.annotations, options.folder)
        save_spin(options.output, arrays)
    except PosecastError as error:
        sys.exit(str(error))
    keypoints = "with" if "part" in arrays else "without"
    print(f"Wrote {len(arrays['scale'])} people {keypoints} keypoints to {options.output}.")


if __name__ == "__main__":
    main()
