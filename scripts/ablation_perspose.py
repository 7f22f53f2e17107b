"""What perspective encoding and perspective rotation bring PersPose, on held-out synthetic people.

python scripts/ablation_perspose.py --poses poses.npz --output FOLDER

Four networks learn from the same people, who stand anywhere in the frames of cameras from 25 to 110
degrees, for equally many steps: with neither, with the encoding (PE), the rotation (PR), and both.
Their errors on other people are told by the camera's field of view, and by how far people stand
from the picture's middle. The same command goes on where it was stopped; a network that is done is
left as it is. Writes ablation.md, .json and .png from all arms that are done.
"""

import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import tyro

sys.path.insert(0, str(Path(__file__).parents[1]))
from regressor import checkpoints
from regressor.evaluation.people_report import ALL, BY, TITLES, classes, groups_of
from regressor.smpl.genders import load_bodies
from regressor.training.kept import AT_ONCE
from regressor.training.perspose.options import PersPoseTraining
from scripts import ablations

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Arm: encoding, rotation, title.
ARMS = {
    "neither": (False, False, "neither"),
    "pe": (True, False, "PE"),
    "pr": (False, True, "PR"),
    "both": (True, True, "PE + PR"),
}
MEASURES = ("mpjpe", "pa_mpjpe", "root")


@dataclass(kw_only=True)
class Options(ablations.AblationOptions):
    """Options of the ablation."""

    people: int = 12000
    """To train on."""
    held_out: int = 640
    """To measure on: other subjects, other seeds."""
    steps: int = 1500
    """Of each arm."""
    seed: int = 0
    arms: list[str] = field(default_factory=lambda: list(ARMS))
    start: Path | None = None
    """Weights that all arms start from, as `train perspose` takes them."""
    backbone: str | None = None
    pixels: int | None = None
    batch: int | None = None
    learning_rate: float | None = None
    only_draw: bool = False
    """Draw the people and train nothing."""

    def training(self, arm: str) -> PersPoseTraining:
        """The options of an arm; all but two are the same for all arms."""
        encoding, rotation, _ = ARMS[arm]
        return PersPoseTraining(
            output=self.output / arm, preset="cpu", people=self.people, poses=self.poses,
            people_folder=self.output / "people", check_people=self.held_out, steps=self.steps,
            encoding=encoding, rotation=rotation, start=self.start, backbone=self.backbone,
            pixels=self.pixels, batch=self.batch, learning_rate=self.learning_rate,
            precision=self.precision, accelerator=self.accelerator, threads=self.threads,
            seed=self.seed, save_minutes=2.0, check_every=self.steps,
        )  # fmt: skip


def draw_people(options: Options) -> None:
    """Draws those who aren't drawn by now, so that the arms' times are of learning alone."""
    from regressor.training.perspose.run import wide

    training, told = options.training("both"), time.monotonic()
    recipe, body = training.recipe(), load_bodies().neutral
    for check in (True, False):
        people = wide(training, recipe, body, check)
        for first in range(0, len(people), AT_ONCE):
            people.kept(first)
            if time.monotonic() - told > 60:
                told = time.monotonic()
                print(f"{first} of {len(people)} people are drawn", flush=True)


@torch.no_grad()
def measure(training: PersPoseTraining, file: Path) -> dict[str, Any]:
    """Each held-out person's errors, mm, and where they stand."""
    from regressor.training.perspose.module import errors, look
    from regressor.training.perspose.run import wide
    from regressor.training.perspose.samples import Labels

    network, metadata = checkpoints.load(file)
    bodies = load_bodies()
    people = wide(training, training.recipe(), bodies.neutral, check=True)
    labels = Labels(bodies)
    found = [errors(look(network, batch), labels(batch)) for batch in people.batches()]
    places = {name: value.tolist() for name, value in people.places().items()}
    cost = {key: metadata["card"][key] for key in ("steps", "minutes", "samples_per_step")}
    return ablations.joined(found, MEASURES) | places | cost


def run(options: Options) -> None:
    """Draws, trains and measures what isn't done by now."""
    from regressor.training.perspose.run import WEIGHTS, train_perspose

    draw_people(options)
    if options.only_draw:
        return
    for arm in options.arms:
        training = options.training(arm)
        file = ablations.trained(training, WEIGHTS, train_perspose)
        ablations.keep_errors(training.output, partial(measure, training, file), file)
        report(options)


def results(options: Options) -> dict[str, dict[str, Any]]:
    """What was measured of each arm that is done; lists as tensors."""
    read = {arm: ablations.kept_errors([options.output / arm]) for arm in ARMS}
    return {
        arm: {name: torch.tensor(value, dtype=torch.double) if isinstance(value, list) else value
              for name, value in one.items()}
        for arm, some in read.items() for one in some
    }  # fmt: skip


