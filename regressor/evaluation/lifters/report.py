"""Lifters' scores beside each other: as a table for people, as JSON and CSV, and as a plot."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from regressor.errors import PosecastError
from regressor.evaluation.lifters.costs import Costs
from regressor.evaluation.lifters.scores import METRICS, Errors, Scores
from regressor.files import replacing
from regressor.skeletons import JOINTS

TITLES = {
    "mpjpe": "MPJPE",
    "p_mpjpe": "P-MPJPE",
    "n_mpjpe": "N-MPJPE",
    "velocity": "velocity",
    "pck150": "PCK 150",
    "auc": "AUC",
}
UNITS = {
    "mpjpe": "mm",
    "p_mpjpe": "mm",
    "n_mpjpe": "mm",
    "velocity": "mm_per_frame",
    "pck150": "percent",
    "auc": "percent",
}
MEAN, WEIGHTED = "mean of {}s", "all frames"


@dataclass
class Row:
    """A network: what it is, costs and scores by condition."""

    label: str
    about: dict[str, Any]
    costs: Costs
    scores: dict[str, Scores]


@dataclass
class Comparison:
    """Networks on one set; `grouped_by` says what means are taken over ("action")."""

    rows: list[Row]
    skeleton: str
    grouped_by: str
    protocol: dict[str, Any]

    def lines(self, row: Row, condition: str) -> Iterator[tuple[str, Errors]]:
        """The two ways of averaging, then each group."""
        scores = row.scores[condition]
        yield MEAN.format(self.grouped_by), scores.mean_of_groups
        yield WEIGHTED, scores.frame_weighted
        yield from scores.groups.items()


def table(comparison: Comparison) -> str:
    """Networks by error and cost, in each condition; then MPJPE by group."""
    by = comparison.grouped_by
    weighted = f"in brackets: {WEIGHTED}"
    lines = [f"mm; mean of {by}s, {weighted}; PCK and AUC in %, velocity in mm a frame"]
    width = max(len(row.label) for row in comparison.rows) + 2
    for condition in comparison.rows[0].scores:
        lines += ["", condition.ljust(width) + "".join(f"{t:>16}" for t in TITLES.values())]
        for row in comparison.rows:
            scores = row.scores[condition]
            pairs = [
                (scores.mean_of_groups.values[m], scores.frame_weighted.values[m]) for m in METRICS
            ]
            cells = [f"{mean:.1f} ({all_:.1f})" for mean, all_ in pairs]
            lines.append(row.label.ljust(width) + "".join(f"{cell:>16}" for cell in cells))
    heads = ("parameters", "Mmac a window", "Mmac a frame", "ms a frame", "window", "method")
    lines += ["", "costs".ljust(width) + "".join(f"{head:>16}" for head in heads)]
    for row in comparison.rows:
        lines.append(row.label.ljust(width) + "".join(f"{cell:>16}" for cell in _cost_cells(row)))
    for condition in comparison.rows[0].scores:
        lines += ["", f"MPJPE by {by}", *_by_group(comparison, condition)]
    return "\n".join(lines)


def _cost_cells(row: Row) -> list[str]:
    costs = row.costs
    return [
        f"{costs.parameters:,}",
        f"{costs.multiply_adds_window / 1e6:.4g}",
        f"{costs.multiply_adds_frame / 1e6:.4g}",
        "-" if costs.ms_frame is None else f"{costs.ms_frame:.3f}",
        str(row.about["frames"]),
        row.about["method"],
    ]


def _by_group(comparison: Comparison, condition: str) -> list[str]:
    """A line a group, a column a network."""
    groups = {row.label: row.scores[condition].groups for row in comparison.rows}
    first = next(iter(groups.values()))
    side = max(len(name) for name in [*first, condition]) + 2
    widths = [max(len(label), 6) + 2 for label in groups]
    heads = zip(groups, widths, strict=True)
    lines = [condition.ljust(side) + "frames".rjust(8) + "".join(f"{h:>{w}}" for h, w in heads)]
    for name, errors in first.items():
        values = [scores[name].values["mpjpe"] for scores in groups.values()]
        cells = "".join(f"{v:>{w}.1f}" for v, w in zip(values, widths, strict=True))
        lines.append(name.ljust(side) + f"{errors.frames:>8}" + cells)
    return lines


def write_json(file: Path, comparison: Comparison) -> None:
    """The protocol in words, and everything that was measured."""
    names = JOINTS[comparison.skeleton]

    def content(errors: Errors) -> dict[str, Any]:
        values = {f"{m}_{UNITS[m]}": round(errors.values[m], 3) for m in METRICS}
        joints = {n: round(float(e), 3) for n, e in zip(names, errors.joints, strict=True)}
        return {"frames": errors.frames, **values, "joints_mpjpe_mm": joints}

    networks = {
        row.label: {
            **row.about,
            **dict(row.costs),
            "conditions": {
                condition: {name: content(e) for name, e in comparison.lines(row, condition)}
                for condition in row.scores
            },
        }
        for row in comparison.rows
    }
    with replacing(file) as beside:
        text = json.dumps({"protocol": comparison.protocol, "networks": networks}, indent=1)
        beside.write_text(text + "\n")


def write_csv(file: Path, comparison: Comparison) -> None:
    """A line for each network, condition and group, and for their means; costs beside."""
    costs = list(dict(comparison.rows[0].costs))
    with replacing(file) as beside, beside.open("w", newline="") as stream:
        writer = csv.writer(stream)
        metrics = [f"{name}_{UNITS[name]}" for name in METRICS]
        writer.writerow(
            ["network", "method", "condition", comparison.grouped_by, "frames", *metrics, *costs]
        )
        for row in comparison.rows:
            paid = ["" if value is None else value for value in dict(row.costs).values()]
            for condition in row.scores:
                start = [row.label, row.about["method"], condition]
                for name, errors in comparison.lines(row, condition):
                    values = [round(errors.values[metric], 3) for metric in METRICS]
                    writer.writerow([*start, name, errors.frames, *values, *paid])


def _dots(axes: Any, comparison: Comparison, names: list[str], errors: Any) -> None:
    """A row a name, a colour a network; rows of later conditions are hollow."""
    from matplotlib import colormaps

    colours = colormaps["tab10" if len(comparison.rows) <= 10 else "tab20"].colors
    place = np.arange(len(names))
    for number, row in enumerate(comparison.rows):
        offset = 0.6 * ((number + 0.5) / len(comparison.rows) - 0.5)
        colour = colours[number % len(colours)]
        for turn, (condition, scores) in enumerate(row.scores.items()):
            axes.plot(
                errors(scores), place + offset, "osD^"[turn % 4], color=colour, markersize=5,
                markerfacecolor="none" if turn else colour, label=f"{row.label}, {condition}",
            )  # fmt: skip
    axes.set_yticks(place, names, fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("MPJPE, mm")
    axes.grid(alpha=0.3)


def write_plot(file: Path, comparison: Comparison, title: str) -> None:
    """MPJPE by joint and by group: a dot a network, full in the first condition (.png).

    Raises PosecastError where matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PosecastError(
            "The plot needs matplotlib, which isn't there: pip install matplotlib, or --no-plot."
        ) from error
    first = next(iter(comparison.rows[0].scores.values()))
    joints, groups = JOINTS[comparison.skeleton], list(first.groups)
    tall = max(len(joints), len(groups))
    figure = Figure(
        figsize=(13, 0.3 * tall + 2.2 + 0.1 * len(comparison.rows)), layout="constrained"
    )
    by_joint, by_group = figure.subplots(1, 2)
    _dots(
        by_joint,
        comparison,
        [name.replace("_", " ") for name in joints],
        lambda s: s.mean_of_groups.joints,
    )
    by_joint.set_title("by joint")
    _dots(by_group, comparison, groups, lambda s: [s.groups[g].values["mpjpe"] for g in groups])
    by_group.set_title(f"by {comparison.grouped_by}")
    handles, labels = by_joint.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
    figure.suptitle(title)
    with replacing(file) as beside:
        figure.savefig(beside, dpi=110, format="png")
