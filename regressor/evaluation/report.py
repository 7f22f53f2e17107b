"""Scores as files: JSON, CSV, a plot of the errors; and as a table for people."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from regressor.errors import PosecastError
from regressor.evaluation.scores import Scores, Summary
from regressor.files import replacing

# What the table shows: title, name in the report, digits.
_TABLE = (
    ("frames", "frames", 0),
    ("coverage", "coverage", 3),
    ("MPJPE", "mpjpe_mm", 1),
    ("PA-MPJPE", "pa_mpjpe_mm", 1),
    ("PVE", "pve_unaligned_mm", 1),
    ("PVE pelvis", "pve_pelvis_mm", 1),
    ("PVE root", "pve_root_mm", 1),
    ("accel", "acceleration_mm_per_frame2", 1),
)
_CHALLENGE = (
    ("frames", "frames", 0),
    ("coverage", "coverage", 3),
    ("MPJPE", "challenge_mpjpe_mm", 1),
    ("MPJPE_PA", "challenge_mpjpe_pa_mm", 1),
    ("PCK 50", "challenge_pck50_percent", 1),
    ("AUC", "challenge_auc", 3),
    ("MPJAE", "challenge_mpjae_deg", 1),
    ("MPJAE_PA", "challenge_mpjae_pa_deg", 1),
)


def write_json(file: Path, scores: Scores, protocol: dict[str, Any]) -> None:
    """The protocol in words, the overall means, and those of each sequence."""
    content = {
        "protocol": protocol,
        "overall": scores.overall(),
        "sequences": dict(scores.by_sequence()),
    }
    with replacing(file) as beside:
        beside.write_text(json.dumps(content, indent=1) + "\n")


def write_csv(file: Path, scores: Scores) -> None:
    """A line a sequence, and one for all of them."""
    lines = [("all", scores.overall()), *scores.by_sequence().items()]
    with replacing(file) as beside, beside.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["sequence", *lines[0][1]])
        for name, summary in lines:
            writer.writerow([name, *("" if v is None else v for v in summary.values())])


def write_frames(file: Path, scores: Scores) -> None:
    """A line a frame: its sequence, person, number, and MPJPE and PA-MPJPE, mm."""
    columns = (1000 * scores.column("mpjpe"), 1000 * scores.column("pa_mpjpe"))
    with replacing(file) as beside, beside.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["sequence", "person", "frame", "mpjpe_mm", "pa_mpjpe_mm"])
        where = zip(scores.sequence, scores.person, scores.frame, strict=True)
        for place, *errors in zip(where, *columns, strict=True):
            writer.writerow([*place, *(round(float(error), 2) for error in errors)])


def write_plot(file: Path, scores: Scores, title: str) -> None:
    """MPJPE and PA-MPJPE of each sequence, and how many frames have less than an error (.png).

    Raises PosecastError where matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PosecastError(
            "The plot needs matplotlib, which isn't there: pip install matplotlib, or --no-plot."
        ) from error
    names = [name for name, summary in scores.by_sequence().items() if summary["frames"]]
    figure = Figure(figsize=(12, 0.22 * len(names) + 3), layout="constrained")
    bars, curve = figure.subplots(1, 2, width_ratios=(3, 2))
    sequences, place = np.array(scores.sequence), np.arange(len(names))
    for offset, (column, label, colour) in enumerate(
        (("mpjpe", "MPJPE", "#3b6ea5"), ("pa_mpjpe", "PA-MPJPE", "#e08a3c"))
    ):
        errors = 1000 * scores.column(column)
        means = [errors[sequences == name].mean() for name in names]
        bars.barh(place + 0.4 * offset, means, 0.4, label=label, color=colour)
        shares = np.linspace(0, 100, len(errors))
        curve.plot(np.sort(errors), shares, label=label, color=colour)
    bars.set_yticks(place + 0.2, names, fontsize=8)
    bars.invert_yaxis()
    bars.set_xlabel("mm, mean of the sequence's frames")
    curve.set_xlabel("mm")
    curve.set_ylabel("% of frames with at most this error")
    for axes in (bars, curve):
        axes.legend()
        axes.grid(alpha=0.3)
    figure.suptitle(title)
    with replacing(file) as beside:
        figure.savefig(beside, dpi=110, format="png")


def table(scores: Scores) -> str:
    """The overall means, and the same for each sequence, as text; mm unless named otherwise."""
    parts = []
    for title, columns in (("14 joints, mesh", _TABLE), ("challenge, 24 joints", _CHALLENGE)):
        lines = [("all", scores.overall()), *scores.by_sequence().items()]
        width = max(len(title), *(len(name) for name, _ in lines)) + 1
        parts.append(title.ljust(width) + "".join(f"{head:>11}" for head, _, _ in columns))
        parts += [name.ljust(width) + _row(summary, columns) for name, summary in lines]
    return "\n".join(parts)


def _row(summary: Summary, columns: tuple) -> str:
    cells = []
    for _, name, digits in columns:
        value = summary[name]
        cells.append("-" if value is None else f"{value:.{digits}f}")
    return "".join(f"{cell:>11}" for cell in cells)
