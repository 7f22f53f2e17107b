"""Frames per second of each lifter, as Posecast runs it and as its paper reads, in one run.

    python scripts/benchmark_lifters.py [--models mixste motionbert] [--size paper] [--device cuda]
    python scripts/benchmark_lifters.py --weights a.safetensors b.safetensors

Both lift the same sequence with mirrored windows averaged: whole windows that follow each other, or
one window for each frame where the network answers for its middle only. The plain reading is in
float32, one window a call, the mirrored one in a second call, softmax attention written out. Ours
is `regressor.lifters.windows.lift`. The two take turns; the best of the runs counts. "Faster" is by
the clock, and by the processor's time of all threads, which counts on a machine that others use
too. "Change" is how far our joints are from the plain ones, relative to their distance from the
root. Where a sequence takes longer than --seconds, as long a piece of its beginning is taken as
goes into them, and the table says how many frames those were. Without --weights parameters are
random, with which bfloat16 is refused more often, since answers are then next to nothing.
"""

import json
import math
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from unittest import mock

import numpy as np
import torch
import tyro
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from regressor import checkpoints, lifters
from regressor.errors import PosecastError
from regressor.files import replacing
from regressor.lifters import inference
from regressor.lifters.windows import LifterInput, Picture, lift
from regressor.lifting import device_of
from regressor.memory import keep_memory
from regressor.training.lifters import recipes

FPS = 50.0
PICTURE = Picture(np.array([[1145.0, 0, 500], [0, 1145.0, 500], [0, 0, 1]]), 1000)
ATTENTION = "regressor.lifters.blocks.attend", "regressor.lifters.convformer.attend"


@dataclass
class Options:
    """What is lifted, and how often."""

    models: tuple[str, ...] = ()  # all of them
    weights: tuple[Path, ...] = ()  # files of `regressor.train lifter`, instead of models
    size: Literal["small", "paper"] = "small"  # what the cpu preset trains, or the published sizes
    frames: int = 2000
    seconds: float = 20.0  # for one run of one network
    repeats: int = 2
    device: str = "cpu"
    threads: int = 0  # of torch; 0 leaves its default
    output: Path | None = None  # a JSON file of the same figures


@dataclass
class Speed:
    """Frames per second by the clock and by the processor's time, over so many frames."""

    frames: int
    fps: float
    fps_processor: float


@dataclass
class Row:
    """One network: the two ways, how much faster ours is, and how far from the plain one."""

    name: str
    answers: str
    precision: str
    plain: Speed
    ours: Speed
    faster: float
    faster_processor: float
    change: float


def sequence(frames: int) -> tuple[np.ndarray, np.ndarray]:
    """(T, 17, 2) px of somebody who moves, and times (T,) s."""
    rng = np.random.default_rng(0)
    pose, times = rng.normal(0, 90, (17, 2)) + 500, np.arange(frames) / FPS
    phase, pace = rng.uniform(0, 6, (17, 2)), rng.uniform(1, 6, (17, 2))
    return (pose + 25 * np.sin(times[:, None, None] * pace + phase)).astype(np.float32), times


