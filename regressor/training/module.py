"""The regressor in training, as Lightning runs it."""

import copy
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from regressor.data.mixture import seed_of
from regressor.images.hmr import HmrOutput
from regressor.training.objective import Objective
from regressor.training.options import DsrTraining, Recipe
from regressor.training.schedule import follow, rate_at
from regressor.training.scores import NAMES, errors


class Regression(L.LightningModule):
    """network and objective under Adam; `best` is the network to keep: its running average, if any.

    epoch_length: samples of one epoch. Each step seeds dropout anew from the run's seed and its own
    number, so that a resumed training draws as it would have.
    """

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        options: DsrTraining,
        recipe: Recipe,
        epoch_length: int,
    ):
        super().__init__()
        self.network, self.objective = network, objective
        self.options, self.recipe, self.epoch_length = options, recipe, epoch_length
        self.average = copy.deepcopy(network).requires_grad_(False) if recipe.average else None
        self.done = 0.0  # share of the training, told by the clock
        self.skipped: Tensor
        self.register_buffer("skipped", torch.zeros((), dtype=torch.int64))

    @property
    def best(self) -> nn.Module:
        return self.network if self.average is None else self.average

    @property
    def epoch(self) -> int:
        """How often as many samples were seen as make an epoch."""
        return self.global_step * self.recipe.batch * self.trainer.world_size // self.epoch_length

    def on_train_start(self) -> None:
        if self.options.freeze_norm:
            set_norms(self.network)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        rank = self.trainer.global_rank
        torch.manual_seed(seed_of(self.options.seed, self.global_step, rank))
        if self.recipe.schedule == "cosine":
            for group in self.optimizers().param_groups:  # pyright: ignore
                group["lr"] = rate_at(self.done, self.recipe.learning_rate)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        output = self.network(batch["image"])
        with torch.autocast(self.device.type, enabled=False):  # sums over meshes need all digits
            terms = self.objective(HmrOutput(*(part.float() for part in output)), batch, self.epoch)
        self.skipped += batch["skipped"].sum()
        self.log_dict({f"train/{name}": value.detach() for name, value in terms.items()})
        self.log("train/skipped", self.skipped.float())
        return terms["total"]

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: Any = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        most = self.recipe.clip or float("inf")
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), most)
        self.log("train/gradient", norm)
        if not norm.isfinite():  # one step lost, instead of all that was learned
            for parameter in self.network.parameters():
                parameter.grad = None

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.average is not None:
            step = self.global_step
            follow(self.average, self.network, min(self.recipe.average, step / (step + 20)))

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        output = self.best(batch["image"])
        found = errors(self.objective.posed, output, batch)
        self.log_dict(
            {f"held_out/{name}_mm": found[name].mean() for name in NAMES},
            batch_size=len(batch["image"]),
        )

    def configure_optimizers(self) -> torch.optim.Optimizer:
        rate = self.recipe.learning_rate
        return torch.optim.Adam(self.network.parameters(), lr=rate, fused=True)


def set_norms(network: nn.Module) -> None:
    """Batch normalisation as in use: by the statistics that are stored, which stay."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
