"""Learning rates over time, and the running average of a network's weights."""

import math

import torch
from torch import nn


def rate_at(done: float, peak: float) -> float:
    """Learning rate after the share `done` of the time: a short rise, then a cosine to 1 %."""
    if done < 0.02:
        return peak * (0.05 + 0.95 * done / 0.02)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(min(done, 1.0) * math.pi)))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    """Moves the running average of the weights towards the network's; buffers are copied."""
    slow, fast = list(average.parameters()), list(network.parameters())
    torch._foreach_lerp_(slow, fast, 1 - keep)  # pyright: ignore
    for slow, fast in zip(average.buffers(), network.buffers(), strict=True):
        slow.copy_(fast)
