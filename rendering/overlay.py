"""Pictures for people to look at: a body over the image that it was seen in, labels, outlines.

Images are (B, 3, H, W) RGB in 0 to 1, bodies (B, V, 3) m before the camera (OpenCV's axes).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .labels import LABELS, PALETTE
from .normals import vertex_normals
from .rasterize import rasterize

SKIN = (0.65, 0.74, 0.86)  # of bodies that are given no colour
AMBIENT = 0.35
LIGHT = (-0.35, -0.5, -0.8)  # where the light comes from, in the camera's axes


@torch.no_grad()
def shaded(
    vertices: Tensor,
    faces: Tensor,
    intrinsics: Tensor,
    size: tuple[int, int],
    colours: Tensor | None = None,
    samples: int = 3,
) -> tuple[Tensor, Tensor]:
    """The body as a solid under one lamp: its picture (B, 3, H, W), and how it covers (B, 1, H, W).

    colours (F, 3) of the faces, 0 to 1; the picture is black where nothing is, and at borders in
    part, to be laid over another with `over`.
    """
    normals = vertex_normals(vertices, faces)
    light = F.normalize(vertices.new_tensor(LIGHT), dim=0)
    bright = AMBIENT + (1 - AMBIENT) * (normals @ light).clamp(min=0)
    tint = vertices.new_tensor(SKIN).expand(len(faces), 3) if colours is None else colours
    corners = bright[:, faces].mean(2)[..., None]  # flat in a face: they are small
    picture = rasterize(
        vertices, faces, intrinsics, size, face_values=corners * tint, samples=samples
    )
    return picture.values, picture.silhouette[:, None]


def over(image: Tensor, picture: Tensor, cover: Tensor, opacity: float = 1.0) -> Tensor:
    """`picture`, which is black outside, laid over an image."""
    return image * (1 - opacity * cover) + opacity * picture


def label_picture(labels: Tensor) -> Tensor:
    """Ids (B, H, W) in the labels' colours, black for what is no label: (B, 3, H, W)."""
    labels = torch.where(labels < len(LABELS), labels, 0).long()
    palette = torch.as_tensor(PALETTE, device=labels.device).float() / 255
    return palette[labels].permute(0, 3, 1, 2)


def prior_colours(prior: Tensor) -> Tensor:
    """(F, 3) the colour of each face's likeliest label, of a prior (F, 20)."""
    return torch.as_tensor(PALETTE, device=prior.device)[prior.argmax(1)].float() / 255


def outlined(
    image: Tensor, cover: Tensor, colour: tuple[float, float, float] = (1.0, 0.2, 0.1)
) -> Tensor:
    """An image with the outline of what `cover` (B, H, W) covers drawn into it, 2 px wide."""
    inside = (cover > 0.5).float()[:, None]
    wide = F.max_pool2d(inside, 3, stride=1, padding=1)
    narrow = -F.max_pool2d(-inside, 3, stride=1, padding=1)
    edge = wide - narrow
    return image * (1 - edge) + edge * image.new_tensor(colour).view(3, 1, 1)


def turned(vertices: Tensor, yaw_deg: float) -> Tensor:
    """Turned about the upright line through its middle; 90 shows the left of one facing us."""
    angle = torch.deg2rad(vertices.new_tensor(yaw_deg))
    sine, cosine, zero, one = angle.sin(), angle.cos(), angle * 0, angle * 0 + 1
    turn = torch.stack([cosine, zero, sine, zero, one, zero, -sine, zero, cosine]).view(3, 3)
    middle = (vertices.amin(1, keepdim=True) + vertices.amax(1, keepdim=True)) / 2
    return (vertices - middle) @ turn.T + middle


def whole(vertices: Tensor, intrinsics: Tensor, size: tuple[int, int]) -> Tensor:
    """The body moved so that all of it is in the middle of the picture, by nine tenths of it."""
    intrinsics = intrinsics.expand(len(vertices), 3, 3)
    low, high = vertices.amin(1), vertices.amax(1)
    focal = torch.stack([intrinsics[:, 0, 0], intrinsics[:, 1, 1]], 1)
    pixels = vertices.new_tensor(size)
    away = ((high - low)[:, :2] * focal / (0.9 * pixels)).amax(1, keepdim=True)
    away = away + (high - low)[:, 2:] / 2
    beside = (pixels / 2 - intrinsics[:, :2, 2]) / focal * away
    return vertices - (low + high)[:, None] / 2 + torch.cat([beside, away], 1)[:, None]


@torch.no_grad()
def strip(
    images: Tensor,
    vertices: Tensor,
    faces: Tensor,
    intrinsics: Tensor,
    colours: Tensor | None = None,
    labels: Tensor | None = None,
) -> Tensor:
    """(B, 3, H, n W): the image, the body over it, all of the body from its side, and the labels.

    The body over the labels' colours is only an outline. Bodies that aren't numbers aren't drawn.
    """
    size = (images.shape[3], images.shape[2])
    drawn = over(images, *shaded(vertices, faces, intrinsics, size, colours), opacity=0.85)
    white = torch.ones_like(images)
    beside = whole(turned(vertices, 90), intrinsics, size)
    side = over(white, *shaded(beside, faces, intrinsics, size, colours))
    shown = [images, drawn, side]
    if labels is not None:
        cover = rasterize(vertices, faces, intrinsics, size, samples=1).silhouette
        shown.append(outlined(label_picture(labels), cover, (1.0, 1.0, 1.0)))
    return torch.cat(shown, 3).clamp(0, 1)


def to_bytes(images: Tensor) -> Tensor:
    """(..., 3, H, W), 0 to 1, to uint8 (..., H, W, 3)."""
    return (images.clamp(0, 1) * 255).round().byte().movedim(-3, -1)
