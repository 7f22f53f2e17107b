"""What UAO and PoseDA bring a lifter that meets other people, motion and cameras than it knows.

    python scripts/evaluate_adaptation.py --data cmu_motion.npz --output FOLDER

A lifter is trained on some subjects of the CMU motion set (walking, running, everyday), seen at eye
level by cameras of 50 degrees, and judged on others (whirl, salsa, breakdance, karate), seen from
below and from above by cameras of 70 to 90 degrees. Of the target's domain 2D keypoints of further
subjects are known, and the cameras' fields of view. From the same weights every arm goes on for
equally many steps of equal batches, "source only" on the source; LPA's generator has its own steps
besides. The first row is no arm: it is the same lifter on the same motions, seen by the source's
cameras. The same command goes on where it was stopped. Writes adaptation.md, .json and .png from
what is done.
"""

import itertools
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro

sys.path.insert(0, str(Path(__file__).parents[1]))
from regressor import checkpoints, metrics
from regressor.adapt.targets import Targets, of_sequences
from regressor.data import mocap
from regressor.data.lifting import Views, build_motions
from regressor.data.sequences import LiftingSequence, read_set
from regressor.errors import PosecastError
from regressor.evaluation.lifters.seen import see
from regressor.files import replacing
from regressor.lifters.windows import Picture, lift
from regressor.lifting import load_lifter
from regressor.refine import uao_track
from regressor.skeletons import H36M17_PARENTS
from regressor.smpl import load_body
from regressor.smpl.seen import seen_from_joints
from regressor.training.adapt.options import AdaptTraining

SOURCE = (2, 7, 8, 9, 13, 14, 16)  # walk, run, everyday
TARGET = (5, 29, 94, 127)  # ballet, mime, Indian dance, quick turns: their 2D alone
TEST = (55, 60, 85, 135)  # whirl, salsa, breakdance, karate
AT_EYE_LEVEL = Views(pitch_deg=0.0, pitch_spread_deg=3.0, steep_share=0.0, past_deg=(12.0, 6.0))
SOURCE_FOV = 50.0
AWAY = (20.0, 8.0)
LOW, HIGH = (Views(pitch_range_deg=r, past_deg=AWAY) for r in ((-30.0, -10.0), (20.0, 50.0)))
WIDE = (70.0, 80.0, 90.0)
TRAINED = {"source": (False, False), "gpa": (True, False), "gpa_lpa": (True, True)}
AT_HOME = "(source only, the source's cameras)"
# An arm's lifter, whose root UAO takes if it follows, and whose cameras see the test's motions.
ARMS = {
    AT_HOME: ("source", None, "home"),
    "source only": ("source", None, "away"),
    "+ UAO": ("source", "estimated", "away"),
    "+ UAO by the true root": ("source", "true", "away"),
    "+ GPA": ("gpa", None, "away"),
    "+ GPA and LPA": ("gpa_lpa", None, "away"),
    "+ GPA, LPA and UAO": ("gpa_lpa", "estimated", "away"),
}
NAMES = {"mpjpe": "MPJPE", "p_mpjpe": "P-MPJPE", "bones": "bone lengths"}


@dataclass
class Options:
    """Options of the comparison."""

    data: Path
    """cmu_motion.npz."""
    output: Path
    lifter: str = "videopose3d"
    """A lifter's name; its sizes are those of the cpu preset, but for the frames."""
    frames: int | None = 9
    """Of the lifter's windows. VideoPose3D takes a third of the time that it takes for 27."""
    coordinates: tuple[Literal["screen", "centred"], ...] = ("screen", "centred")
    """screen: the whole picture, as in the paper; centred: a virtual camera looks at the person,
    which takes place, size and field of view away, for all arms."""
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = 2000
    """Of the lifter that all arms go on from."""
    further: int = 1000
    """Of each arm."""
    lpa_steps: int = 600
    """Of the generator, one for each seed."""
    lpa_batch: int = 256
    batch: int = 256
    learning_rate: float = 7e-4
    """At the start of the lifter's steps, the first ones and the further ones."""
    noise: float = 1.0
    """A detector's errors on all keypoints, in training and test; 0 for none."""
    shapes: int = 2
    """Bodies of the source's motions."""
    fps: float = 12.5
    test_frames: int = 2000
    """At most, evenly from all test subjects' recordings."""
    threads: int = 1
    only_report: bool = False
    """Train nothing; write the table from what is there."""


@dataclass(frozen=True)
class Run:
    """One seed in one kind of coordinates, and where its files are."""

    options: Options
    coordinates: str
    seed: int

    @property
    def folder(self) -> Path:
        return self.options.output / f"{self.coordinates}-{self.seed}"

    @property
    def adapting(self) -> Path:
        """Poses don't depend on coordinates: one generator for both."""
        return self.options.output / f"generator-{self.seed}"

    def errors(self, arm: str) -> Path:
        name, root, cameras = ARMS[arm]
        return self.folder / f"errors_{name}_{f'uao_{root}' if root else 'plain'}_{cameras}.json"


