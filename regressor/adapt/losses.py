"""What the generator and its discriminators make small, and the past fakes that these are shown.

PoseAug's (jfzhang95/PoseAug at f469ce4, utils/loss.py and utils/gan_utils.py). Its feedback from
the lifter is not part of PoseDA, whose authors say so.

Choice: the weights of the generator's terms are PoseAug's: `Weights`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

POOL = 4096


@dataclass(frozen=True)
class Weights:
    """How much each of the generator's terms counts."""

    two_d: float = 1.0
    three_d: float = 6.0
    range: float = 3.0


def judge_loss(real: Tensor, fake: Tensor) -> Tensor:
    """A discriminator's: real scores should be 1, fake ones 0 (least squares GAN)."""
    return 0.5 * ((real - 1).square().mean() + fake.square().mean())


def fool_loss(fake: Tensor) -> Tensor:
    """The generator's: scores of its poses should be 1."""
    return 0.5 * (fake - 1).square().mean()


def angle_range(turned: Tensor, centre: float = 0.205, width: float = 0.165) -> Tensor:
    """Of 1 - cos (B, 15): a pose's mean should be within `width` of `centre`; mean of squares."""
    away = turned.mean(dim=-1) - centre
    return torch.where(away.abs() > width, away.square(), 0.0).mean()


def length_range(ratios: Tensor, most: float = 0.1) -> Tensor:
    """Of ratios (B, 9) or (B, 15): none should be above `most`; mean of squares."""
    return torch.where(ratios.abs() > most, ratios.square(), 0.0).mean()


class Pool(nn.Module):
    """Past fakes: half of the new ones are shown as they are, for the others an old one is.

    Its content is part of the state, so that a resumed training goes on alike.
    """

    def __init__(self, shape: tuple[int, ...], size: int = POOL):
        super().__init__()
        self.kept: Tensor
        self.filled: Tensor
        self.register_buffer("kept", torch.zeros(size, *shape))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def forward(self, fakes: Tensor) -> Tensor:
        """(B, ...) -> (B, ...): while there is room all are kept and shown; later one that is
        exchanged takes the place of the old one that is shown.
        """
        fakes, count = fakes.detach(), len(self.kept)
        room = min(count - int(self.filled), len(fakes))
        first = int(self.filled)
        self.kept[first : first + room] = fakes[:room]
        self.filled += room
        rest = fakes[room:]
        exchanged = torch.rand(len(rest), device=fakes.device) < 0.5
        # Each place at most once, so that no fake is lost unseen.
        places = torch.randperm(count, device=fakes.device)[: len(rest)]
        exchanged &= torch.arange(len(rest), device=fakes.device) < len(places)
        at = places[exchanged[: len(places)].nonzero()[:, 0]]
        shown = rest.clone()
        shown[exchanged] = self.kept[at]
        self.kept[at] = rest[exchanged]
        return torch.cat([fakes[:room], shown])
