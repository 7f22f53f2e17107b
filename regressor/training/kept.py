"""Synthetic people that are drawn once and read often, as a source of a mixture.

Drawing a person costs as much as a step of a small network; drawn, they lie in a folder as plain
arrays, which several trainings and their workers read together. They are drawn when first asked
for, some at a time.
"""

import json
import os
import shutil
from collections.abc import Container, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from regressor.data.mixture import seed_of
from regressor.errors import FileFormatError, PosecastError
from regressor.images.crops import MEAN, STD, normalize
from regressor.images.joints import J24_FLIP, J49_FLIP, flip_points, flip_rotations
from rendering.labels import swap_sides as exchange_sides

AT_ONCE = 16
LIST = "people.json"
SHAPES = {"keypoints": (49, 3), "joints3d": (24, 4), "pose": (24, 3, 3), "betas": (10,)}


class KeptPeople:
    """`length` people of a `data.people.SyntheticPeople`, the same for the same seed.

    folder: made where there is none. augment: mirror half of the samples, and change their colours;
    swap_sides: False leaves left labels on the limbs that mirroring made right, as DSR's code does;
    cameras: keep the crops' `intrinsics` too.
    Raises FileFormatError where the folder keeps other people.
    """

    def __init__(
        self,
        people,
        length: int,
        folder: Path,
        seed: int = 0,
        augment: bool = True,
        swap_sides: bool = True,
        cameras: bool = False,
    ):
        self.people, self.length, self.seed = people, length, seed
        self.augment, self.swap_sides = augment, swap_sides
        size = people.options.people.size
        self.made = {"length": length, "seed": seed, "size": size, "drawing": repr(people.options)}
        floats = SHAPES
        if cameras:
            self.made["cameras"] = True
            floats = {**SHAPES, "intrinsics": (3, 3)}
        shapes = {"image": (3, size, size), "labels": (size, size), **floats, "drawn": ()}
        self.arrays = open_arrays(folder, self.made, length, shapes, floats)

    def __len__(self) -> int:
        return self.length

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """The person of an index as a training sample (`data.images`)."""
        if not self.arrays["drawn"][index]:
            self._draw(index - index % AT_ONCE)
        stored = {name: array for name, array in self.arrays.items() if name != "drawn"}
        kept = {name: torch.from_numpy(array[index].copy()) for name, array in stored.items()}
        image = kept["image"].float() / 255
        if self.augment:
            image = disturbed(image, rng)
        sample = {
            **kept,
            "image": normalize(image),
            "has_labels": torch.tensor(True),
            "has_smpl": torch.tensor(True),
            "has_camera": torch.tensor("intrinsics" in kept),
            "gender": torch.tensor(-1),
            "index": torch.tensor(index),
        }
        if self.augment and rng.uniform() < 0.5:
            sample |= mirrored(sample, self.swap_sides)
        return sample

    def _draw(self, first: int) -> None:
        count = min(AT_ONCE, self.length - first)
        drawn = self.people.batch(count, seed_of(self.seed, first))
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
        drawn["image"] = ((drawn["image"].cpu() * std + mean) * 255).round().clamp(0, 255)
        fill(self.arrays, first, drawn)


def open_arrays(
    folder: Path,
    made: dict,
    length: int,
    shapes: Mapping[str, tuple[int, ...]],
    floats: Container[str],
) -> dict[str, np.ndarray]:
    """Arrays of `length` entries that lie in a folder, made there if it isn't; `floats` or bytes.

    made: what tells them from others. Raises FileFormatError where the folder keeps other ones.
    """
    if not (folder / LIST).is_file():
        _make(folder, made, {name: (length, *shape) for name, shape in shapes.items()}, floats)
    if json.loads((folder / LIST).read_text()) != made:
        raise FileFormatError(
            f"{folder} keeps other people than these: name another folder, or remove it."
        )
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r+") for name in shapes}


def fill(arrays: Mapping[str, np.ndarray], first: int, drawn: Mapping[str, Tensor]) -> None:
    """Keeps people from number `first` on, and then that they are `drawn`: whoever reads one reads
    all of it."""
    some = slice(first, first + len(next(iter(drawn.values()))))
    for name, array in arrays.items():
        if name != "drawn":
            array[some] = drawn[name].cpu().numpy().astype(array.dtype)
    arrays["drawn"][some] = 1


def _make(
    folder: Path, made: dict, shapes: Mapping[str, tuple[int, ...]], floats: Container[str]
) -> None:
    """An empty folder of people; another process may make the same one meanwhile."""
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        beside.mkdir(parents=True, exist_ok=True)
        for name, shape in shapes.items():
            kind = np.float32 if name in floats else np.uint8
            np.lib.format.open_memmap(beside / f"{name}.npy", mode="w+", dtype=kind, shape=shape)
        (beside / LIST).write_text(json.dumps(made))
        with suppress(OSError):  # it is there by now
            beside.rename(folder)
    except OSError as error:
        raise PosecastError(
            f"{folder} can't be written ({error.strerror}): choose another place or free some "
            "space."
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def disturbed(image: Tensor, rng: np.random.Generator) -> Tensor:
    """A picture (3, H, W), 0..1, as other cameras would give it: drawn people are all too clean.

    Other colours and contrast always; grey, unsharp and noisy in one of seven, three, three.
    """
    gain = torch.as_tensor(rng.uniform(0.6, 1.4, (3, 1, 1)), dtype=torch.float32)
    image = (image * gain).clamp(0, 1) ** float(rng.uniform(0.6, 1.6))
    grey, unsharp, noisy = rng.uniform(size=3) < (1 / 7, 1 / 3, 1 / 3)
    if grey:
        image = image.mean(0, keepdim=True).expand_as(image)
    if unsharp:
        small = F.interpolate(image[None], scale_factor=float(rng.uniform(0.3, 0.8)), mode="area")
        image = F.interpolate(small, image.shape[-2:], mode="bilinear")[0]
    if noisy:
        noise = rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(0, 0.08))
        image = image + torch.from_numpy(noise)
    return image.clamp(0, 1)


def mirrored(sample: dict[str, Tensor], swap_sides: bool = True) -> dict[str, Tensor]:
    """What changes in a sample when left and right do."""
    labels = sample["labels"].flip(-1)
    if swap_sides:
        labels = exchange_sides(labels)
    cameras = {}
    if "intrinsics" in sample:
        cameras["intrinsics"] = camera = sample["intrinsics"].clone()
        camera[0, 2] = sample["image"].shape[-1] - camera[0, 2]
    return cameras | {
        "image": sample["image"].flip(-1),
        "labels": labels,
        "keypoints": flip_points(sample["keypoints"], J49_FLIP),
        "joints3d": flip_points(sample["joints3d"], J24_FLIP),
        "pose": flip_rotations(sample["pose"]),
    }
