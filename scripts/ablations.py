"""The frame of the ablations: arms that go on where they were stopped, and what is told of them.

Each arm has a folder of its own, in which errors.json holds the error of each held-out person.
ablation.md, .json and .png are written anew from the arms that are done.
"""

import json
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from regressor import checkpoints
from regressor.errors import PosecastError
from regressor.files import replacing
from regressor.training.options import RunOptions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ERRORS = "errors.json"
Training = TypeVar("Training", bound=RunOptions)


@dataclass(kw_only=True)
class AblationOptions:
    """What is asked alike of all ablations."""

    output: Path
    poses: Path | None = None
    """Poses of `python -m regressor.data.people`; some of its subjects are held out."""
    precision: str = "32-true"
    accelerator: str = "auto"
    threads: int | None = None
    only_report: bool = False
    """Train nothing; write the tables from what is there."""


def trained(training: Training, weights: str, train: Callable[[Training], Any]) -> Path:
    """Trains, where that hasn't been done to its end, and returns the weights' file."""
    file = training.output / weights
    done = file.is_file() and checkpoints.read_metadata(file)["card"]["steps"] >= (
        training.steps or 0
    )
    if not done:
        print(f"-- {training.output.name}", flush=True)
        train(training)
    return file


def joined(batches: Sequence[Mapping[str, Tensor]], names: Sequence[str]) -> dict[str, list[float]]:
    """The errors of batches after each other, a number a person."""
    return {name: torch.cat([some[name] for some in batches]).tolist() for name in names}


def keep_errors(arm: Path, measure: Callable[[], dict[str, Any]], of: Path | None = None) -> None:
    """Measures and keeps it in the arm's folder, unless it has been done since `of` was written."""
    file = arm / ERRORS
    if file.is_file() and (of is None or file.stat().st_mtime >= of.stat().st_mtime):
        return
    found = measure()
    with replacing(file) as beside:
        beside.write_text(json.dumps(found))


def kept_errors(arms: Sequence[Path]) -> list[dict[str, Any]]:
    """What `keep_errors` wrote into those of the folders that have it."""
    files = [arm / ERRORS for arm in arms]
    return [json.loads(file.read_text()) for file in files if file.is_file()]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def cell(mean: float, gain: float | None = None, error: float | None = None) -> str:
    """A mean, and in brackets its difference from the arm to compare with, ± standard error."""
    return f"{mean:.1f}" + ("" if gain is None else f" ({gain:+.1f} ± {error:.1f})")


def write(folder: Path, content: dict[str, Any], told: str) -> None:
    """ablation.json and .md; the table is printed, too."""
    with replacing(folder / "ablation.json") as beside:
        beside.write_text(json.dumps(content, indent=1))
    with replacing(folder / "ablation.md") as beside:
        beside.write_text(told)
    print(told, flush=True)


def write_plot(folder: Path, size: tuple[float, float], draw: Callable[["Figure"], None]) -> None:
    """ablation.png, where matplotlib is there; size: width and height, inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("There is no plot: pip install matplotlib.")
        return
    figure = Figure(figsize=size, layout="constrained")
    draw(figure)
    with replacing(folder / "ablation.png") as beside:
        figure.savefig(beside, dpi=110, format="png")


def end_well(work: Callable[[], None], arms: Collection[str], known: Collection[str]) -> None:
    """Does the work of a command, if all arms are known; ends with a sentence where it can't."""
    if unknown := [arm for arm in arms if arm not in known]:
        sys.exit(f"There is no arm called {unknown[0]}: choose from {', '.join(known)}.")
    try:
        work()
    except PosecastError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Stopped; the same command goes on from the last saved state.")
