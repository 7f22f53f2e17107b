"""What DSR's losses add to keypoints, without 3D labels: on synthetic clothed people, held out.

python scripts/ablation_dsr.py --poses poses.npz --output FOLDER

One network is trained by keypoints alone; from it four go on for equally many steps: by keypoints
alone, with the silhouette, with DSR's losses as published, and as its paper means them. Nobody sees
SMPL parameters or 3D joints. The same command goes on where it was stopped; --arms in several
processes shares the work. Writes ablation.md, .json and .png from all arms that are done.

With --fits no network is trained: the held-out people's own parameters are, from the same wrong
start, by the same losses. That takes minutes, and says what each loss knows of a body, apart from
what a network can learn in the time there is.
"""

import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import roma
import torch
import tyro
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
from regressor import checkpoints
from regressor.data.prior import body_prior
from regressor.errors import PosecastError
from regressor.files import replacing
from regressor.images.hmr import HmrOutput, rot6d_to_rotmat, rotmat_to_rot6d
from regressor.images.joints import Joints49
from regressor.smpl.body import load_body
from regressor.training.data import check_batches
from regressor.training.objective import Objective, PosedBody
from regressor.training.options import DsrTraining
from regressor.training.scores import NAMES, errors

ARMS = {
    "keypoints": ("none", "keypoints alone"),
    "silhouette": ("silhouette", "+ silhouette"),
    "dsr": ("dsr", "+ DSR, published"),
    "dsr-corrected": ("dsr-corrected", "+ DSR, corrected"),
}
TITLES = {"mpjpe": "MPJPE", "pa_mpjpe": "PA-MPJPE", "pve": "PVE", "shape": "shape"}


@dataclass
class Options:
    """Options of the ablation."""

    output: Path
    poses: Path | None = None
    """Poses of `python -m regressor.data.people`; some of its subjects are held out."""
    people: int = 1500
    """To train on."""
    held_out: int = 256
    """To measure on: other subjects, other seeds."""
    warm_up: int = 1000
    """Steps in which the first network's head learns from points alone, of bodies not drawn."""
    first_steps: int = 800
    """Of the network from which all arms start."""
    start: Path | None = None
    """Weights to start from instead, which may have seen 3D; the arms see none."""
    steps: int = 300
    """Of each arm."""
    seeds: list[int] = field(default_factory=lambda: [0])
    """Each arm is trained once for each seed: other draws, from the same start."""
    plain: bool = False
    """Whole people in recorded poses, upright, with nothing before them, through long lenses."""
    arms: list[str] = field(default_factory=lambda: list(ARMS))
    pixels: int = 112
    depth: int = 18
    batch: int = 16
    first_rate: float = 4e-4
    rate: float = 1e-4
    rest: float = 0.02
    """Weight of what keeps open degrees of freedom near the rest pose, in all arms alike."""
    precision: str = "32-true"
    accelerator: str = "auto"
    threads: int | None = None
    fits: bool = False
    """Fit bodies by the losses, instead of training networks; --steps and --rate are of these."""
    wrong_rad: float = 0.12
    """How far each joint is turned at the start of the fits, standard deviation."""
    only_report: bool = False
    """Train nothing; write the tables from what is there."""

    def training(self, folder: str, **changes) -> DsrTraining:
        """The options that all trainings share; its preset says how a small network is trained."""
        return DsrTraining(
            output=self.output / folder, preset="cpu", people=self.people, poses=self.poses,
            people_folder=self.output / "people", ignore_3d=True, rest=self.rest, check_people=0,
            pixels=self.pixels, depth=self.depth, batch=self.batch, average=0.98,
            precision=self.precision, accelerator=self.accelerator, threads=self.threads,
            plain_people=self.plain, save_minutes=2.0, warm_up=self.warm_up, **changes,
        )  # fmt: skip


def weights_of(training: DsrTraining) -> Path:
    """Trains, where that hasn't been done to its end, and returns the weights."""
    from regressor.training.run import WEIGHTS, train_regressor

    file = training.output / WEIGHTS
    done = file.is_file() and checkpoints.read_metadata(file)["card"]["steps"] >= (
        training.steps or 0
    )
    if not done:
        print(f"-- {training.output.name}", flush=True)
        train_regressor(training)
    return file


