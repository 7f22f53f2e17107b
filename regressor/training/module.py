"""The regressor in training, as Lightning runs it."""

import torch
from torch import Tensor, nn

from regressor.images.hmr import HmrOutput, answer
from regressor.images.joints import LABELLED
from regressor.images.located import GIVEN, LocatedHMR, found_losses, given_of
from regressor.training.images import ImageLearning
from regressor.training.objective import Objective
from regressor.training.options import DsrTraining, Recipe
from regressor.training.scores import NAMES, errors


class Regression(ImageLearning):
    """network and objective under Adam."""

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        options: DsrTraining,
        recipe: Recipe,
        epoch_length: int,
    ):
        super().__init__(network, recipe, options.seed, epoch_length)
        self.objective, self.options = objective, options

    def on_train_start(self) -> None:
        if self.options.freeze_norm:
            set_norms(self.network)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        found = None
        if isinstance(self.network, LocatedHMR):
            told = {**batch, "given": given_of(batch["keypoints"])}
            output, found = answer(self.network, told, self.network.find)
        else:
            output = answer(self.network, batch)
        with torch.autocast(self.device.type, enabled=False):  # sums over meshes need all digits
            terms = self.objective(HmrOutput(*(part.float() for part in output)), batch, self.epoch)
            if found is not None:
                more = found_losses(found, batch)
                total = terms["total"] + torch.stack(list(more.values())).sum()
                terms = {**terms, **more, "total": total}
        return self.told(terms, batch)

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        asked = {"": batch}
        if isinstance(self.best, LocatedHMR):
            known = torch.zeros_like(batch["keypoints"][:, LABELLED])
            known[:, GIVEN] = batch["keypoints"][:, LABELLED][:, GIVEN]
            asked["given_"] = {**batch, "given": known}
        for kind, samples in asked.items():
            found = errors(self.objective.posed, answer(self.best, samples), samples)
            self.log_dict(
                {f"held_out/{kind}{name}_mm": found[name].mean() for name in NAMES},
                batch_size=len(batch["image"]),
            )

    def configure_optimizers(self) -> torch.optim.Optimizer:
        rate = self.pace.learning_rate
        return torch.optim.Adam(self.network.parameters(), lr=rate, fused=self.fused)


def set_norms(network: nn.Module) -> None:
    """Batch normalisation as in use: by the statistics that are stored, which stay."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
