"""What people wear, drawn at random.

A person wears layers, later ones over earlier ones; `wearing` tells where on the body they lie.
"""

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Generator, Tensor


class Layer(IntEnum):
    """From the inside out."""

    SKIN = 0
    SOCKS = 1
    BOTTOM = 2
    TOP = 3
    COAT = 4
    SHOES = 5
    GLOVES = 6
    SCARF = 7
    HAIR = 8
    HAT = 9
    GLASSES = 10
    SKIRT = 11


class Label(IntEnum):
    """Ids of rendering.labels.LABELS."""

    BACKGROUND = 0
    HAT = 1
    HAIR = 2
    GLOVE = 3
    SUNGLASSES = 4
    UPPERCLOTHES = 5
    DRESS = 6
    COAT = 7
    SOCKS = 8
    PANTS = 9
    TORSO = 10
    SCARF = 11
    SKIRT = 12
    FACE = 13
    LEFT_ARM = 14
    RIGHT_ARM = 15
    LEFT_LEG = 16
    RIGHT_LEG = 17
    LEFT_SHOE = 18
    RIGHT_SHOE = 19


# One number a person; heights and arms are `surface`'s coordinates, lengths in m, "no" is NEVER.
NEVER = 9.0
NAMES: tuple[str, ...] = tuple(
    (
        "top hem sleeve neckline tucked dress bottom bottom_end bottom_top coat coat_hem "
        "coat_sleeve coat_gap skirt skirt_end skirt_flare skirt_gap shoe_top sock_top glove scarf "
        "hairline nape volume locks hat hat_line brim peak glasses"
    ).split()
)


@dataclass
class Outfits:
    """table (B, len(NAMES)); thickness and looseness (B, layers) m."""

    table: Tensor
    thickness: Tensor
    looseness: Tensor

    def __getitem__(self, name: str) -> Tensor:
        """(B,) of one number."""
        return self.table[:, NAMES.index(name)]

    def at(self, person: Tensor | slice) -> dict[str, Tensor]:
        """Every number of the persons (N,), or (B, 1) of everybody for a full slice."""
        rows = self.table[person] if isinstance(person, Tensor) else self.table[:, None]
        return dict(zip(NAMES, rows.unbind(-1), strict=True))

    def to(self, device: torch.device | str) -> "Outfits":
        return Outfits(*(t.to(device) for t in (self.table, self.thickness, self.looseness)))


class Draw:
    """Random numbers for `count` persons from one generator."""

    def __init__(self, count: int, generator: Generator):
        self.count, self.generator = count, generator

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(self.count, *shape, generator=self.generator)

    def chance(self, probability: float) -> Tensor:
        return torch.rand(self.count, generator=self.generator) < probability

    def choice(self, *weights: float) -> Tensor:
        """(B,) indices, as often as their weights say."""
        drawn = torch.rand(self.count, generator=self.generator) * sum(weights)
        return torch.bucketize(drawn, torch.tensor(weights).cumsum(0)).clamp(max=len(weights) - 1)


def draw_outfits(count: int, generator: Generator) -> Outfits:
    """Random outfits of `count` persons."""
    draw = Draw(count, generator)
    table = {**_clothes(draw), **_coat_and_skirt(draw), **_head(draw)}
    _settle(table)
    thickness = draw.uniform(0.006, 0.012, len(Layer))
    thickness[:, Layer.SKIN] = 0.0
    thickness[:, Layer.SOCKS] *= 0.4
    thickness[:, Layer.SHOES] += 0.004
    thickness[:, Layer.COAT] += 0.02
    thickness[:, Layer.GLOVES] *= 0.4
    thickness[:, Layer.SCARF] += 0.015
    thickness[:, Layer.HAIR] = table["volume"]
    thickness[:, Layer.HAT] = torch.maximum(
        table["volume"].clamp(max=0.02) + 0.004, torch.tensor(0.012)
    )
    looseness = draw.uniform(0.0, 1.0, len(Layer)) ** 2 * torch.tensor(
        [0, 0.005, 0.05, 0.035, 0.035, 0.003, 0, 0.01, 0, 0, 0, 0.04]
    )
    return Outfits(torch.stack([table[name].float() for name in NAMES], 1), thickness, looseness)


