"""Wide cameras: people anywhere in the frame, also where straight lines of sight are long.

The picture that is drawn of a person holds both crops that can be cut of it: the plain one, and
that which `rendering.perspective` cuts with the camera turned to the person.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rendering.cameras import pinhole, project
from rendering.perspective import corners, transform, turned_crop

from .outfits import Draw
from .views import NEAREST, PICTURE_PX, ViewOptions, Views, cropped

LARGEST = 2.2  # sides of the person's box that a drawn picture has at most
ROOM = 1.05  # of a drawn picture about both crops


@dataclass
class FramedViews(Views):
    """Views, and in pixels of the drawn picture: the person's box (B, 4) = (x, y, width, height),
    square, about what of them is in the frame, and the camera's whole frame (B, 4), likewise."""

    box: Tensor
    frame: Tensor


@dataclass
class WideViews(ViewOptions):
    """Ranges of the cameras; scale, shift and cut aren't used."""

    field_of_view_deg: tuple[float, float] = (25.0, 110.0)
    """Horizontal, of the whole picture; all are equally frequent."""
    size: tuple[float, float] = (0.2, 0.7)
    """Share of the picture's height that the person would take in its middle."""
    outside: float = 0.15
    """Share of the person's extent that may be out of the frame."""

    def draw(self, joints: Tensor, size: int, draw: Draw) -> FramedViews:
        """Cameras for joints (B, J, 3) m, y down, turned as the person is seen."""
        width, height = PICTURE_PX
        degrees = draw.uniform(*self.field_of_view_deg)
        focal = width / 2 / torch.tan(torch.deg2rad(degrees / 2))
        translation = self._place(joints, focal, draw)
        intrinsics = pinhole(focal, width, height)
        points = project(joints + translation[:, None], intrinsics)
        box = box_about(points, self.margin)
        side = drawn_side(box, intrinsics)
        centre = box[:, :2] + box[:, 2:] / 2
        zoom = (size / side)[:, None]
        moved = cropped(intrinsics, centre, side, size)
        first = size / 2 - zoom * centre  # where the whole picture's corner comes to lie
        frame = torch.cat([first, zoom * torch.tensor([width, height])], dim=1)
        own = torch.cat([first + zoom * box[:, :2], zoom * box[:, 2:]], dim=1)
        return FramedViews(translation, intrinsics, centre, side, moved, own, frame)

    def _place(self, joints: Tensor, focal: Tensor, draw: Draw) -> Tensor:
        """(B, 3) m that brings people to any place in the frame."""
        frame = torch.tensor(PICTURE_PX)
        low, high = joints.amin(1), joints.amax(1)
        middle, extent = (low + high) / 2, (high - low)[:, :2]
        seen = frame[1] * draw.uniform(*self.size)  # px, of the longer extent
        depth = focal * extent.amax(1) / seen
        depth = torch.maximum(depth, (middle[:, None] - joints)[..., 2].amax(1) + NEAREST)
        inside = (1 - 2 * self.outside) * extent * (focal / depth)[:, None]
        off = (frame - inside).clamp(min=0) / 2 * draw.uniform(-1, 1, 2)
        return torch.cat([off * (depth / focal)[:, None], depth[:, None]], dim=1) - middle


def box_about(points: Tensor, margin: float) -> Tensor:
    """The square (B, 4) = (x, y, width, height) about what of points (B, P, 2) px is in a picture.

    As `estimate` has it: about the middle, `margin` times the longer extent, 8 px at least.
    """
    limit = torch.tensor(PICTURE_PX)
    seen = ((points >= 0) & (points < limit)).all(-1, keepdim=True)
    few = seen.sum(1, keepdim=True) < 4
    low = torch.where(seen | few, points, torch.inf).amin(1)
    high = torch.where(seen | few, points, -torch.inf).amax(1)
    side = margin * (high - low).amax(1, keepdim=True).clamp(min=8)
    return torch.cat([(low + high - side) / 2, side, side], dim=1)


def drawn_side(box: Tensor, intrinsics: Tensor) -> Tensor:
    """(B,) px: the side of a square about the box's middle that holds both crops."""
    turned = turned_crop(box.double(), intrinsics.double(), size=1)
    unit = corners(torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=torch.float64))
    reached = transform(torch.linalg.inv(turned.matrix), unit.expand(len(box), 4, 2)).float()
    centre = box[:, :2] + box[:, 2:] / 2
    reach = (reached - centre[:, None]).abs().nan_to_num(torch.inf).amax((1, 2))
    return torch.minimum(2 * ROOM * torch.maximum(reach, box[:, 2] / 2), LARGEST * box[:, 2])
