"""How PersPose's training changes a picture, and by which camera it is seen then.

Published are the kinds of changes and how often they come; by how much colours change is our choice
where no number is told.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rendering.perspective import Crop, Jitter, plain_crop, turned_crop

GREY = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Augmentation:
    """How often a picture is changed, and how strongly."""

    none: float = 0.2
    """How often nothing is changed at all (but the box)."""
    roll: float = 0.5
    roll_deg: float = 30.0
    """At most, either way."""
    scale: float = 0.2
    """How often the person has another size in the crop: 0.7 to 1.1."""
    cut_out: float = 0.4
    noise: float = 0.3
    blur: float = 0.1
    contrast: float = 0.5
    hue: float = 0.5
    channels: float = 0.1
    """How often the colours change places."""
    box: float = 0.0
    """Share of the box by which its middle and its size are off, standard deviation: as a
    detector's boxes are. None as published."""
    aim: float = 0.0
    """Share of the box by which the turned camera misses its middle, at most, either way: 0.1 as
    published, in few configurations. That any miss is as likely as another is our choice."""


@dataclass(frozen=True)
class Change:
    """What happens to a crop: it is rolled (radians, clockwise as it is seen), the person becomes
    `scale` times as large, the box moves by `shift` (x, y) of its side and grows by `grown`; a
    camera that turns brings its middle to `aim` (x, y) of its sides from the principal point."""

    roll: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    grown: float = 1.0
    aim: tuple[float, float] = (0.0, 0.0)
    coloured: bool = False


def draw_change(options: Augmentation, rng: np.random.Generator) -> Change:
    """What happens to one sample."""
    x, y, grown = np.clip(options.box * rng.standard_normal(3), -0.25, 0.25)
    often, how_much = rng.uniform(size=3), rng.uniform(-1, 1, 2)
    if often[0] < options.none:
        return Change(shift=(x, y), grown=1 + grown)
    roll = np.radians(options.roll_deg) * how_much[0] if often[1] < options.roll else 0.0
    scale = 0.9 + 0.2 * how_much[1] if often[2] < options.scale else 1.0
    aim = (0.0, 0.0)
    if options.aim:  # what else is drawn of a seed stays the same without it
        aim = (rng.uniform(-options.aim, options.aim), rng.uniform(-options.aim, options.aim))
    return Change(float(roll), float(scale), (x, y), 1 + grown, aim, coloured=True)


def change_box(box: Tensor, change: Change) -> Tensor:
    """A box (4,) = (x, y, width, height) as a detector might have it."""
    middle = box[:2] + box[2:] / 2 + box[2:] * torch.tensor(change.shift).to(box)
    size = box[2:] * change.grown
    return torch.cat([middle - size / 2, size])


def crop_of(box: Tensor, intrinsics: Tensor, size: int, turn: bool, change: Change) -> Crop:
    """The crop of a box (4,), by intrinsics (3, 3), after a change; all in double precision.

    turn: towards the person. The picture rolls about the principal point, as a camera does, and the
    crop follows the box.
    """
    box = change_box(box, change)
    if turn:
        aim = torch.tensor(change.aim).to(box) * box[2:]
        crop = turned_crop(box, intrinsics, size, jitter=Jitter(aim))
    else:
        crop = plain_crop(box, intrinsics, size)
    cosine, sine = np.cos(change.roll), np.sin(change.roll)
    roll = torch.tensor([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]], dtype=box.dtype)
    # Pixels of a crop are square, so that a roll of the camera is one of the crop.
    middle = crop.intrinsics[:2, 2]
    half = torch.full((2,), size / 2, dtype=box.dtype)
    about = torch.eye(3, dtype=box.dtype)
    about[:2, :2] = change.scale * roll[:2, :2]
    about[:2, 2] = half - about[:2, :2] @ half  # the crop's middle stays
    moved = crop.intrinsics.clone()
    moved[:2, :2] *= change.scale
    moved[:2, 2] = about[:2, :2] @ middle + about[:2, 2]
    return Crop(about @ crop.matrix, moved, roll @ crop.rotation)


def recolour(image: Tensor, options: Augmentation, rng: np.random.Generator) -> Tensor:
    """A picture (3, H, W), 0..1, in other light, by another camera, and partly hidden."""
    often = rng.uniform(size=6)
    if often[0] < options.contrast:
        gain, shift = rng.uniform(0.6, 1.4), rng.uniform(-0.2, 0.2)
        image = (image - image.mean()) * gain + image.mean() + shift
    if often[1] < options.hue:
        image = other_hue(image, rng.uniform(0.5, 1.5), np.radians(rng.uniform(-20, 20)))
    if often[2] < options.channels:
        image = image[torch.as_tensor(rng.permutation(3))]
    if often[3] < options.blur:
        image = image + rng.uniform(-1, 1) * (F.avg_pool2d(image[None], 3, 1, 1)[0] - image)
    if often[4] < options.noise:
        noise = rng.standard_normal(tuple(image.shape), np.float32)
        image = image + torch.from_numpy(noise) * float(rng.uniform(0, 0.08))
    image = image.clamp(0, 1)
    return cut_out(image, rng) if often[5] < options.cut_out else image


def other_hue(image: Tensor, saturation: float, angle: float) -> Tensor:
    """Colours (3, H, W) turned about the grey axis, and more or less strong."""
    grey = torch.tensor(GREY)
    axis = torch.full((3,), 3**-0.5)
    x, y, z = axis.tolist()
    skew = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = torch.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew
    mix = saturation * turn.float() + (1 - saturation) * grey.expand(3, 3)
    return (mix @ image.flatten(1)).view_as(image)


def cut_out(image: Tensor, rng: np.random.Generator) -> Tensor:
    """A rectangle of noise, up to two fifths of the picture's area, in place of what was there."""
    height, width = image.shape[1:]
    area, ratio = rng.uniform(0.02, 0.4), np.exp(rng.uniform(-0.7, 0.7))
    h, w = (min(1.0, np.sqrt(area * r)) for r in (ratio, 1 / ratio))
    rows, columns = max(1, int(h * height)), max(1, int(w * width))
    y, x = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    image = image.clone()
    noise = rng.uniform(0, 1, (3, rows, columns)).astype(np.float32)
    image[:, y : y + rows, x : x + columns] = torch.from_numpy(noise)
    return image
