"""What the trainings of all image regressors have in common."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import lightning as L
import torch
from torch import Tensor

from regressor import checkpoints
from regressor.data.mixture import Mixture, collate
from regressor.training.data import Draws
from regressor.training.learning import Learning
from regressor.training.options import ImageTraining
from regressor.training.timing import Clock
from regressor.training.trainer import Samples, clock_of, fit


class Steps(Protocol):
    """What a recipe says of the length of a training."""

    @property
    def epochs(self) -> int: ...
    @property
    def batch(self) -> int: ...


class ImageLearning(Learning):
    """A network that learns from a mixture, and how many samples of it couldn't be read."""

    def __init__(self, *args: Any):
        super().__init__(*args)
        self.skipped: Tensor
        self.register_buffer("skipped", torch.zeros((), dtype=torch.int64))

    def told(self, terms: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        """The total of the loss's terms, after all of them are logged."""
        self.skipped += batch["skipped"].sum()
        self.log_dict({f"train/{name}": value.detach() for name, value in terms.items()})
        self.log("train/skipped", self.skipped.float())
        return terms["total"]


@dataclass
class Result:
    """What a training writes: the file in its folder, the network's name and options for
    `images.create`, and what its card tells beside what all cards do."""

    file: str
    network: str
    options: dict[str, Any]
    card: dict[str, Any] = field(default_factory=dict)


def learn(
    options: ImageTraining,
    recipe: Steps,
    module: ImageLearning,
    mixture: Mixture,
    checks: list,
    watch: L.Callback,
    result: Result,
) -> dict[str, float]:
    """Trains on a mixture and writes the weights; returns the last errors on `checks`, mm."""
    clock = clock_of(options)
    samples = Samples(Draws(mixture), checks, recipe.batch, options.workers, collate)
    found = fit(options, module, samples, recipe.epochs * len(mixture), clock, watch)
    if module.trainer.is_global_zero:
        save(options, recipe, module, found, clock, result)
        for sentence in mixture.report():
            print(sentence)
    return found


def save(
    options: ImageTraining,
    recipe: Steps,
    module: ImageLearning,
    found: dict[str, float],
    clock: Clock,
    result: Result,
) -> None:
    """Weights with their card: all that `estimate` and a reader need to know of them."""
    card = {
        **result.card,
        "body": "default" if options.body is None else "smpl",
        "preset": options.preset,
        "people": options.people,
        "steps": module.trainer.global_step,
        "samples_per_step": recipe.batch * module.trainer.world_size,
        "minutes": round(clock.spent / 60, 1),
        "held_out_mm": found,
        "skipped": int(module.skipped),
    }
    file = options.output / result.file
    checkpoints.save(module.best, file, name=result.network, options=result.options, card=card)
