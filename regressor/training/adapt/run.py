"""`train adapt`: target keypoints, the generator of poses, and then the lifter, by the same trainer
as all lifters."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from regressor import checkpoints, lifters
from regressor.adapt.generator import Generator
from regressor.adapt.poseda import AdaptedWindows, Scheme, Source
from regressor.adapt.targets import Targets, read_targets
from regressor.command import keep_apart
from regressor.data.lifting import Views
from regressor.data.mixture import seed_of
from regressor.data.sequences import LiftingSet, read_set, recognise
from regressor.errors import PosecastError
from regressor.lifting import AUTHORS_INPUT, check_skeleton
from regressor.progress import Progress
from regressor.training.adapt.lpa import (
    PUBLISHED_EPOCHS,
    Adversaries,
    LpaLearning,
    LpaRecipe,
    Poses,
)
from regressor.training.adapt.options import AdaptTraining
from regressor.training.lifters.data import BLOCK, CHECK_SEED, Batch, DrawnWindows, Material, Shape
from regressor.training.lifters.recipes import LifterRecipe
from regressor.training.lifters.run import learn
from regressor.training.trainer import Samples, claim, clock_of, fit

GENERATOR = "generator.safetensors"


@dataclass
class Begun:
    """The lifter as the training begins: options, what it reads, and parameters, if it has any."""

    sizes: dict[str, Any]
    coordinates: str
    fps: float
    state: dict[str, Tensor] | None = None


@dataclass(frozen=True)
class Cameras:
    """The source's, where it is motion capture: how they stand and how wide they see."""

    views: Views | None = None
    fov_deg: float | None = None


def adapt_lifter(
    options: AdaptTraining, targets: Targets | None = None, cameras: Cameras | None = None
) -> dict[str, float]:
    """Trains a lifter for the target and writes it; returns the last errors on the source, mm.

    targets: instead of reading `options.target`; cameras: of a source without its own. Raises
    PosecastError for options that don't fit and data that can't be read.
    """
    recipe = options.recipe()
    keep_apart([options.start, options.generator], [options.training().weights])
    if threads := options.threads_wanted:
        torch.set_num_threads(threads)
    begun = begin(options, recipe)
    torch.manual_seed(options.seed)
    network = lifters.create(options.lifter, **begun.sizes)
    if begun.state is not None:
        network.load_state_dict(begun.state)
    print("Reading the data ...", flush=True)
    training, cameras = options.training(), cameras or Cameras()
    parts = {split: read_source(options, begun, split) for split in ("train", "test")}
    made = made_of(options, recipe, begun)
    claim(training, made)
    if targets is None:
        targets = find_targets(options)
    print(f"Target: {targets.described}.", flush=True)
    generator = None
    if options.lpa and options.generator is not None:
        generator = read_generator(options.generator)
    elif options.lpa:
        claim(options.lpa_training(), made)
        generator = learn_generator(options, parts["train"], targets, cameras)
    shape = Shape.of(network)
    seen = material(options, recipe, begun, shape, parts, targets, generator, cameras)
    more: dict[str, Any] = {"adapted": how(options, targets)}
    if recognise(options.source) == "mocap_files":
        more["held_out_subjects"] = list(options.held_out)
    return learn(training, recipe, seen, network, begun.sizes, more)


def begin(options: AdaptTraining, recipe: LifterRecipe) -> Begun:
    """The start's network and what it reads, or the recipe's. Raises PosecastError for others'."""
    if options.start is None:
        return Begun(recipe.network, options.coordinates or "centred", recipe.fps)
    file, name = options.start, options.lifter
    if file.suffix == ".safetensors":
        network, metadata = checkpoints.load(file)
        card = metadata["card"]
        if metadata["name"] != name:
            raise PosecastError(f"{file} is for --lifter {metadata['name']}, not for {name}.")
        if not {"coordinates", "fps"} <= card.keys():
            raise PosecastError(f"{file} doesn't say what keypoints its network was trained on.")
        sizes, expects = metadata["options"], (card["coordinates"], card["fps"])
    else:
        network, sizes = checkpoints.load_authors_sized(name, file)
        card, expects = {}, (AUTHORS_INPUT.coordinates, AUTHORS_INPUT.fps)
    check_skeleton(file, network, card)
    if options.coordinates not in (None, expects[0]):
        raise PosecastError(f"{file} reads {expects[0]} coordinates: leave --coordinates out.")
    return Begun(sizes, expects[0], options.fps or expects[1], dict(network.state_dict()))


def read_source(options: AdaptTraining, begun: Begun, split: str) -> LiftingSet | None:
    """A split of the source; None for a test split that isn't wanted."""
    if split == "test" and not options.check_windows:
        return None
    if recognise(options.source) != "mocap_files":
        found = read_set(options.source, split)
        if found.unit == "picture":
            raise PosecastError(f"{found.name} has no metres to learn from: name another --source.")
        return found
    train = split == "train"
    return read_set(
        options.source, split, fps=begun.fps, held_out=tuple(options.held_out),
        shapes=options.shapes if train else 1, seed=options.seed if train else CHECK_SEED,
    )  # fmt: skip


