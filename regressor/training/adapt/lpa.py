"""The training of the generator of poses against its discriminators; no lifter takes part in it.

Choices, after PoseAug (its code): Adam at 1e-4 that falls in a straight line to zero,
batches of 1024 single poses, gradients no longer than 1, discriminators that learn every second
step and see a pool of past fakes. All networks step at once, the discriminators on fakes made
before the generator's step. Fakes that can't be seen as their target is don't count in 2D; what is
seen of the others has a detector's errors, as the target's keypoints have. PoseAug's exchange of
bone lengths among subjects is left out: the source has many bodies. A training that collapses (the
discriminators' loss goes to 0) wants another --seed, as PoseAug's authors advise.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from regressor.adapt import bones, gpa, local, losses
from regressor.adapt.discriminators import Discriminator2D, Discriminator3D, about_root
from regressor.adapt.generator import Change, Generator
from regressor.adapt.poseda import Source, with_errors
from regressor.adapt.targets import Targets
from regressor.data.keypoint_noise import DetectorNoise
from regressor.data.mixture import seed_of
from regressor.training.learning import Learning

PUBLISHED_EPOCHS = 50  # steps and minutes end it before


@dataclass(frozen=True)
class LpaRecipe:
    """PoseAug's training."""

    batch: int = 1024
    learning_rate: float = 1e-4
    schedule: str = "linear"
    average: float = 0.0
    clip: float = 1.0
    noise: float = 1.0


class Poses(Dataset):
    """Endless single poses of the source, each with two target frames: one to be placed by, and
    another as what is real.
    """

    def __init__(self, source: Source, targets: Targets, seed: int):
        self.source, self.targets, self.seed = source, targets, seed

    def __len__(self) -> int:
        return len(self.source.sampler.joints)

    def __getitems__(self, numbers: list[int]) -> dict[str, Tensor]:
        """A batch that follows from its first number."""
        sampler, targets = self.source.sampler, self.targets
        sampler.generator.manual_seed(seed_of(self.seed, numbers[0]))
        joints, seen, _ = self.source.draw()
        partner, real = (sampler.errors.uniform(2, len(joints)) * len(targets)).long()
        return {
            "joints": joints,
            "seen": seen,
            "target": targets.keypoints[partner],
            "camera": targets.cameras[partner],
            "height": targets.heights[partner],
            "real": targets.keypoints[real],
        }


class Adversaries(nn.Module):
    """The three networks and the pools, which are trained, saved and resumed together."""

    def __init__(self, generator: Generator):
        super().__init__()
        self.generator = generator
        self.three_d, self.two_d = Discriminator3D(), Discriminator2D()
        self.pool_3d = losses.Pool((bones.JOINTS, 3))
        self.pool_2d = losses.Pool((bones.JOINTS, 2))

    @property
    def judges(self) -> tuple[nn.Module, nn.Module]:
        return self.three_d, self.two_d


class LpaLearning(Learning):
    """The adversaries under their recipe."""

    def __init__(self, network: Adversaries, recipe: LpaRecipe, seed: int, epoch_length: int):
        super().__init__(network, recipe, seed, epoch_length)
        self.adversaries, self.recipe, self.weights = network, recipe, losses.Weights()

    def rate(self) -> float:
        return self.recipe.learning_rate * max(1 - self.done, 0.0)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        made, joints = self.adversaries, batch["joints"]
        poses = bones.to16(joints[:, 0])
        noise = torch.randn(3, len(poses), 48, device=poses.device)
        augmented = made.generator(poses, noise)
        fakes, shown = self.project(augmented.change, batch)
        with fixed(*made.judges):
            terms = {
                "fool_3d": losses.fool_loss(made.three_d(augmented.angled)),
                "fool_2d": losses.fool_loss(made.two_d(fakes)) if shown else fakes.sum(),
                "angle": losses.angle_range(augmented.change.turned),
                "length": losses.length_range(augmented.change.groups),
            }
        w = self.weights
        total = w.three_d * terms["fool_3d"] + w.two_d * terms["fool_2d"]
        total = total + w.range * (terms["angle"] + terms["length"])
        if self.global_step % 2 == 0:
            old_3d = made.pool_3d(augmented.angled - augmented.angled[:, :1])
            terms["judge_3d"] = losses.judge_loss(made.three_d(poses), made.three_d(old_3d))
            total = total + terms["judge_3d"]
            if shown:
                real = about_root(bones.to16(batch["real"]))
                old = made.pool_2d(fakes)
                terms["judge_2d"] = losses.judge_loss(made.two_d(real), made.two_d(old))
                total = total + terms["judge_2d"]
        logged = {f"train/{name}": value.detach() for name, value in terms.items()}
        self.log_dict({**logged, "train/total": total.detach()})
        return total

    def project(self, change: Change, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        """Fakes (n, 16, 2) as the discriminator sees them, and how many can be seen at all."""
        _, seen = local.apply(change, batch["joints"], batch["seen"])
        placed = gpa.align(seen[:, 0], batch["target"], batch["camera"])
        screen = gpa.project(placed, batch["camera"])
        good = gpa.seen_whole(placed, screen, batch["height"])
        random = torch.Generator(screen.device)
        random.manual_seed(seed_of(self.seed, self.global_step, 1))
        fakes = with_errors(DetectorNoise(random), screen[good][:, None], self.recipe.noise)[:, 0]
        return about_root(bones.to16(fakes)), int(good.sum())

    def configure_gradient_clipping(self, optimizer, *args, **kwargs) -> None:
        """Each network's gradients by themselves."""
        for network in (self.adversaries.generator, *self.adversaries.judges):
            norm = nn.utils.clip_grad_norm_(network.parameters(), self.recipe.clip)
            if not norm.isfinite():  # one step lost, instead of all that was learned
                for parameter in network.parameters():
                    parameter.grad = None

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.network.parameters(), lr=self.recipe.learning_rate)


@contextmanager
def fixed(*networks: nn.Module) -> Iterator[None]:
    """Gradients go through the networks and leave their parameters as they are."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)
