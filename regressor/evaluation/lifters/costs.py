"""What a lifter costs: parameters, multiply-adds, and time a frame beside the other networks."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from regressor.lifters.blocks import keypoints_of


@dataclass
class Costs:
    """parameters; multiply-adds of one window, and of one frame of a long video, both without flip
    and overlap; milliseconds a frame of a whole video, as it is lifted here.
    """

    parameters: int
    multiply_adds_window: int
    multiply_adds_frame: float
    ms_frame: float | None = None

    def __iter__(self):
        return iter(asdict(self).items())


def count(network: nn.Module) -> Costs:
    """Everything but the time. Multiply-adds are those of linear layers, convolutions and
    attention products, as torch counts them: half its operations.
    """
    frames = int(network.frames)  # type: ignore[arg-type]
    one = multiply_adds(network, frames)
    if network.answers == "window":
        a_frame = one / frames
    elif network.answers == "centre":
        a_frame = float(one)
    else:  # neighbouring frames share their work: what a frame more costs
        more = 4 * frames
        a_frame = multiply_adds(network, 2 * frames + more) - multiply_adds(network, 2 * frames)
        a_frame /= more
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Costs(parameters, one, a_frame)


@torch.inference_mode()
def multiply_adds(network: nn.Module, frames: int) -> int:
    """Multiply-adds of one call with (1, frames, K, C)."""
    device = next(network.parameters()).device
    count, channels = keypoints_of(network), int(network.channels)  # type: ignore[arg-type]
    keypoints = torch.zeros(1, frames, count, channels, device=device)
    # torch counts attention on the CPU only where it is written out.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network(keypoints)
    return counter.get_total_flops() // 2


def time_frames(
    lifts: Mapping[str, Callable[[], Tensor | object]], frames: int, rounds: int
) -> dict[str, float]:
    """Milliseconds a frame of each network, the best of `rounds`, all networks in turn.

    lifts: what lifts a video of `frames` frames by each network.
    """
    best = dict.fromkeys(lifts, float("inf"))
    for number in range(rounds + 1):
        for name, lift in lifts.items():
            started = time.perf_counter()
            lift()
            if number:  # the first one warms up
                best[name] = min(best[name], time.perf_counter() - started)
    return {name: 1000 * seconds / frames for name, seconds in best.items()}
