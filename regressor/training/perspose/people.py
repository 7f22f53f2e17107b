"""Synthetic people before wide cameras: drawn once, kept, and cropped as a training wants them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from regressor.data.mixture import seed_of
from regressor.data.people import SyntheticOptions, SyntheticPeople
from regressor.data.poses import Poses
from regressor.images import crops
from regressor.images.perspose import BETAS
from regressor.smpl.body import Body
from regressor.training.kept import AT_ONCE, fill, open_arrays
from regressor.training.perspose.augment import Augmentation, Change, crop_of, draw_change, recolour
from rendering.people import FramedViews, PeopleOptions, WideViews

DRAWN = 1.5  # pixels of a drawn picture to one of a crop, along a side
FLOATS = {
    "intrinsics": (3, 3), "box": (4,), "frame": (4,), "pose": (24, 3, 3), "betas": (10,),
    "translation": (3,),
}  # fmt: skip


def wide_people(pixels: int, body: Body, poses: Poses | None) -> SyntheticPeople:
    """People for crops of so many pixels, anywhere in the frames of wide and narrow cameras."""
    view = WideViews()
    people = PeopleOptions(size=int(DRAWN * pixels), occluder=0.15, companion=0.1, view=view)
    return SyntheticPeople(body, poses, SyntheticOptions(invented=0.1, people=people))


class WidePeople:
    """`length` people of `wide_people`, a source of a mixture; the same for the same seed.

    turn: crops are cut with the camera turned to the person; augmentation: None for none.
    Raises FileFormatError where the folder keeps other people.
    """

    def __init__(
        self,
        people: SyntheticPeople,
        length: int,
        folder: Path,
        pixels: int,
        turn: bool,
        augmentation: Augmentation | None,
        seed: int = 0,
    ):
        self.people, self.length, self.seed = people, length, seed
        self.pixels, self.turn, self.augmentation = pixels, turn, augmentation
        size = people.options.people.size
        made = {"length": length, "seed": seed, "size": size, "drawing": repr(people.options)}
        shapes = {"image": (size, size, 3), **FLOATS, "drawn": ()}
        self.arrays = open_arrays(folder, made, length, shapes, floats=FLOATS)

    def __len__(self) -> int:
        return self.length

    def kept(self, index: int) -> dict[str, np.ndarray]:
        """What is kept of a person, drawn by now: see `drawn`."""
        if not self.arrays["drawn"][index]:
            first = index - index % AT_ONCE
            count = min(AT_ONCE, self.length - first)
            fill(self.arrays, first, drawn(self.people, count, seed_of(self.seed, first)))
        return {name: array[index].copy() for name, array in self.arrays.items()}

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """The person of an index as a training sample (`samples`)."""
        kept = self.kept(index)
        change = draw_change(self.augmentation, rng) if self.augmentation else Change()
        box, intrinsics = (torch.as_tensor(kept[name]).double() for name in ("box", "intrinsics"))
        crop = crop_of(box, intrinsics, self.pixels, self.turn, change)
        image = torch.from_numpy(crops.warp(kept["image"], crop.matrix.numpy(), self.pixels))
        image = image.permute(2, 0, 1).float() / 255
        if self.augmentation and change.coloured:
            image = recolour(image, self.augmentation, rng)
        return {
            "image": crops.normalize(image),
            "intrinsics": crop.intrinsics.float(),
            "rotation": crop.rotation.float(),
            "encoded": torch.tensor(True),
            **{name: torch.as_tensor(kept[name]) for name in ("pose", "translation")},
            "betas": F.pad(torch.as_tensor(kept["betas"]), (0, BETAS - 10)),
            "has_smpl": torch.tensor(True),
            "gender": torch.tensor(-1),
            **nothing(),
            "index": torch.tensor(index),
        }

    def batches(self, size: int = 16) -> Iterator[dict[str, Tensor]]:
        """All people in their order, for measuring."""
        rng = np.random.default_rng(0)
        for first in range(0, self.length, size):
            some = [self.sample(i, rng) for i in range(first, min(first + size, self.length))]
            yield {name: torch.stack([one[name] for one in some]) for name in some[0]}

    def places(self) -> dict[str, np.ndarray]:
        """Where all people stand (`places_of`)."""
        for index in range(0, self.length, AT_ONCE):
            self.kept(index)
        return places_of(self.arrays)


def places_of(kept: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Where people stand, each (N,): the camera's horizontal `fov_deg`; how far the middle of the
    box is `off`, in halves of the frame's diagonal; `off_deg`, the angle of its ray."""
    frame, box, camera = (kept[name] for name in ("frame", "box", "intrinsics"))
    focal = camera[:, 0, 0]
    away = np.linalg.norm(box[:, :2] + box[:, 2:] / 2 - camera[:, :2, 2], axis=1)
    return {
        "fov_deg": np.degrees(2 * np.arctan(frame[:, 2] / 2 / focal)),
        "off": away / (np.linalg.norm(frame[:, 2:], axis=1) / 2),
        "off_deg": np.degrees(np.arctan(away / focal)),
    }


def nothing() -> dict[str, Tensor]:
    """What only data sets without SMPL's parameters have."""
    return {
        "has_3dhp": torch.tensor(False),
        "has_coco": torch.tensor(False),
        "uv_weight": torch.tensor(1.0),
        "height": torch.tensor(0.0),
        "joints_3dhp": torch.zeros(17, 3),
        "coco17": torch.zeros(17, 3),
    }


def drawn(people: SyntheticPeople, count: int, seed: int) -> dict[str, Tensor]:
    """`count` people by one seed, and nothing where the camera's frame ends.

    image (B, S, S, 3), 0..255; intrinsics (B, 3, 3), box (B, 4) and frame (B, 4) in its px (see
    `rendering.people.FramedViews`); pose (B, 24, 3, 3), betas (B, 10), translation (B, 3) m.
    """
    pose, betas, seen = people.draw(count, seed)
    views = seen.views
    assert isinstance(views, FramedViews)
    middles = torch.arange(seen.image.shape[-1]) + 0.5
    first, last = views.frame[:, :2], views.frame[:, :2] + views.frame[:, 2:]
    x, y = (
        (middles >= first[:, i, None]) & (middles < last[:, i, None]) for i in range(2)
    )  # (B, S) each
    image = seen.image.cpu() * (y[:, :, None] & x[:, None, :])[:, None]
    return {
        "image": (image * 255).round().clamp(0, 255).movedim(1, -1),
        "intrinsics": views.crop_intrinsics,
        "box": views.box,
        "frame": views.frame,
        "pose": pose,
        "betas": betas,
        "translation": views.translation,
    }
