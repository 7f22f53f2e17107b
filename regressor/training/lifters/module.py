"""A lifter in training, as Lightning runs it."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from regressor.metrics import similarity_aligned
from regressor.training.learning import Learning
from regressor.training.lifters.data import NOISES, Batch
from regressor.training.lifters.losses import JOINT_WEIGHTS
from regressor.training.lifters.recipes import LifterRecipe
from regressor.training.ranger import Ranger
from regressor.training.schedule import annealed, decayed


class Lifting(Learning):
    """A lifter under its recipe. `skeleton` and `root` are those of the targets."""

    def __init__(
        self,
        network: nn.Module,
        recipe: LifterRecipe,
        seed: int,
        epoch_length: int,
        skeleton: str = "h36m17",
        root: int = 0,
        compiled: bool = False,
    ):
        super().__init__(network, recipe, seed, epoch_length)
        self.recipe, self.root = recipe, root
        self.answer = torch.compile(answer, dynamic=False) if compiled else answer
        self.weights: Tensor
        weights = JOINT_WEIGHTS.get(skeleton, (1.0,) * int(network.joints))  # pyright: ignore
        self.register_buffer("weights", torch.tensor(weights), persistent=False)

    def rate(self) -> float | None:
        recipe = self.recipe
        if recipe.schedule == "epochs":
            return decayed(self.epoch, recipe.learning_rate, recipe.decay, recipe.drop)
        if recipe.schedule == "cosine-epochs":
            return annealed(self.epoch, recipe.epochs, recipe.learning_rate, 1e-5)
        return super().rate()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        super().on_train_batch_start(batch, batch_idx)
        if self.recipe.norm_decay:
            share = min(self.epoch / self.recipe.epochs, 1.0)
            set_momentum(self.network, 0.1 * math.exp(-share * math.log(100)))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        target = batch["target"]
        if self.recipe.label_noise:
            target = disturbed(target)
        answers = self.answer(self.network, batch["inputs"], target)
        with torch.autocast(self.device.type, enabled=False):
            found = [self.recipe.loss(p.float(), t, self.weights, *s) for p, t, *s in answers]
        terms = {name: sum(part[name] for part in found if name in part) for name in found[0]}
        self.log_dict(
            {f"train/{name}": value.detach() for name, value in terms.items()},  # pyright: ignore
            sync_dist=self.trainer.world_size > 1,
        )
        total: Tensor = terms["total"]  # pyright: ignore
        return total.square() / 2 if self.recipe.loss.squared else total

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        target = batch["target"]
        predicted = self.best(batch["inputs"]).float()
        target = matching(self.best, target, predicted.shape[1])
        if "scale" in batch:  # it answers in the picture's units
            predicted = predicted * matching(self.best, batch["scale"], predicted.shape[1])
        predicted, target = (
            joints - joints[..., self.root : self.root + 1, :] for joints in (predicted, target)
        )
        noisy = int(batch["noisy"])
        kind = "" if noisy < 0 else f"{list(NOISES)[noisy]}_"
        aligned = similarity_aligned(predicted.cpu().numpy(), target.cpu().numpy())
        aligned = torch.as_tensor(aligned, dtype=torch.float32, device=target.device)
        for name, joints in (("mpjpe", predicted), ("p_mpjpe", aligned)):
            error = 1000 * (joints - target).norm(dim=-1).mean()
            self.log(f"held_out/{kind}{name}_mm", error, batch_size=len(target))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        parameters, rate = self.network.parameters(), self.recipe.learning_rate
        decay = self.recipe.weight_decay
        if self.recipe.optimiser == "ranger":
            return Ranger(parameters, lr=rate)
        if self.recipe.optimiser == "adam":
            return torch.optim.Adam(
                parameters, lr=rate, weight_decay=decay, amsgrad=True, fused=self.fused
            )
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=self.fused)


def answer(network: nn.Module, inputs: Tensor, target: Tensor) -> list[tuple[Tensor, ...]]:
    """What the network says of windows (B, T, K, C), beside the targets (B, T, J, 3) that it meant.

    One pair of (B, f, J, 3), or two for a GLA-GCN that answers for the centre and for all frames; a
    network that says how unsure it is adds that, (B, f, J, 1).
    """
    if hasattr(network, "forward_uncertain"):
        joints, s = network.forward_uncertain(inputs)  # pyright: ignore
        return [(joints, matching(network, target, joints.shape[1]), s.float())]
    if hasattr(network, "forward_kept"):
        joints, kept = network.forward_kept(inputs)  # pyright: ignore
        index = kept[..., None, None].expand(-1, -1, *target.shape[2:])
        return [(joints, target.gather(1, index))]
    if getattr(network, "global_head", None) is not None:
        centre, whole = network.forward_both(inputs)  # pyright: ignore
        return [(centre, matching(network, target, 1)), (whole, target)]
    joints = network(inputs)
    return [(joints, matching(network, target, joints.shape[1]))]


def matching(network: nn.Module, target: Tensor, count: int) -> Tensor:
    """The `count` frames of windows' targets (B, T, …) that the network answers for."""
    first = 0 if network.answers == "window" else int(network.frames) // 2  # pyright: ignore
    return target[:, first : first + count]


def disturbed(target: Tensor) -> Tensor:
    """GLA-GCN's noise of the targets (B, T, J, 3): each window turned and scaled a little."""
    angle, scale = (
        torch.randint(-1, 2, (len(target), 1, 1), device=target.device) * step
        for step in (math.radians(5), 0.05)
    )
    x, y, z = target.unbind(-1)
    cos, sin = torch.cos(angle) * (1 + scale), torch.sin(angle) * (1 + scale)
    return torch.stack([cos * x - sin * y, sin * x + cos * y, z], dim=-1)


def set_momentum(network: nn.Module, momentum: float) -> None:
    """Of all batch norms, but those of GLA-GCN's residual paths, which its authors leave."""
    for name, module in network.named_modules():
        beside = ".residual." in f".{name}." or ".down." in f".{name}."
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and not beside:
            module.momentum = momentum
