"""PersPose's perspective rotation, its crop, and its perspective encoding.

"PersPose: 3D Human Pose Estimation with Perspective Encoding and Perspective Rotation" (ICCV 2025,
arXiv 2508.17239). The camera is turned about its own centre until the person stands on its axis, so
that a person off the axis is no longer sheared; and the network is told the intrinsics of the crop
that it sees.

What a network says of a crop is said in the turned camera: `to_camera` brings it back.
Points in space are in metres in OpenCV's axes, pixels as OpenCV counts them. The crop's sides and
scales follow the authors' code; so does the field's habit of leaving half a pixel aside.
"""

from dataclasses import dataclass
from typing import NamedTuple

import roma
import torch
from torch import Tensor
from torch.nn.functional import normalize

from rendering.rotations import smallest_rotation

SIZE = 256  # px, the side of PersPose's crop
CELLS = 64  # of its encoding map, a side
STRETCH = (0.5, 2.0)  # by how much pixels that aren't square are made so
WIDEST = 5.7  # the tangent of 80 degrees: how far from its middle a crop can see


class Crop(NamedTuple):
    """A person's crop: how it is cut, and by which camera it is seen.

    matrix (..., 3, 3): homography from the whole picture's pixels to the crop's.
    intrinsics (..., 3, 3): of the crop, px.
    rotation (..., 3, 3): from the true camera's axes to the turned camera's.
    """

    matrix: Tensor
    intrinsics: Tensor
    rotation: Tensor


@dataclass(frozen=True)
class Jitter:
    """What training does to a crop.

    aim_px: (..., 2) from the principal point, where the box's centre is brought to.
    roll: (...) radians, the picture turned about its axis, clockwise as it is seen.
    scale: (...) of the person within the crop.
    """

    aim_px: Tensor | float = 0.0
    roll: Tensor | float = 0.0
    scale: Tensor | float = 1.0


def transform(matrix: Tensor, points: Tensor) -> Tensor:
    """Pixels (..., N, 2) by a homography (..., 3, 3); NaN for what isn't before the camera."""
    moved = points @ matrix[..., :2].transpose(-1, -2) + matrix[..., None, :, 2]
    depth = moved[..., 2:]
    return moved[..., :2] / torch.where(depth > 0, depth, torch.nan)


def rays(pixels: Tensor, intrinsics: Tensor) -> Tensor:
    """Unit vectors (..., 3) towards pixels (..., 2), by intrinsics (..., 3, 3)."""
    ahead = torch.cat([pixels, torch.ones_like(pixels[..., :1])], dim=-1)
    return normalize(torch.linalg.solve(intrinsics, ahead[..., None])[..., 0], dim=-1)


def turn_towards(pixels: Tensor, intrinsics: Tensor, jitter: Jitter | None = None) -> Tensor:
    """(..., 3, 3) rotation that brings what is seen at pixels (..., 2) to the principal point.

    It is the smallest such rotation; a jitter moves the aim, and rolls about its ray.
    """
    jitter = jitter or Jitter()
    aim = rays(intrinsics[..., :2, 2] + jitter.aim_px, intrinsics)
    swing = smallest_rotation(rays(pixels, intrinsics), aim)
    roll = torch.as_tensor(jitter.roll, dtype=aim.dtype, device=aim.device)
    return roma.rotvec_to_rotmat(aim * roll[..., None]) @ swing


def homography(rotation: Tensor, intrinsics: Tensor) -> Tensor:
    """(..., 3, 3): where a pixel goes when the camera turns, K R K^-1."""
    return intrinsics @ rotation @ torch.linalg.inv(intrinsics)


def corners(boxes: Tensor) -> Tensor:
    """The corners (..., 4, 2) of boxes (..., 4) = (x, y, width, height), px."""
    x, y, width, height = boxes.unbind(-1)
    xs = torch.stack([x, x + width, x + width, x], dim=-1)
    ys = torch.stack([y, y, y + height, y + height], dim=-1)
    return torch.stack([xs, ys], dim=-1)


