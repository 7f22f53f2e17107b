"""PersPose in training, as Lightning runs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from regressor.images.perspose import CELL, FLIP, PersPoseOutput
from regressor.images.perspose_losses import Target, masked_mean, perspose_losses, target_of
from regressor.metrics import similarity_aligned
from regressor.training.images import ImageLearning
from regressor.training.perspose.options import Recipe
from regressor.training.perspose.samples import Labels

NAMES = ("mpjpe", "pa_mpjpe", "root")


class Perspective(ImageLearning):
    """network under AdamW; labels: of the bodies whose people it sees."""

    def __init__(
        self, network: nn.Module, labels: Labels, recipe: Recipe, seed: int, epoch_length: int
    ):
        super().__init__(network, recipe, seed, epoch_length)
        self.labels, self.recipe = labels, recipe

    def rate(self) -> float | None:
        recipe = self.recipe
        if recipe.schedule == "published":
            done = self.global_step * self.samples_per_step / self.epoch_length
            return published_rate(done, recipe.learning_rate, recipe.drop_every)
        return super().rate()

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        mirrored = bool(torch.rand(()) < 0.5)
        with heat_maps(self.network) as scores:
            output = look(self.network, batch, mirrored)
        with torch.autocast(self.device.type, enabled=False):  # pixels and metres want all digits
            output = PersPoseOutput(*(part.float() for part in output))
            labelled, size = self.labels(batch), batch["image"].shape[-1]
            terms = perspose_losses(output, labelled, self.recipe.weights, size)
            if self.recipe.heat:
                target = target_of(labelled, size)
                terms["heat"] = heat_loss(scores[0], target, size, mirrored)
                terms["total"] = terms["total"] + self.recipe.heat * terms["heat"]
        return self.told(terms, batch)

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        with torch.autocast(self.device.type, enabled=False):
            found = errors(look(self.best, batch), self.labels(batch))
        self.log_dict(
            {f"held_out/{name}_mm": found[name].mean() for name in NAMES},
            batch_size=len(batch["image"]),
        )

    def configure_optimizers(self) -> torch.optim.Optimizer:
        parameters = list(self.network.parameters())
        groups = [
            {"params": [p for p in parameters if p.dim() > 1], "weight_decay": self.recipe.decay},
            {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self.recipe.learning_rate, fused=self.fused)


def look(
    network: nn.Module, batch: dict[str, Tensor], mirrored: bool | None = None
) -> PersPoseOutput:
    """What the network says of a batch of samples; mirrored as `PersPose.forward` has it."""
    images = batch["image"].contiguous(memory_format=torch.channels_last)
    return network(images, batch["intrinsics"], batch["encoded"], mirrored)


@contextmanager
def heat_maps(network: nn.Module) -> Iterator[list[Any]]:
    """A list of the scores (B, 25, h, w) that the network gives meanwhile, before the soft-max."""
    found: list[Any] = []
    layer = network.get_submodule("hm_layer")
    hook = layer.register_forward_hook(lambda _layer, _given, scores: found.append(scores))
    try:
        yield found
    finally:
        hook.remove()


def heat_loss(scores: Tensor, target: Target, size: int, mirrored: bool) -> Tensor:
    """Cross-entropy of the heat maps (B, 25, h, w) with the cells about each joint, a number.

    A joint belongs to the four cells whose middles are next to it, by how near they are. mirrored:
    the maps are those of mirrored crops.
    """
    height, width = scores.shape[-2:]
    uv, inside = target.uv, target.inside
    if mirrored:
        uv = torch.stack([size - uv[:, FLIP, 0], uv[:, FLIP, 1]], dim=-1)
        inside = inside[:, FLIP]
    inside = inside[..., None] > 0
    place = torch.where(inside, uv, 0.0) / CELL - 0.5
    column, row = place.floor().unbind(-1)
    right, down = (place - place.floor()).unbind(-1)
    chances = scores.float().flatten(2).log_softmax(dim=2)
    found = torch.zeros_like(right)
    for x, across in ((column, 1 - right), (column + 1, right)):
        for y, along in ((row, 1 - down), (row + 1, down)):
            cell = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
            chance = chances.gather(2, cell.long()[..., None])[..., 0]
            found = found - across * along * chance
    return masked_mean(found, inside[..., 0].float())


def published_rate(done: float, peak: float, drop_every: int) -> float:
    """The learning rate after so many epochs: a rise from 1 % over the first, then by steps."""
    if done < 1:
        return peak * (0.01 + 0.99 * done)
    return peak * 0.75 ** (int(done) // drop_every)


@torch.no_grad()
def errors(output: PersPoseOutput, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each person's errors (B,), mm, of batches with labels.

    mpjpe and pa_mpjpe: of SMPL's 24 joints as the network gives them, about the first one, and
    after the best rotation, scale and shift; root: of the first joint's place before the camera.
    """
    root = batch["joints24"][:, :1]
    found, true = output.joints[:, :24].float(), batch["joints24"] - root
    aligned = similarity_aligned(found.cpu().numpy(), true.cpu().numpy())
    aligned = torch.as_tensor(aligned).to(true)
    return {
        "mpjpe": 1000 * (found - true).norm(dim=-1).mean(1),
        "pa_mpjpe": 1000 * (aligned - true).norm(dim=-1).mean(1),
        "root": 1000 * (output.root.float() - root[:, 0]).norm(dim=-1),
    }