def rows_of(options: Options) -> list[dict[str, Any]]:
    """One row an arm: means over all, the paired difference from neither, and means by class."""
    found, rows = results(options), []
    for arm, values in found.items():
        row: dict[str, Any] = {"arm": arm, "steps": values["steps"], "minutes": values["minutes"]}
        told = {name: values[name] for name in MEASURES}
        if arm != "neither" and "neither" in found:
            told |= {f"{n}_gain": values[n] - found["neither"][n] for n in MEASURES}
        for group in groups_of(told, {by: values[by] for by in BY}):
            for name, (mean, error) in group.means.items():
                one = {"count": group.count, "mean": mean, "error": error}
                if group.by == ALL:
                    row[name] = one
                else:
                    row.setdefault(f"{name}_by_{group.by}", []).append(one)
        rows.append(row)
    return rows


def report(options: Options) -> None:
    """Table, JSON and plot of the arms that are done.

    Beside each mean stands its paired difference from the arm with neither, and the standard error
    over the held-out people; other seeds may differ by more.
    """
    rows = rows_of(options)
    limits = {by: limits for by, (_, limits) in BY.items()}
    ablations.write(options.output, {"limits": limits, "rows": rows}, table(rows))
    if rows:
        size = 4 * len(BY), 2.8 * len(MEASURES)
        ablations.write_plot(options.output, size, partial(plot, rows))


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: all people, then each way of telling them apart."""
    if not rows:
        return "No arm is done by now.\n"
    count = rows[0]["mpjpe"]["count"]
    lines = [
        f"Errors in mm on {count} held-out synthetic people; in brackets the difference from "
        "neither, with its standard error.",
        "",
    ]
    cells = [
        [ARMS[row["arm"]][2], str(row["steps"]), str(row["minutes"]),
         *(cell(row[name], row.get(f"{name}_gain")) for name in MEASURES)]
        for row in rows
    ]  # fmt: skip
    heads = ["arm", "steps", "minutes", *(TITLES[name] for name in MEASURES)]
    lines += ablations.table(heads, cells)
    for by, (title, _) in BY.items():
        some = [part["count"] for part in rows[0][f"mpjpe_by_{by}"]]
        for name in ("mpjpe", "pa_mpjpe"):
            lines += ["", f"{TITLES[name]} by {title} (people: {', '.join(map(str, some))}):", ""]
            lines += by_class(rows, name, by)
    return "\n".join(lines) + "\n"


def by_class(rows: list[dict[str, Any]], name: str, by: str) -> list[str]:
    """The table of one measure by one way of telling people apart."""
    lines = []
    for row in rows:
        means = row[f"{name}_by_{by}"]
        gains = row.get(f"{name}_gain_by_{by}", [None] * len(means))
        cells = [cell(*pair) for pair in zip(means, gains, strict=True)]
        lines.append([ARMS[row["arm"]][2], *cells])
    return ablations.table(["arm", *classes(np.empty(0), by)], lines)


def cell(mean: dict[str, float], gain: dict[str, float] | None) -> str:
    return ablations.cell(mean["mean"], *((gain["mean"], gain["error"]) if gain else ()))


def plot(rows: list[dict[str, Any]], figure: "Figure") -> None:
    """Errors of each arm by class; bars: the standard error of the difference from neither."""
    axes = figure.subplots(len(MEASURES), len(BY), sharex="col", sharey="row")
    for line, name in zip(axes, MEASURES, strict=True):
        for axis, (by, (title, _)) in zip(line, BY.items(), strict=True):
            names = [*classes(np.empty(0), by)]
            for number, row in enumerate(rows):
                some = row[f"{name}_by_{by}"]
                gains = row.get(f"{name}_gain_by_{by}")
                places = np.arange(len(some)) + 0.06 * (number - 1.5)
                axis.errorbar(
                    places, [one["mean"] for one in some],
                    None if gains is None else [one["error"] for one in gains],
                    marker="o", markersize=4, capsize=2, label=ARMS[row["arm"]][2],
                )  # fmt: skip
            axis.set_xticks(range(len(names)), names)
            if name == MEASURES[-1]:
                axis.set_xlabel(title, fontsize=8)
        line[0].set_ylabel(f"{TITLES[name]}, mm")
    axes[0][0].legend(fontsize=8)


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    work = report if options.only_report else run
    ablations.end_well(partial(work, options), options.arms, ARMS)


if __name__ == "__main__":
    main()
