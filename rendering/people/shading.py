"""Light: one bright and one weaker direction, a sky, and creases that are darker."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .outfits import Draw, Layer

WRINKLES = ((31.0, 47.0, 23.0), (-43.0, 67.0, 37.0), (71.0, 113.0, -53.0))  # rad / m


@dataclass
class Lights:
    """direction (B, 2, 3) towards the lights, colour (B, 2, 3), ambient (B, 3), wrinkles (B,),
    crease (B,): how dark creases are, gloss (B,)."""

    direction: Tensor
    colour: Tensor
    ambient: Tensor
    wrinkles: Tensor
    crease: Tensor
    gloss: Tensor

    def to(self, device: torch.device | str) -> "Lights":
        return Lights(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def draw_lights(draw: Draw) -> Lights:
    """Random lights, in the camera's axes; most come from above."""
    direction = torch.randn(draw.count, 2, 3, generator=draw.generator)
    direction[..., 1] = -direction[..., 1].abs() - 0.2  # y is down
    direction[..., 2] -= 0.7
    warm = draw.uniform(-0.12, 0.12, 2, 1)
    tint = 1 + warm * torch.tensor([1.0, 0.1, -1.0])
    power = torch.stack([draw.uniform(0.35, 1.0), draw.uniform(0.0, 0.4)], 1)[..., None]
    ambient = draw.uniform(0.3, 0.7, 1) * (
        1 + 0.06 * torch.randn(draw.count, 3, generator=draw.generator)
    )
    return Lights(
        F.normalize(direction, dim=-1), tint * power, ambient, draw.uniform(0.0, 0.28),
        draw.uniform(0.2, 1.0), draw.uniform(0.0, 0.25),
    )  # fmt: skip


def shade(
    lights: Lights, person: Tensor, layer: Tensor, normal: Tensor, place: Tensor, colour: Tensor
) -> Tensor:
    """(N, 3) light from pixels with these normals (N, 3) in the camera's axes."""
    cloth = (layer != Layer.SKIN) & (layer != Layer.GLASSES)
    waves = place.new_tensor(WRINKLES)
    bend = torch.cos(place @ waves.T + 3 * torch.sin(place[:, :1] * 9 + place[:, 1:2] * 14))
    strength = (lights.wrinkles[person] * cloth)[:, None]
    normal = F.normalize(normal + strength * (bend @ F.normalize(waves, dim=1)), dim=1)
    normal = torch.where(normal[:, 2:] > 0, normal * normal.new_tensor([1.0, 1.0, -1.0]), normal)
    direction, power = lights.direction[person], lights.colour[person]
    facing = (direction * normal[:, None]).sum(-1)
    soft = ((facing + 0.15) / 1.15).clamp(min=0)  # skin and cloth let light round a little
    light = (soft[..., None] * power).sum(1)
    sky = lights.ambient[person] * (0.75 - 0.25 * normal[:, 1:2])
    half = F.normalize(direction[:, 0] - normal.new_tensor([0.0, 0.0, 1.0]), dim=1)
    shine = (half * normal).sum(1).clamp(min=0) ** 24 * lights.gloss[person] * power[:, 0].mean(1)
    return colour * (light + sky) + shine[:, None]


def creases(depth: Tensor, strength: Tensor, width: int) -> Tensor:
    """(B, H, W) 0..1, darker where a surface lies behind its surroundings.

    depth (B, H, W) m with inf for nothing. (Luft et al., Image Enhancement by Unsharp
    Masking the Depth Buffer, 2006.)
    """
    known = depth.isfinite()
    filled = torch.where(known, depth, 0.0)[:, None]
    size = 2 * width + 1

    def mean(values: Tensor) -> Tensor:
        across = F.avg_pool2d(values, (1, size), 1, (0, width), count_include_pad=False)
        return F.avg_pool2d(across, (size, 1), 1, (width, 0), count_include_pad=False)

    around = mean(filled) / mean(known[:, None].float()).clamp(min=1e-3)
    behind = (depth - around[:, 0]).clamp(0, 0.1)
    return torch.where(known, 1 - 4 * strength[:, None, None] * behind, 1.0)
