"""What perspective encoding and perspective rotation bring PersPose, on held-out synthetic people.

python scripts/ablation_perspose.py --poses poses.npz --output FOLDER

Four networks learn from the same people, who stand anywhere in the frames of cameras from 25 to 110
degrees, for equally many steps: with neither, with the encoding (PE), the rotation (PR), and both.
Their errors on other people are told by the camera's field of view, and by how far people stand
from the picture's middle. The same command goes on where it was stopped; a network that is done is
left as it is. Writes ablation.md, .json and .png from all arms that are done.
"""

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

sys.path.insert(0, str(Path(__file__).parents[1]))
from regressor import checkpoints
from regressor.errors import PosecastError
from regressor.evaluation.people_report import BY, classes
from regressor.files import replacing
from regressor.smpl.genders import load_bodies
from regressor.training.kept import AT_ONCE
from regressor.training.perspose.options import PersPoseTraining

# Arm: encoding, rotation, title.
ARMS = {
    "neither": (False, False, "neither"),
    "pe": (True, False, "PE"),
    "pr": (False, True, "PR"),
    "both": (True, True, "PE + PR"),
}
TITLES = {"mpjpe": "MPJPE", "pa_mpjpe": "PA-MPJPE", "root": "place"}


@dataclass
class Options:
    """Options of the ablation."""

    output: Path
    poses: Path | None = None
    """Poses of `python -m regressor.data.people`; some of its subjects are held out."""
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
    precision: str = "32-true"
    accelerator: str = "auto"
    threads: int | None = None
    only_draw: bool = False
    """Draw the people and train nothing."""
    only_report: bool = False
    """Train nothing; write the tables from what is there."""

    def training(self, arm: str) -> PersPoseTraining:
        """The options of an arm; all but two are the same for all arms."""
        encoding, rotation, _ = ARMS[arm]
        return PersPoseTraining(
            output=self.output / arm, preset="cpu", people=self.people, poses=self.poses,
            people_folder=self.output / "people", check_people=self.held_out, steps=self.steps,
            encoding=encoding, rotation=rotation, start=self.start, backbone=self.backbone,
            pixels=self.pixels,
            batch=self.batch, learning_rate=self.learning_rate, precision=self.precision,
            accelerator=self.accelerator, threads=self.threads, seed=self.seed, save_minutes=2.0,
            check_every=self.steps,
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


def train(options: Options, arm: str) -> Path:
    """Trains, where that hasn't been done to its end, and returns the weights."""
    from regressor.training.perspose.run import WEIGHTS, train_perspose

    training = options.training(arm)
    file = training.output / WEIGHTS
    done = file.is_file() and checkpoints.read_metadata(file)["card"]["steps"] >= options.steps
    if not done:
        print(f"-- {arm}", flush=True)
        train_perspose(training)
    return file


@torch.no_grad()
def measure(options: Options, arm: str, file: Path) -> None:
    """Writes each held-out person's errors, mm, and where they stand."""
    from regressor.training.perspose.module import NAMES, errors, look
    from regressor.training.perspose.run import wide
    from regressor.training.perspose.samples import Labels

    network, metadata = checkpoints.load(file)
    training, bodies = options.training(arm), load_bodies()
    people = wide(training, training.recipe(), bodies.neutral, check=True)
    labels = Labels(bodies)
    found = [errors(look(network, batch), labels(batch)) for batch in people.batches()]
    every: dict[str, Any] = {n: torch.cat([one[n] for one in found]).tolist() for n in NAMES}
    every |= {name: value.tolist() for name, value in people.places().items()}
    every |= {key: metadata["card"][key] for key in ("steps", "minutes", "samples_per_step")}
    with replacing(options.output / arm / "errors.json") as beside:
        beside.write_text(json.dumps(every))


def run(options: Options) -> None:
    """Draws, trains and measures what isn't done by now."""
    draw_people(options)
    if options.only_draw:
        return
    for arm in options.arms:
        weights = train(options, arm)
        result = options.output / arm / "errors.json"
        if not result.is_file() or result.stat().st_mtime < weights.stat().st_mtime:
            measure(options, arm, weights)
        report(options)


def results(options: Options) -> dict[str, dict[str, Any]]:
    """What was measured of each arm that is done."""
    files = {arm: options.output / arm / "errors.json" for arm in ARMS}
    read = {arm: json.loads(file.read_text()) for arm, file in files.items() if file.is_file()}
    return {
        arm: {name: np.array(value) if isinstance(value, list) else value
              for name, value in one.items()}
        for arm, one in read.items()
    }  # fmt: skip


def mean_of(values: np.ndarray) -> dict[str, float]:
    """Their mean and its standard error."""
    if not len(values):
        return {"count": 0, "mean": float("nan"), "error": float("nan")}
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return {"count": len(values), "mean": float(values.mean()), "error": float(error)}


def rows_of(options: Options) -> list[dict[str, Any]]:
    """One row an arm: means over all, the paired difference from neither, and means by class."""
    found, rows = results(options), []
    for arm, values in found.items():
        row: dict[str, Any] = {"arm": arm, "steps": values["steps"], "minutes": values["minutes"]}
        for name in TITLES:
            told = {name: values[name]}
            if arm != "neither" and "neither" in found:
                told[f"{name}_gain"] = values[name] - found["neither"][name]
            for key, every in told.items():
                row[key] = mean_of(every)
                for by in BY:
                    some = classes(values[by], by).values()
                    row[f"{key}_by_{by}"] = [mean_of(every[mine]) for mine in some]
        rows.append(row)
    return rows


def report(options: Options) -> None:
    """Table, JSON and plot of the arms that are done.

    Beside each mean stands its paired difference from the arm with neither, and the standard error
    over the held-out people; other seeds may differ by more.
    """
    rows = rows_of(options)
    with replacing(options.output / "ablation.json") as beside:
        limits = {by: limits for by, (_, limits) in BY.items()}
        beside.write_text(json.dumps({"limits": limits, "rows": rows}, indent=1))
    with replacing(options.output / "ablation.md") as beside:
        beside.write_text(table(rows))
    print(table(rows), flush=True)
    plot(rows, options.output / "ablation.png")


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: all people, then each way of telling them apart."""
    if not rows:
        return "No arm is done by now.\n"
    count = rows[0]["mpjpe"]["count"]
    lines = [
        f"Errors in mm on {count} held-out synthetic people; in brackets the difference from "
        "neither, with its standard error.",
        "",
        "| arm | steps | minutes | " + " | ".join(TITLES.values()) + " |",
        "| --- | --- | --- |" + " --- |" * len(TITLES),
    ]
    for row in rows:
        cells = [cell(row[name], row.get(f"{name}_gain")) for name in TITLES]
        title, told = ARMS[row["arm"]][2], f"{row['steps']} | {row['minutes']}"
        lines.append(f"| {title} | {told} | " + " | ".join(cells) + " |")
    for by, (title, _) in BY.items():
        names = [*classes(np.empty(0), by)]
        some = [part["count"] for part in rows[0][f"mpjpe_by_{by}"]]
        for name in ("mpjpe", "pa_mpjpe"):
            lines += ["", f"{TITLES[name]} by {title} (people: {', '.join(map(str, some))}):", ""]
            lines += ["| arm | " + " | ".join(names) + " |", "| --- |" + " --- |" * len(names)]
            for row in rows:
                means = row[f"{name}_by_{by}"]
                gains = row.get(f"{name}_gain_by_{by}", [None] * len(means))
                cells = [cell(*pair) for pair in zip(means, gains, strict=True)]
                lines.append(f"| {ARMS[row['arm']][2]} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def cell(mean: dict[str, float], gain: dict[str, float] | None) -> str:
    """A mean, and in brackets its difference from neither with the standard error."""
    more = "" if gain is None else f" ({gain['mean']:+.1f} ± {gain['error']:.1f})"
    return f"{mean['mean']:.1f}{more}"


def plot(rows: list[dict[str, Any]], file: Path) -> None:
    """Errors of each arm by class; bars: the standard error of the difference from neither."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        print("There is no plot: pip install matplotlib.")
        return
    if not rows:
        return
    kinds = list(TITLES)
    figure, axes = plt.subplots(
        len(kinds), len(BY), figsize=(4 * len(BY), 2.8 * len(kinds)), layout="constrained",
        sharex="col", sharey="row",
    )  # fmt: skip
    for line, name in zip(axes, kinds, strict=True):
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
            if name == kinds[-1]:
                axis.set_xlabel(title, fontsize=8)
        line[0].set_ylabel(f"{TITLES[name]}, mm")
    axes[0][0].legend(fontsize=8)
    with replacing(file) as beside:
        figure.savefig(beside, dpi=110)
    plt.close(figure)


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    if unknown := [arm for arm in options.arms if arm not in ARMS]:
        sys.exit(f"There is no arm called {unknown[0]}: choose from {', '.join(ARMS)}.")
    try:
        work = report if options.only_report else run
        work(options)
    except PosecastError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Stopped; the same command goes on from the last saved state.")


if __name__ == "__main__":
    main()
