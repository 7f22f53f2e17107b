"""Times our rasteriser against PyTorch3D's, in one run, on the default body.

    python scripts/benchmark_rendering.py [--size 224] [--batches 1 16] [--device cpu]

Draws nine channels of values (a DSR step's) and the silhouette, and differentiates them by the
vertices. Hard: one sample a pixel for both, and four for ours, which training takes; PyTorch3D's
has no derivative by the vertices, so nothing to do in its backward pass. Soft: SoftRas at sigma
1e-5, PyTorch3D with 50 faces a pixel. Every batch is measured, none is extrapolated; the best of
several runs counts. The processor's time of all threads is told beside, since it counts on a
machine that others use too: "faster" is by the clock, and by that time. On a busy machine take
--threads 1. Peak memory is how much the process grows over its state before, or on a GPU what torch
allocates. Without PyTorch3D only ours is timed.
"""

import resource
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import torch
import tyro

sys.path.insert(0, str(Path(__file__).parents[1]))
from regressor.errors import PosecastError
from regressor.lifting import device_of
from regressor.smpl import load_body
from rendering.cameras import FOCAL_PX, pinhole, weak_to_translation
from rendering.rasterize import Backend, Mode, rasterize

CHANNELS = 9
CASES: list[tuple[Mode, int]] = [("hard", 1), ("hard", 2), ("soft", 1)]  # mode and samples


@dataclass
class Options:
    """What is drawn, and how often."""

    size: int = 224  # px, of either side
    batches: tuple[int, ...] = (1, 16)
    device: str = "cpu"
    repeats: int = 5  # of ours; PyTorch3D is timed once on a CPU, where it takes seconds
    threads: int = 0  # of torch; 0 leaves its default


@dataclass
class Cost:
    """Seconds of the two passes, of the processor for both, and MB of memory at the peak."""

    forward: float
    backward: float
    processor: float
    memory: float


def measure(backend: Backend, mode: Mode, samples: int, batch: int, options: Options) -> Cost:
    """The best of the runs; the memory is the largest."""
    if options.threads:
        torch.set_num_threads(options.threads)
    body, size = load_body(), (options.size, options.size)
    turned = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    vertices = (body.v_template - body.v_template.mean(0)) @ turned
    vertices = vertices + weak_to_translation(torch.tensor([0.9, 0.0, 0.0]))
    vertices = vertices.expand(batch, -1, -1).contiguous().to(options.device).requires_grad_()
    faces = torch.as_tensor(body.faces).to(options.device)
    values = torch.rand(len(faces), CHANNELS, device=options.device)
    camera = pinhole(FOCAL_PX * options.size / 224, *size).to(options.device)
    cuda = vertices.is_cuda
    once = backend == "pytorch3d" and not cuda
    before, costs = peak_memory(cuda), []
    for _ in range(1 if once else options.repeats):
        marks, worked = [now(cuda)], time.process_time()
        picture = rasterize(
            vertices, faces, camera, size, face_values=values, mode=mode, samples=samples,
            backend=backend,
        )  # fmt: skip
        marks.append(now(cuda))
        loss = picture.values.square().mean() + picture.silhouette.square().mean()
        if loss.requires_grad:
            loss.backward()
        marks.append(now(cuda))
        passes = marks[1] - marks[0], marks[2] - marks[1]
        costs.append((passes[0], passes[1], time.process_time() - worked))
    forward, backward, processor = min(costs, key=lambda cost: cost[0] + cost[1])
    return Cost(forward, backward, processor, peak_memory(cuda) - before)


def now(cuda: bool) -> float:
    """Seconds, once everything that was asked of the device is done."""
    if cuda:
        torch.cuda.synchronize()
    return time.perf_counter()


def peak_memory(cuda: bool) -> float:
    """MB at the peak, of the process or on the GPU."""
    if cuda:
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3  # Linux counts kB


def measured_alone(*arguments) -> Cost:
    """In a process of its own, so that one's memory isn't the other's."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, arguments)


def line(name: str, cost: Cost, other: Cost | None) -> str:
    total = cost.forward + cost.backward
    times = (cost.forward, cost.backward, total, cost.processor)
    text = f"{name:34}" + "".join(f"{1e3 * t:13.1f}" for t in times) + f"{cost.memory:13.0f}"
    if other is not None:
        ratios = (other.forward + other.backward) / total, other.processor / cost.processor
        text += "".join(f"{ratio:9.0f}x" for ratio in ratios)
    return text


def main(options: Options) -> None:
    if min(options.size, options.repeats, *options.batches) < 1:
        sys.exit("--size, --batches and --repeats have to be above 0.")
    try:
        device_of(options.device)
    except PosecastError as error:
        sys.exit(str(error))
    where = torch.cuda.get_device_name() if options.device.startswith("cuda") else "CPU"
    threads = options.threads or torch.get_num_threads()
    print(f"default body, {options.size} x {options.size} px, {where}, {threads} threads")
    heads = ("forward ms", "backward ms", "both ms", "processor ms", "memory MB")
    print(" " * 34 + "".join(f"{head:>13}" for head in heads) + f"{'faster':>20}", flush=True)
    installed = find_spec("pytorch3d") is not None
    for batch in options.batches:
        theirs: dict[str, Cost] = {}
        for mode, samples in CASES:
            if installed and mode not in theirs:
                theirs[mode] = measured_alone("pytorch3d", mode, samples, batch, options)
                print(line(f"PyTorch3D, {mode}, batch {batch}", theirs[mode], None), flush=True)
            cost = measured_alone("torch", mode, samples, batch, options)
            name = f"ours, {mode}, {samples * samples} a pixel, batch {batch}"
            print(line(name, cost, theirs.get(mode)), flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
