"""Labelled pictures to training samples: the record of a person, cropped, augmented, normalised.

Every reader of a data set gives `Records`; `LabelledImages` makes samples of them. A sample is a
dictionary of tensors:

image (3, 224, 224) normalised (`images.crops`); labels (224, 224) uint8, ids of the 20 labels, all
255 where there are none, and has_labels; keypoints (49, 3) x, y in -1..1 over the crop and
confidence; joints3d (24, 4) m in the camera's axes, in J24's order, with their validity; pose
(24, 3, 3) rotations, the first in the camera's axes; betas (10,); has_smpl; gender 0 male, 1
female, -1 unknown; index of the record.
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import roma
import torch
from torch import Tensor
from torch.utils.data import Dataset

from regressor.data.graphonomy import LabelMaps
from regressor.errors import FileFormatError, PosecastError
from regressor.images import crops
from regressor.images.augment import (
    Augmentation,
    Change,
    augment_image,
    augment_joints,
    augment_keypoints,
    augment_labels,
    augment_pose,
)

NO_LABEL = 255
GENDER_CODES = {"m": 0, "f": 1, "male": 0, "female": 1}


class SampleError(PosecastError):
    """One sample can't be used: its picture can't be read, or its labels aren't numbers."""


@dataclass
class Records:
    """N people in pictures, as SPIN's files describe them; zeros where something isn't known.

    Raises FileFormatError where the numbers of records differ.
    """

    name: str  # the data set's
    root: Path  # folder that the pictures' names start from
    imgname: np.ndarray  # (N,) str
    center: np.ndarray  # (N, 2) px, the box's middle
    scale: np.ndarray  # (N,) the box's side / 200 px
    keypoints: np.ndarray  # (N, 49, 3) px of the picture, confidence
    joints3d: np.ndarray  # (N, 24, 4) m, validity
    pose: np.ndarray  # (N, 72) axis-angle, rad, the first three in the camera's axes
    betas: np.ndarray  # (N, 10)
    has_smpl: np.ndarray  # (N,) bool
    gender: np.ndarray  # (N,) 0 male, 1 female, -1 unknown

    def __post_init__(self):
        wanted = {
            "center": (2,),
            "scale": (),
            "keypoints": (49, 3),
            "joints3d": (24, 4),
            "pose": (72,),
            "betas": (10,),
            "has_smpl": (),
            "gender": (),
        }
        for name, shape in wanted.items():
            found = getattr(self, name).shape
            if found != (len(self.imgname), *shape):
                raise FileFormatError(
                    f"{self.name}: {name} has the shape {found} instead of "
                    f"{(len(self.imgname), *shape)}; is the file of another version?"
                )
        if not len(self.imgname):
            raise FileFormatError(f"{self.name} holds no records.")

    def __len__(self) -> int:
        return len(self.imgname)

    def part(self, chosen: np.ndarray | slice) -> "Records":
        """Some of the records."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(
            self, **{k: v[chosen] for k, v in arrays.items() if isinstance(v, np.ndarray)}
        )


def no_labels(count: int) -> dict[str, np.ndarray]:
    """The fields of Records that say nothing, for readers to fill in."""
    return {
        "keypoints": np.zeros((count, 49, 3), np.float32),
        "joints3d": np.zeros((count, 24, 4), np.float32),
        "pose": np.zeros((count, 72), np.float32),
        "betas": np.zeros((count, 10), np.float32),
        "has_smpl": np.zeros(count, bool),
        "gender": np.full(count, -1, np.int64),
    }


def gender_codes(genders: np.ndarray | list) -> np.ndarray:
    """(N,) 0 for male, 1 for female, -1 for anything else."""
    return np.array([GENDER_CODES.get(str(gender).lower(), -1) for gender in genders], np.int64)


def read_image(file: Path) -> np.ndarray:
    """A picture as RGB (H, W, 3) uint8, turned as its metadata says.

    Raises SampleError where there is none, or where it can't be read to its end.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as picture:
            return np.array(ImageOps.exif_transpose(picture).convert("RGB"))
    except FileNotFoundError as error:
        raise SampleError(f"{file} can't be read: there is no such picture.") from error
    except Exception as error:  # a broken picture can fail in any way
        raise SampleError(f"{file} can't be read as a picture: it may be incomplete.") from error


class LabelledImages(Dataset):
    """Training samples of Records.

    convention: how crops are cut; augmentation: None for evaluation; labels: label maps beside the
    pictures, None where there are none; swap_sides: see `augment.augment_labels`.
    """

    def __init__(
        self,
        records: Records,
        convention: crops.Convention = "dsr",
        augmentation: Augmentation | None = None,
        labels: LabelMaps | None = None,
        swap_sides: bool = True,
    ):
        self.records = records
        self.convention: crops.Convention = convention
        self.augmentation, self.labels = augmentation, labels
        self.swap_sides = swap_sides

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self.sample(index, np.random.default_rng(index))

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """One sample, its augmentation drawn from rng. Raises SampleError where it can't be had."""
        change = self.augmentation.draw(rng) if self.augmentation else Change()
        records, name = self.records, str(self.records.imgname[index])
        centre, scale = records.center[index], float(records.scale[index])
        if not (np.isfinite(centre).all() and np.isfinite(scale) and scale > 0):
            raise SampleError(f"{records.name}: the box of record {index} ({name}) is no box.")
        image = read_image(records.root / name)
        box = (centre, scale * change.scale, crops.SIZE, change.rotation_deg)
        cut = crops.crop(
            image, centre, box[1], rotation_deg=change.rotation_deg, convention=self.convention
        )
        cut = augment_image(cut, change)
        found: dict[str, Any] = {"image": crops.to_input(cut.copy())}
        found |= self._label_map(name, image.shape[:2], box, change)
        found |= self._body(index, centre, scale, change)
        if not all(torch.isfinite(value).all() for value in found.values()):
            raise SampleError(
                f"{records.name}: record {index} ({name}) holds numbers that are not finite."
            )
        return found

    def _label_map(self, name: str, size: tuple, box: tuple, change: Change) -> dict[str, Tensor]:
        labels = self.labels.read(name, size) if self.labels else None
        if labels is None:
            nothing = torch.full((crops.SIZE, crops.SIZE), NO_LABEL, dtype=torch.uint8)
            return {"labels": nothing, "has_labels": torch.tensor(False)}
        cut = augment_labels(crops.crop_labels(labels, *box), change, self.swap_sides)
        return {"labels": torch.from_numpy(cut.copy()), "has_labels": torch.tensor(True)}

    def _body(
        self, index: int, centre: np.ndarray, scale: float, change: Change
    ) -> dict[str, Tensor]:
        records = self.records
        keypoints = torch.as_tensor(records.keypoints[index], dtype=torch.float32)
        joints = torch.as_tensor(records.joints3d[index], dtype=torch.float32)
        pose = torch.as_tensor(records.pose[index], dtype=torch.float32)
        return {
            "keypoints": augment_keypoints(keypoints, centre, scale, change),
            "joints3d": augment_joints(joints, change),
            "pose": augment_pose(roma.rotvec_to_rotmat(pose.view(24, 3)), change),
            "betas": torch.as_tensor(records.betas[index], dtype=torch.float32),
            "has_smpl": torch.tensor(bool(records.has_smpl[index])),
            "gender": torch.tensor(int(records.gender[index])),
            "index": torch.tensor(index),
        }
