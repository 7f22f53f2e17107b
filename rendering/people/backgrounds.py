"""What is behind people and before them, and what a camera does to the picture."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .outfits import Draw


def procedural(draw: Draw, size: int, device: torch.device | str) -> Tensor:
    """(B, 3, size, size) in 0..1: gradients, clouds, rooms with floor and wall, heaps of shapes."""
    small = max(8, size // 2)  # backgrounds are out of focus anyway
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, small, device=device)] * 2, indexing="ij")
    angle = draw.uniform(0, 6.28).to(device)[:, None, None]
    tones = _tones(draw, 4).to(device)[..., None, None]  # (B, 4, 3, 1, 1)
    slope = (0.5 + 0.35 * (x * torch.cos(angle) + y * torch.sin(angle)))[:, None]
    picture = torch.lerp(tones[:, 0], tones[:, 1], slope)
    kind = draw.choice(0.15, 0.2, 0.3, 0.35).to(device)[:, None, None, None]
    floor = (y > draw.uniform(-0.2, 0.9).to(device)[:, None, None] + 0.2 * x * torch.cos(angle))[
        :, None
    ]
    tiles = torch.sin(x * 9 / (y + 1.3)) * torch.sin(14 / (y + 1.3)) > 0
    ground = torch.lerp(tones[:, 2], tones[:, 3], 0.3 * tiles.float())
    picture = torch.where(floor & (kind >= 2), ground, picture)
    shapes = [_shape(draw, x, y, device) for _ in range(10)]
    for mask, colour, odd in shapes:
        picture = torch.where(mask & ((kind == 3) | (odd & (kind == 2))), colour, picture)
    strength = 0.1 * draw.uniform(0, 1).to(device)[:, None, None, None] ** 2 + 0.08 * (kind == 1)
    picture = picture + strength * _clouds(draw, small, device)
    return F.interpolate(picture, (size, size), mode="bilinear", align_corners=False).clamp(0, 1)


def _tones(draw: Draw, number: int) -> Tensor:
    grey = draw.uniform(0.05, 0.95, number, 1)
    return (grey + draw.uniform(0, 0.6, 1, 1) * (draw.uniform(0, 1, number, 3) - 0.5)).clamp(0, 1)


def _shape(draw: Draw, x: Tensor, y: Tensor, device) -> tuple[Tensor, Tensor, Tensor]:
    """A box or an ellipse: where it is (B, 1, H, W), its colour, and whether it stands in rooms."""
    centre, half = draw.uniform(-1, 1, 2), 0.05 + 0.5 * draw.uniform(0, 1, 2) ** 2
    angle = draw.uniform(-0.4, 0.4) * draw.chance(0.5)
    facts = torch.cat([centre, half, angle[:, None].cos(), angle[:, None].sin()], 1)
    cx, cy, hx, hy, cosine, sine = facts.to(device)[..., None, None].unbind(1)
    u = ((x - cx) * cosine + (y - cy) * sine) / hx
    v = ((y - cy) * cosine - (x - cx) * sine) / hy
    round_ = draw.chance(0.35).to(device)[:, None, None]
    inside = torch.where(round_, u * u + v * v, torch.maximum(u.abs(), v.abs()))
    colour = _tones(draw, 1).to(device)[:, 0, :, None, None]
    colour = colour * (1 - 0.3 * (0.5 + 0.5 * v.clamp(-1, 1)))[:, None]
    return (inside < 1)[:, None], colour, draw.chance(0.5).to(device)[:, None, None, None]


def _clouds(draw: Draw, size: int, device) -> Tensor:
    """(B, 3, size, size) noise of several sizes, about -1..1."""
    total = torch.zeros(draw.count, 3, size, size, device=device)
    for cells, share in ((3, 0.9), (9, 0.6), (28, 0.5)):
        noise = torch.randn(draw.count, 1, cells, cells, generator=draw.generator)
        noise = noise + 0.15 * torch.randn(draw.count, 3, cells, cells, generator=draw.generator)
        total = total + share * F.interpolate(noise.to(device), (size, size), mode="bicubic")
    return total


class Pictures:
    """Backgrounds from a folder of pictures, cut at random places.

    Raises ValueError where the folder holds no picture.
    """

    SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")

    def __init__(self, folder: str | Path):
        self.files = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in self.SUFFIXES)
        if not self.files:
            raise ValueError(f"there is no picture ({', '.join(self.SUFFIXES)}) in {folder}")

    def __call__(self, draw: Draw, size: int, device: torch.device | str) -> Tensor:
        """(B, 3, size, size) in 0..1."""
        from PIL import Image

        chosen = (draw.uniform(0, 1) * len(self.files)).long().clamp(max=len(self.files) - 1)
        corner, share = draw.uniform(0, 1, 2), draw.uniform(0.5, 1.0)
        cut = []
        for i, index in enumerate(chosen.tolist()):
            with Image.open(self.files[index]) as picture:
                side = float(share[i]) * min(picture.size)
                left = float(corner[i, 0]) * (picture.width - side)
                top = float(corner[i, 1]) * (picture.height - side)
                box = (left, top, left + side, top + side)
                picture.draft("RGB", (2 * size, 2 * size)) if box == (0, 0, *picture.size) else None
                cut.append(np.asarray(picture.convert("RGB").resize((size, size), box=box)))
        return torch.as_tensor(np.stack(cut)).to(device).movedim(-1, 1).float() / 255


def occluders(draw: Draw, size: int, device, probability: float) -> tuple[Tensor, Tensor]:
    """What stands before people: where (B, 1, size, size), and its colours (B, 3, size, size)."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, size, device=device)] * 2, indexing="ij")
    covered = torch.zeros(draw.count, 1, size, size, dtype=torch.bool, device=device)
    colours = torch.zeros(draw.count, 3, size, size, device=device)
    for share in (probability, probability / 2):
        mask, colour, _ = _shape(draw, x, y, device)
        mask = mask & draw.chance(share).to(device)[:, None, None, None]
        covered, colours = covered | mask, torch.where(mask, colour, colours)
    return covered, colours


