"""Scores on drawn people as files: JSON, CSV, a plot; and as a table by where people stand."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from regressor.errors import PosecastError
from regressor.files import replacing

TITLES = {
    "mpjpe": "MPJPE", "pa_mpjpe": "PA-MPJPE", "pve": "PVE", "shape": "shape", "root": "place",
}  # fmt: skip
# What errors are told by: title, and the limits of its classes; the outermost keep nobody out.
BY = {
    "fov_deg": ("field of view, degrees", (25, 45, 65, 85, 110)),
    "off": ("distance from the picture's middle, half diagonals", (0, 0.2, 0.4, 0.6, 1)),
    "off_deg": ("angle off the camera's axis, degrees", (0, 10, 20, 30, 60)),
}
ALL = "all"
Mean = tuple[float, float]  # and its standard error


@dataclass
class Group:
    """Some of the people: how many, and the mean of each error, mm; NaN where there is none."""

    by: str
    name: str
    count: int
    means: dict[str, Mean]


def summarise(scores: Mapping[str, Tensor]) -> dict[str, Mean]:
    """The mean of each error, and that mean's standard error."""
    return {name: _mean(values.double().numpy()) for name, values in scores.items()}


def _mean(values: np.ndarray) -> Mean:
    count = len(values)
    error = values.std(ddof=1) / count**0.5 if count > 1 else np.nan
    return float(values.mean()) if count else np.nan, float(error)


def groups_of(scores: Mapping[str, Tensor], places: Mapping[str, Tensor]) -> list[Group]:
    """All people, then those of each class by each of their `places`."""
    count = len(next(iter(scores.values())))
    found = [Group(ALL, ALL, count, summarise(scores))]
    for by, values in places.items():
        for title, here in classes(values.numpy(), by).items():
            mine = {name: errors[torch.from_numpy(here)] for name, errors in scores.items()}
            found.append(Group(by, title, int(here.sum()), summarise(mine)))
    return found


def classes(values: np.ndarray, by: str) -> dict[str, np.ndarray]:
    """Who (N,) belongs to each class, by its name."""
    limits = BY[by][1]
    number = np.digitize(values, limits[1:-1])
    pairs = zip(limits[:-1], limits[1:], strict=True)
    return {f"{low:g}-{high:g}": number == i for i, (low, high) in enumerate(pairs)}


def table(groups: list[Group]) -> str:
    """A line a group, under the title of what it is told by."""
    first = "mm ± standard error"
    heads = ["people".rjust(8), *(f"{TITLES[name]:>16}" for name in groups[0].means)]
    lines, by = [first + "".join(heads)], ALL
    for group in groups:
        if group.by != by:
            by = group.by
            lines.append(BY[by][0])
        cells = [f"{_told(mean):>16}" for mean in group.means.values()]
        lines.append(group.name.ljust(len(first)) + f"{group.count:>8}" + "".join(cells))
    return "\n".join(lines)


def _told(mean: Mean) -> str:
    value, error = mean
    if np.isnan(value):
        return "-"
    return f"{value:.1f}" if np.isnan(error) else f"{value:.1f} ± {error:.1f}"


def write_json(file: Path, protocol: dict[str, Any], groups: list[Group]) -> None:
    """The protocol in words, means over all, and those of each class; null where there is none."""
    content: dict[str, Any] = {"protocol": protocol, "overall": _content(groups[0])}
    for group in groups[1:]:
        line = {"class": group.name, "people": group.count, **_content(group)}
        content.setdefault("by", {}).setdefault(group.by, []).append(line)
    with replacing(file) as beside:
        beside.write_text(json.dumps(content, indent=1) + "\n")


def _content(group: Group) -> dict[str, Any]:
    return {
        f"{name}_mm": {"mean": _number(mean), "error": _number(error)}
        for name, (mean, error) in group.means.items()
    }


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def write_people(file: Path, scores: Mapping[str, Tensor], places: Mapping[str, Tensor]) -> None:
    """A line a person: errors, mm, and where they stand."""
    columns = [errors.tolist() for errors in scores.values()]
    columns += [values.tolist() for values in places.values()]
    with replacing(file) as beside, beside.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["person", *(f"{name}_mm" for name in scores), *places])
        for number, row in enumerate(zip(*columns, strict=True)):
            writer.writerow([number, *(round(value, 3) for value in row)])


def write_groups(file: Path, groups: list[Group]) -> None:
    """A line a group: means and their standard errors, mm."""
    names = list(groups[0].means)
    heads = [head for name in names for head in (f"{name}_mm", f"{name}_error_mm")]
    with replacing(file) as beside, beside.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["by", "class", "people", *heads])
        for group in groups:
            values = [value for name in names for value in group.means[name]]
            cells = ["" if np.isnan(value) else round(value, 3) for value in values]
            writer.writerow([group.by, group.name, group.count, *cells])


def write_plot(file: Path, groups: list[Group], title: str) -> None:
    """The errors of each class (.png). Raises PosecastError where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PosecastError(
            "The plot needs matplotlib, which isn't there: pip install matplotlib, or --no-plot."
        ) from error
    kinds = [by for by in BY if any(group.by == by for group in groups)]
    figure = Figure(figsize=(4.5 * len(kinds), 6), layout="constrained")
    axes = figure.subplots(2, len(kinds), sharex="col", sharey="row", squeeze=False)
    for number, by in enumerate(kinds):
        some = [group for group in groups if group.by == by]
        for name in groups[0].means:
            means, errors = zip(*(group.means[name] for group in some), strict=True)
            axes[int(name == "root"), number].errorbar(
                range(len(some)), means, np.nan_to_num(errors), marker="o", capsize=2,
                label=TITLES[name],
            )  # fmt: skip
        names = [f"{group.name}\n{group.count} people" for group in some]
        axes[1, number].set_xticks(range(len(some)), names, fontsize=8)
        axes[1, number].set_xlabel(BY[by][0], fontsize=9)
    for line in axes:
        line[0].set_ylabel("mm")
        line[0].legend(fontsize=8)
        for axis in line:
            axis.grid(alpha=0.3)
            axis.set_ylim(bottom=0)
    figure.suptitle(title, fontsize=10)
    with replacing(file) as beside:
        figure.savefig(beside, dpi=110, format="png")
