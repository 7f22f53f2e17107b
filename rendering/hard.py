"""Exact visibility with gradients: the picture moves along with the nearest surface.

A hard raster is piecewise constant, so its derivative by the vertices sits where neighbouring
samples differ: at outlines, where one part of the body hides another, and where the colour of the
surface changes. Between two such samples runs a border, and the border moves with the surface that
is nearer. A border of length l that moves by v pixels along its normal changes the pixel it crosses
by l v (difference of the two samples); borders between samples are horizontal and vertical, so v is
one coordinate. The term that is added for it is zero in value and has just this derivative. (The idea
of edge gradients of a rasteriser: Pidhorskyi et al., Rasterized Edge Gradients, 2024.)

At an outline the surface bends away from the camera, and the sample next to it is nearer than the
rim by as much as the place where its ray leaves the part again is farther. The mean of both moves as
the rim does.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .zbuffer import Layer, layers, perspective_weights, screen_weights

LEAST_STEP = 1e-6  # smaller differences between samples are no border


def render(
    xy: Tensor, z: Tensor, faces: Tensor, width: int, height: int,
    vertex_values: Tensor | None, face_values: Tensor | None,
    samples: int, background: Tensor, near: float, far: float,
) -> tuple[Tensor, Tensor, Layer]:
    """Values (B, C, H, W), coverage (B, H, W) and the layer seen at samples (B, nH, nW).

    xy (B, V, 2) px, z (B, V) m; vertex_values (B, V, C1), face_values (B, F, C2), C = C1 + C2;
    background (C,); each pixel has samples x samples samples.
    """  # fmt: skip
    seen, left = layers(
        xy.detach() * samples, z.detach(), faces, width * samples, height * samples, near, far
    )
    place = seen.covered.nonzero(as_tuple=True)  # batch, row, column of covered samples
    face = seen.face[place]
    corners = faces[face]
    at = torch.stack([place[2], place[1]], 1).to(xy) + 0.5
    batch = place[0][:, None]
    with torch.no_grad():
        weights = screen_weights(xy[batch, corners] * samples, at)
        weights = perspective_weights(weights, z[batch, corners])
    values = [torch.ones(len(face), 1, device=xy.device)]
    if vertex_values is not None:
        values.append((weights[..., None] * vertex_values[batch, corners]).sum(1))
    if face_values is not None:
        values.append(face_values[place[0], face])
    image = torch.cat([background.new_zeros(1), background]).expand(*seen.face.shape, -1)
    image = image.index_put(place, torch.cat(values, 1))
    moved = _moved(image, xy, faces, samples, seen, left)
    picture = F.avg_pool2d(image.permute(0, 3, 1, 2), samples) + moved
    return picture[:, 1:], picture[:, 0], seen


def _moved(image: Tensor, xy: Tensor, faces: Tensor, samples: int, seen: Layer, left: Layer):
    """(B, C, H, W), all zero: what the motion of the borders does to the picture."""
    count, rows, columns, channels = image.shape
    height, width = rows // samples, columns // samples
    flat = torch.zeros(count * height * width, channels, device=image.device)
    if not xy.requires_grad:
        return flat.view(count, height, width, channels).permute(0, 3, 1, 2)
    for axis in (0, 1):  # borders that are crossed in x, and in y
        b, y, x, step = _borders(image.detach(), axis)
        x2, y2 = x + (axis == 0), y + (axis == 1)
        nearer = seen.depth[b, y, x] <= seen.depth[b, y2, x2]
        row, column = torch.where(nearer, y, y2), torch.where(nearer, x, x2)
        behind = torch.where(nearer, seen.depth[b, y2, x2], seen.depth[b, y, x])
        face = seen.face[b, row, column]
        # The ray has left the part before it meets what lies behind: this is a rim.
        rim = (left.face[b, row, column] >= 0) & (left.depth[b, row, column] < behind)
        exit_face = torch.where(rim, left.face[b, row, column], face)
        at = (torch.stack([column, row], 1).to(xy) + 0.5) / samples
        shift = (_shift(xy, faces, b, face, at) + _shift(xy, faces, b, exit_face, at))[:, axis] / 2
        change = step * (shift / samples)[:, None]  # the border is 1 / samples px long
        for u, v in ((x, y), (x2, y2)):  # a border between two pixels is shared by them
            pixel = (b * height + v // samples) * width + u // samples
            flat = flat.index_add(0, pixel, change / 2)
    return flat.view(count, height, width, channels).permute(0, 3, 1, 2)


def _borders(image: Tensor, axis: int) -> tuple[Tensor, ...]:
    """Batch, row, column of the first of two samples that differ, and by how much (N, C)."""
    first, second = (
        (image[:, :, :-1], image[:, :, 1:]) if axis == 0 else (image[:, :-1], image[:, 1:])
    )
    step = first - second
    b, y, x = (step.abs().amax(3) > LEAST_STEP).nonzero(as_tuple=True)
    return b, y, x, step[b, y, x]


def _shift(xy: Tensor, faces: Tensor, batch: Tensor, face: Tensor, at: Tensor) -> Tensor:
    """(N, 2) px, zero: how the points of triangles that are now `at` (N, 2) px move."""
    corners = xy[batch[:, None], faces[face]]
    weights = screen_weights(corners.detach(), at)
    return (weights[..., None] * (corners - corners.detach())).sum(1)
