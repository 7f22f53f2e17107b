"""A lifter over a track in its own frame rate: batches of windows, mirrored beside plain.

`lift_even` needs memory for one batch and for the results, however long the track is. `plain.py`
does the same one window at a time.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from regressor.skeletons import mirror

if TYPE_CHECKING:
    from regressor.lifters.windows import Picture

Precision = Literal["auto", "float32", "bfloat16"]
# How far bfloat16 may move the joints: root mean square, relative to that of their distance from
# the root (0.4 m or so). Mirroring and overlapping windows then average it further down.
TOLERANCE = 0.01
# Keypoints in a batch: what fits a processor's caches, and what fills a GPU.
_KEYPOINTS = {"cpu": 2**13, "cuda": 2**19}
_CHUNK = 2048  # frames that a convolution answers for in one call
_PROBE_S = 0.3
_MIRROR = mirror("h36m17")
_helps: WeakKeyDictionary[nn.Module, dict[torch.device, bool]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Layout:
    """Which frames each call of a network sees and answers for.

    A call with the start s sees the frames s - before … s - before + span - 1 (the first and the
    last frame stand in for what is beyond them), and gives `answers` frames from s - skipped on.
    """

    starts: list[int]
    span: int
    answers: int
    before: int
    skipped: int


def layout(network: nn.Module, length: int, one_camera: bool, overlap: bool) -> Layout:
    """The calls for `length` frames, by what the network answers.

    one_camera: the coordinates are the same for every window, so that a convolution can run over
    all of them at once. overlap: whole windows overlap by half, otherwise they follow each other
    (the last always ends with the last frame).
    """
    frames, answers = int(network.frames), network.answers  # type: ignore[arg-type]
    if answers == "window":
        before = skipped = max(frames - length, 0) // 2
        hop = max(frames // 2, 1) if overlap else frames
        return Layout(starts(max(length - frames, 0), hop), frames, frames, before, skipped)
    count = min(length, _CHUNK) if answers == "valid" and one_camera else 1
    return Layout(starts(length - count, count), count + frames - 1, count, frames // 2, 0)


def starts(last: int, hop: int) -> list[int]:
    """Every `hop` frames from 0, and `last`."""
    return [*range(0, last, hop), last]


def lift_even(
    network: nn.Module,
    coordinates: str,
    keypoints: Tensor,
    picture: "Picture",
    flip: bool,
    overlap: bool,
    precision: Precision = "auto",
) -> Tensor:
    """Keypoints (T, 17, C), x and y in pixels, at the lifter's own rate, to joints (T, 17, 3)."""
    length, parameter = len(keypoints), next(network.parameters())
    device = parameter.device
    keypoints = keypoints.to(parameter)
    calls = layout(network, length, coordinates != "centred", overlap)
    seen, answered = (torch.arange(n, device=device) for n in (calls.span, calls.answers))

    def windows(part: Tensor) -> tuple[Tensor, Tensor]:
        index = (part[:, None] + seen - calls.before).clamp(0, length - 1)
        return picture.prepare(keypoints[index], coordinates)

    # A triangle of weights: a frame is seen best from the middle of its window.
    ramp = torch.minimum(answered + 1, calls.answers - answered).to(parameter)
    total = keypoints.new_zeros(calls.starts[-1] + calls.answers, 17, 3)
    weight = keypoints.new_zeros(len(total))
    most = most_windows(device, calls.span * keypoints.shape[1])
    parts = torch.tensor(calls.starts, device=device).split(most)
    half = in_half(network, lambda: windows(parts[0])[0], flip, precision, len(parts))
    with _autocast(device, half):  # one context for all, since it keeps the converted weights
        for part in parts:
            with _autocast(device, False):
                inputs, rotation = windows(part)
            joints = answer(network, inputs, flip)
            with _autocast(device, False):
                # Rows by R: back into the true camera.
                joints = (joints - joints[:, :, :1]) @ rotation[:, None]
            at = (part[:, None] + answered).flatten()
            total.index_add_(0, at, (ramp[:, None, None] * joints).flatten(0, 1))
            weight.index_add_(0, at, ramp.repeat(len(part)))
    return (total / weight[:, None, None])[calls.skipped : calls.skipped + length].float().cpu()


