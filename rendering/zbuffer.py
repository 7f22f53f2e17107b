"""Which triangle each pixel shows: an exact z-buffer in plain torch, on any device.

Every triangle is tried at the pixel centres in its bounding box, all triangles at once, and the
nearest one wins by an atomic minimum over (depth, triangle) packed into one integer. A body's
triangles are smaller than a pixel or two, so there are few candidates and no loop over pixels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

NOTHING = torch.iinfo(torch.int64).max
SMALLEST_AREA_PX = 1e-9  # thinner triangles are seen edge on and cover no pixel centre
FACES_AT_ONCE = {"cpu": 1 << 15, "cuda": 1 << 20}  # what fits the caches, or fills the device


@dataclass(frozen=True)
class Layer:
    """face (B, H, W) index of the triangle seen, -1 for none; depth (B, H, W) m, inf for none."""

    face: Tensor
    depth: Tensor

    @property
    def covered(self) -> Tensor:
        return self.face >= 0


def cross(a: Tensor, b: Tensor, p: Tensor) -> Tensor:
    """(...) twice the signed area of the triangle a, b, p, each (..., 2)."""
    ab, ap = b - a, p - a
    return ab[..., 0] * ap[..., 1] - ab[..., 1] * ap[..., 0]


def boxes(corners: Tensor, width: int, height: int, margin: float = 0.0) -> tuple[Tensor, ...]:
    """Pixels whose centres lie in the bounding boxes of triangles (N, 3, 2) px, `margin` px wider.

    Returns triangle (M,), x (M,), y (M,).
    """
    low = (corners.amin(1) - 0.5 - margin).ceil().clamp(min=0)
    high = (corners.amax(1) - 0.5 + margin).floor()
    x0, y0 = low.long().unbind(1)
    columns = (high[:, 0].clamp(-1, width - 1).long() - x0 + 1).clamp(min=0)
    rows = (high[:, 1].clamp(-1, height - 1).long() - y0 + 1).clamp(min=0)
    count = columns * rows
    triangle = torch.repeat_interleave(count)
    within = torch.arange(len(triangle), device=corners.device)
    within = within - (count.cumsum(0) - count)[triangle]
    across = columns[triangle]
    row = torch.div(within, across, rounding_mode="floor")
    return triangle, x0[triangle] + within - row * across, y0[triangle] + row


def screen_weights(corners: Tensor, p: Tensor) -> Tensor:
    """(..., 3) barycentric weights on the screen of p (..., 2) in triangles (..., 3, 2)."""
    a, b, c = corners.unbind(-2)
    whole = cross(a, b, c)
    first, second = cross(b, c, p) / whole, cross(c, a, p) / whole
    return torch.stack([first, second, 1 - first - second], dim=-1)


def perspective_weights(weights: Tensor, z: Tensor) -> Tensor:
    """Weights on the screen (..., 3) to weights on the surface, for corners' depths z (..., 3)."""
    weights = weights / z
    return weights / weights.sum(-1, keepdim=True)


@torch.no_grad()
def layers(
    xy: Tensor, z: Tensor, faces: Tensor, width: int, height: int, near: float, far: float
) -> tuple[Layer, Layer]:
    """The nearest surface at every pixel centre, and the nearest one that faces the other way.

    xy (B, V, 2) px, z (B, V) m, faces (F, 3). Of a closed mesh the second is where the ray leaves
    the part that it entered. Triangles that reach before `near` or behind `far` are left out.
    """
    at_once = max(1, FACES_AT_ONCE.get(xy.device.type, 1 << 20) // max(1, len(faces)))
    made = [
        _buffers(xy[i : i + at_once], z[i : i + at_once], faces, width, height, near, far)
        for i in range(0, len(xy), at_once)
    ]
    one, other = (torch.cat(keys) for keys in zip(*made, strict=True))
    return _layer(torch.minimum(one, other)), _layer(torch.maximum(one, other))


def _buffers(xy, z, faces, width, height, near, far) -> list[Tensor]:
    """(B, H, W) packed (depth, face) of the nearest triangles of either orientation."""
    count = len(faces)
    corners, depths = xy[:, faces].flatten(0, 1), z[:, faces].flatten(0, 1)
    area = cross(*corners.unbind(1))
    fits = (depths.amin(1) > near) & (depths.amax(1) < far) & (area.abs() > SMALLEST_AREA_PX)
    used = (fits & corners.isfinite().all(2).all(1)).nonzero()[:, 0]
    triangle, x, y = boxes(corners[used], width, height)
    triangle = used[triangle]
    weights = screen_weights(corners[triangle], torch.stack([x, y], 1).to(xy) + 0.5)
    inside = (weights >= 0).all(1).nonzero()[:, 0]
    triangle, x, y = triangle[inside], x[inside], y[inside]
    depth = 1 / (weights[inside] / depths[triangle]).sum(1)
    sample = torch.div(triangle, count, rounding_mode="floor")
    pixel = (sample * height + y) * width + x
    # Positive floats are ordered as their bits are.
    key = (depth.float().view(torch.int32).long() << 32) | (triangle - sample * count)
    buffers = []
    for orientation in (area[triangle] > 0, area[triangle] <= 0):
        chosen = orientation.nonzero()[:, 0]
        buffer = torch.full((len(xy) * height * width,), NOTHING, device=xy.device)
        buffer.scatter_reduce_(0, pixel[chosen], key[chosen], "amin")
        buffers.append(buffer.view(len(xy), height, width))
    return buffers


def _layer(key: Tensor) -> Layer:
    hit = key != NOTHING
    depth = (key >> 32).int().view(torch.float32)
    return Layer(torch.where(hit, key & 0xFFFFFFFF, -1), torch.where(hit, depth, torch.inf))
