"""The options of `train perspose`, and the configurations that `--preset` names."""

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal

from regressor.errors import PosecastError
from regressor.images.hrnet import SIZES
from regressor.images.perspose_losses import WEIGHTS, LossWeights
from regressor.images.pyramid import DEPTHS
from regressor.training.options import RunOptions
from regressor.training.perspose.augment import Augmentation

Mixture = Literal["3dpw", "h36m", "3dhp"]
# The data sets of each, and their shares, as published; BEDLAM's files have no reader here.
MIXTURES: dict[str, dict[str, float]] = {
    "3dpw": {"h36m": 0.3, "coco": 0.4, "mpi-inf-3dhp": 0.2, "3dpw": 0.1},
    "h36m": {"h36m": 0.4, "coco": 0.5, "mpi-inf-3dhp": 0.1},
    "3dhp": {"h36m": 0.3, "coco": 0.4, "mpi-inf-3dhp": 0.2, "3dpw": 0.2},
}
EPOCH = 300_000  # samples, as published


@dataclass(frozen=True)
class Recipe:
    """A configuration of the training; the defaults are those that were published for 3DPW."""

    backbone: str = "w48"
    pixels: int = 256
    """Side of the crops."""
    batch: int = 96
    """Samples a step, on each device."""
    learning_rate: float = 3e-4
    schedule: Literal["published", "cosine"] = "published"
    """The published one rises over an epoch, and then falls by steps; the cosine goes down over the
    steps, or over the minutes if those end first."""
    drop_every: int = 3
    """Epochs after which the published rate becomes three quarters of it."""
    epochs: int = 16
    decay: float = 5e-4
    """Weight decay, of matrices and filters alone."""
    average: float = 0.0
    """How much of the running average of the weights is kept at each step; 0 averages nothing."""
    clip: float = 100.0
    """Longest gradient, in norm."""
    heat: float = 0.0
    """Weight of the heat maps' own cross-entropy, which isn't published: without pretrained weights
    they become narrow much sooner by it than by the places alone that are read off them."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    weights: LossWeights = field(default_factory=LossWeights)


# For synthetic people on a few CPU cores: shows learning in minutes. So few samples are seen that
# there is little to be gained by changing them.
CPU = Recipe(
    backbone="w16", pixels=128, batch=16, learning_rate=3e-3, schedule="cosine", epochs=10,
    average=0.99, heat=3.0, augmentation=Augmentation(none=0.5, cut_out=0.1, box=0.05),
    weights=LossWeights(twist=2.0),
)  # fmt: skip
PAPER: dict[str, Recipe] = {
    "3dpw": Recipe(weights=WEIGHTS["3dpw"]),
    "h36m": Recipe(weights=WEIGHTS["h36m"], batch=128, drop_every=6),
    "3dhp": Recipe(weights=WEIGHTS["3dhp"], batch=128, drop_every=6, epochs=35),
}
_POSITIVE = ("batch", "learning_rate", "epochs")


@dataclass(kw_only=True)
class PersPoseTraining(RunOptions):
    """Options of `train perspose`. What isn't given is as in the preset."""

    preset: Literal["paper", "cpu"] = "cpu"
    """paper: the published configuration, on data sets; cpu: small, on synthetic people."""
    data: Path | None = None
    """A folder of data sets in SPIN's layout, 3DPW's own folder in it as 3dpw."""
    mixture: Mixture = "3dpw"
    """The published mixture of data sets, and its weights, by the set that it is for."""
    sets: tuple[str, ...] | None = None
    """Only these data sets of the mixture."""
    people: int = 0
    """How many synthetic people to learn from, besides or instead of the data sets."""
    people_share: float = 0.5
    """Share of synthetic people among the samples, where there are data sets too."""
    people_folder: Path | None = None
    """Where they are kept once drawn (output/people if not given); trainings may share it."""
    people_seed: int = 0
    """Other people for another seed."""
    poses: Path | None = None
    """Their poses: a file of `python -m regressor.data.people`."""
    body: Path | None = None
    """An SMPL file; the default body without it."""
    start: Path | None = None
    """Weights to start from: a file of this training, or a published checkpoint, or one of an
    HRNet alone, or of `train dsr --network located`, whose pyramid is taken."""
    encoding: bool = True
    """Perspective encoding: the network sees the crops' intrinsics."""
    rotation: bool = True
    """Perspective rotation: crops are cut with the camera turned to the person."""
    backbone: str | None = None
    pixels: int | None = None
    batch: int | None = None
    learning_rate: float | None = None
    schedule: Literal["published", "cosine"] | None = None
    epochs: int | None = None
    average: float | None = None
    clip: float | None = None
    heat: float | None = None
    check_people: int = 64
    """Synthetic people of held-out subjects, on whom errors are measured; 0 for none."""

    def recipe(self) -> Recipe:
        """The preset with what was given in its place. Raises PosecastError for what can't be."""
        self.check()
        if self.data is None and self.people < 1:
            raise PosecastError(
                "There is nothing to learn from: give --data FOLDER, or --people and a number."
            )
        if unknown := [name for name in self.sets or () if name not in MIXTURES[self.mixture]]:
            raise PosecastError(
                f"--sets {unknown[0]} isn't in the mixture {self.mixture}: it has "
                f"{', '.join(MIXTURES[self.mixture])}."
            )
        names = {entry.name for entry in fields(Recipe)}
        given = {n: getattr(self, n) for n in names if getattr(self, n, None) is not None}
        if bad := [n for n in given if n in _POSITIVE and given[n] <= 0]:
            raise PosecastError(f"--{bad[0].replace('_', '-')} has to be above 0.")
        recipe = replace(CPU if self.preset == "cpu" else PAPER[self.mixture], **given)
        if recipe.backbone not in (*SIZES, *DEPTHS):
            known = ", ".join((*SIZES, *DEPTHS))
            raise PosecastError(f"--backbone {recipe.backbone} isn't known: choose {known}.")
        if recipe.pixels < 32 or recipe.pixels % 32:
            raise PosecastError(f"--pixels {recipe.pixels} has to be a multiple of 32.")
        return recipe
