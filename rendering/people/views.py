"""Random cameras: from where a person is seen, and which square of the picture is cut out."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rendering.cameras import pinhole, project

from .outfits import Draw

PICTURE_PX = (1440, 1080)  # the whole picture from which crops are cut
NEAREST = 0.7  # m, of any joint to the camera
FARTHEST_OFF = 0.6  # tangent of the angle at which a person may stand off the picture's middle


@dataclass
class ViewOptions:
    """Ranges of the cameras."""

    field_of_view_deg: tuple[float, float] = (25.0, 100.0)
    """Vertical, of the whole picture."""
    size: tuple[float, float] = (0.3, 1.0)
    """Share of the picture's height that the person's extent takes."""
    margin: float = 1.2
    """Side of the box, in extents of the joints, as data sets have it."""
    scale: float = 0.25
    """How far the box's side differs from that."""
    shift: float = 0.08
    """How far the box's centre is off, in sides."""
    cut: float = 0.25
    """How often the box shows only a part of the person."""

    def draw(self, joints: Tensor, size: int, draw: Draw) -> "Views":
        """Cameras for joints (B, J, 3) m; crops of `size` px."""
        return draw_views(joints, size, self, draw)


@dataclass
class Views:
    """translation (B, 3) m of the person; intrinsics (B, 3, 3) of the whole picture; the crop's
    box_centre (B, 2) px, box_side (B,) px and crop_intrinsics (B, 3, 3)."""

    translation: Tensor
    intrinsics: Tensor
    box_centre: Tensor
    box_side: Tensor
    crop_intrinsics: Tensor


def draw_views(joints: Tensor, size: int, options: ViewOptions, draw: Draw) -> Views:
    """Cameras for joints (B, J, 3) m, y down, turned as the person is seen; crops of `size` px."""
    width, height = PICTURE_PX
    low, high = options.field_of_view_deg
    degrees = low + (high - low) * draw.uniform(0, 1) ** 1.5  # few cameras are very wide
    focal = height / 2 / torch.tan(torch.deg2rad(degrees / 2))
    extent = (joints[..., :2].amax(1) - joints[..., :2].amin(1)).amax(1)
    middle = (joints.amax(1) + joints.amin(1)) / 2
    distance = focal * extent / (height * draw.uniform(*options.size))
    near = (middle[:, None] - joints)[..., 2].amax(1) + NEAREST
    distance = torch.maximum(distance, near)
    room = torch.tensor([width, height]) / focal[:, None] * distance[:, None]
    off = (room - extent[:, None]).clamp(min=0) / 2
    off = torch.minimum(off, FARTHEST_OFF * distance[:, None]) * draw.uniform(-1, 1, 2)
    translation = torch.cat([off, distance[:, None]], 1) - middle
    intrinsics = pinhole(focal, width, height)
    points = project(joints + translation[:, None], intrinsics)
    first, last = points.amin(1), points.amax(1)
    side = (last - first).amax(1) * options.margin
    side = side * (1 + draw.uniform(-options.scale, options.scale))
    centre = (first + last) / 2 + draw.uniform(-options.shift, options.shift, 2) * side[:, None]
    cut = draw.chance(options.cut)
    pick = (draw.uniform(0, 1) * joints.shape[1]).long().clamp(max=joints.shape[1] - 1)
    near_joint = points[torch.arange(draw.count), pick]
    centre = torch.where(cut[:, None], (centre + near_joint) / 2, centre)
    side = torch.where(cut, side * draw.uniform(0.4, 0.8), side)
    return Views(translation, intrinsics, centre, side, cropped(intrinsics, centre, side, size))


def cropped(intrinsics: Tensor, centre: Tensor, side: Tensor, size: int) -> Tensor:
    """(B, 3, 3) intrinsics after the box, centre (B, 2) and side (B,) px, became size x size px."""
    scale = size / side
    matrix = intrinsics.clone()
    matrix[:, :2] *= scale[:, None, None]
    matrix[:, :2, 2] += size / 2 - scale[:, None] * centre
    return matrix


def weak_perspective(joints: Tensor, points: Tensor, size: int) -> Tensor:
    """(B, 3) s, tx, ty that bring joints (B, J, 3) closest to points (B, J, 2) px of the crop.

    Both by least squares of points / (size / 2) - 1 = s (X + t).
    """
    seen = points / (size / 2) - 1
    flat = joints[..., :2]
    mean_seen, mean_flat = seen.mean(1), flat.mean(1)
    away = flat - mean_flat[:, None]
    scale = (away * (seen - mean_seen[:, None])).sum((1, 2)) / away.square().sum((1, 2)).clamp(
        min=1e-6
    )
    return torch.cat([scale[:, None], mean_seen / scale[:, None] - mean_flat], 1)