def find_targets(options: AdaptTraining) -> Targets:
    """The target's keypoints; those of videos stay in the cache for the next run."""
    cache = options.cache or options.training().folder / "cache"
    return read_targets(
        options.target, options.target_detections, fov_deg=options.target_fov,
        fps=options.target_fps, detector=options.detector, cache=cache, progress=Progress("bar"),
    )  # fmt: skip


def learn_generator(
    options: AdaptTraining, data: LiftingSet | None, targets: Targets, cameras: Cameras
) -> Generator:
    """The generator of local augmentations, trained unless that has been done to its end.

    Raises KeyboardInterrupt where it was stopped by one.
    """
    assert data is not None
    training = options.lpa_training()
    file = training.folder / GENERATOR
    if file.is_file():
        return read_generator(file)
    torch.manual_seed(options.seed)
    adversaries = Adversaries(Generator())
    recipe = LpaRecipe(batch=options.lpa_batch, noise=options.noise)
    source = Source(data, 1, recipe.batch, options.seed, data_fps(options), cameras.views,
                    cameras.fov_deg)  # fmt: skip
    print(f"Poses: {source.described}; the generator first.", flush=True)
    module = LpaLearning(adversaries, recipe, options.seed, len(source.sampler.joints))
    poses = Poses(source, targets, options.seed)
    clock = clock_of(training)
    samples = Samples(poses, [], recipe.batch, options.workers)
    fit(training, module, samples, PUBLISHED_EPOCHS * len(poses), clock)
    if clock.told:
        raise KeyboardInterrupt
    if module.trainer.is_global_zero:
        card = {"steps": module.trainer.global_step, "minutes": round(clock.spent / 60, 1)}
        checkpoints.save(adversaries.generator, file, name="poseaug", options={}, card=card)
    return adversaries.generator.cpu().requires_grad_(False)


def read_generator(file: Path) -> Generator:
    """A generator that was trained before. Raises FileFormatError for another file."""
    generator = Generator()
    checkpoints.load_published(generator, file)
    return generator.requires_grad_(False)


def data_fps(options: AdaptTraining) -> float:
    """Of sequences that single poses are taken from: neighbours are alike."""
    return options.fps or 12.5


def material(
    options: AdaptTraining,
    recipe: LifterRecipe,
    begun: Begun,
    shape: Shape,
    parts: dict[str, LiftingSet | None],
    targets: Targets,
    generator: Generator | None,
    cameras: Cameras,
) -> Material:
    """The windows to learn from, and the source's held-out ones, placed alike but as they are."""
    scheme = Scheme(begun.coordinates, options.gpa, options.augmented, options.noise)
    look = partial(Source, fps=begun.fps, views=cameras.views, fov_deg=cameras.fov_deg)
    block = BLOCK if recipe.batch % BLOCK == 0 else recipe.batch
    assert parts["train"] is not None
    source = look(parts["train"], shape.frames, block, options.seed)
    adapted = AdaptedWindows(source, targets, generator, scheme, shape.channels)
    windows = DrawnWindows(adapted, block, len(source.sampler.joints), options.seed)
    checks: list[Batch] = []
    if parts["test"] is not None:
        held = look(parts["test"], shape.frames, min(BLOCK, options.check_windows), CHECK_SEED)
        plain = AdaptedWindows(held, targets, None, scheme, shape.channels)
        for number in range(-(-options.check_windows // BLOCK)):
            held.sampler.generator.manual_seed(seed_of(CHECK_SEED, number))
            inputs, target = plain.draw()
            checks.append({"inputs": inputs, "target": target, "noisy": torch.tensor(-1)})
    held_out = "the source's other split, where the target's people are seen"
    return Material(
        windows, checks, begun.coordinates, begun.fps, "h36m17", 0, source.described, held_out,
    )  # fmt: skip


def made_of(options: AdaptTraining, recipe: LifterRecipe, begun: Begun) -> dict[str, Any]:
    """What may not change when a training goes on."""
    names = ("gpa", "lpa", "augmented", "noise", "lpa_batch", "shapes", "seed", "target_detections",
             "target_fov", "target_fps", "detector")  # fmt: skip
    return {
        "lifter": options.lifter,
        "source": str(options.source),
        "target": str(options.target),
        "start": str(options.start),
        "generator": None if options.generator is None else str(options.generator),
        "network": begun.sizes,
        "coordinates": begun.coordinates,
        "fps": begun.fps,
        "batch": recipe.batch,
        "learning_rate": recipe.learning_rate,
        **{name: getattr(options, name) for name in names},
        "held_out": list(options.held_out),
    }


def how(options: AdaptTraining, targets: Targets) -> dict[str, Any]:
    """For the card."""
    return {
        "by": "PoseDA: " + " and ".join(
            [name for name, used in (("GPA", options.gpa), ("LPA", options.lpa)) if used] or ["no"]
        ),
        "target": targets.described,
        "start": options.start.name if isinstance(options.start, Path) else None,
    }  # fmt: skip
