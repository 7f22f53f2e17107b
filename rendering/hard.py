"""Exact visibility with gradients: the picture moves along with the nearest surface.

A hard raster is piecewise constant, so its derivative by the vertices sits where neighbouring
samples differ: at outlines, where one part of the body hides another, and where the colour of the
surface changes. Between two such samples runs a border, and the border moves with the surface that
is nearer. A border of length l that moves by v pixels along its normal changes the pixel it crosses
by l v (difference of the two samples); borders between samples are horizontal and vertical, so v is
one coordinate. (The idea of edge gradients of a rasteriser: Pidhorskyi et al., Rasterized Edge
Gradients, 2024.)

At an outline the surface bends away from the camera, and the sample next to it is nearer than the
rim by as much as the place where its ray leaves the part again is farther. The mean of both moves
as the rim does. Before the background it is the place where the ray leaves the last part: of two
parts one behind the other, either may make the outline.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .zbuffer import NOTHING, layers, perspective_weights, screen_weights, unpack

LEAST_STEP = 1e-6  # smaller differences between samples are no border


def render(
    xy: Tensor,
    z: Tensor,
    faces: Tensor,
    width: int,
    height: int,
    vertex_values: Tensor | None,
    face_values: Tensor | None,
    samples: int,
    background: Tensor,
    near: float,
    far: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Values (B, C, H, W), coverage (B, H, W) and the packed layer of the samples (B, nH, nW).

    xy (B, V, 2) px, z (B, V) m; vertex_values (B, V, C1), face_values (B, F, C2), C = C1 + C2;
    background (C,); each pixel has samples x samples samples.
    """  # fmt: skip
    seen, left = layers(
        xy.detach() * samples, z.detach(), faces, width * samples, height * samples, near, far
    )
    place = (seen != NOTHING).nonzero(as_tuple=True)  # batch, row, column of covered samples
    face = seen[place] & 0xFFFFFFFF
    shown = [torch.ones(len(face), 1, device=xy.device)]
    if vertex_values is not None:
        batch, corners = place[0][:, None], faces[face]
        at = (torch.stack([place[2], place[1]], 1) + 0.5) / samples
        weights = screen_weights(xy.detach()[batch, corners], at)
        weights = perspective_weights(weights, z.detach()[batch, corners])
        shown.append((weights[..., None] * vertex_values[batch, corners]).sum(1))
    if face_values is not None:
        shown.append(face_values[place[0], face])
    nothing = torch.cat([background.new_zeros(1), background])
    table = torch.cat([torch.cat(shown, 1), nothing[None]])
    picture = _Picture.apply(table, xy, faces, seen, left, samples, vertex_values is not None)
    return picture[:, 1:], picture[:, 0], seen


