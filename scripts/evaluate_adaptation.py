"""What UAO and PoseDA bring a lifter that meets other people, motion and cameras than it knows.

    python scripts/evaluate_adaptation.py --data cmu_motion.npz --output FOLDER

Lifters are trained on some subjects of the CMU motion set (walking, everyday), seen at eye level
by cameras of 50 degrees, and judged on others (dance, karate, breakdance), seen from below and from
above by cameras of 70 to 90 degrees. Of the target's domain 2D keypoints of further subjects are
known, and the cameras' fields of view. Every arm is trained anew, for equally many steps of equal
batches; LPA's generator has its own steps besides. The same command goes on where it was stopped.
Writes adaptation.md, .json and .png from what is done.
"""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import tyro

sys.path.insert(0, str(Path(__file__).parents[1]))
from regressor import metrics
from regressor.adapt.targets import Targets, of_sequences
from regressor.data import mocap
from regressor.data.lifting import Views, build_motions
from regressor.data.sequences import LiftingSequence
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
# An arm's lifter, and whether UAO follows.
ARMS = {
    "source only": ("source", False),
    "+ UAO": ("source", True),
    "+ GPA": ("gpa", False),
    "+ GPA and LPA": ("gpa_lpa", False),
    "+ GPA, LPA and UAO": ("gpa_lpa", True),
}
NAMES = {"mpjpe": "MPJPE", "p_mpjpe": "P-MPJPE", "bones": "bone lengths"}


@dataclass
class Options:
    """Options of the comparison."""

    data: Path
    """cmu_motion.npz."""
    output: Path
    lifter: str = "uao"
    """A lifter's name; uao looks at one frame, and is small."""
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    steps: int = 3000
    """Of each lifter."""
    lpa_steps: int = 1000
    """Of the generator."""
    lpa_batch: int = 256
    coordinates: str = "screen"
    """screen: the whole picture, as in the paper; centred: a virtual camera looks at the person."""
    noise: float = 1.0
    """A detector's errors on all keypoints, in training and test; 0 for none."""
    shapes: int = 2
    """Bodies of the source's motions."""
    fps: float = 12.5
    test_frames: int = 4000
    """At most, evenly from all test subjects' recordings."""
    threads: int = 1
    only_report: bool = False
    """Train nothing; write the table from what is there."""


def films(subjects: tuple[int, ...], options: Options, seed: int) -> list[LiftingSequence]:
    """Each recording of the subjects as a low and a high wide camera see it, in turn."""
    clips = [clip for clip in mocap.load_clips(options.data) if clip.subject in subjects]
    motions = build_motions(clips, load_body(), 1, options.fps, seed)
    seen = []
    for number, (clip, motion) in enumerate(zip(clips, motions, strict=True)):
        views, fov = (LOW, HIGH)[number % 2], WIDE[number % 3]
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


def train(options: Options, arm: str, seed: int, targets: Targets) -> Path:
    """The weights of an arm, trained unless that has been done."""
    from regressor.training.adapt.run import Cameras, adapt_lifter

    gpa, lpa = TRAINED[arm]
    every = {str(clip.subject) for clip in mocap.load_clips(options.data)}
    file = options.output / f"{arm}-{seed}" / f"{options.lifter}.safetensors"
    if not file.is_file():
        print(f"-- {arm}, seed {seed}", flush=True)
        adapt_lifter(
            AdaptTraining(
                lifter=options.lifter, source=options.data, target=options.data, output=file.parent,
                gpa=gpa, lpa=lpa, lpa_steps=options.lpa_steps, lpa_batch=options.lpa_batch,
                noise=options.noise, coordinates=options.coordinates, steps=options.steps,  # pyright: ignore
                fps=options.fps, shapes=options.shapes, seed=seed, check_windows=0,
                held_out=tuple(sorted(every - set(map(str, SOURCE)))), threads=options.threads,
                save_minutes=2.0, log_every=500,
            ),
            targets,
            Cameras(AT_EYE_LEVEL, SOURCE_FOV),
        )  # fmt: skip
    return file


