"""What every network's training has in common, as Lightning runs it."""

import copy
from typing import Any, Protocol

import lightning as L
import torch
from torch import nn

from regressor.data.mixture import seed_of
from regressor.training.schedule import follow, rate_at


class Pace(Protocol):
    """What a recipe says of the steps."""

    @property
    def batch(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def schedule(self) -> str: ...
    @property
    def average(self) -> float: ...
    @property
    def clip(self) -> float: ...


class Learning(L.LightningModule):
    """A network under its recipe; `best` is the one to keep: the running average, if there is one.

    epoch_length: samples of one epoch. Each step seeds torch anew from the run's seed and its own
    number, so that a resumed training draws as it would have.
    """

    def __init__(self, network: nn.Module, pace: Pace, seed: int, epoch_length: int):
        super().__init__()
        self.network, self.pace = network, pace
        self.seed, self.epoch_length = seed, epoch_length
        self.average = copy.deepcopy(network).requires_grad_(False) if pace.average else None
        self.done = 0.0  # share of the training, told by the clock

    @property
    def best(self) -> nn.Module:
        return self.network if self.average is None else self.average

    @property
    def samples_per_step(self) -> int:
        return self.pace.batch * self.trainer.world_size

    @property
    def epoch(self) -> int:
        """How often as many samples were seen as make an epoch."""
        return self.global_step * self.samples_per_step // self.epoch_length

    @property
    def fused(self) -> bool:
        """Whether the optimiser's step may be fused: with fp16 it would undo the loss's scale by
        itself, after gradients were clipped by it."""
        return self.trainer.precision != "16-mixed"

    def rate(self) -> float | None:
        """The learning rate of the next step; None leaves it as it is."""
        if self.pace.schedule == "cosine":
            return rate_at(self.done, self.pace.learning_rate)
        return None

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        rank = self.trainer.global_rank
        torch.manual_seed(seed_of(self.seed, self.global_step, rank))
        if (rate := self.rate()) is not None:
            for group in self.optimizers().param_groups:  # pyright: ignore
                group["lr"] = rate

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: Any = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        most = self.pace.clip or float("inf")
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), most)
        self.log("train/gradient", norm)
        if not norm.isfinite():  # one step lost, instead of all that was learned
            for parameter in self.network.parameters():
                parameter.grad = None

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """The average follows at once: the state that callbacks save after a step has it."""
        super().optimizer_step(*args, **kwargs)
        if self.average is not None:
            step = self.global_step + 1
            follow(self.average, self.network, min(self.pace.average, step / (step + 20)))
