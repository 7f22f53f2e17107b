"""Frames per second of PersPose's network, by backbone, batch, and with or without mirroring.

    python scripts/benchmark_perspose.py [--backbones w18 resnet18] [--device cuda] [--output FILE]

A frame is a crop and its camera on the device already: reading and cutting pictures, and the
inverse kinematics after the network, are not in it. Mirrored, every crop is looked at twice, as the
authors evaluate. Parameters are random: the speed is the same. The best of the runs counts. The
processor's time is that of all threads, which counts on a machine that others use too.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from regressor import images
from regressor.errors import PosecastError
from regressor.files import replacing
from regressor.lifting import device_of
from rendering.cameras import pinhole


@dataclass
class Options:
    """What is timed, and how often."""

    backbones: tuple[str, ...] = ("w48", "w18", "resnet18")
    batches: tuple[int, ...] = (1, 32)
    pixels: int = 256  # side of the crops
    seconds: float = 10.0  # for the runs of one row
    device: str = "auto"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"  # by autocast
    threads: int = 0  # of torch; 0 leaves its default
    output: Path | None = None  # a JSON file of the same figures


@dataclass
class Row:
    """One network and batch: frames a second, and the times of a call, by clock and processor."""

    backbone: str
    parameters_m: float
    batch: int
    mirrored: bool
    fps: float
    call_ms: float
    processor_ms: float


@torch.inference_mode()
def best_time(
    network: nn.Module, given: tuple[Tensor, ...], mirrored: bool, o: Options
) -> tuple[float, float]:
    """Seconds of the fastest call by the clock and by the processor.

    Of as many calls as the time allows, after one that warms up.
    """
    device, begun = given[0].device, time.perf_counter()
    best, processor = float("inf"), float("inf")
    kind = getattr(torch, o.precision)
    count = 0
    while count < 2 or time.perf_counter() - begun < o.seconds:
        started, spent = time.perf_counter(), time.process_time()
        with torch.autocast(device.type, kind, enabled=kind != torch.float32):
            network(*given, mirrored=mirrored)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if count:
            best = min(best, time.perf_counter() - started)
            processor = min(processor, time.process_time() - spent)
        count += 1
    return best, processor


def measure(options: Options) -> list[Row]:
    """A row for each backbone, batch, and way of mirroring."""
    device, rows = torch.device(device_of(options.device)), []
    for backbone in options.backbones:
        torch.manual_seed(0)
        network = images.create("perspose", backbone=backbone, pixels=options.pixels)
        network = network.to(device, memory_format=torch.channels_last).eval()  # pyright: ignore
        size = sum(parameter.numel() for parameter in network.parameters()) / 1e6
        for batch in options.batches:
            crops = torch.randn(batch, 3, options.pixels, options.pixels, device=device)
            crops = crops.contiguous(memory_format=torch.channels_last)
            camera = pinhole(2.0 * options.pixels, options.pixels, options.pixels).to(device)
            given = (crops, camera.expand(batch, 3, 3))
            for mirrored in (False, True):
                seconds, processor = best_time(network, given, mirrored, options)
                found = (batch / seconds, 1000 * seconds, 1000 * processor)
                rows.append(Row(backbone, round(size, 1), batch, mirrored, *found))
                print(line(rows[-1]), flush=True)
    return rows


def line(row: Row) -> str:
    mirrored = "yes" if row.mirrored else "no"
    return (
        f"{row.backbone:>9}{row.parameters_m:>9.1f}{row.batch:>7}{mirrored:>10}{row.fps:>9.2f}"
        f"{row.call_ms:>11.1f}{row.processor_ms:>14.1f}"
    )


def run(options: Options) -> None:
    if min([*options.batches, options.pixels, options.threads + 1]) < 1:
        raise PosecastError("--batches and --pixels have to be above 0, and --threads not below.")
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device(device_of(options.device))
    where = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"CPU, {torch.get_num_threads()} threads"
    )
    print(f"PersPose, crops of {options.pixels} px, {options.precision}, {where}")
    print(
        f"{'backbone':>9}{'M params':>9}{'batch':>7}{'mirrored':>10}{'fps':>9}{'ms a call':>11}"
        f"{'processor ms':>14}"
    )
    rows = measure(options)
    if options.output is not None:
        content = {"device": where, "precision": options.precision, "rows": list(map(asdict, rows))}
        with replacing(options.output) as beside:
            beside.write_text(json.dumps(content, indent=1) + "\n")


def main() -> None:
    try:
        run(tyro.cli(Options, description=__doc__))
    except PosecastError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
