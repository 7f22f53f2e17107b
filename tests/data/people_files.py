"""Tiny data sets in the layouts of the real ones."""

from pathlib import Path

import numpy as np
from PIL import Image

from rendering.labels import write_labels

SIZE = (64, 48)  # of the pictures, width and height


def picture(file: Path, seed: int = 0, size: tuple[int, int] = SIZE) -> Path:
    """A picture of coloured noise."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(file)
    return file


def label_map(file: Path, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Left half upper clothes, right half left arm; returns the ids."""
    file.parent.mkdir(parents=True, exist_ok=True)
    ids = np.full((size[1], size[0]), 5, np.uint8)
    ids[:, size[0] // 2 :] = 14
    write_labels(file, ids)
    return ids


def spin_arrays(count: int = 4, seed: int = 0) -> dict[str, np.ndarray]:
    """All keys of SPIN's layout for pictures `images/0.jpg` and so on."""
    rng = np.random.default_rng(seed)
    part = np.concatenate([rng.uniform(5, 40, (count, 24, 2)), np.ones((count, 24, 1))], axis=2)
    points = np.concatenate([rng.normal(0, 0.3, (count, 24, 3)), np.ones((count, 24, 1))], axis=2)
    return {
        "imgname": np.array([f"images/{i}.jpg" for i in range(count)]),
        "center": np.tile([32.0, 24.0], (count, 1)),
        "scale": np.full(count, 0.24),
        "part": part,
        "openpose": np.zeros((count, 25, 3)),
        "S": points,
        "pose": rng.normal(0, 0.2, (count, 72)),
        "shape": rng.normal(0, 1, (count, 10)),
        "has_smpl": np.arange(count) % 2,
        "gender": np.array(["m", "f"] * count)[:count],
    }


def spin_set(folder: Path, count: int = 4, seed: int = 0, **changes) -> tuple[Path, Path]:
    """A data set in SPIN's layout with its pictures: the .npz and the pictures' root.

    changes: other arrays; None leaves a key out.
    """
    arrays = {k: v for k, v in {**spin_arrays(count, seed), **changes}.items() if v is not None}
    for index in range(count):
        picture(folder / "images" / f"{index}.jpg", seed + index)
    np.savez(folder / "set.npz", **arrays)
    return folder / "set.npz", folder
