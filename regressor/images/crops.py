"""Crops of people as SPIN and DSR cut them, the way back, and a batched cut on any device.

A box is its `centre` (2,) in px and its `scale`, the side in units of 200 px; a crop has `size`
px a side. `rotation_deg` turns the picture about the box's centre, counter-clockwise.

The conventions differ, and a network wants the one that it was trained with:
- "spin": whole-pixel corners, and Pillow's resizing, which averages when it shrinks. Before it the
  contrast of the patch is stretched to 0 .. 255: SPIN resizes by a function of SciPy 1.0 that does
  so to floats, and its published weights have never seen anything else.
- "dsr": one bilinear warp about the rounded centre and side, without averaging or stretching.
"""

import importlib
import importlib.util
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SIZE = 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of RGB in 0 .. 1
OUTSIDE = -10.0  # of a picture that reaches from -1 to 1
Convention = Literal["spin", "dsr"]


def normalize(images: Tensor) -> Tensor:
    """Pictures (..., 3, H, W), RGB in 0 .. 1, as the networks want them."""
    mean = torch.tensor(MEAN, device=images.device).view(3, 1, 1)
    return (images - mean) / torch.tensor(STD, device=images.device).view(3, 1, 1)


def to_side(images: Tensor, pixels: int | None) -> Tensor:
    """Pictures (B, C, S, S) brought to a side of `pixels`, without aliases; None leaves them."""
    if pixels is None or images.shape[-1] == pixels:
        return images
    return F.interpolate(images, (pixels, pixels), mode="bilinear", antialias=True)


def to_input(crops: np.ndarray | Tensor) -> Tensor:
    """Crops (..., H, W, 3), 0 .. 255, to normalised float32 (..., 3, H, W)."""
    return normalize(torch.as_tensor(crops).movedim(-1, -3).float() / 255)


def box_matrix(
    centre: np.ndarray, scale: float, size: int = SIZE, rotation_deg: float = 0.0
) -> np.ndarray:
    """(3, 3) from the picture's pixels to the crop's."""
    side = 200.0 * scale
    zoom, (x, y) = size / side, np.asarray(centre, np.float64)
    # Written as published: whole numbers depend on the last bit.
    matrix = np.array(
        [[zoom, 0, size * (0.5 - x / side)], [0, zoom, size * (0.5 - y / side)], [0, 0, 1]]
    )
    if rotation_deg == 0:
        return matrix
    angle, middle = np.radians(rotation_deg), size / 2
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1.0]])
    turn[:2, 2] = middle - turn[:2, :2] @ [middle, middle]
    return turn @ matrix


def transform(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points (..., 2) by a matrix (3, 3)."""
    return points @ matrix[:2, :2].T + matrix[:2, 2]


def transform_whole(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The same to whole numbers, counted from 1, as the published code does (from MATLAB's days).

    Keypoints that the published networks were trained on went this way (given counted from 0).
    """
    points = np.asarray(points, np.float64) - 1
    points = np.concatenate([points, np.ones_like(points[..., :1])], axis=-1)
    return np.trunc(points @ matrix[:2].T).astype(np.int64) + 1


def crop(
    image: np.ndarray,
    centre: np.ndarray,
    scale: float,
    size: int = SIZE,
    rotation_deg: float = 0.0,
    convention: Convention = "dsr",
) -> np.ndarray:
    """The box of a picture (H, W, 3), 0 .. 255, as float32 (size, size, 3); black outside."""
    if convention == "spin":
        return _crop_spin(image, centre, scale, size, rotation_deg).astype(np.float32)
    return warp(image, _rounded_matrix(centre, scale, size, rotation_deg), size)


def crop_labels(
    labels: np.ndarray, centre: np.ndarray, scale: float, size: int = SIZE, rotation_deg: float = 0
) -> np.ndarray:
    """The box of a label map (H, W) as (size, size), where "dsr" cuts the picture; 0 outside.

    The nearest label, not a mixture: DSR warps colours bilinearly, and loses the labels' borders.
    """
    inverse = np.linalg.inv(_rounded_matrix(centre, scale, size, rotation_deg))
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1)
    x, y = np.rint(transform(grid, inverse)).astype(np.int64).transpose(2, 0, 1)
    inside = (x >= 0) & (y >= 0) & (x < labels.shape[1]) & (y < labels.shape[0])
    found = np.zeros((size, size), labels.dtype)
    found[inside] = labels[y[inside], x[inside]]
    return found


def _rounded_matrix(centre: np.ndarray, scale: float, size: int, rotation_deg: float) -> np.ndarray:
    side = max(1, round(200.0 * scale))
    return box_matrix(np.round(centre), side / 200.0, size, rotation_deg)


def warp(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """A picture (H, W, 3) by a homography (3, 3), bilinearly, to float32 (size, size, 3).

    By torch; by OpenCV where it is installed and the matrix is affine, as DSR's are (its steps are
    a 32nd of a pixel).
    """
    # Of a large picture only what the box can touch.
    part, (left, top) = _around_box(image, matrix, size)
    shifted = matrix @ np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])
    if importlib.util.find_spec("cv2") and np.array_equal(matrix[2], [0, 0, 1]):
        cv2: Any = importlib.import_module("cv2")
        return cv2.warpAffine(part.astype(np.float32), shifted[:2], (size, size))  # floats, as DSR
    pictures = torch.as_tensor(np.ascontiguousarray(part)).permute(2, 0, 1)[None]
    warped = warp_batch(pictures, torch.as_tensor(shifted)[None], size)
    return np.ascontiguousarray(warped[0].permute(1, 2, 0).numpy())


