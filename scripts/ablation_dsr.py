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

import sys
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import roma
import torch
import tyro
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
from regressor import checkpoints
from regressor.data.prior import body_prior
from regressor.evaluation.people_report import TITLES, summarise
from regressor.images.hmr import HmrOutput, rot6d_to_rotmat, rotmat_to_rot6d
from regressor.images.joints import Joints49
from regressor.smpl.body import Body, load_body
from regressor.training.data import check_batches
from regressor.training.objective import Objective, PosedBody
from regressor.training.options import DsrTraining
from regressor.training.scores import NAMES, errors
from scripts import ablations

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ARMS = {
    "keypoints": ("none", "keypoints alone"),
    "silhouette": ("silhouette", "+ silhouette"),
    "dsr": ("dsr", "+ DSR, published"),
    "dsr-corrected": ("dsr-corrected", "+ DSR, corrected"),
}


@dataclass(kw_only=True)
class Options(ablations.AblationOptions):
    """Options of the ablation."""

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
    fits: bool = False
    """Fit bodies by the losses, instead of training networks; --steps and --rate are of these."""
    wrong_rad: float = 0.12
    """How far each joint is turned at the start of the fits, standard deviation."""

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
    from regressor.training.run import WEIGHTS, train_regressor

    return ablations.trained(training, WEIGHTS, train_regressor)


def posed_body() -> PosedBody:
    body = load_body()
    return PosedBody(body, Joints49(body))


def held_out(options: Options, body: Body) -> list[dict[str, Tensor]]:
    """The people to measure on, in batches."""
    training = replace(options.training("held_out"), check_people=options.held_out)
    return check_batches(training, training.recipe(), body)


@torch.no_grad()
def measure(options: Options, file: Path) -> dict[str, list[float]]:
    """Each held-out person's errors, mm."""
    network, _ = checkpoints.load(file)
    posed = posed_body()
    batches = held_out(options, posed.body)
    found = [errors(posed, network(batch["image"]), batch) for batch in batches]
    return ablations.joined(found, NAMES)


def run(options: Options) -> None:
    """Trains and measures the arms asked for."""
    first = options.start or weights_of(
        options.training("start", steps=options.first_steps, learning_rate=options.first_rate)
    )
    ablations.keep_errors(options.output / "start", partial(measure, options, first), first)
    for seed in options.seeds:
        for arm in options.arms:
            training = options.training(
                f"{arm}-{seed}", steps=options.steps, learning_rate=options.rate, start=first,
                semantics=ARMS[arm][0], start_epoch=-1, seed=1 + seed,
            )  # fmt: skip
            file = weights_of(training)
            ablations.keep_errors(training.output, partial(measure, options, file), file)
            report(options)


def run_fits(options: Options) -> None:
    """Fits and measures the arms asked for."""
    posed = posed_body()
    batches = held_out(options, posed.body)
    for seed in options.seeds:
        for arm in ("start", *options.arms):
            name = arm if arm == "start" else f"{arm}-{seed}"
            fitted = partial(fit_all, options, name, ARMS.get(arm), posed, batches, seed)
            ablations.keep_errors(options.output / name, fitted)
            report(options)


def fit_all(
    options: Options,
    name: str,
    arm: tuple[str, str] | None,
    posed: PosedBody,
    batches: list[dict[str, Tensor]],
    seed: int,
) -> dict[str, list[float]]:
    """Each held-out person's errors, mm, after the fit by an arm's losses; None fits nothing."""
    print(f"-- {name}", flush=True)
    semantics, steps = (arm[0], options.steps) if arm else ("none", 0)
    training = options.training(name, semantics=semantics, start_epoch=-1)
    recipe = replace(training.recipe(), rest=0.0)
    objective = Objective(recipe, posed, body_prior(posed.body) if recipe.semantics else None)
    found = [fit(objective, batch, steps, seed, options) for batch in batches]
    return ablations.joined(found, NAMES)


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
        read = ablations.kept_errors([options.output / name for name in names])
        if read:
            found[arm] = np.array([[one[name] for name in NAMES] for one in read]).transpose(
                0, 2, 1
            )
    return found


def rows_of(options: Options) -> list[dict[str, Any]]:
    """One row an arm: its means, those of each seed, and the paired difference from keypoints."""
    found, rows = results(options), []
    base = found.get("keypoints")
    for arm, values in found.items():
        row: dict[str, Any] = {"arm": arm, "seeds": len(values)}
        for i, name in enumerate(NAMES):
            row[name] = float(values[..., i].mean())
            row[f"{name}_seeds"] = [float(v) for v in values[..., i].mean(1)]
        if base is not None and arm not in ("start", "keypoints"):
            apart = torch.from_numpy(values.mean(0) - base.mean(0))
            for name, gain in summarise(dict(zip(NAMES, apart.T, strict=True))).items():
                row[f"{name}_gain"], row[f"{name}_error"] = gain
        rows.append(row)
    return rows


def report(options: Options) -> None:
    """Table, JSON and plot of the arms that are done.

    Beside each mean stands its paired difference from keypoints alone, with the standard error over
    the held-out people: what lies within two of those is noise, and other seeds may differ by more.
    """
    rows = rows_of(options)
    content = {"steps": options.steps, "rows": rows}
    ablations.write(options.output, content, table(rows, options))
    if arms := [row for row in rows if row["arm"] in ARMS]:
        ablations.write_plot(options.output, (3 * len(NAMES), 3.2), partial(plot, arms))


def table(rows: list[dict[str, Any]], options: Options) -> str:
    """Markdown; in brackets the difference from keypoints alone and its standard error."""
    kind = "plain synthetic people" if options.plain else "synthetic people"
    start = options.start.name if options.start else f"one start of {options.first_steps} steps"
    how = f"{options.steps} steps of {options.batch} samples from {start}"
    if options.fits:
        how = f"fitted by {options.steps} steps, joints turned by {options.wrong_rad} rad at first"
    lines = []
    for row in rows:
        title = "the start" if row["arm"] == "start" else ARMS[row["arm"]][1]
        told = [(row[n], row.get(f"{n}_gain"), row.get(f"{n}_error")) for n in NAMES]
        lines.append([title, str(row["seeds"]), *(ablations.cell(*one) for one in told)])
    heads = ["arm", "seeds", *(TITLES[name] for name in NAMES)]
    first = f"Errors in mm on {options.held_out} held-out {kind}, {how}."
    return "\n".join([first, "", *ablations.table(heads, lines)]) + "\n"


def plot(arms: list[dict[str, Any]], figure: "Figure") -> None:
    """Each measure: bars of means, dots of seeds; twice the difference's standard error."""
    labels = [ARMS[row["arm"]][1] for row in arms]
    axes = figure.subplots(1, len(NAMES))
    for axis, name in zip(axes, NAMES, strict=True):
        spread = [2 * row.get(f"{name}_error", 0.0) for row in arms]
        axis.bar(labels, [row[name] for row in arms], yerr=spread, color="#6b8fb3", capsize=3)
        for seeds, label in zip([row[f"{name}_seeds"] for row in arms], labels, strict=True):
            axis.plot([label] * len(seeds), seeds, "k.", markersize=4)
        low = min(min(row[f"{name}_seeds"]) for row in arms)
        axis.set_ylim(bottom=0.8 * low)
        axis.set_title(f"{TITLES[name]}, mm")
        axis.tick_params(axis="x", rotation=60)


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    work = report if options.only_report else run_fits if options.fits else run
    ablations.end_well(partial(work, options), options.arms, ARMS)


if __name__ == "__main__":
    main()