def _clothes(draw: Draw) -> dict[str, Tensor]:
    sleeves = draw.choice(0.12, 0.48, 0.1, 0.3)
    sleeve = torch.where(sleeves == 0, draw.uniform(0.02, 0.12), draw.uniform(0.3, 0.75))
    sleeve = torch.where(sleeves == 2, draw.uniform(0.9, 1.5), sleeve)
    sleeve = torch.where(sleeves == 3, draw.uniform(1.75, 2.02), sleeve)
    ends = draw.choice(0.62, 0.28, 0.1)
    bottom_end = torch.where(ends == 0, draw.uniform(-2.05, -1.75), draw.uniform(-1.0, -0.3))
    bottom_end = torch.where(ends == 2, draw.uniform(-1.6, -1.1), bottom_end)
    shod = draw.chance(0.92)
    tops = draw.choice(0.85, 0.15)
    return {
        "top": draw.chance(0.97),
        "hem": draw.uniform(-0.25, 0.2),
        "sleeve": sleeve,
        "neckline": torch.where(tops == 0, draw.uniform(0.0, 0.08), draw.uniform(0.1, 0.3)),
        "tucked": draw.chance(0.3),
        "bottom": torch.ones(draw.count),
        "bottom_end": bottom_end,
        "bottom_top": draw.uniform(0.15, 0.35),
        "shoe_top": torch.where(
            shod,
            torch.where(draw.chance(0.2), draw.uniform(-1.9, -1.4), draw.uniform(-2.06, -1.97)),
            torch.full((draw.count,), -NEVER),
        ),
        "sock_top": torch.where(draw.chance(0.5), draw.uniform(-1.97, -1.5), -torch.tensor(NEVER)),
        "glove": torch.where(draw.chance(0.06), draw.uniform(1.7, 1.98), torch.tensor(NEVER)),
        "scarf": draw.chance(0.06),
        "dress": draw.chance(0.12),
    }


def _coat_and_skirt(draw: Draw) -> dict[str, Tensor]:
    return {
        "coat": draw.chance(0.16),
        "coat_hem": torch.where(
            draw.chance(0.6), draw.uniform(-0.3, 0.1), draw.uniform(-1.3, -0.5)
        ),
        "coat_sleeve": draw.uniform(1.8, 2.03),
        "coat_gap": torch.where(
            draw.chance(0.6), draw.uniform(0.02, 0.09), draw.uniform(0.0, 0.001)
        ),
        "skirt": draw.chance(0.1),
        "skirt_end": draw.uniform(-1.75, -0.4),
        "skirt_flare": draw.uniform(0.0, 1.0) ** 2 * 0.14,
        "skirt_gap": torch.zeros(draw.count),
    }


def _head(draw: Draw) -> dict[str, Tensor]:
    style = draw.choice(0.08, 0.5, 0.34, 0.08)  # bald, short, long, full
    never = torch.tensor(NEVER)
    volume = torch.where(style == 3, draw.uniform(0.03, 0.07), draw.uniform(0.006, 0.025))
    hat = draw.chance(0.18)
    brims = draw.choice(0.45, 0.25, 0.3)  # peaked, all round, none
    locks = torch.where(draw.chance(0.5), draw.uniform(0.6, 1.0), draw.uniform(0.05, 0.6))
    return {
        "hairline": torch.where(style == 0, never, draw.uniform(0.4, 0.75)),
        "nape": draw.uniform(-0.7, -0.1),
        "volume": volume,
        "locks": torch.where(style == 2, locks, torch.zeros(draw.count)),
        "hat": hat,
        "hat_line": draw.uniform(0.3, 0.6),
        "brim": torch.where(hat & (brims == 1), draw.uniform(0.04, 0.1), torch.zeros(draw.count)),
        "peak": torch.where(hat & (brims == 0), draw.uniform(0.05, 0.08), torch.zeros(draw.count)),
        "glasses": draw.chance(0.06),
    }


def _settle(table: dict[str, Tensor]) -> None:
    """Makes the parts of an outfit agree: what a dress and a long coat bring with them."""
    dress = table["dress"].bool()
    skirt = (table["skirt"].bool() | dress) & (table["top"].bool() | ~dress)
    long_coat = table["coat"].bool() & (table["coat_hem"] < -0.35)
    table["dress"] = dress & table["top"].bool()
    # Which layer the skirt's sheet belongs to, 0 for none.
    owner = torch.where(skirt, torch.where(table["dress"], int(Layer.TOP), int(Layer.SKIRT)), 0)
    table["skirt"] = torch.where(long_coat, int(Layer.COAT), owner)
    table["skirt_end"] = torch.where(long_coat, table["coat_hem"], table["skirt_end"])
    table["skirt_gap"] = torch.where(long_coat & (table["coat_gap"] > 0.01), 0.25, 0.0)
    under_coat = (long_coat & skirt) | (skirt & ~long_coat)
    table["bottom_end"] = torch.where(under_coat & ~long_coat, -0.12, table["bottom_end"])
    table["dress"] = table["dress"] & ~long_coat
    table["hem"] = torch.where(table["dress"], torch.tensor(-0.1), table["hem"])
    table["tucked"] = table["tucked"].bool() & ~table["dress"] | (table["skirt"] == Layer.SKIRT)
    table["coat_hem"] = torch.where(long_coat, torch.tensor(-0.2), table["coat_hem"])