def films(subjects: tuple[int, ...], options: Options, seed: int, home: bool = False):
    """Each recording of the subjects as a low and a high wide camera see it, in turn; `home`: as
    the source's cameras do.
    """
    clips = [clip for clip in mocap.load_clips(options.data) if clip.subject in subjects]
    motions = build_motions(clips, load_body(), 1, options.fps, seed)
    seen: list[LiftingSequence] = []
    for number, (clip, motion) in enumerate(zip(clips, motions, strict=True)):
        views, fov = (LOW, HIGH)[number % 2], WIDE[number % 3]
        if home:
            views, fov = AT_EYE_LEVEL, SOURCE_FOV
        one = see(motion, (options.noise,), options.fps, 1000 * seed + number, views, fov)[0]
        one.name, one.subject = clip.name, str(clip.subject)
        seen.append(one)
    return seen


def shortened(films: list[LiftingSequence], frames: int) -> list[LiftingSequence]:
    """The same share of each film's beginning, so that `frames` are left of all."""
    share = min(1.0, frames / sum(map(len, films)))
    for one in films:
        length = max(1, round(share * len(one)))
        one.keypoints, one.joints = one.keypoints[:length], one.joints[:length]
    return films


def train(run: Run, arm: str, targets: Targets) -> Path:
    """The weights of an arm, or of the "start" of all, trained unless that has been done."""
    from regressor.training.adapt.run import Cameras, adapt_lifter

    options = run.options
    gpa, lpa = TRAINED.get(arm, (False, False))
    file = run.folder / f"{arm}.safetensors"
    if file.is_file():
        return file
    start = None if arm == "start" else train(run, "start", targets)
    generator = train_generator(run, targets) if lpa else None
    print(f"-- {run.coordinates} coordinates, seed {run.seed}: {arm}", flush=True)
    adapt_lifter(
        replace(
            settings(run), output=file, start=start, gpa=gpa, lpa=lpa, generator=generator,
            steps=options.steps if start is None else options.further,
            coordinates=run.coordinates if start is None else None,
            frames=options.frames if start is None else None,
        ),  # pyright: ignore
        targets,
        Cameras(AT_EYE_LEVEL, SOURCE_FOV),
    )  # fmt: skip
    return file


def train_generator(run: Run, targets: Targets) -> Path:
    """LPA's generator of a seed, trained unless that has been done."""
    from regressor.training.adapt.run import GENERATOR, Cameras, learn_generator

    made = replace(settings(run), output=run.adapting)
    file = made.lpa_training().folder / GENERATOR
    if not file.is_file():
        print(f"-- generator, seed {run.seed}", flush=True)
        data = read_set(
            made.source, "train", fps=made.fps, held_out=made.held_out, shapes=made.shapes,
            seed=made.seed,
        )  # fmt: skip
        learn_generator(made, data, targets, Cameras(AT_EYE_LEVEL, SOURCE_FOV))
    return file


def settings(run: Run) -> AdaptTraining:
    """What all trainings of a run have in common."""
    options = run.options
    every = {str(clip.subject) for clip in mocap.load_clips(options.data)}
    return AdaptTraining(
        lifter=options.lifter, source=options.data, target=options.data, output=run.folder,
        lpa_steps=options.lpa_steps, lpa_batch=options.lpa_batch, noise=options.noise,
        fps=options.fps, shapes=options.shapes, seed=run.seed, check_windows=0,
        batch=options.batch, learning_rate=options.learning_rate, threads=options.threads,
        held_out=tuple(sorted(every - set(map(str, SOURCE)))), save_minutes=2.0, log_every=250,
    )  # fmt: skip


def measure(run: Run, weights: Path, films: list[LiftingSequence], root: str | None) -> dict:
    """Errors in mm, means over all frames, and the minutes that the lifter was trained for.

    root: whose root UAO takes, None for no UAO. The true one is what the paper's protocol takes.
    """
    network, expects = load_lifter(run.options.lifter, weights, "cpu")
    found, true = [], []
    seen = seen_from_joints(load_body(), "mediapipe33") if root else None
    for one in films:
        assert one.intrinsics is not None
        times = np.arange(len(one)) / one.fps
        picture = Picture(one.intrinsics, one.width)
        points, sure = one.keypoints[..., :2], one.keypoints[..., 2]
        if root:
            joints = uao_track.refine(
                network, expects, points, times, picture, confidence=sure, seen=seen,
                roots=one.joints[:, 0] if root == "true" else None,
            ).joints  # fmt: skip
        else:
            joints = lift(network, expects, points, times, picture, precision="float32")
        found.append(joints - joints[:, :1])
        true.append(one.joints - one.joints[:, :1])
    found, true = (1000.0 * np.concatenate(part) for part in (found, true))
    return {
        "mpjpe": metrics.mpjpe(found, true),
        "p_mpjpe": metrics.p_mpjpe(found, true),
        "bones": float(np.abs(lengths(found) - lengths(true)).mean()),
        "frames": len(true),
        "minutes": checkpoints.read_metadata(weights)["card"]["minutes"],
    }