def degrade(images: Tensor, draw: Draw, strength: float) -> Tensor:
    """Images (B, 3, S, S) with blur, noise, other exposure, the blocks of strong compression."""
    device, size, images = images.device, images.shape[-1], images.clone()

    def column(values: Tensor) -> Tensor:
        return values.to(device)[:, None, None, None]

    def some(probability: float) -> Tensor:
        return draw.chance(probability * strength).nonzero()[:, 0].to(device)

    soft, step = column(draw.uniform(0.3, 1)), column(draw.uniform(0.03, 0.12))
    if len(few := some(0.5)):
        blurred = F.avg_pool2d(images[few], 3, 1, 1, count_include_pad=False)
        images[few] = torch.lerp(images[few], blurred, soft[few])
    if len(few := some(0.2)):
        less = F.interpolate(images[few], scale_factor=0.5, mode="area")
        images[few] = F.interpolate(less, (size, size), mode="bilinear")
    if len(few := some(0.2)):
        images[few] = _blocks(images[few], step[few])
    gain, gamma = column(draw.uniform(0.75, 1.25)), column(draw.uniform(0.8, 1.25))
    images = (images.clamp(0, 1) ** (1 + strength * (gamma - 1))) * (1 + strength * (gain - 1))
    noise = torch.randn(4, 3, size, size, generator=draw.generator).to(device)
    amount = column(draw.uniform(0, 0.04) * strength)
    return (images + amount * noise[torch.arange(len(images), device=device) % 4]).clamp(0, 1)


def _blocks(images: Tensor, step: Tensor) -> Tensor:
    """Each 8 x 8 block's cosine transform rounded to `step`, more coarsely for finer waves."""
    k = torch.arange(8, device=images.device, dtype=torch.float32)
    basis = torch.cos((k[None] + 0.5) * k[:, None] * torch.pi / 8) / 2
    basis[0] /= 2**0.5
    height, width = images.shape[-2] // 8 * 8, images.shape[-1] // 8 * 8
    blocks = images[..., :height, :width].unflatten(-2, (-1, 8)).unflatten(-1, (-1, 8))
    blocks = torch.einsum("ui,bcyixj,vj->bcyuxv", basis, blocks, basis)
    coarse = step[..., None, None] * (1 + k[:, None, None] + k)
    blocks = torch.round(blocks / coarse) * coarse
    blocks = torch.einsum("ui,bcyuxv,vj->bcyixj", basis, blocks, basis)
    out = images.clone()
    out[..., :height, :width] = blocks.flatten(-2).flatten(-3, -2)
    return out
