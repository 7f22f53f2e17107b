"""Pictures of clothed people with everything that a regressor learns from, on CPU or GPU."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from rendering.cameras import project
from rendering.normals import vertex_normals
from rendering.rasterize import rasterize

from . import backgrounds, materials, outfits, shading, wearing
from .sheets import clothe
from .surface import BODY, Surface
from .turned import Turned
from .views import ViewOptions, Views, weak_perspective

THICKNESS = 0.13  # m that a joint lies behind the clothes over it, at most
VERTEX_THICKNESS = 0.02  # m that a slanted surface differs in depth from its pixel's middle
NEAR = 0.1


@dataclass
class PeopleOptions:
    """How people are drawn."""

    size: int = 224
    """Side of the crops, px."""
    samples: int = 1
    """Samples along each side of a pixel; 2 smooths edges and takes three times as long."""
    occluder: float = 0.3
    """How often something stands before the person."""
    companion: float = 0.15
    """How often another person of the batch stands behind."""
    degrade: float = 1.0
    """How much the pictures are blurred, compressed and noisy: 0 not at all."""
    view: ViewOptions = field(default_factory=ViewOptions)


@dataclass
class People:
    """A batch of B drawn people.

    image (B, 3, S, S) RGB in 0..1; labels (B, S, S) uint8, Graphonomy's, 0 where something stands
    before the person; points (B, P, 2) px of the crop; in_frame and visible (B, P): inside it,
    and not hidden by an occluder or another part of the body (clothes over a joint don't hide it).
    vertex_seen (B, N): whether the body is seen there, bare or clothed; clothed (B, N).
    camera (B, 3): the weak perspective s, tx, ty of the crop that fits the joints best. views: the
    perspective with which all was drawn.
    """

    image: Tensor
    labels: Tensor
    points: Tensor
    in_frame: Tensor
    visible: Tensor
    vertex_seen: Tensor
    clothed: Tensor
    camera: Tensor
    views: Views


def render_people(
    surface: Surface,
    shaped: Tensor,
    transforms: Tensor,
    joints: Tensor,
    points: Tensor,
    generator: torch.Generator,
    options: PeopleOptions | None = None,
    background: Callable[[outfits.Draw, int, torch.device], Tensor] | None = None,
) -> People:
    """Draws people of shaped (B, N, 3) m at rest, posed by transforms (B, 24, 3, 4).

    The transforms lead to the camera's axes but for the translation, which is drawn here like all
    else, from `generator` (on the CPU). joints (B, 24, 3) and points (B, P, 3), both posed, tell
    the box and what is asked for. `background` gives (B, 3, S, S) in 0..1, procedural if None.
    Raises ValueError for another number of vertices than the surface was built from.
    """
    options = options or PeopleOptions()
    if shaped.shape[1] != len(surface.nearest):
        raise ValueError(
            f"shaped has {shaped.shape[1]} vertices, the surface is for {len(surface.nearest)}"
        )
    device, size = shaped.device, options.size
    draw = outfits.Draw(len(shaped), generator)
    worn = outfits.draw_outfits(draw.count, generator).to(device)
    dyes = materials.draw_materials(draw).to(device)
    lights = shading.draw_lights(draw).to(device)
    ends = torch.cat([joints, points], 1).cpu()
    views = options.view.draw(ends, size, draw)
    if isinstance(views, Turned):
        transforms, joints, points = views.turn(transforms, joints, points)
    moved = views.translation.to(device)[:, None]
    intrinsics = views.crop_intrinsics.to(device)
    posed, places, layer = clothe(surface, worn, shaped, transforms)
    posed = torch.where(posed[..., 2:] == -1.0, posed, posed + moved)
    behind = (background or backgrounds.procedural)(draw, size, device)
    front, front_colours = backgrounds.occluders(draw, size, device, options.occluder)
    image, labels, depth, normals = _draw(
        surface, worn, dyes, lights, posed, places, intrinsics, behind, options
    )
    image = _with_companions(image, labels > 0, draw, options.companion)
    image = torch.where(front, front_colours, image)
    labels = torch.where(front[:, 0], 0, labels)
    depth = torch.where(front[:, 0], 0.0, depth)
    pixels = project(points + moved, intrinsics)
    in_frame, visible = _visible(pixels, (points + moved)[..., 2], depth, THICKNESS)
    skin = posed[:, : len(surface.kept)]
    _, seen = _visible(project(skin, intrinsics), skin[..., 2], depth, VERTEX_THICKNESS)
    seen = seen & ((normals[:, : skin.shape[1]] * skin).sum(-1) < 0)
    return People(
        image=backgrounds.degrade(image, draw, options.degrade),
        labels=labels,
        points=pixels,
        in_frame=in_frame,
        visible=visible,
        vertex_seen=seen[:, surface.nearest],
        clothed=(layer > 0)[:, surface.nearest],
        camera=weak_perspective(joints, project(joints + moved, intrinsics), size),
        views=views,
    )  # fmt: skip


def _draw(surface, worn, dyes, lights, posed, places, intrinsics, behind, options: PeopleOptions):
    """image (B, 3, S, S), labels (B, S, S), depth (B, S, S), normals (B, V, 3)."""
    count, device = len(posed), posed.device
    fine = options.size * options.samples
    scaled = intrinsics.clone()
    scaled[:, :2] *= options.samples
    normals = vertex_normals(posed, surface.faces)
    coordinates = torch.stack([surface.height, surface.arm], 1).expand(count, -1, -1)
    drawn = rasterize(
        posed, surface.faces, scaled, (fine, fine), samples=1, near=NEAR,
        vertex_values=torch.cat([coordinates, places, normals], 2),
    )  # fmt: skip
    place = (drawn.face >= 0).nonzero(as_tuple=True)
    person = place[0]
    values = drawn.values.permute(0, 2, 3, 1)[place]
    height, arm, rest, normal = values[:, 0], values[:, 1], values[:, 2:5], values[:, 5:]
    piece = surface.face_piece[drawn.face[place]]
    own = worn.at(person)
    layer = wearing.layers(surface, own, height, arm, rest)
    layer = wearing.of_sheets(own, torch.where(piece == BODY, layer, 0), piece)
    label = wearing.labels(surface, own, layer, piece, height, arm, rest)
    colour = materials.albedo(surface, dyes, person, layer, height, arm, rest)
    colour = shading.shade(lights, person, layer, F.normalize(normal, dim=1), rest, colour)
    labels = torch.zeros(count, fine, fine, dtype=torch.uint8, device=device).index_put(
        place, label
    )
    if options.samples > 1:
        behind = F.interpolate(behind, (fine, fine), mode="nearest")
    image = behind.permute(0, 2, 3, 1).contiguous().index_put(place, colour).permute(0, 3, 1, 2)
    dark = shading.creases(drawn.depth, lights.crease, max(2, fine // 40))
    image = (image * dark[:, None]).clamp(0, 1)
    step = options.samples
    first = step // 2
    if step > 1:
        image = F.avg_pool2d(image, step)
    cut = (slice(None), slice(first, None, step), slice(first, None, step))
    return image, labels[cut], drawn.depth[cut], normals


def _with_companions(
    image: Tensor, person: Tensor, draw: outfits.Draw, probability: float
) -> Tensor:
    """Puts the batch's next person, mirrored and moved aside, behind some people."""
    size = image.shape[-1]
    chosen = draw.chance(probability).to(image.device)
    aside = (draw.uniform(0.25, 0.7) * size * (2 * draw.chance(0.5) - 1)).long().to(image.device)
    column = torch.arange(size, device=image.device)[None, :] - aside[:, None]
    inside = (column >= 0) & (column < size)
    column = column.clamp(0, size - 1)[:, None].expand(-1, size, -1)
    other = person.roll(1, 0).flip(2).gather(2, column) & inside[:, None]
    colours = image.roll(1, 0).flip(3).gather(3, column[:, None].expand_as(image))
    put = other & ~person & chosen[:, None, None]
    return torch.where(put[:, None], colours, image)


def _pixel(points: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Whether points (B, P, 2) px are in the frame, and the index of their pixels, clamped."""
    in_frame = ((points >= 0) & (points < size)).all(-1)
    column, row = points.nan_to_num(0, 0, 0).clamp(0, size - 1).long().unbind(-1)
    return in_frame, row * size + column


def _visible(points: Tensor, z: Tensor, depth: Tensor, thickness: float) -> tuple[Tensor, Tensor]:
    """Which points (B, P, 2) px at depth z (B, P) are in the frame; not behind depth (B, S, S)."""
    in_frame, pixel = _pixel(points, depth.shape[-1])
    nearest = depth.flatten(1).gather(1, pixel)
    return in_frame, in_frame & (z > 0) & (nearest > z - thickness)