def lengths(joints: np.ndarray) -> np.ndarray:
    """(T, 17, 3) to bones' lengths (T, 16)."""
    return np.linalg.norm(joints[:, 1:] - joints[:, list(H36M17_PARENTS[1:])], axis=-1)


def run(options: Options) -> None:
    """Trains and measures what isn't done yet."""
    torch.set_num_threads(options.threads)
    targets = of_sequences(films(TARGET, options, 1), "h36m17", "target subjects")
    tests = {
        cameras: shortened(films(TEST, options, 2, cameras == "home"), options.test_frames)
        for cameras in ("home", "away")
    }
    for coordinates, seed in itertools.product(options.coordinates, options.seeds):
        one = Run(options, coordinates, seed)
        for name, (arm, root, cameras) in ARMS.items():
            if not one.errors(name).is_file():
                found = measure(one, train(one, arm, targets), tests[cameras], root)
                print(f"{name}, {coordinates}, seed {seed}: {found}", flush=True)
                with replacing(one.errors(name)) as beside:
                    beside.write_text(json.dumps(found))
        report(options)


def rows_of(options: Options, coordinates: str) -> list[dict]:
    """Of each arm that is done: errors by seed, mean and standard deviation."""
    rows = []
    for name in ARMS:
        files = [Run(options, coordinates, seed).errors(name) for seed in options.seeds]
        read = [json.loads(file.read_text()) for file in files if file.is_file()]
        if read:
            row = {"arm": name, "seeds": len(read), "frames": read[0]["frames"]}
            row["minutes"] = float(np.mean([one["minutes"] for one in read]))
            for key in NAMES:
                values = [one[key] for one in read]
                row[key] = {
                    "mean": float(np.mean(values)),
                    "sd": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
                    "seeds": values,
                }
            rows.append(row)
    return rows


def report(options: Options) -> None:
    """Table, JSON and plot of the arms that are done."""
    rows = {kind: rows_of(options, kind) for kind in options.coordinates}
    rows = {kind: some for kind, some in rows.items() if some}
    if not rows:
        raise PosecastError(f"Nothing is done in {options.output} yet: leave out --only-report.")
    settings = {key: str(value) for key, value in vars(options).items()}
    text = f"""{options.lifter}, {options.steps} steps on the source, then {options.further} of \
each arm, and {options.lpa_steps} of the generator; errors in mm over \
{next(iter(rows.values()))[0]["frames"]} test frames, mean ± standard deviation over seeds (in \
brackets the change from source only).
"""
    text += "".join(f"\n{kind} coordinates:\n\n{table(some)}" for kind, some in rows.items())
    with replacing(options.output / "adaptation.json") as beside:
        beside.write_text(json.dumps({"settings": settings, "rows": rows}, indent=1))
    with replacing(options.output / "adaptation.md") as beside:
        beside.write_text(text)
    print(text, flush=True)
    plot(rows, options.output / "adaptation.png")


def table(rows: list[dict]) -> str:
    """Markdown, a line for each arm."""
    lines = [
        "| arm | seeds | minutes | " + " | ".join(NAMES.values()) + " |",
        "| --- | --- | --- |" + " --- |" * len(NAMES),
    ]
    first = next((row for row in rows if row["arm"] == "source only"), None)
    for row in rows:
        cells = []
        for key in NAMES:
            cell = f"{row[key]['mean']:.1f} ± {row[key]['sd']:.1f}"
            if first and row["arm"] not in (AT_HOME, first["arm"]):
                cell += f" ({100 * (row[key]['mean'] / first[key]['mean'] - 1):+.0f} %)"
            cells.append(cell)
        lines.append(
            f"| {row['arm']} | {row['seeds']} | {row['minutes']:.1f} | " + " | ".join(cells) + " |"
        )
    return "\n".join(lines) + "\n"


def plot(rows: dict[str, list[dict]], file: Path) -> None:
    """Bars of the means, and a dot for each seed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("There is no plot: pip install matplotlib.")
        return
    figure = Figure(figsize=(11, 3.8 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(NAMES), squeeze=False)
    for line, (kind, some) in zip(grid, rows.items(), strict=True):
        for axes, (key, title) in zip(line, NAMES.items(), strict=True):
            labels = [row["arm"].replace(", ", ",\n") for row in some]
            axes.bar(labels, [row[key]["mean"] for row in some], color="#6b8fb3")
            for label, row in zip(labels, some, strict=True):
                axes.plot([label] * len(row[key]["seeds"]), row[key]["seeds"], "k.")
            axes.set_title(f"{title}, mm ({kind})")
            axes.tick_params(axis="x", rotation=60)
    with replacing(file) as beside:
        figure.savefig(beside, dpi=110, format="png")


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    try:
        report(options) if options.only_report else run(options)
    except PosecastError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Stopped; the same command goes on from the last saved state.")


if __name__ == "__main__":
    main()