@torch.no_grad()
def measure(options: Options, file: Path, result: Path) -> None:
    """Writes each held-out person's errors, mm."""
    network, _ = checkpoints.load(file)
    body = load_body()
    posed = PosedBody(body, Joints49(body))
    training = options.training("held_out")
    training.check_people = options.held_out
    batches = check_batches(training, training.recipe(), body)
    found = [errors(posed, network(batch["image"]), batch) for batch in batches]
    every = {name: torch.cat([some[name] for some in found]).tolist() for name in NAMES}
    with replacing(result) as beside:
        beside.write_text(json.dumps(every))


def run(options: Options) -> None:
    """Trains and measures the arms asked for."""
    first = options.start or weights_of(
        options.training("start", steps=options.first_steps, learning_rate=options.first_rate)
    )
    todo = [("start", first)]
    for seed in options.seeds:
        for arm in options.arms:
            training = options.training(
                f"{arm}-{seed}", steps=options.steps, learning_rate=options.rate, start=first,
                semantics=ARMS[arm][0], start_epoch=-1, seed=1 + seed,
            )  # fmt: skip
            weights = weights_of(training)
            todo.append((training.output.name, weights))
            for name, file in todo:
                result = options.output / name / "errors.json"
                if not result.is_file():
                    result.parent.mkdir(parents=True, exist_ok=True)
                    measure(options, file, result)
            report(options)


def run_fits(options: Options) -> None:
    """Fits and measures the arms asked for."""
    body = load_body()
    posed, training = PosedBody(body, Joints49(body)), options.training("fits")
    training.check_people = options.held_out
    batches = check_batches(training, training.recipe(), body)
    for seed in options.seeds:
        for arm in ("start", *options.arms):
            name = arm if arm == "start" else f"{arm}-{seed}"
            result = options.output / name / "errors.json"
            if not result.is_file():
                print(f"-- {name}", flush=True)
                training.semantics = ARMS[arm][0] if arm in ARMS else "none"
                training.start_epoch, steps = -1, options.steps if arm in ARMS else 0
                recipe = replace(training.recipe(), rest=0.0)
                prior = body_prior(body) if recipe.semantics else None
                objective = Objective(recipe, posed, prior)
                found = [fit(objective, batch, steps, seed, options) for batch in batches]
                every = {k: torch.cat([some[k] for some in found]).tolist() for k in NAMES}
                with replacing(result) as beside:
                    beside.write_text(json.dumps(every))
            report(options)


def fit(
    objective: Objective, batch: dict[str, Tensor], steps: int, seed: int, options: Options
) -> dict[str, Tensor]:
    """Errors after so many steps of Adam on rotations, betas and cameras, by the losses alone.

    All begin at the true rotations turned by some noise, the mean shape, and the true camera.
    """
    generator = torch.Generator().manual_seed(seed)
    noise = options.wrong_rad * torch.randn(batch["pose"].shape[:3], generator=generator)
    rotations = rotmat_to_rot6d(batch["pose"] @ roma.rotvec_to_rotmat(noise)).requires_grad_()
    betas = torch.zeros_like(batch["betas"]).requires_grad_()
    camera = batch["camera"].clone().requires_grad_()
    optimiser = torch.optim.Adam([rotations, betas, camera], lr=options.rate)
    for _ in range(steps):
        optimiser.zero_grad()
        output = HmrOutput(rot6d_to_rotmat(rotations), betas, camera)
        objective(output, batch, epoch=0)["total"].backward()
        optimiser.step()
    output = HmrOutput(rot6d_to_rotmat(rotations), betas, camera)
    return errors(objective.posed, output, batch)


def results(options: Options) -> dict[str, np.ndarray]:
    """Of each arm that is done: errors (seeds, people, 4), mm; and of the start."""
    found = {}
    for arm in ("start", *ARMS):
        names = ["start"] if arm == "start" else [f"{arm}-{seed}" for seed in options.seeds]
        files = [options.output / name / "errors.json" for name in names]
        read = [json.loads(file.read_text()) for file in files if file.is_file()]
        if read:
            found[arm] = np.array([[one[name] for name in NAMES] for one in read]).transpose(
                0, 2, 1
            )
    return found