def _around_box(
    image: np.ndarray, matrix: np.ndarray, size: int
) -> tuple[np.ndarray, tuple[int, int]]:
    """The part of the picture that a crop is made of, at least one pixel, and its corner (x, y)."""
    corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]])
    touched = corners @ np.linalg.inv(matrix).T
    if touched[:, 2].min() <= 0:  # a turned camera's crop reaches behind the true one
        return image, (0, 0)
    touched = touched[:, :2] / touched[:, 2:]
    limit = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(touched.min(axis=0)).astype(np.int64) - 2, 0, limit - 1)
    high = np.clip(np.ceil(touched.max(axis=0)).astype(np.int64) + 3, low + 1, limit)
    return image[low[1] : high[1], low[0] : high[0]], (int(low[0]), int(low[1]))


def warp_batch(images: Tensor, matrices: Tensor, size: int = SIZE) -> Tensor:
    """Pictures (B, 3, H, W), 0 .. 255, by homographies (B, 3, 3) to float32 (B, 3, size, size).

    The cut of "dsr" on the pictures' device, for many at once; black outside, and where a
    turned camera (rendering.perspective) would see what is behind the true one.
    """
    height, width = images.shape[-2:]
    inverse = torch.linalg.inv(matrices.double()).to(images.device)
    steps = torch.arange(size, dtype=torch.float64, device=images.device)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)], dim=-1) @ inverse[:, None].transpose(2, 3)
    depth = places[..., 2:]
    places = places[..., :2] / torch.where(depth > 0, depth, torch.inf)
    extent = torch.tensor([width, height], device=images.device)
    grid = (2 * places + 1) / extent - 1
    grid = torch.where(depth > 0, grid, OUTSIDE).float()
    return F.grid_sample(images.float(), grid, padding_mode="zeros", align_corners=False)


def _crop_spin(
    image: np.ndarray, centre: np.ndarray, scale: float, size: int, rotation_deg: float
) -> np.ndarray:
    from PIL import Image

    low, high = whole_corners(centre, scale, size)
    margin = 0
    if rotation_deg:
        margin = int(np.linalg.norm(high - low) / 2 - (high[1] - low[1]) / 2)
        low, high = low - margin, high + margin
    patch = Image.fromarray(_stretched(_padded(image, low, high)))
    if rotation_deg:
        patch = patch.rotate(rotation_deg, Image.Resampling.BILINEAR)
        patch = patch.crop((margin, margin, patch.width - margin, patch.height - margin))
    return np.asarray(patch.resize((size, size), Image.Resampling.BILINEAR))


def whole_corners(
    centre: np.ndarray, scale: float, size: int = SIZE
) -> tuple[np.ndarray, np.ndarray]:
    """SPIN's box in whole pixels: its first corner (x, y), and that after its last."""
    inverse = np.linalg.inv(box_matrix(centre, scale, size))
    low = transform_whole(np.array([1, 1]), inverse) - 1
    high = transform_whole(np.array([size + 1, size + 1]), inverse) - 1
    return low, np.maximum(high, low + 1)


def _padded(image: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The picture from corner `low` to `high` (x, y), black where it ends."""
    patch = np.zeros((high[1] - low[1], high[0] - low[0], *image.shape[2:]), image.dtype)
    first = np.clip(low, 0, (image.shape[1], image.shape[0]))
    last = np.clip(high, first, (image.shape[1], image.shape[0]))
    (x0, y0), (x1, y1) = first - low, last - low
    patch[y0:y1, x0:x1] = image[first[1] : last[1], first[0] : last[0]]
    return patch


def _stretched(patch: np.ndarray) -> np.ndarray:
    """The least value of all channels becomes 0 and the greatest 255; uint8."""
    values = patch.astype(np.float32)
    low, high = values.min(), values.max()
    factor = 255.0 / (high - low) if high > low else 255.0
    return ((values - low) * factor + 0.5).clip(0, 255).astype(np.uint8)


def uncrop(
    mask: np.ndarray, centre: np.ndarray, scale: float, height: int, width: int
) -> np.ndarray:
    """A mask (S, S) or picture (S, S, 3), uint8, of SPIN's box back in a picture; 0 outside it."""
    from PIL import Image

    low, high = whole_corners(centre, scale, len(mask))
    side = (int(high[0] - low[0]), int(high[1] - low[1]))
    patch = np.asarray(Image.fromarray(mask).resize(side, Image.Resampling.NEAREST))
    found = np.zeros((height, width, *mask.shape[2:]), mask.dtype)
    first, last = np.clip(low, 0, (width, height)), np.clip(high, 0, (width, height))
    (x0, y0), (x1, y1) = first - low, last - low
    found[first[1] : last[1], first[0] : last[0]] = patch[y0:y1, x0:x1]
    return found
