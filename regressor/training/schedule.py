"""Learning rates over time, and the running average of a network's weights."""

import math

import torch
from torch import nn


def rate_at(done: float, peak: float) -> float:
    """Learning rate after the share `done` of the time: a short rise, then a cosine to 1 %."""
    if done < 0.02:
        return peak * (0.05 + 0.95 * done / 0.02)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(min(done, 1.0) * math.pi)))


def decayed(epoch: int, first: float, decay: float, drop: float | None = None) -> float:
    """Learning rate of an epoch: times `decay` after each, times `drop` instead after fifths."""
    dropped = 0 if drop is None else epoch // 5
    return first * decay ** (epoch - dropped) * (drop or 1.0) ** dropped


def annealed(epoch: int, epochs: int, first: float, last: float) -> float:
    """Learning rate of an epoch on a cosine from `first` to `last` after all `epochs`."""
    done = min(epoch / epochs, 1.0)
    return last + (first - last) * 0.5 * (1 + math.cos(done * math.pi))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    """Moves the running average of the weights towards the network's; buffers are copied."""
    slow, fast = list(average.parameters()), list(network.parameters())
    torch._foreach_lerp_(slow, fast, 1 - keep)  # pyright: ignore
    for slow, fast in zip(average.buffers(), network.buffers(), strict=True):
        slow.copy_(fast)