def report(options: Options) -> None:
    """Table, JSON and plot of the arms that are done.

    Beside each mean stands its paired difference from keypoints alone, with the standard error over
    the held-out people: what lies within two of those is noise, and other seeds may differ by more.
    """
    found, rows = results(options), []
    for arm, values in found.items():
        row = {"arm": arm, "seeds": len(values)}
        base = found.get("keypoints")
        for i, name in enumerate(NAMES):
            row[name] = float(values[..., i].mean())
            row[f"{name}_seeds"] = [float(v) for v in values[..., i].mean(1)]
            if base is not None and arm not in ("start", "keypoints"):
                apart = values[..., i].mean(0) - base[..., i].mean(0)
                row[f"{name}_gain"] = float(apart.mean())
                row[f"{name}_error"] = float(apart.std(ddof=1) / len(apart) ** 0.5)
        rows.append(row)
    with replacing(options.output / "ablation.json") as beside:
        beside.write_text(json.dumps({"steps": options.steps, "rows": rows}, indent=1))
    with replacing(options.output / "ablation.md") as beside:
        beside.write_text(table(rows, options))
    print(table(rows, options), flush=True)
    plot(rows, options.output / "ablation.png")


def table(rows: list[dict], options: Options) -> str:
    """Markdown; in brackets the difference from keypoints alone and its standard error."""
    kind = "plain synthetic people" if options.plain else "synthetic people"
    start = options.start.name if options.start else f"one start of {options.first_steps} steps"
    how = f"{options.steps} steps of {options.batch} samples from {start}"
    if options.fits:
        how = f"fitted by {options.steps} steps, joints turned by {options.wrong_rad} rad at first"
    lines = [
        f"Errors in mm on {options.held_out} held-out {kind}, {how}.",
        "",
        "| arm | seeds | " + " | ".join(TITLES.values()) + " |",
        "| --- | --- |" + " --- |" * len(NAMES),
    ]
    for row in rows:
        cells = []
        for name in NAMES:
            gain = row.get(f"{name}_gain")
            more = "" if gain is None else f" ({gain:+.1f} ± {row[f'{name}_error']:.1f})"
            cells.append(f"{row[name]:.1f}{more}")
        title = "the start" if row["arm"] == "start" else ARMS[row["arm"]][1]
        lines.append(f"| {title} | {row['seeds']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def plot(rows: list[dict], file: Path) -> None:
    """Each measure's change from keypoints alone, with twice its standard error."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        print("There is no plot: pip install matplotlib.")
        return
    arms = [row for row in rows if row["arm"] in ARMS]
    if not arms:
        return
    figure, axes = plt.subplots(1, len(NAMES), figsize=(3 * len(NAMES), 3.2), layout="constrained")
    for axis, name in zip(axes, NAMES, strict=True):
        labels = [ARMS[row["arm"]][1] for row in arms]
        spread = [2 * row.get(f"{name}_error", 0.0) for row in arms]
        axis.bar(labels, [row[name] for row in arms], yerr=spread, color="#6b8fb3", capsize=3)
        for seeds, label in zip([row[f"{name}_seeds"] for row in arms], labels, strict=True):
            axis.plot([label] * len(seeds), seeds, "k.", markersize=4)
        low = min(min(row[f"{name}_seeds"]) for row in arms)
        axis.set_ylim(bottom=0.8 * low)
        axis.set_title(f"{TITLES[name]}, mm")
        axis.tick_params(axis="x", rotation=60)
    with replacing(file) as beside:
        figure.savefig(beside, dpi=110)
    plt.close(figure)


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    if unknown := [arm for arm in options.arms if arm not in ARMS]:
        sys.exit(f"There is no arm called {unknown[0]}: choose from {', '.join(ARMS)}.")
    try:
        work = report if options.only_report else run_fits if options.fits else run
        work(options)
    except PosecastError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
