"""The soft rasteriser of SoftRas and PyTorch3D: every triangle near a pixel counts a little.

A triangle j at a signed squared distance d^2 from a pixel weighs sigmoid(d^2 / sigma); the picture
is a soft-max over depth with temperature gamma, the silhouette the complement of missing every
triangle (Liu et al., Soft Rasterizer, ICCV 2019). Distances are in normalised device coordinates,
in which the picture's shorter side is 2. All pairs of a triangle and a pixel within reach are
taken, without PyTorch3D's limit `faces_per_pixel`.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .zbuffer import boxes, perspective_weights, screen_weights, triangles

LEAST_WEIGHT = 1e-4  # SoftRas's dist_eps: triangles that weigh less are out of reach
BACKGROUND_DEPTH = 1e-3  # SoftRas's eps, as the background's (inverted, normalised) depth
BACKGROUND_EXTRA = 1e-3  # SoftRas counts the background by exp(eps / gamma) more than once


@dataclass(frozen=True)
class Fragments:
    """N pairs of a pixel and a triangle near it.

    pixel (N,) index into B x H x W; batch, face (N,); weight (N,) in 0..1, how much the triangle
    covers the pixel; nearness (N,) 1 at the near plane and 0 at the far one; surface (N, 3) weights
    of the triangle's corners at the nearest point.
    """

    pixel: Tensor
    batch: Tensor
    face: Tensor
    weight: Tensor
    nearness: Tensor
    surface: Tensor


def reach(sigma: float) -> float:
    """The largest squared distance (NDC) where a triangle counts: PyTorch3D's blur_radius."""
    return math.log(1 / LEAST_WEIGHT - 1) * sigma


def fragments(
    xy: Tensor,
    z: Tensor,
    faces: Tensor,
    width: int,
    height: int,
    sigma: float,
    near: float,
    far: float,
) -> Fragments:
    """All pairs of a pixel and a triangle within reach; xy (B, V, 2) px, z (B, V) m.

    The distance is differentiated by the places on the screen, the depth by the corners' depths
    with the place on the triangle held fixed, as in SoftRas.
    """  # fmt: skip
    per_px = 2.0 / min(width, height)
    with torch.no_grad():
        pixel, batch, face, side, inside, surface, at = _pairs(
            xy, z, faces, width, height, reach(sigma) / per_px**2, near, far
        )
    corners = faces[face]
    ends = [corners.gather(1, k[:, None])[:, 0] for k in (side, (side + 1) % 3)]
    squared = _to_segment(xy[batch, ends[0]].t(), xy[batch, ends[1]].t(), at) * per_px**2
    weight = torch.sigmoid(torch.where(inside, squared, -squared) / sigma)
    depth = (surface * z[batch[:, None], corners]).sum(1)
    return Fragments(pixel, batch, face, weight, (far - depth) / (far - near), surface)


def _pairs(xy, z, faces, width, height, reach_px2: float, near, far):
    """Where the pairs are; `side` is the triangle's nearest edge, from corner k to k + 1."""
    used, corners, depths = triangles(xy, z, faces, near, far)
    triangle, x, y = boxes(corners, width, height, math.sqrt(reach_px2))
    at = torch.stack([x, y]) + 0.5
    own = corners.flatten(0, 1).index_select(1, triangle).view(3, 2, -1)
    squared, side = torch.stack(
        [_to_segment(own[k], own[(k + 1) % 3], at) for k in range(3)]
    ).min(0)  # fmt: skip
    weights = screen_weights(own.permute(2, 0, 1), at.t())
    inside = (weights >= 0).all(1)
    kept = (inside | (squared < reach_px2)).nonzero()[:, 0]
    triangle, side, inside = triangle[kept], side[kept], inside[kept]
    surface = perspective_weights(weights[kept], depths[:, triangle].t())
    surface = surface.nan_to_num().clamp(0, 1)  # far beside a steep triangle there is no such point
    surface = surface / surface.sum(1, keepdim=True).clamp(min=1e-5)
    item = used[triangle]
    batch = torch.div(item, len(faces), rounding_mode="floor")
    pixel = (batch * height + y[kept]) * width + x[kept]
    return pixel, batch, item - batch * len(faces), side, inside, surface, at[:, kept]


def _to_segment(a: Tensor, b: Tensor, p: Tensor) -> Tensor:
    """(N,) squared distance of p from the segment from a to b, each (2, N)."""
    way, start = b - a, p - a
    along = (start[0] * way[0] + start[1] * way[1]) / (way[0] ** 2 + way[1] ** 2).clamp(min=1e-12)
    rest = start - along.clamp(0, 1) * way
    return rest[0] ** 2 + rest[1] ** 2


def fragment_values(
    found: Fragments, faces: Tensor, vertex_values: Tensor | None, face_values: Tensor | None
) -> Tensor:
    """(N, C) what each fragment shows, of vertex_values (B, V, C1) and face_values (B, F, C2)."""
    values = [found.weight.new_zeros(len(found.face), 0)]
    if vertex_values is not None:
        corners = vertex_values[found.batch[:, None], faces[found.face]]
        values.append((found.surface[..., None] * corners).sum(1))
    if face_values is not None:
        values.append(face_values[found.batch, found.face])
    return torch.cat(values, 1)


def blend(found: Fragments, values: Tensor, pixels: int, gamma: float) -> tuple[Tensor, Tensor]:
    """Values (N, C) of the fragments to a picture (pixels, C) and a silhouette (pixels,).

    The background is black and as far as BACKGROUND_DEPTH says.
    """
    zeros = torch.zeros(pixels, device=values.device)
    nearest = torch.full_like(zeros, BACKGROUND_DEPTH)
    nearest = nearest.scatter_reduce(0, found.pixel, found.nearness.detach(), "amax")
    share = found.weight * torch.exp((found.nearness - nearest[found.pixel]) / gamma)
    total = zeros.index_add(0, found.pixel, share)
    total = total + torch.exp((BACKGROUND_DEPTH + BACKGROUND_EXTRA - nearest) / gamma)
    picture = zeros[:, None].expand(-1, values.shape[1])
    picture = picture.index_add(0, found.pixel, share[:, None] * values) / total[:, None]
    missed = torch.log1p(-found.weight.clamp(max=1 - 1e-7))
    return picture, 1 - torch.exp(zeros.index_add(0, found.pixel, missed))
