"""`train lifter`: assembles network, data and Lightning's trainer, and writes the weights."""

from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from regressor import checkpoints, lifters
from regressor.lifters.gla_gcn import HUMANEVA15_EDGES
from regressor.training.checks import Told
from regressor.training.lifters.data import Material, Shape, material
from regressor.training.lifters.module import Lifting
from regressor.training.lifters.options import LifterTraining
from regressor.training.lifters.recipes import LifterRecipe
from regressor.training.timing import Clock
from regressor.training.trainer import Samples, claim, clock_of, fit

FREE = ("epochs",)  # what may change when a training goes on
# The joint that each joint hangs on, -1 for the root. MPI-INF-3DHP's as P-STMO draws it.
PARENTS = {
    "humaneva15": (-1, 0, 1, 2, 3, 1, 5, 6, 0, 8, 9, 0, 11, 12, 1),
    "mpi_inf_3dhp17": (16, 15, 1, 2, 3, 1, 5, 6, 14, 8, 9, 14, 11, 12, -1, 14, 1),
}


def train_lifter(options: LifterTraining) -> dict[str, float]:
    """Trains, checks on what is held out and writes the weights; returns the last errors, mm.

    Raises PosecastError for options that don't fit, data that can't be read, and a folder in which
    another training stands.
    """
    recipe = options.recipe()
    if threads := options.threads_wanted:
        torch.set_num_threads(threads)
    torch.manual_seed(options.seed)
    network = lifters.create(options.model, **recipe.network)
    print("Reading the data ...", flush=True)
    seen = material(options, recipe, Shape.of(network))
    sizes = skeleton_options(options, recipe, seen.skeleton)
    torch.manual_seed(options.seed)
    network = lifters.create(options.model, **sizes)
    claim(options, made_of(options, recipe))
    return learn(options, recipe, seen, network, sizes)


def learn(
    options: LifterTraining,
    recipe: LifterRecipe,
    seen: Material,
    network: nn.Module,
    sizes: dict,
    more: dict[str, Any] | None = None,
) -> dict[str, float]:
    """Trains a network of these sizes on what is there, and writes it; `more` is for its card."""
    print(f"{seen.described} to learn from; held out: {seen.held_out}.", flush=True)
    module = Lifting(
        network, recipe, options.seed, len(seen.windows), seen.skeleton, seen.root,
        options.compiled,
    )  # fmt: skip
    clock = clock_of(options)
    clock.minutes = options.time
    samples = Samples(seen.windows, seen.checks, recipe.batch, options.workers)
    found = fit(options, module, samples, recipe.epochs * len(seen.windows), clock, Told())
    if module.trainer.is_global_zero:
        card = card_of(options, seen, module, found, clock) | (more or {})
        checkpoints.save(module.best, options.weights, name=options.model, options=sizes, card=card)
        print(f"{options.weights} written.", flush=True)
    return found


def skeleton_options(options: LifterTraining, recipe: LifterRecipe, skeleton: str) -> dict:
    """The network's options for a set's own skeleton."""
    if skeleton == "h36m17":
        return recipe.network
    known = lifters.option_names(options.model)
    parents = PARENTS[skeleton]
    bones = [(child, parent) for child, parent in enumerate(parents) if parent >= 0]
    edges = HUMANEVA15_EDGES if skeleton == "humaneva15" else bones
    own = {"joints": len(parents), "parents": parents, "edges": edges}
    return recipe.network | {name: value for name, value in own.items() if name in known}


def made_of(options: LifterTraining, recipe: LifterRecipe) -> dict[str, Any]:
    """What may not change when a training goes on."""
    return {
        "model": options.model,
        **{name: value for name, value in asdict(recipe).items() if name not in FREE},
        "data": str(options.data),
        "detections": options.detections,
        "shapes": options.shapes,
        "held_out": list(options.held_out),
        "seed": options.seed,
    }


def card_of(
    options: LifterTraining, seen: Material, module: Lifting, found: dict[str, float], clock: Clock
) -> dict[str, Any]:
    """All that `estimate` and a reader need to know of the weights."""
    return {
        "coordinates": seen.coordinates,
        "fps": seen.fps,
        "skeleton": seen.skeleton,
        "keypoint_skeleton": seen.keypoint_skeleton,
        "confidence": seen.confidence,
        "unit": seen.unit,
        "data": options.data.name,
        "preset": options.preset,
        "held_out": seen.held_out,
        "held_out_mm": found,
        "minutes": round(clock.spent / 60, 1),
        "steps": module.trainer.global_step,
        "windows_per_step": module.samples_per_step,
    }
