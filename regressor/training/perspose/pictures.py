"""Data sets as PersPose learns from them: pictures, crops by their cameras, labels.

A folder may hold them as its authors prepared them (`prepared_sets`), or in SPIN's layout, 3DPW in
its own folder (`spin_sets`). Where a set is there in both, the authors' file is taken.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from regressor.data.images import Records, SampleError, read_image
from regressor.data.perspose import SETS, Prepared
from regressor.errors import FileFormatError, PosecastError
from regressor.images import crops
from regressor.images.perspose import BETAS
from regressor.smpl.genders import ByGender
from regressor.training.perspose.augment import Augmentation, crop_of, draw_change, recolour
from regressor.training.perspose.options import Recipe
from regressor.training.perspose.people import nothing
from regressor.training.perspose.prepared_sets import prepared_set
from regressor.training.perspose.samples import Seen
from regressor.training.perspose.spin_sets import READERS, spin_set
from rendering.perspective import transform

FOCAL = 600 / 256  # in sides of the crop: what is assumed of pictures whose camera isn't known
BLANK = {
    "pose": torch.eye(3).repeat(24, 1, 1),
    "betas": torch.zeros(BETAS),
    "translation": torch.tensor([0.0, 0.0, 3.0]),
    "has_smpl": torch.tensor(False),
    "gender": torch.tensor(-1),
}


class CameraPictures:
    """A data set as a source of a mixture. see: what is known of a record, by its number."""

    def __init__(
        self,
        records: Records | Prepared,
        see: Callable[[int], Seen],
        pixels: int,
        turn: bool,
        augmentation: Augmentation,
    ):
        self.records, self.see = records, see
        self.pixels, self.turn, self.augmentation = pixels, turn, augmentation

    def __len__(self) -> int:
        return len(self.records)

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """One sample (`samples`). Raises SampleError where it can't be had."""
        change, seen = draw_change(self.augmentation, rng), self.see(index)
        called, box = f"record {index} ({seen.picture.name})", seen.box
        if not (box.isfinite().all() and (box[2:] > 0).all()):
            raise SampleError(f"{self.records.name}: the box of {called} is no box.")
        image = read_image(seen.picture)
        known = seen.intrinsics is not None
        # A camera whose principal point is the box's middle makes no difference to a crop.
        camera = assumed(box) if seen.intrinsics is None else seen.intrinsics
        turn = self.turn and known
        crop = crop_of(box, torch.as_tensor(camera).double(), self.pixels, turn, change)
        cut = torch.from_numpy(crops.warp(image, crop.matrix.numpy(), self.pixels))
        cut = cut.permute(2, 0, 1).float() / 255
        found = {
            "image": crops.normalize(
                recolour(cut, self.augmentation, rng) if change.coloured else cut
            ),
            "intrinsics": crop.intrinsics.float(),
            "rotation": crop.rotation.float(),
            "encoded": torch.tensor(known),
            "index": torch.tensor(index),
            **BLANK,
            **nothing(),
            **seen.labels,
        }
        found["joints_3dhp"] = found["joints_3dhp"] @ found["rotation"].T
        flat = found["coco17"]
        moved = transform(crop.matrix, flat[:, :2].double()).float().nan_to_num(-1.0)
        found["coco17"] = torch.cat([moved, flat[:, 2:]], dim=1)
        if not all(torch.isfinite(value).all() for value in found.values()):
            raise SampleError(f"{self.records.name}: {called} holds numbers that are not finite.")
        return found


def assumed(box: Tensor) -> np.ndarray:
    """The camera (3, 3) of a picture that tells none: it looks at the box (4,)."""
    (x, y), focal = (box[:2] + box[2:] / 2).tolist(), FOCAL * float(box[2:].max())
    return np.array([[focal, 0, x], [0, focal, y], [0, 0, 1]])


def open_sets(
    data: Path, names: Sequence[str], bodies: ByGender, recipe: Recipe, turn: bool
) -> dict[str, CameraPictures]:
    """Data sets of a folder by their names. Raises PosecastError that names the first that isn't
    there, or can't be read."""
    found = {}
    for name in names:
        records, see = _open(data, name, bodies)
        found[name] = CameraPictures(records, see, recipe.pixels, turn, recipe.augmentation)
    return found


def _open(
    data: Path, name: str, bodies: ByGender
) -> tuple[Records | Prepared, Callable[[int], Seen]]:
    own = data / SETS[name].file
    if own.is_file():
        return prepared_set(data, name)
    if name not in READERS:
        raise FileFormatError(f"There is no {own}, the only file from which {name} is read.")
    try:
        return spin_set(data, name, bodies)
    except PosecastError as error:
        raise type(error)(f"{error} PersPose's own file, {own}, isn't there either.") from error
