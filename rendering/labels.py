"""The 20 labels of clothes and body parts, their colours, and what DSR's losses make of them.

The labels are Graphonomy's (CIHP's 20 classes); a label map holds their ids. Sources: Dwivedi et
al., Learning to Regress Bodies from Images using Differentiable Semantic Rendering (DSR, ICCV
2021), and its published code. Label 10 is called jumpsuits there, by LIP's list of names; ids and
colours are CIHP's, where it is bare skin of the torso.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

LABELS = (
    "background", "hat", "hair", "glove", "sunglasses", "upperclothes", "dress", "coat", "socks",
    "pants", "torsoSkin", "scarf", "skirt", "face", "leftArm", "rightArm", "leftLeg", "rightLeg",
    "leftShoe", "rightShoe",
)  # fmt: skip
PALETTE = np.array(
    [
        (0, 0, 0), (128, 0, 0), (255, 0, 0), (0, 85, 0), (170, 0, 51), (255, 85, 0), (0, 0, 85),
        (0, 119, 221), (85, 85, 0), (0, 85, 85), (85, 51, 0), (52, 86, 128), (0, 128, 0),
        (0, 0, 255), (51, 170, 221), (0, 255, 255), (85, 255, 170), (170, 255, 85), (255, 255, 0),
        (255, 170, 0),
    ],
    np.uint8,
)  # fmt: skip
SIDES = ((14, 15), (16, 17), (18, 19))  # ids of the left and the right
Skin = Literal["dsr", "all"]
# Parts where the body itself is seen, or nearly (DSR-MC): shoes, arms and face; and what is bare
# besides: legs and torso.
MC_PARTS: dict[Skin, tuple[int, ...]] = {
    "dsr": (18, 19, 14, 15, 13),
    "all": (18, 19, 14, 15, 13, 16, 17, 10),
}
# Classes of DSR-C: background, head, upper clothes, trousers, arms, legs; and the torso's skin.
_OTHERS = ((8, 9, 12), (14,), (15,), (16, 18), (17, 19))
C_CLASSES: dict[Skin, tuple[tuple[int, ...], ...]] = {
    "dsr": ((0,), (1, 2, 4, 11, 13), (3, 5, 6, 7, 10), *_OTHERS),
    "all": ((0,), (1, 2, 4, 11, 13), (3, 5, 6, 7), *_OTHERS, (10,)),
}
LEAST_PX = 60  # fewer pixels of a part or class don't count
SURE = 0.3  # keypoints above this confidence say where the person is
MARGIN_PX = 30  # around them


def colour_to_id(colours: np.ndarray) -> np.ndarray:
    """Colours (..., 3), 0 to 255, of any type, to ids (...) uint8; 0 for all that match none.

    After a bilinear crop of the coloured picture the seams between labels match none: that is how
    DSR reads them, and so calls them background.
    """
    whole = np.rint(colours)
    code = np.where((whole == colours).all(-1), whole.astype(np.int64) @ (65536, 256, 1), -1)
    known = PALETTE.astype(np.int64) @ (65536, 256, 1)
    order = np.argsort(known)
    place = order[np.searchsorted(known, code, sorter=order).clip(max=len(known) - 1)]
    return np.where(known[place] == code, place, 0).astype(np.uint8)


def read_labels(file: str | Path) -> np.ndarray:
    """The ids (H, W) uint8 of a label picture: coloured as Graphonomy's, or the ids themselves.

    Raises ValueError for a file that is no such picture.
    """
    try:
        with Image.open(file) as picture:
            picture.load()
    except Exception as error:  # a broken picture can fail in any way
        raise ValueError(f"{file} can't be read as a picture of labels") from error
    if picture.mode in ("L", "P"):
        ids = np.asarray(picture)
        # A palette may be this one, in any order; else its numbers are the ids.
        if picture.mode == "L" or not _coloured(np.asarray(picture.convert("RGB"))):
            if ids.max(initial=0) >= len(LABELS):
                raise ValueError(f"{file} holds label {ids.max()}; there are {len(LABELS)} labels")
            return ids.copy()
    colours = np.asarray(picture.convert("RGB"))
    if not _coloured(colours):
        raise ValueError(f"{file} holds other colours than those of the {len(LABELS)} labels")
    return colour_to_id(colours)


def _coloured(colours: np.ndarray) -> bool:
    """Whether nearly all colours are the labels': pictures were scaled now and then."""
    unknown = (colour_to_id(colours) == 0) & colours.any(-1)
    return bool(unknown.mean() < 0.1) if unknown.size else True


def write_labels(file: str | Path, labels: np.ndarray) -> None:
    """Ids (H, W) to a coloured PNG, as Graphonomy's own script writes them."""
    Image.fromarray(PALETTE[labels]).save(file, format="PNG")


