"""Which triangle each sample shows: an exact z-buffer in plain torch, on any device.

Every triangle is tried at the samples in its bounding box, all triangles at once, and the nearest
one wins by an atomic minimum over (depth, triangle) packed into one integer. A body's triangles are
smaller than a pixel or two, so there are few candidates and no loop over pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

NOTHING = torch.iinfo(torch.int64).max
SMALLEST_AREA_PX = 1e-9  # thinner triangles are seen edge on and cover nothing
# Neighbours overlap by this share of a triangle, so that rounding leaves no holes between them.
OVERLAP = 1e-5


def unpack(key: Tensor) -> tuple[Tensor, Tensor]:
    """Packed (depth, face) to the face, -1 for none, and the depth in m, inf for none."""
    hit = key != NOTHING
    depth = (key >> 32).int().view(torch.float32)
    return torch.where(hit, key & 0xFFFFFFFF, -1), torch.where(hit, depth, torch.inf)


@torch.no_grad()
def layers(
    xy: Tensor, z: Tensor, faces: Tensor, width: int, height: int, near: float, far: float
) -> tuple[Tensor, Tensor]:
    """The nearest surface at every sample, and the nearest one that faces the other way.

    xy (B, V, 2) px, z (B, V) m, faces (F, 3); samples lie at the pixels' centres. Returns two
    packed layers (B, H, W), for `unpack`. Of a closed mesh the second is where the ray leaves the
    part that it entered; beside samples that show nothing, where it leaves the last part.
    Triangles that reach before `near` or behind `far` are left out.
    """
    count, pixels = len(faces), width * height
    used, corners, depths = triangles(xy, z, faces, near, far)
    triangle, x, y = boxes(corners, width, height)
    planes = _planes(corners, depths).index_select(1, triangle)
    ax, ay, bx, by, cx, cy, inverse, inverse_b, inverse_c = planes
    right, down = x + 0.5 - ax, y + 0.5 - ay
    b, c = bx * right + by * down, cx * right + cy * down
    inside = ((b >= -OVERLAP) & (c >= -OVERLAP) & (b + c <= 1 + OVERLAP)).nonzero()[:, 0]
    depth = 1 / (inverse + b * inverse_b + c * inverse_c)[inside]
    triangle, x, y = triangle[inside], x[inside], y[inside]
    item = used[triangle]
    sample = torch.div(item, count, rounding_mode="floor")
    # Positive floats are ordered as their bits are.
    key = (depth.view(torch.int32).long() << 32) | (item - sample * count)
    away = (_area(corners) > 0).long()[triangle] * (len(xy) * pixels)
    place = sample * pixels + y * width + x
    buffer = torch.full((2 * len(xy) * pixels,), NOTHING, device=xy.device)
    buffer.scatter_reduce_(0, away + place, key, "amin")
    one, other = buffer.view(2, len(xy), height, width)
    seen, left = torch.minimum(one, other), torch.maximum(one, other)
    at_outline = _outline(seen != NOTHING).flatten()[place].nonzero()[:, 0]
    left.view(-1).scatter_reduce_(0, place[at_outline], key[at_outline], "amax", include_self=False)
    return seen, left


def _outline(covered: Tensor) -> Tensor:
    """(B, H, W) which covered samples have one beside, above or below them that isn't."""
    gap = ~F.pad(covered, (1, 1, 1, 1), value=True)
    beside = gap[:, 1:-1, :-2] | gap[:, 1:-1, 2:]
    return covered & (beside | gap[:, :-2, 1:-1] | gap[:, 2:, 1:-1])


def triangles(xy: Tensor, z: Tensor, faces: Tensor, near: float, far: float) -> tuple[Tensor, ...]:
    """The triangles that can be drawn: all corners between `near` and `far`, not seen edge on.

    Returns which (N,) of B x F, corners (3, 2, N) px and depths (3, N) m.
    """
    corner = faces.t().reshape(-1)
    corners = xy.permute(2, 0, 1)[:, :, corner].unflatten(2, (3, -1))  # (2, B, 3, F)
    corners = corners.permute(2, 0, 1, 3).flatten(2)
    depths = z[:, corner].unflatten(1, (3, -1)).transpose(0, 1).flatten(1)
    fits = (depths.amin(0) > near) & (depths.amax(0) < far) & corners.isfinite().all(0).all(0)
    used = (fits & (_area(corners).abs() > SMALLEST_AREA_PX)).nonzero()[:, 0]
    return used, corners[:, :, used], depths[:, used]


def _area(corners: Tensor) -> Tensor:
    """(N,) twice the signed area of triangles (3, 2, N)."""
    (ux, uy), (vx, vy) = corners[1] - corners[0], corners[2] - corners[0]
    return ux * vy - uy * vx


def boxes(corners: Tensor, width: int, height: int, margin: float = 0.0) -> tuple[Tensor, ...]:
    """Pixels whose centres lie in the bounding boxes of triangles (3, 2, N) px, `margin` px wider.

    Returns triangle (M,), x (M,), y (M,).
    """
    x, y = (corners.amin(0) - 0.5 - margin).ceil().clamp(min=0)
    right, below = (corners.amax(0) - 0.5 + margin).floor()
    columns = (right.clamp(max=width - 1) - x + 1).clamp(min=0)
    rows = (below.clamp(max=height - 1) - y + 1).clamp(min=0)
    count = (columns * rows).long()
    triangle = torch.repeat_interleave(count)
    facts = torch.stack([x.long(), y.long(), columns.long(), count.cumsum(0) - count])
    x, y, columns, start = facts.index_select(1, triangle)
    within = torch.arange(len(triangle), device=corners.device) - start
    row = torch.div(within, columns, rounding_mode="floor")
    return triangle, x + within - row * columns, y + row


def _planes(corners: Tensor, depths: Tensor) -> Tensor:
    """(9, N) of triangles (3, 2, N) px with depths (3, N) m: what is linear on the screen.

    The first corner; the weights of the second and third by the way from it; 1 / depth at the first
    corner, and how much it grows with either weight.
    """
    first = corners[0]
    (ux, uy), (vx, vy) = corners[1] - first, corners[2] - first
    per_area = 1 / _area(corners)
    weights = torch.stack([vy, -vx, -uy, ux]) * per_area
    inverse = 1 / depths
    return torch.cat([first, weights, inverse[:1], inverse[1:] - inverse[0]])


def cross(a: Tensor, b: Tensor, p: Tensor) -> Tensor:
    """(...) twice the signed area of the triangle a, b, p, each (..., 2)."""
    ab, ap = b - a, p - a
    return ab[..., 0] * ap[..., 1] - ab[..., 1] * ap[..., 0]


def screen_weights(corners: Tensor, p: Tensor) -> Tensor:
    """(..., 3) barycentric weights on the screen of p (..., 2) in triangles (..., 3, 2)."""
    a, b, c = corners.unbind(-2)
    whole = cross(a, b, c)
    second, third = cross(c, a, p) / whole, cross(a, b, p) / whole
    return torch.stack([1 - second - third, second, third], dim=-1)


def perspective_weights(weights: Tensor, z: Tensor) -> Tensor:
    """Weights on the screen (..., 3) to weights on the surface, for corners' depths z (..., 3)."""
    weights = weights / z
    return weights / weights.sum(-1, keepdim=True)