def measure(options: Options, weights: Path, films: list[LiftingSequence], uao: bool) -> dict:
    """Errors in mm, means over all frames."""
    network, expects = load_lifter(options.lifter, weights, "cpu")
    found, true = [], []
    seen = seen_from_joints(load_body(), "mediapipe33") if uao else None
    for one in films:
        assert one.intrinsics is not None
        times = np.arange(len(one)) / one.fps
        picture = Picture(one.intrinsics, one.width)
        points = one.keypoints[..., :2]
        if uao:
            joints = uao_track.refine(
                network, expects, points, times, picture, confidence=one.keypoints[..., 2],
                seen=seen,
            ).joints  # fmt: skip
        else:
            joints = lift(network, expects, points, times, picture)
        found.append(joints - joints[:, :1])
        true.append(one.joints - one.joints[:, :1])
    found, true = (1000.0 * np.concatenate(part) for part in (found, true))
    return {
        "mpjpe": metrics.mpjpe(found, true),
        "p_mpjpe": metrics.p_mpjpe(found, true),
        "bones": float(np.abs(lengths(found) - lengths(true)).mean()),
        "frames": len(true),
    }


def lengths(joints: np.ndarray) -> np.ndarray:
    """(T, 17, 3) to bones' lengths (T, 16)."""
    return np.linalg.norm(joints[:, 1:] - joints[:, list(H36M17_PARENTS[1:])], axis=-1)


def run(options: Options) -> None:
    """Trains and measures what isn't done yet."""
    torch.set_num_threads(options.threads)
    targets = of_sequences(films(TARGET, options, 1), "h36m17", "target subjects")
    test = shortened(films(TEST, options, 2), options.test_frames)
    for seed in options.seeds:
        for name, (arm, uao) in ARMS.items():
            result = options.output / f"{arm}-{seed}" / f"errors{'_uao' if uao else ''}.json"
            if not result.is_file():
                errors = measure(options, train(options, arm, seed, targets), test, uao)
                print(f"{name}, seed {seed}: {errors}", flush=True)
                with replacing(result) as beside:
                    beside.write_text(json.dumps(errors))
        report(options)


def rows_of(options: Options) -> list[dict]:
    """Of each arm that is done: errors by seed, mean and standard deviation."""
    rows = []
    for name, (arm, uao) in ARMS.items():
        files = [
            options.output / f"{arm}-{seed}" / f"errors{'_uao' if uao else ''}.json"
            for seed in options.seeds
        ]
        read = [json.loads(file.read_text()) for file in files if file.is_file()]
        if read:
            row = {"arm": name, "seeds": len(read), "frames": read[0]["frames"]}
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
    rows = rows_of(options)
    if not rows:
        raise PosecastError(f"Nothing is done in {options.output} yet: leave out --only-report.")
    settings = {key: str(value) for key, value in vars(options).items()}
    text = table(rows, options)
    with replacing(options.output / "adaptation.json") as beside:
        beside.write_text(json.dumps({"settings": settings, "rows": rows}, indent=1))
    with replacing(options.output / "adaptation.md") as beside:
        beside.write_text(text)
    print(text, flush=True)
    plot(rows, options.output / "adaptation.png")


def table(rows: list[dict], options: Options) -> str:
    """Markdown: mean and standard deviation over seeds; in brackets the change of the mean."""
    lines = [
        f"{options.lifter}, {options.coordinates} coordinates, {options.steps} steps a lifter, "
        f"{options.lpa_steps} of the generator; errors in mm over {rows[0]['frames']} test frames, "
        "mean ± standard deviation over seeds (in brackets the change from source only).",
        "",
        "| arm | seeds | " + " | ".join(NAMES.values()) + " |",
        "| --- | --- |" + " --- |" * len(NAMES),
    ]
    first = rows[0] if rows[0]["arm"] == next(iter(ARMS)) else None
    for row in rows:
        cells = []
        for key in NAMES:
            cell = f"{row[key]['mean']:.1f} ± {row[key]['sd']:.1f}"
            if first is not None and row is not first:
                cell += f" ({100 * (row[key]['mean'] / first[key]['mean'] - 1):+.0f} %)"
            cells.append(cell)
        lines.append(f"| {row['arm']} | {row['seeds']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def plot(rows: list[dict], file: Path) -> None:
    """Bars of the means, and a dot for each seed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("There is no plot: pip install matplotlib.")
        return
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    for axes, (key, title) in zip(figure.subplots(1, len(NAMES)), NAMES.items(), strict=True):
        labels = [row["arm"] for row in rows]
        axes.bar(labels, [row[key]["mean"] for row in rows], color="#6b8fb3")
        for row in rows:
            axes.plot([row["arm"]] * len(row[key]["seeds"]), row[key]["seeds"], "k.")
        axes.set_title(f"{title}, mm")
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