def written_out(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention as it is written in the papers; (..., N, C) each."""
    weights = (query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])).softmax(-1)
    return weights @ value


def create(name: str | Path, options: Options) -> tuple[nn.Module, LifterInput]:
    """The network on its device, trained or with random parameters, and what it is used with."""
    if isinstance(name, Path):
        network, metadata = checkpoints.load(name)
        card = metadata["card"]
        return network.to(options.device), LifterInput(card["coordinates"], FPS)
    torch.manual_seed(0)
    small = options.size == "small"
    network = lifters.create(name, **recipes.recipe_of(name, "cpu" if small else "paper").network)
    coordinates = "centred" if small else "screen"
    return network.to(options.device).eval(), LifterInput(coordinates, FPS)


def measure(
    run: Callable[[int], np.ndarray], first: int, options: Options
) -> tuple[Speed, np.ndarray]:
    """The best of some runs over a piece as long as the time allows; the joints of the last one.

    The piece is found by doubling from `first` frames on, which warms everything up as well.
    """
    frames = min(first, options.frames)
    while True:
        started = time.perf_counter()
        joints = run(frames)
        if frames == options.frames or 2 * (time.perf_counter() - started) > options.seconds:
            break
        frames = min(2 * frames, options.frames)
    clock = processor = math.inf
    for _ in range(options.repeats):
        started, worked = time.perf_counter(), time.process_time()
        joints = run(frames)
        clock = min(clock, time.perf_counter() - started)
        processor = min(processor, time.process_time() - worked)
    return Speed(frames, frames / clock, frames / processor), joints


def compare(name: str | Path, options: Options) -> Row:
    """One network both ways; precision is tried beforehand, as it is once in a program's life."""
    network, expects = create(name, options)
    keypoints, times = sequence(options.frames)

    def run(frames: int, one_by_one: bool = False) -> np.ndarray:
        given = network, expects, keypoints[:frames], times[:frames], PICTURE
        return lift(*given, overlap=False, one_by_one=one_by_one)

    def plain(frames: int) -> np.ndarray:
        with ExitStack() as patched:
            for name in ATTENTION:
                patched.enter_context(mock.patch(name, written_out))
            return run(frames, one_by_one=True)

    half = decide(network, expects, torch.as_tensor(keypoints))
    # A whole window gives its frames together; a part of one would take as long.
    first = int(network.frames) if network.answers == "window" else 1  # type: ignore[arg-type]
    slow, expected = measure(plain, first, options)
    fast, joints = measure(run, first, options)
    if len(joints) != len(expected):  # the plain one had time for fewer frames only
        joints = run(len(expected))
    change = np.linalg.norm(joints - expected) / np.linalg.norm(expected)
    by_clock, by_processor = fast.fps / slow.fps, fast.fps_processor / slow.fps_processor
    precision = "bfloat16" if half else "float32"
    ways = str(network.answers), precision, slow, fast
    return Row(Path(name).stem, *ways, by_clock, by_processor, float(change))


@torch.inference_mode()
def decide(network: nn.Module, expects: LifterInput, keypoints: Tensor) -> bool:
    """Whether bfloat16 is taken, by the trial that a long sequence would begin with."""
    if network.channels == 3:
        keypoints = torch.cat([keypoints, torch.ones_like(keypoints[..., :1])], -1)
    frames, device = int(network.frames), next(network.parameters()).device  # type: ignore[arg-type]
    span = inference.layout(network, frames, expects.coordinates == "screen", False).span
    piece = keypoints[torch.arange(span) % len(keypoints)].to(device)
    inputs, _ = PICTURE.prepare(piece[None], expects.coordinates)
    batch = inputs.expand(inference.most_windows(device, span * 17), -1, -1, -1)
    return inference.in_half(network, lambda: batch, True, calls=len(keypoints))


def main(options: Options) -> None:
    if min(options.frames, options.repeats, options.seconds) <= 0:
        raise PosecastError("--frames, --repeats and --seconds have to be above 0.")
    device_of(options.device)
    if options.threads:
        torch.set_num_threads(options.threads)
    where = torch.cuda.get_device_name() if options.device.startswith("cuda") else "CPU"
    threads = torch.get_num_threads()
    keep_memory()  # as the commands do: otherwise chance decides which of both has less to wait for
    print(f"{options.size} networks, {options.frames} frames, {where}, {threads} threads")
    print(f"{'frames/s':<16}{'plain':>10}{'(frames)':>9}{'ours':>10}{'(frames)':>9}", end="")
    print(f"{'faster':>8}{'processor':>11}{'change':>9}  {'answers':<8}precision", flush=True)
    rows = []
    for name in options.weights or options.models or recipes.names():
        row = compare(name, options)
        rows.append(row)
        print(
            f"{row.name:<16}{row.plain.fps:>10.1f}{row.plain.frames:>9}{row.ours.fps:>10.1f}"
            f"{row.ours.frames:>9}{row.faster:>7.1f}x{row.faster_processor:>10.1f}x"
            f"{row.change:>9.2%}  {row.answers:<8}{row.precision}",
            flush=True,
        )
    if options.output:
        told = {"size": options.size, "device": where, "threads": threads}
        told |= {"networks": [asdict(row) for row in rows]}
        with replacing(options.output) as beside:
            beside.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except PosecastError as error:
        sys.exit(str(error))
