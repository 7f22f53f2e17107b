"""The options of `train perspose`, and the configurations that `--preset` names."""

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal

from regressor.errors import PosecastError
from regressor.images.hrnet import SIZES
from regressor.images.perspose_losses import WEIGHTS, LossWeights
from regressor.images.pyramid import DEPTHS
from regressor.training.options import ImageTraining
from regressor.training.perspose.augment import Augmentation

Mixture = Literal["3dpw", "h36m", "3dhp", "bedlam-3dpw", "bedlam-3dhp"]
_BEDLAM = {"bedlam": 0.15, "bedlam-val": 0.05}
# The data sets of each, and their shares, as published.
MIXTURES: dict[str, dict[str, float]] = {
    "3dpw": {"h36m": 0.3, "coco": 0.4, "mpi-inf-3dhp": 0.2, "3dpw": 0.1},
    "h36m": {"h36m": 0.4, "coco": 0.5, "mpi-inf-3dhp": 0.1},
    "3dhp": {"h36m": 0.3, "coco": 0.4, "mpi-inf-3dhp": 0.2, "3dpw": 0.2},
}
MIXTURES |= {f"bedlam-{name}": MIXTURES[name] | _BEDLAM for name in ("3dpw", "3dhp")}
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
    keypoints: bool = False
    """Whether `estimate` shall put elbows, wrists, knees and ankles where its detector has them."""
    first_beta: float = 1.0
    """How much `estimate` shall believe of the first beta that the joints tell, which is searched
    for; the rest is the network's own. All of it as published, which pays where joints are right
    within some 80 mm (docs/perspose.md)."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    weights: LossWeights = field(default_factory=LossWeights)


# For synthetic people on a few CPU cores: shows learning in minutes. So few samples are seen that
# there is little to be gained by changing them.
CPU = Recipe(
    backbone="resnet18", pixels=96, batch=16, learning_rate=1e-3, schedule="cosine", epochs=10,
    average=0.99, heat=3.0, keypoints=True, first_beta=0.0, weights=LossWeights(twist=2.0),
    augmentation=Augmentation(none=0.5, cut_out=0.1, box=0.05),
)  # fmt: skip
PAPER: dict[str, Recipe] = {
    "3dpw": Recipe(weights=WEIGHTS["3dpw"]),
    "h36m": Recipe(weights=WEIGHTS["h36m"], batch=128, drop_every=6),
    "3dhp": Recipe(weights=WEIGHTS["3dhp"], batch=128, drop_every=6, epochs=35),
    "bedlam-3dpw": Recipe(weights=WEIGHTS["bedlam-3dpw"]),
    "bedlam-3dhp": Recipe(
        weights=WEIGHTS["bedlam-3dhp"], epochs=35, augmentation=Augmentation(aim=0.1)
    ),
}


@dataclass(kw_only=True)
class PersPoseTraining(ImageTraining):
    """Options of `train perspose`. What isn't given is as in the preset."""

    preset: Literal["paper", "cpu"] = "cpu"
    """paper: the published configuration, on data sets; cpu: small, on synthetic people."""
    data: Path | None = None
    """A folder of data sets as PersPose's authors prepared them (h36m/densepose_train_5.pt and so
    on, pictures beside them); those that aren't there so are read in SPIN's layout, 3DPW from its
    own folder in it, called 3dpw. BEDLAM is only in the authors' files."""
    body: Path | None = None
    """An SMPL file, or a folder of your SMPL files (neutral, male, female); the default body if not
    given. With a folder, labels of men and women, where a data set tells them apart, are of their
    own bodies; the network is for the neutral one. A J_regressor_h36m.npy in it, SPIN's or the
    authors' J_regressor_h36m_correct.npy, tells where Human3.6M's pelvis is, the last of the 25
    joints; SMPL's own is taken for it without one."""
    mixture: Mixture = "3dpw"
    """The published mixture of data sets, and its weights, by the set that it is for, without or
    with BEDLAM."""
    sets: tuple[str, ...] | None = None
    """Only these data sets of the mixture."""
    start: Path | None = None
    """Weights to start from: a file of this training, or a published checkpoint, or one of an
    HRNet alone, or of `train dsr --network located`, whose pyramid is taken."""
    encoding: bool = True
    """Perspective encoding: the network sees the crops' intrinsics."""
    rotation: bool = True
    """Perspective rotation: crops are cut with the camera turned to the person."""
    backbone: str | None = None
    schedule: Literal["published", "cosine"] | None = None
    heat: float | None = None
    keypoints: bool | None = None
    first_beta: float | None = None

    def recipe(self) -> Recipe:
        """The preset with what was given in its place. Raises PosecastError for what can't be."""
        given = self.given(entry.name for entry in fields(Recipe))
        if unknown := [name for name in self.sets or () if name not in MIXTURES[self.mixture]]:
            raise PosecastError(
                f"--sets {unknown[0]} isn't in the mixture {self.mixture}: it has "
                f"{', '.join(MIXTURES[self.mixture])}."
            )
        recipe = replace(CPU if self.preset == "cpu" else PAPER[self.mixture], **given)
        if recipe.backbone not in (*SIZES, *DEPTHS):
            known = ", ".join((*SIZES, *DEPTHS))
            raise PosecastError(f"--backbone {recipe.backbone} isn't known: choose {known}.")
        if not 0 <= recipe.first_beta <= 1:
            raise PosecastError(f"--first-beta {recipe.first_beta:g} has to be from 0 to 1.")
        if recipe.pixels < 32 or recipe.pixels % 32:
            raise PosecastError(f"--pixels {recipe.pixels} has to be a multiple of 32.")
        return recipe
