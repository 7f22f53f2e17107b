"""The clothed body and its sheets, posed: vertices, and where they are at rest."""

import torch
from torch import Tensor

from .outfits import Outfits
from .surface import BRIM_GRID, LOCKS_GRID, PELVIS, SKIRT_GRID, Outline, Surface
from .wearing import layers

SOFTNESS = 0.03  # m over which the skirt passes from one leg to the other
BEHIND_CAMERA = -1.0


def clothe(
    surface: Surface, outfits: Outfits, shaped: Tensor, transforms: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Posed vertices (B, V, 3) of body and sheets, their places at rest (B, V, 3), and the
    outermost layer (B, K) at the body's vertices.

    shaped (B, N, 3): the given body's vertices at rest, of this shape; transforms (B, 24, 3, 4):
    from rest to the camera's axes, m.
    """
    count, kept = len(shaped), surface.kept
    height, arm = surface.height[: len(kept)], surface.arm[: len(kept)]
    place = surface.vertices[: len(kept)]
    rest = shaped[:, kept]
    worn = outfits.at(slice(None))
    layer = layers(surface, worn, *(t.expand(count, *t.shape) for t in (height, arm, place)))
    spread = torch.where(
        arm > 0, 0.3 + 0.35 * arm, torch.where(height < 0, 0.4 - 0.4 * height, 0.8 - 0.5 * height)
    ).clamp(0.0, 1.1)
    loose = outfits.looseness.gather(1, layer) * spread
    out = outfits.thickness.gather(1, layer) + loose
    # Cloth spans hollows of the body: between toes, along the spine.
    out = out + surface.hollow * ((layer > 0) & (height < 0.95))
    body = skin(surface.weights, transforms, rest + out[..., None] * surface.normals)
    sheets = [
        _skirt(surface, outfits, rest, transforms),
        _locks(surface, outfits, rest, transforms),
        _brim(surface, outfits, rest, transforms),
    ]
    posed = torch.cat([body, *(sheet[0] for sheet in sheets)], 1)
    places = torch.cat([place.expand(count, -1, -1), *(sheet[1] for sheet in sheets)], 1)
    return posed, places, layer


def skin(weights: Tensor, transforms: Tensor, points: Tensor) -> Tensor:
    """Linear blend skinning of points (B, N, 3): weights (N, 24) or (B, N, 24)."""
    blended = (weights @ transforms.flatten(2)).unflatten(2, (3, 4))
    return (blended[..., :3] @ points[..., None])[..., 0] + blended[..., 3]


def _rings(outline: Outline, rest: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The outline at fractional levels rows (B, R): points (B, R, C, 3) at rest, weights
    (B, R, 24), and the centres (B, R, 2)."""
    first = rows.floor().long().clamp(0, len(outline.level) - 2)
    part = (rows - first).clamp(0, 1)
    points = rest[:, outline.vertex.flatten()].unflatten(1, outline.vertex.shape)  # (B, L, C, 3)
    reach = ((points[..., [0, 2]] - outline.centre[:, None]) * outline.direction).sum(-1)
    mean_y = points[..., 1].mean(2)

    def between(values: Tensor) -> Tensor:
        values = values.expand(len(rows), *values.shape[-2:])
        index = first[..., None].expand(-1, -1, values.shape[2])
        low, high = values.gather(1, index), values.gather(1, index + 1)
        return low + part[..., None] * (high - low)

    reach, centre = between(reach), between(outline.centre[None])
    y = between(mean_y[..., None]).expand_as(reach)
    flat = centre[:, :, None] + reach[..., None] * outline.direction
    return torch.stack([flat[..., 0], y, flat[..., 1]], -1), between(outline.weights[None]), centre


def _levels(outline: Outline, y: Tensor) -> Tensor:
    """Fractional levels of heights y in m."""
    low, high = outline.level[0], outline.level[-1]
    return (y - low) / (high - low) * (len(outline.level) - 1)


def _y_of(surface: Surface, height: Tensor) -> Tensor:
    """m at rest of the coordinate `height`, -2 .. 2."""
    first = (height.floor().long() + 2).clamp(0, 3)
    low, high = surface.heights[first], surface.heights[first + 1]
    return low + (height + 2 - first) * (high - low)


def _skirt(
    surface: Surface, outfits: Outfits, rest: Tensor, transforms: Tensor
) -> tuple[Tensor, Tensor]:
    """A sheet from the waist to its end, the hull of both legs, each going with its leg."""
    rows, columns = SKIRT_GRID
    half, count = surface.half, len(rest)
    t = torch.linspace(0, 1, rows, device=rest.device)
    top = torch.full((count,), 0.3, device=rest.device)
    height = top[:, None] + t * (outfits["skirt_end"] - top)[:, None]
    points, weights, _ = _rings(half, rest, _levels(half, _y_of(surface, height)))
    owner = outfits["skirt"].long()
    slack = outfits.thickness.gather(1, owner[:, None]) + outfits.looseness.gather(
        1, owner[:, None]
    )
    slack = 0.012 + slack + outfits["skirt_flare"][:, None] * t**1.5
    outward = torch.stack(
        [half.direction[:, 0], torch.zeros(columns, device=rest.device), half.direction[:, 1]], 1
    )
    left = points + slack[..., None, None] * outward  # (B, R, C, 3)
    mirror = torch.tensor([-1.0, 1, 1], device=rest.device)
    right = left.flip(2) * mirror  # the directions go round, so the mirrored one is the reverse
    weights_right = weights[..., _SIDES]
    sides = []
    for side, own in ((left, weights), (right, weights_right)):
        flat, shares = side.flatten(1, 2), own.repeat_interleave(columns, 1)
        sides.append(skin(shares, transforms, flat).view_as(side))
    turn = transforms[:, PELVIS, :, :3] + 0.5 * (transforms[:, 1, :, :3] + transforms[:, 2, :, :3])
    away = torch.nn.functional.normalize(turn @ outward.T, dim=1).transpose(1, 2)  # (B, C, 3)
    lead = ((sides[0] - sides[1]) * away[:, None]).sum(-1)
    share = torch.sigmoid(lead / SOFTNESS)[..., None]
    posed = share * sides[0] + (1 - share) * sides[1]
    if (outfits["skirt_gap"] > 0).any():
        posed = _open(posed, outfits["skirt_gap"])
    place = torch.where(outward[:, :1] > 0, left, right)
    return _shown(posed, owner > 0), place.flatten(1, 2)


_SIDES = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]