class _Picture(torch.autograd.Function):
    """Samples to pixels (B, C, H, W); its derivative moves the borders between samples.

    table (N + 1, C): what the covered samples show, and the background last; xy (B, V, 2) px.
    """

    @staticmethod
    def forward(ctx, table, xy, faces, seen, left, samples: int, smooth: bool):
        count, rows, columns = seen.shape
        ctx.samples, ctx.smooth = samples, smooth
        ctx.save_for_backward(table, xy, faces, seen, left)
        picture = table[-1].repeat(count * rows * columns // samples**2, 1)
        pixel = _pixel((seen != NOTHING).nonzero(as_tuple=True), seen.shape, samples)
        picture.index_add_(0, pixel, (table[:-1] - table[-1]) / samples**2)
        return picture.view(count, rows // samples, columns // samples, table.shape[1]).permute(
            0, 3, 1, 2
        )

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        table, xy, faces, seen, left = ctx.saved_tensors
        grad = grad.permute(0, 2, 3, 1).flatten(0, 2).contiguous()
        grad_table = grad_xy = None
        if ctx.needs_input_grad[0]:
            pixel = _pixel((seen != NOTHING).nonzero(as_tuple=True), seen.shape, ctx.samples)
            of_samples = grad.index_select(0, pixel) / ctx.samples**2
            grad_table = torch.cat([of_samples, (grad.sum(0) - of_samples.sum(0))[None]])
        if ctx.needs_input_grad[1]:
            grad_xy = torch.zeros_like(xy)
            for axis in (0, 1):  # borders that are crossed in x, and in y
                _move(grad_xy, axis, grad, table, xy, faces, seen, left, ctx.samples, ctx.smooth)
        return grad_table, grad_xy, *[None] * 5


def _move(grad_xy, axis: int, grad, table, xy, faces, seen, left, samples: int, smooth: bool):
    """Adds to grad_xy[..., axis] what the borders that are crossed along this axis do."""
    first, second, step = _borders(table, seen, axis, smooth)
    places = [_place(sample, seen.shape) for sample in (first, second)]
    pixels = [_pixel(place, seen.shape, samples) for place in places]
    # A border between two pixels is shared by them; it is 1 / samples px long.
    pull = grad.index_select(0, pixels[0]) + grad.index_select(0, pixels[1])
    pull = (pull * step).sum(1) / (2 * samples)
    one, other = (seen.flatten()[sample] for sample in (first, second))
    nearest = torch.where(one <= other, first, second)  # packed by depth first
    batch, row, column = _place(nearest, seen.shape)
    out = left.flatten()[nearest]
    face, exit_face = unpack(torch.minimum(one, other))[0], unpack(out)[0]
    # The ray has left the part before it meets what lies behind: this is a rim.
    rim = (out != NOTHING) & (out < torch.maximum(one, other))
    at = (torch.stack([column, row], 1) + 0.5) / samples
    flat = grad_xy[..., axis].flatten()
    for surface in (face, torch.where(rim, exit_face, face)):
        corner = batch[:, None] * xy.shape[1] + faces.index_select(0, surface)
        weights = screen_weights(xy.flatten(0, 1)[corner], at)
        flat.index_add_(0, corner.flatten(), (weights * pull[:, None] / 2).flatten())
    grad_xy[..., axis] = flat.view(grad_xy.shape[:2])


def _borders(table: Tensor, seen: Tensor, axis: int, smooth: bool) -> tuple[Tensor, ...]:
    """Index into B x nH x nW of two neighbouring samples that differ, and by how much (N, C).

    Within a triangle samples differ only where values are interpolated (`smooth`).
    """
    covered = seen != NOTHING
    face = seen & 0xFFFFFFFF
    rest = seen.shape[2 - axis] - 1
    if smooth:
        differ = covered.narrow(2 - axis, 0, rest) | covered.narrow(2 - axis, 1, rest)
    else:
        differ = face.narrow(2 - axis, 0, rest) != face.narrow(2 - axis, 1, rest)
    batch, row, column = differ.nonzero(as_tuple=True)
    first = (batch * seen.shape[1] + row) * seen.shape[2] + column
    second = first + (seen.shape[2] if axis else 1)
    covered = covered.flatten()
    shown = torch.where(covered, covered.cumsum(0) - 1, len(table) - 1)
    step = table.index_select(0, shown[first]) - table.index_select(0, shown[second])
    kept = (step.abs().amax(1) > LEAST_STEP).nonzero()[:, 0]
    return first[kept], second[kept], step.index_select(0, kept)


def _place(sample: Tensor, shape) -> tuple[Tensor, Tensor, Tensor]:
    """Batch, row and column of an index into (B, nH, nW)."""
    line = torch.div(sample, shape[2], rounding_mode="floor")
    batch = torch.div(line, shape[1], rounding_mode="floor")
    return batch, line - batch * shape[1], sample - line * shape[2]


def _pixel(place: tuple[Tensor, ...], shape, samples: int) -> Tensor:
    """Index into B x H x W of the pixels that hold samples at batch, row, column of (B, nH, nW)."""
    batch, row, column = place
    height, width = shape[1] // samples, shape[2] // samples
    row = torch.div(row, samples, rounding_mode="floor")
    column = torch.div(column, samples, rounding_mode="floor")
    return (batch * height + row) * width + column