def swap_sides(labels: Tensor) -> Tensor:
    """Left labels to right ones and back, for ids (...) of a mirrored picture."""
    table = torch.arange(256, device=labels.device)
    for left, right in SIDES:
        table[left], table[right] = right, left
    return table[labels.long()].to(labels.dtype)


@dataclass(frozen=True)
class Targets:
    """What the losses compare a rendering with.

    mask (B, H, W): 1 where the parts are that count; parts (B, P) which those are; label (B, H, W)
    classes, and class_weight (B, C); person (B, H, W): 1 where any label is; known (B,) whether
    there are more than LEAST_PX of it; distance (B, H, W) px from the mask, or None.
    """

    mask: Tensor
    parts: Tensor
    label: Tensor
    class_weight: Tensor
    person: Tensor
    known: Tensor
    distance: Tensor | None


def targets(
    labels: Tensor,
    keypoints: Tensor | None = None,
    has_labels: Tensor | None = None,
    skin: Skin = "dsr",
    with_distance: bool = False,
) -> Targets:
    """What the losses need of label maps (B, H, W), as DSR prepares it.

    keypoints (B, J, 3): x and y in -1 to 1 over the picture, and confidence: other people, outside
    the box of the sure ones, don't count. has_labels (B,): the others have none; ids that are no
    label's count as background.
    """
    labels = torch.where(labels < len(LABELS), labels, 0).long()
    if has_labels is not None:
        labels = labels * has_labels.bool()[:, None, None]
    if keypoints is not None:
        labels = labels * _person_box(keypoints, labels.shape[1], labels.shape[2])
    counts = _count(labels, len(LABELS))
    chosen = torch.tensor(MC_PARTS[skin], device=labels.device)
    parts = counts[:, chosen] > LEAST_PX
    table = torch.zeros(len(labels), len(LABELS), device=labels.device)
    table[:, chosen] = parts.float()
    mask = table.gather(1, labels.flatten(1)).view(labels.shape)
    merged = torch.zeros(len(LABELS), dtype=torch.long, device=labels.device)
    for number, members in enumerate(C_CLASSES[skin]):
        merged[list(members)] = number
    label = merged[labels]
    pixels = _count(label, len(C_CLASSES[skin]))
    smallest = torch.where(pixels >= LEAST_PX, pixels, torch.inf).amin(1, keepdim=True)
    weight = torch.where(pixels > LEAST_PX, smallest / pixels, 0)
    person = (labels > 0).float()
    known = counts[:, 1:].sum(1) > LEAST_PX
    distance = distance_to(mask) if with_distance else None
    return Targets(mask, parts, label, weight, person, known, distance)


def _count(ids: Tensor, count: int) -> Tensor:
    """(B, count) pixels of each id in (B, H, W)."""
    ones = torch.ones_like(ids, dtype=torch.float32).flatten(1)
    return ones.new_zeros(len(ids), count).scatter_add_(1, ids.flatten(1), ones)


def _person_box(keypoints: Tensor, height: int, width: int) -> Tensor:
    """(B, H, W): the box of the sure keypoints and MARGIN_PX around; all where none is sure."""
    sure = (keypoints[..., 2] > SURE)[..., None]
    size = keypoints.new_tensor([width, height])
    px = (keypoints[..., :2] + 1) / 2 * size
    none = ~sure.any(1)
    low = torch.where(sure, px, torch.inf).amin(1) - MARGIN_PX
    high = torch.where(sure, px, -torch.inf).amax(1) + MARGIN_PX
    low = torch.where(none, 0, low).trunc().clamp(min=0)
    high = torch.where(none, size, high).trunc()
    rows = torch.arange(height, device=keypoints.device)[None, :, None]
    columns = torch.arange(width, device=keypoints.device)[None, None]
    (left, top), (right, bottom) = low[:, :, None, None].unbind(1), high[:, :, None, None].unbind(1)
    return (columns >= left) & (columns < right) & (rows >= top) & (rows < bottom)


def distance_to(mask: Tensor) -> Tensor:
    """(B, H, W) px from each pixel to the nearest one where mask (B, H, W) is 1; 0 if none is.

    The exact Euclidean distance: along columns first, then the least over each row.
    """
    height, width = mask.shape[1:]
    far = float(2 * (height + width))
    rows = torch.arange(height, device=mask.device, dtype=torch.float32)[None, :, None]
    above = torch.where(mask > 0, rows, -far).cummax(1).values
    below = torch.where(mask > 0, rows, far).flip(1).cummin(1).values.flip(1)
    squared = torch.minimum(rows - above, below - rows).square()
    columns = torch.arange(width, device=mask.device, dtype=torch.float32)
    best = torch.full_like(squared, torch.inf)
    for column in range(width):
        best = torch.minimum(best, squared[:, :, column, None] + (columns - column).square())
    return best.sqrt() * mask.any(2).any(1)[:, None, None]