def crop_matrix(
    boxes: Tensor, ratio: Tensor | float, size: int = SIZE, scale: Tensor | float = 1.0
) -> Tensor:
    """(..., 3, 3): boxes (..., 4) px, whole and undistorted, into a square of `size` px.

    ratio (...): fy / fx. Where it isn't 1 the crop is stretched about its middle, along x if it is
    above 1 and along y if below, so that both focal lengths agree; no more than by STRETCH. A box
    smaller than a pixel counts as one.
    """
    x, y, width, height = boxes.unbind(-1)
    zoom = size / torch.maximum(width, height).clamp(min=1) * scale
    ratio = torch.as_tensor(ratio, dtype=boxes.dtype, device=boxes.device).clamp(*STRETCH)
    across, down = zoom * ratio.clamp(min=1), zoom / ratio.clamp(max=1)
    matrix = boxes.new_zeros(*boxes.shape[:-1], 3, 3)
    matrix[..., 0, 0], matrix[..., 1, 1], matrix[..., 2, 2] = across, down, 1.0
    matrix[..., 0, 2] = size / 2 - across * (x + width / 2)
    matrix[..., 1, 2] = size / 2 - down * (y + height / 2)
    return matrix


def turned_crop(
    boxes: Tensor,
    intrinsics: Tensor,
    size: int = SIZE,
    outline: Tensor | None = None,
    jitter: Jitter | None = None,
) -> Crop:
    """The crop of a person after the perspective rotation.

    boxes: (..., 4) = (x, y, width, height) px of the whole picture; intrinsics (..., 3, 3).
    outline: (..., N, 2) px, what the crop must hold; the box's corners unless given (the authors
        give the projected vertices where there are some, in tests too).
    The crop is symmetric about the principal point, which so becomes its middle. What lies more
    than 80 degrees from there is left outside.
    """
    rotation = turn_towards(boxes[..., :2] + boxes[..., 2:] / 2, intrinsics, jitter)
    turned = homography(rotation, intrinsics)
    held = transform(turned, corners(boxes) if outline is None else outline)
    middle = intrinsics[..., :2, 2]
    focal = torch.diagonal(intrinsics, dim1=-2, dim2=-1)[..., :2]
    reach = (held - middle[..., None, :]).abs().nan_to_num(torch.inf).amax(dim=-2)
    reach = torch.minimum(reach, WIDEST * focal)
    ratio = focal[..., 1] / focal[..., 0]
    scale = 1.0 if jitter is None else jitter.scale
    cut = crop_matrix(torch.cat([middle - reach, 2 * reach], dim=-1), ratio, size, scale)
    return Crop(cut @ turned, cut @ intrinsics, rotation)


def plain_crop(boxes: Tensor, intrinsics: Tensor, size: int = SIZE, square: bool = True) -> Crop:
    """The crop of boxes (..., 4) without a rotation, its box's middle in the middle.

    square: pixels that aren't are made so, as in `turned_crop`: who reads crops counts on it. (The
    authors leave those of cameras that aren't known.)
    """
    focal = torch.diagonal(intrinsics, dim1=-2, dim2=-1)[..., :2]
    ratio = focal[..., 1] / focal[..., 0] if square else 1.0
    cut = crop_matrix(boxes, ratio, size)
    still = torch.eye(3, dtype=boxes.dtype, device=boxes.device).expand_as(intrinsics)
    return Crop(cut, cut @ intrinsics, still)


def encoding(intrinsics: Tensor, cells: int = CELLS, size: int = SIZE) -> Tensor:
    """The perspective encoding (..., 2, cells, cells) of crops' intrinsics (..., 3, 3).

    x / z and y / z of the ray through the middle of every cell.
    """
    steps = torch.arange(cells, dtype=intrinsics.dtype, device=intrinsics.device)
    middles = (steps + 0.5) * (size / cells)
    v, u = torch.meshgrid(middles, middles, indexing="ij")
    pixels = torch.stack([u, v, torch.ones_like(u)]).flatten(1)  # (3, cells * cells)
    seen = torch.linalg.solve(intrinsics, pixels.expand(*intrinsics.shape[:-2], -1, -1))
    return seen[..., :2, :].unflatten(-1, (cells, cells))


def to_turned(points: Tensor, rotation: Tensor) -> Tensor:
    """Points or directions (..., N, 3) of the true camera in the turned camera's axes."""
    return points @ rotation.transpose(-1, -2)


def to_camera(points: Tensor, rotation: Tensor) -> Tensor:
    """Points or directions (..., N, 3) of the turned camera in the true camera's axes."""
    return points @ rotation


def turned_translation(translation: Tensor, root: Tensor, rotation: Tensor) -> Tensor:
    """SMPL's translation (..., 3) after its root joint (..., 3) has gone round the camera.

    SMPL turns about its root joint and not about its origin, so the part between stays. With
    `rotation`'s transpose this is the way back to the true camera.
    """
    return to_turned(root[..., None, :], rotation)[..., 0, :] - (root - translation)
