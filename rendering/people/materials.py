"""Colours and patterns, told for every pixel from where on the body at rest it lies."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .outfits import Draw, Layer
from .surface import Surface

SKIN_TONES = torch.tensor(
    [
        [0.90, 0.74, 0.64], [0.89, 0.70, 0.58], [0.80, 0.60, 0.46],
        [0.65, 0.46, 0.34], [0.45, 0.30, 0.22], [0.27, 0.18, 0.14],
    ]
)  # fmt: skip
HAIR_TONES = torch.tensor(
    [
        [0.05, 0.04, 0.04], [0.16, 0.10, 0.07], [0.33, 0.21, 0.13], [0.55, 0.36, 0.18],
        [0.78, 0.62, 0.36], [0.62, 0.60, 0.58], [0.50, 0.20, 0.09],
    ]
)  # fmt: skip
PLAIN, ACROSS, ALONG, CHECKS, DOTS, CAMOUFLAGE, PRINT = range(7)


@dataclass
class Materials:
    """colours (B, layers, 2, 3) in 0..1; pattern (B, layers); wavelength (B, layers) m;
    phase (B, 8); paint (B, 3, 3): eyes, lips, brows."""

    colours: Tensor
    pattern: Tensor
    wavelength: Tensor
    phase: Tensor
    paint: Tensor

    def to(self, device: torch.device | str) -> "Materials":
        return Materials(
            *(
                t.to(device)
                for t in (self.colours, self.pattern, self.wavelength, self.phase, self.paint)
            )
        )


def draw_materials(draw: Draw) -> Materials:
    """Random materials of every layer."""
    count = len(Layer)
    colours = _cloth_colours(draw, 2 * count).unflatten(1, (count, 2))
    skin = _between(SKIN_TONES, draw) * draw.uniform(0.92, 1.05, 3)
    hair = _between(HAIR_TONES, draw)
    colours[:, Layer.SKIN] = skin[:, None]
    colours[:, Layer.HAIR] = torch.stack([hair, hair * 0.7], 1)
    dyed = draw.chance(0.03)
    colours[dyed, Layer.HAIR] = _cloth_colours(draw, 2)[dyed]
    colours[:, Layer.GLASSES] *= 0.2
    denim = torch.tensor([0.15, 0.22, 0.38]) * draw.uniform(0.6, 1.8, 1)
    jeans = draw.chance(0.3)
    colours[jeans, Layer.BOTTOM, 0] = denim[jeans]
    pattern = torch.stack(
        [draw.choice(0.5, 0.1, 0.06, 0.08, 0.06, 0.06, 0.14) for _ in range(count)], 1
    )
    pattern[:, Layer.SKIN] = PLAIN
    pattern[:, Layer.GLASSES] = PLAIN
    pattern[:, Layer.HAIR] = ALONG
    pattern[:, Layer.BOTTOM] *= draw.chance(0.35)
    pattern[:, Layer.COAT] *= draw.chance(0.3)
    wavelength = 0.02 * 5 ** draw.uniform(0, 1, count)
    wavelength[:, Layer.HAIR] = 0.012
    lips = skin * torch.tensor([0.85, 0.6, 0.6])
    eyes = _between(torch.tensor([[0.08, 0.05, 0.04], [0.2, 0.15, 0.1], [0.2, 0.3, 0.4]]), draw)
    paint = torch.stack([eyes, lips, torch.minimum(hair, 0.6 * skin)], 1)
    return Materials(
        colours.clamp(0, 1), pattern, wavelength, draw.uniform(0, 6.28, 8), paint.clamp(0, 1)
    )


def _between(tones: Tensor, draw: Draw) -> Tensor:
    """(B, 3) between two neighbours of tones (N, 3)."""
    at = draw.uniform(0, len(tones) - 1.001)
    first = at.long()
    return torch.lerp(tones[first], tones[first + 1], (at - first)[:, None])


def _cloth_colours(draw: Draw, number: int) -> Tensor:
    """(B, number, 3): greys, dark and dull ones more often than gaudy ones."""
    hue = draw.uniform(0, 1, number)
    saturation = draw.uniform(0, 1, number) ** 1.6
    value = draw.uniform(0.06, 1.0, number)
    channel = torch.tensor([5.0, 3.0, 1.0])
    k = (channel + hue[..., None] * 6) % 6
    return value[..., None] * (1 - saturation[..., None] * torch.minimum(k, 4 - k).clamp(0, 1))


def albedo(
    surface: Surface,
    materials: Materials,
    person: Tensor,
    layer: Tensor,
    height: Tensor,
    arm: Tensor,
    place: Tensor,
) -> Tensor:
    """(N, 3) colour of pixels of `person` (N,) that show `layer` (N,) at place (N, 3)."""
    row = person * len(Layer) + layer
    pattern = materials.pattern.flatten()[row]
    colours = materials.colours.flatten(0, 1)[row]
    wave = 2 * torch.pi / materials.wavelength.flatten()[row]
    phase = materials.phase[person]
    x, y, z = place.unbind(-1)
    # Along a limb; and two ways round it.
    along, round_, depth = torch.where(arm > 0, x.abs(), y), torch.where(arm > 0, y, x), z
    a = torch.sin(wave * along + phase[:, 0])
    b = torch.sin(wave * round_ + phase[:, 1])
    c = torch.sin(wave * depth + phase[:, 2])
    blotch = torch.sin(0.5 * wave * (along + 0.6 * depth) + phase[:, 3]) + torch.sin(
        0.4 * wave * (round_ - 0.5 * along) + phase[:, 4] + 2 * a
    )
    chest = (z > 0.03) & (x.abs() < 0.09) & ((height - 0.65).abs() < 0.14) & (arm < 0)
    first = torch.stack(
        [
            torch.ones_like(a), (a > 0.2).float(), (b + 0.3 * c > 0).float(),
            0.5 * (a > 0) + 0.5 * (b > 0), 1 - (a * b > 0.45).float(), (blotch > 0).float(),
            1 - (chest & (a + b > -0.4)).float(),
        ],
        1,
    ).gather(1, pattern[:, None])  # fmt: skip
    colour = torch.lerp(colours[:, 1], colours[:, 0], first)
    return _painted(surface, materials, colour, person, (layer == Layer.SKIN) & (height > 1), place)


def _painted(surface: Surface, materials: Materials, colour, person, face, place) -> Tensor:
    """Eyes, brows and lips on the face."""
    spot = face.nonzero()[:, 0]
    x, y, z = place[spot].unbind(-1)
    paint = materials.paint[person[spot]]
    eye, mouth, nose = (surface.face_points[name] for name in ("eye", "mouth", "nose"))
    before = z > (eye[2] - 0.04)
    side, up = x.abs() - eye[0], y - eye[1]
    own = colour[spot]

    def put(where: Tensor, value: Tensor) -> None:
        nonlocal own
        own = torch.where((where & before)[:, None], value, own)

    put((side / 0.015).square() + (up / 0.007).square() < 1, own.new_tensor([0.9, 0.88, 0.86]))
    put(side.square() + up.square() < 0.0065**2, paint[:, 0])
    put((side.abs() < 0.019) & ((up - 0.018 + side.square() * 12).abs() < 0.0035), paint[:, 2])
    lips = (x / (mouth[0] * 1.05)).square() + ((y - mouth[1]) / 0.008).square() < 1
    put(lips & (y < nose[1] - 0.01), paint[:, 1])
    # Cheeks and nose are a little redder.
    red = torch.exp(-((x.abs() - 0.035).square() + (y - nose[1]).square()) / 0.0006) * before
    own = own * (1 - 0.12 * red[:, None] * own.new_tensor([0.0, 1.0, 1.0]))
    return colour.index_put((spot,), own)
