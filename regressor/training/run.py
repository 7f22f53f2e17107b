"""`train dsr`: assembles network, data and Lightning's trainer, and writes the weights."""

from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import lightning as L
import torch
from torch import nn
from torch.utils.data import DataLoader

from regressor import checkpoints, images
from regressor.data.mixture import Mixture
from regressor.data.prior import body_prior
from regressor.images.crops import SIZE
from regressor.images.joints import Joints49
from regressor.images.located import LocatedHMR
from regressor.images.resnet import resnet_of, without_classifier
from regressor.smpl.body import load_body
from regressor.training import data
from regressor.training.module import Regression
from regressor.training.objective import Objective, PosedBody
from regressor.training.options import DsrTraining, Recipe, RunOptions
from regressor.training.order import Order
from regressor.training.pictures import Pictures
from regressor.training.timing import Clock
from regressor.training.trainer import STATE, build_trainer, claim, clock_of, fit, quiet
from regressor.training.warm_up import warm_up

__all__ = ["STATE", "WEIGHTS", "train_regressor"]
WEIGHTS = "dsr.safetensors"
NETWORKS = {"hmr": "dsr", "located": "located"}  # by their names in the recipe
FREE = ("epochs",)  # what may change when a training goes on


class Steps(Protocol):
    """What a recipe says of the length of a training."""

    @property
    def epochs(self) -> int: ...
    @property
    def batch(self) -> int: ...


class Samples(L.LightningDataModule):
    """The mixture, from the step at which the training stands, and the people to check on."""

    def __init__(self, mixture: Mixture, checks: list, batch: int, workers: int):
        super().__init__()
        self.mixture, self.checks, self.batch, self.workers = mixture, checks, batch, workers

    def train_dataloader(self) -> DataLoader:
        trainer = self.trainer
        assert trainer is not None
        order = Order(
            self.batch, trainer.max_steps, trainer.global_step, trainer.global_rank,
            trainer.world_size,
        )  # fmt: skip
        return data.loader(self.mixture, order, self.workers)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.checks, batch_size=None)  # pyright: ignore[reportArgumentType]


def build_network(recipe: Recipe, start: Path | None) -> nn.Module:
    """A new network, or with the weights of `start`: all of them, or an ImageNet ResNet's."""
    network = images.create(NETWORKS[recipe.network], **network_options(recipe))
    if start is not None:
        state = dict(checkpoints.read_checkpoint(start))
        if recipe.network == "located" and "conv1.weight" in state:
            state = {**network.state_dict(), **resnet_of(state, "backbone.resnet.")}
        elif "fc.weight" in state:
            state = {**network.state_dict(), **without_classifier(state)}
        checkpoints.load_published(network, state)
    return network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _has_head(start: Path | None) -> bool:
    """Whether a start brings a located network's head along, which then needs no warming up."""
    return start is not None and "head.first.weight" in checkpoints.read_checkpoint(start)


def network_options(recipe: Recipe) -> dict:
    found = {"depth": recipe.depth, "pixels": None if recipe.pixels == SIZE else recipe.pixels}
    found |= {name: True for name in ("encoding", "rotation") if getattr(recipe, name)}
    return found if recipe.network == "located" else {**found, "dropout": recipe.dropout}


def made_of(options: DsrTraining, recipe: Recipe) -> dict:
    """What may not change when a training goes on."""
    return {
        **{name: value for name, value in asdict(recipe).items() if name not in FREE},
        "data": str(options.data),
        "people": options.people,
        "start": str(options.start),
        "seed": options.seed,
    }


def train_regressor(options: DsrTraining) -> dict[str, float]:
    """Trains, checks on held-out people and writes the weights; returns the last errors, mm.

    Raises PosecastError for options that don't fit, data that can't be read, and a folder in which
    another training stands.
    """
    recipe = options.recipe()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    body = load_body(options.body)
    prior = None if recipe.semantics is None else body_prior(body, options.prior)
    objective = Objective(recipe, PosedBody(body, Joints49(body, options.joints)), prior)
    network = build_network(recipe, options.start)
    drawn = load_body(options.body)  # people are drawn where the samples are: on the CPU
    mixture = data.build_mixture(options, recipe, drawn)
    checks = data.check_batches(options, recipe, drawn)
    claim(options, made_of(options, recipe))
    resumed = (options.folder / STATE).is_file()
    if isinstance(network, LocatedHMR) and not resumed and not _has_head(options.start):
        people = data.synthetic(options, recipe.pixels, drawn, validation=False)
        warm_up(network, people, objective, recipe.warm_up, options.seed)
    module = Regression(network, objective, options, recipe, len(mixture))
    found, clock = learn(options, recipe, module, mixture, checks, Pictures())
    if module.trainer.is_global_zero:
        save(options, recipe, module, found, clock, module.trainer.global_step)
        for sentence in mixture.report():
            print(sentence)
    return found


def learn(
    options: RunOptions,
    recipe: Steps,
    module: L.LightningModule,
    mixture: Mixture,
    checks: list,
    watch: L.Callback,
) -> tuple[dict[str, float], Clock]:
    """Trains on a mixture; the last errors on `checks`, mm by name, and the clock."""
    clock = clock_of(options)
    with quiet():
        trainer = build_trainer(
            options, [clock, watch], recipe.epochs * len(mixture), recipe.batch, bool(checks)
        )
        samples = Samples(mixture, checks, recipe.batch, options.workers)
        fit(trainer, module, samples, clock)
        found = trainer.validate(module, samples, verbose=False)[0] if checks else {}
    return {name[9:-3]: round(float(value), 1) for name, value in found.items()}, clock


def save(
    options: DsrTraining,
    recipe: Recipe,
    module: Regression,
    found: dict[str, float],
    clock: Clock,
    step: int,
) -> None:
    """Weights with their card: all that `estimate` and a reader need to know of them."""
    card = {
        "crops": recipe.crops,
        "body": "default" if options.body is None else "smpl",
        "preset": options.preset,
        "people": options.people,
        "steps": step,
        "samples_per_step": recipe.batch * module.trainer.world_size,
        "minutes": round(clock.spent / 60, 1),
        "held_out_mm": found,
        "skipped": int(module.skipped),
    }
    checkpoints.save(
        module.best,
        options.output / WEIGHTS,
        name=NETWORKS[recipe.network],
        options=network_options(recipe),
        card=card,
    )
