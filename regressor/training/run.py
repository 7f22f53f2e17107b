"""`train dsr`: assembles network, data and Lightning's trainer, and writes the weights."""

from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from regressor import checkpoints, images
from regressor.data.prior import body_prior
from regressor.images.crops import SIZE
from regressor.images.joints import Joints49
from regressor.images.located import LocatedHMR
from regressor.images.resnet import resnet_of, without_classifier
from regressor.smpl.body import load_body
from regressor.training import data
from regressor.training.images import Result, learn
from regressor.training.module import Regression
from regressor.training.objective import Objective, PosedBody
from regressor.training.options import DsrTraining, Recipe
from regressor.training.pictures import Pictures
from regressor.training.trainer import STATE, claim
from regressor.training.warm_up import warm_up

__all__ = ["STATE", "WEIGHTS", "train_regressor"]
WEIGHTS = "dsr.safetensors"
NETWORKS = {"hmr": "dsr", "located": "located"}  # by their names in the recipe
FREE = ("epochs",)  # what may change when a training goes on


def build_network(recipe: Recipe, start: Path | None) -> tuple[nn.Module, bool]:
    """A new network, or with the weights of `start`: all of them, or an ImageNet ResNet's.

    Also whether they bring a located network's head along, which then needs no warming up.
    """
    network, has_head = images.create(NETWORKS[recipe.network], **network_options(recipe)), False
    if start is not None:
        state = dict(checkpoints.read_checkpoint(start))
        has_head = "head.first.weight" in state
        if recipe.network == "located" and "conv1.weight" in state:
            state = {**network.state_dict(), **resnet_of(state, "backbone.resnet.")}
        elif "fc.weight" in state:
            state = {**network.state_dict(), **without_classifier(state)}
        checkpoints.load_published(network, state)
    return network.to(memory_format=torch.channels_last), has_head  # pyright: ignore[reportCallIssue]


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
    network, has_head = build_network(recipe, options.start)
    drawn = load_body(options.body)  # people are drawn where the samples are: on the CPU
    mixture = data.build_mixture(options, recipe, drawn)
    checks = data.check_batches(options, recipe, drawn)
    claim(options, made_of(options, recipe))
    resumed = (options.folder / STATE).is_file()
    if isinstance(network, LocatedHMR) and not resumed and not has_head:
        people = data.synthetic(options, recipe.pixels, drawn, validation=False)
        warm_up(network, people, objective, recipe.warm_up, options.seed)
    module = Regression(network, objective, options, recipe, len(mixture))
    name, card = NETWORKS[recipe.network], {"crops": recipe.crops}
    result = Result(WEIGHTS, name, network_options(recipe), card)
    return learn(options, recipe, module, mixture, checks, Pictures(), result)