def _open(posed: Tensor, gap: Tensor) -> Tensor:
    """Leaves out `gap` (B,) radians on both sides of the front: columns are drawn together."""
    columns = posed.shape[2]
    u = torch.linspace(0, 1, columns, device=posed.device)
    share = (gap / (2 * torch.pi))[:, None]
    at = (share + (1 - 2 * share) * u) * (columns - 1)  # (B, C)
    first = at.floor().long().clamp(max=columns - 2)
    part = (at - first)[:, None, :, None]

    def pick(index: Tensor) -> Tensor:
        return posed.gather(2, index[:, None, :, None].expand_as(posed))

    return pick(first) * (1 - part) + pick(first + 1) * part


def _shown(posed: Tensor, worn: Tensor) -> Tensor:
    """(B, R, C, 3) to (B, R * C, 3), behind the camera where it isn't worn."""
    hidden = posed.new_tensor([0.0, 0.0, BEHIND_CAMERA])
    return torch.where(worn[:, None, None], posed.flatten(1, 2), hidden)


def _locks(
    surface: Surface, outfits: Outfits, rest: Tensor, transforms: Tensor
) -> tuple[Tensor, Tensor]:
    """Long hair: from above the ears down behind neck and back."""
    rows, columns = LOCKS_GRID
    head = surface.head
    t = torch.linspace(0, 1, rows, device=rest.device)
    eye = surface.face_points["eye"][1]
    top = eye + 0.3 * (surface.heights[-1] - eye)
    length = 0.12 + 0.33 * outfits["locks"]
    y = top - t * length[:, None]
    points, weights, centre = _rings(head, rest, _levels(head, y))
    # Columns round the back only, from one side of the face to the other.
    angle = (
        torch.linspace(0.36, 0.64, columns, device=rest.device) * (len(head.direction) - 1) * 1.45
    )
    angle = (angle - angle.mean() + (len(head.direction) - 1) / 2).round().long()
    points, direction = points[:, :, angle], head.direction[angle]
    reach = ((points[..., [0, 2]] - centre[:, :, None]) * direction).sum(-1)
    widest = reach[:, :1]
    back = (-direction[:, 1]).clamp(min=0)
    reach = torch.minimum(torch.maximum(reach, 0.9 * widest), widest + 0.02 + 0.06 * back)
    reach = (
        reach
        + 0.008
        + outfits["volume"].clamp(max=0.02)[:, None, None]
        + 0.012 * torch.sin(t * 3)[:, None]
    )
    flat = centre[:, :1, None] + reach[..., None] * direction
    rest_points = torch.stack([flat[..., 0], points[..., 1], flat[..., 1]], -1)
    shares = weights.repeat_interleave(columns, 1)
    posed = skin(shares, transforms, rest_points.flatten(1, 2)).view_as(rest_points)
    return _shown(posed, outfits["locks"] > 0), rest_points.flatten(1, 2)


def _brim(
    surface: Surface, outfits: Outfits, rest: Tensor, transforms: Tensor
) -> tuple[Tensor, Tensor]:
    """A hat's brim: all round, or a peak in front."""
    head = surface.head
    eye = surface.face_points["eye"][1]
    y = eye + (outfits["hat_line"] + 0.08) * (surface.heights[-1] - eye)
    points, weights, centre = _rings(head, rest, _levels(head, y)[:, None])
    front = head.direction[:, 1].clamp(min=0) ** 0.7
    wide = outfits["brim"][:, None] + outfits["peak"][:, None] * front
    inner = torch.stack([head.direction[:, 0], 0 * front, head.direction[:, 1]], 1)
    tilt = torch.tensor([0.0, 0.25, 0.0], device=rest.device)
    rise = 0.25 * (points[..., 2] - centre[..., None, 1]).clamp(min=0)[..., None] * tilt.sign()
    first = points[:, 0] + rise[:, 0] + 0.01 * inner
    last = first + wide[..., None] * (inner - tilt)
    grid = torch.stack([first, last], 1)
    shares = weights.expand(-1, BRIM_GRID[0] * BRIM_GRID[1], -1)
    posed = skin(shares, transforms, grid.flatten(1, 2)).view_as(grid)
    return _shown(posed, wide.amax(1) > 0), grid.flatten(1, 2)
