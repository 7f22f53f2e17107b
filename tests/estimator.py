"""Runs `python -m regressor.estimate` as its user does, and the films that its tests give it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from regressor.video import open_video
from tests import videos

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "demo" / "demo.mp4"
TRUTH = ROOT / "demo" / "demo_truth.npz"
FPS = 30
STANDS_FROM_S = 80 / FPS  # from here on the person stands at x 420..600 of 960, and waves
ALONE_AT = slice(350, 662)  # columns around them then


@dataclass
class Run:
    """A finished run: its exit status, its streams, its JSON lines, its Motion files."""

    status: int
    out: str
    err: str
    lines: list[dict]
    outputs: list[Path]


def start(
    folder: Path, *arguments, module: str = "regressor.estimate", **options
) -> subprocess.Popen:
    """A command at work in `folder`, which gets nothing but what the command leaves there."""
    folder.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def finish(process: subprocess.Popen, folder: Path) -> Run:
    """Waits for the end; JSON lines are those of progress.jsonl, or of standard output."""
    out, err = process.communicate(timeout=300)
    file = folder / "progress.jsonl"
    told = file.read_text() if file.exists() else out if out.startswith("{") else ""
    left = [path for path in sorted(folder.rglob("*")) if path != file]
    lines = [json.loads(line) for line in told.splitlines()]
    return Run(process.returncode, out, err, lines, left)


def run(folder: Path, *arguments, **options) -> Run:
    """One run whose JSON lines go to a file, as Blender starts it."""
    progress = ("--progress", "json", "--progress-file", folder / "progress.jsonl")
    return finish(start(folder, *arguments, *progress, **options), folder)


def standing(count: int) -> np.ndarray:
    """(count, 540, 960, 3) frames of the demo clip in which the person stands and waves."""
    end = STANDS_FROM_S + (count - 0.5) / FPS
    with open_video(DEMO) as video:
        return np.stack([frame.image for frame in video.frames(STANDS_FROM_S, end)])


def walking(count: int) -> np.ndarray:
    """(count, 540, 960, 3) the first frames, in which the person walks at x 100..260."""
    with open_video(DEMO) as video:
        return np.stack([frame.image for frame in video.frames(0, (count - 0.5) / FPS)])


def empty_scene() -> np.ndarray:
    """(540, 960, 3) the demo's room without the person, who is at its left first and later not."""
    return np.concatenate([standing(1)[0, :, :300], walking(1)[0, :, 300:]], axis=1)


def film(path: Path, pictures) -> Path:
    """An .mp4 of `pictures` at 30 a second."""
    times = [i / FPS for i in range(len(pictures))]
    return videos.write(path, times, make=lambda time: pictures[round(time * FPS)])


def portrait(path: Path, count: int) -> Path:
    """Upright 312 x 540 as a phone held upright stores it: lying, with a display matrix."""
    film(path, [np.rot90(picture[:, ALONE_AT]).copy() for picture in standing(count)])
    videos.turn(path, 90)
    return path


def two_people(path: Path, count: int) -> Path:
    """The person walks in at the left, and at the same time stands, larger, in the middle."""
    return film(path, np.concatenate([walking(count)[:, :, :300], standing(count)[:, :, 300:]], 2))