def most_windows(device: torch.device, keypoints: int) -> int:
    """How many windows of so many keypoints each make a batch."""
    return max(_KEYPOINTS.get(device.type, _KEYPOINTS["cpu"]) // keypoints, 1)


def answer(network: nn.Module, windows: Tensor, flip: bool) -> Tensor:
    """Windows (B, T, J, C) to joints (B, n, J, 3); `flip` averages with the mirrored windows'.

    A network that keeps some of the frames keeps the same ones of both, as its authors do it.
    """
    if not flip:
        return network(windows).to(windows.dtype)
    if chooses_frames(network):
        straight, back = _centres_of_kept(network, windows)
    else:
        straight, back = network(torch.cat([windows, mirrored(windows)])).chunk(2)
    return 0.5 * (straight.to(windows.dtype) + mirrored(back.to(windows.dtype)))


def mirrored(points: Tensor) -> Tensor:
    """(..., 17, C) with x turned round, and left and right in each other's place."""
    sign = points.new_tensor([-1.0, 1.0, 1.0][: points.shape[-1]])
    return points[..., _MIRROR, :] * sign


def chooses_frames(network: nn.Module) -> bool:
    """Whether it may give only frames of its own choice, which a mirrored window has to follow."""
    return hasattr(network, "forward_kept")


def _centres_of_kept(network: Any, windows: Tensor) -> tuple[Tensor, Tensor]:
    """The centre's joints (B, 1, J, 3) in the windows and in the mirrored ones."""
    straight, kept = network.forward_kept(windows)
    back, _ = network.forward_kept(mirrored(windows), keep=kept)
    middle = (kept == network.frames // 2).long().argmax(1)
    each = torch.arange(len(kept), device=kept.device)
    return straight[each, middle][:, None], back[each, middle][:, None]


def in_half(
    network: nn.Module,
    example: Callable[[], Tensor],
    flip: bool,
    precision: Precision = "auto",
    calls: int = 1,
) -> bool:
    """Whether to run the network in bfloat16 (by autocast).

    "float32" and "bfloat16" say so themselves. "auto" tries both on the example, once for each
    network and device, and takes bfloat16 where it is a tenth faster and stays within TOLERANCE;
    float32 where there is too little to do for a trial (`calls`), where torch has been told to be
    deterministic (a trial measures time), and for networks in double precision.
    """
    device, known = next(network.parameters()).device, _helps.setdefault(network, {})
    if precision != "auto":
        return precision == "bfloat16"
    if torch.are_deterministic_algorithms_enabled():
        return False
    if device not in known:
        if calls < 4:
            return False
        windows = example()
        known[device] = windows.dtype == torch.float32 and _probe(network, windows, flip)
    return known[device]


def _probe(network: nn.Module, windows: Tensor, flip: bool) -> bool:
    """Tries both precisions in turn for a while; the fastest call of each counts."""
    best, joints, began = {}, {}, time.perf_counter()
    for turn in range(6):
        for half in (False, True):
            _synchronise(windows.device)
            started = time.perf_counter()
            with _autocast(windows.device, half):
                joints[half] = answer(network, windows, flip)
            _synchronise(windows.device)
            best[half] = min(best.get(half, 1e9), time.perf_counter() - started)
        if turn and time.perf_counter() - began > _PROBE_S:
            break
        if turn == 0:  # the first call of each only warmed up
            best = {} if time.perf_counter() - began < _PROBE_S else best
    return best[True] < 0.9 * best[False] and _change(joints[False], joints[True]) < TOLERANCE


def _change(joints: Tensor, other: Tensor) -> float:
    """How far joints (B, n, J, 3) are from each other: see TOLERANCE."""
    joints, other = joints - joints[:, :, :1], other - other[:, :, :1]
    return float((other - joints).norm() / joints.norm())


def _autocast(device: torch.device, half: bool) -> AbstractContextManager:
    return torch.autocast(device.type, torch.bfloat16, enabled=half)


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
