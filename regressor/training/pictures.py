"""What a check shows of the image regressor: its errors, and pictures of what it found."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger

from regressor.images.crops import MEAN, STD
from regressor.images.hmr import answer
from regressor.training.checks import Told
from regressor.training.module import Regression
from rendering import overlay
from rendering.cameras import weak_to_translation
from rendering.semantic import crop_intrinsics

SHOWN = 4  # people in a picture


class Pictures(Told):
    """At each check, a few of the people with the bodies found on them, to TensorBoard."""

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any,
        batch_idx: int, dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        boards = [log for log in trainer.loggers if isinstance(log, TensorBoardLogger)]
        if batch_idx or not boards or not trainer.is_global_zero:
            return
        assert isinstance(pl_module, Regression)
        picture = people_picture(pl_module, {k: v[:SHOWN] for k, v in batch.items()})
        boards[0].experiment.add_image("held_out", picture, trainer.global_step)


@torch.no_grad()
def people_picture(module: Regression, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """(3, H, W): for each person a row of the picture, the body over it, its side, the labels."""
    output = answer(module.best, batch)
    vertices, _ = module.objective.posed(output.rotmat, output.betas)
    mean, std = (batch["image"].new_tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    size = batch["image"].shape[-1]
    rows = overlay.strip(
        (batch["image"] * std + mean).clamp(0, 1),
        vertices + weak_to_translation(output.cam)[:, None],
        module.objective.posed.faces,
        crop_intrinsics(size).to(vertices.device),
        labels=batch["labels"],
    )
    return torch.cat(list(rows), dim=1).clamp(0, 1)
