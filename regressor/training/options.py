"""The options of `train dsr`, and the configurations that `--preset` names."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from regressor.errors import PosecastError
from regressor.images.crops import SIZE, Convention
from regressor.images.losses import LossWeights
from rendering.semantic import SemanticOptions, preset

Preset = Literal["dsr", "spin", "silhouette", "dsr-corrected", "keypoints", "cpu"]


@dataclass(frozen=True)
class Recipe:
    """A configuration of the training; the defaults are those that DSR published."""

    semantics: SemanticOptions | None = None
    """The losses of the rendered body; None renders nothing."""
    mixture: str = "dsr"
    """How the data sets of --data are mixed: a name of `data.mixture.RECIPES`."""
    crops: Convention = "dsr"
    network: Literal["hmr", "located"] = "hmr"
    """hmr: SPIN's and DSR's; located: the house's, which learns in less time."""
    warm_up: int = 0
    """Steps in which the located network's head first learns from points alone."""
    depth: int = 50
    """Of the ResNet."""
    pixels: int = SIZE
    """Side of the pictures that the network sees."""
    dropout: float = 0.5
    encoding: bool = False
    """Show the network the crops' cameras (PersPose's perspective encoding)."""
    rotation: bool = False
    """Turn the camera to each person before the crop is cut (PersPose's perspective rotation)."""
    batch: int = 128
    """Samples a step, on each device."""
    learning_rate: float = 3e-5
    schedule: Literal["constant", "cosine"] = "constant"
    """The cosine goes down over the steps, or over the minutes if those end first."""
    epochs: int = 50
    average: float = 0.0
    """How much of the running average of the weights is kept at each step; 0 averages nothing."""
    clip: float = 0.0
    """Longest gradient, in norm; 0 clips none. One that is no number is left out in any case."""
    ignore_3d: bool = False
    """Learn from pictures and keypoints alone, whatever 3D labels there are."""
    rest: float = 0.0
    """Weight of the mean squared distance from the rest pose and the mean shape."""
    weights: LossWeights = field(default_factory=LossWeights)


PRESETS: dict[str, Recipe] = {
    "dsr": Recipe(preset("dsr")),
    # SPIN's fits in the loop of training are not here: samples without SMPL learn from keypoints.
    "spin": Recipe(mixture="spin", crops="spin", batch=64, learning_rate=5e-5),
    "silhouette": Recipe(preset("silhouette")),
    "dsr-corrected": Recipe(preset("dsr-corrected")),
    "keypoints": Recipe(ignore_3d=True),
    # For synthetic people on a few CPU cores: shows learning in minutes.
    "cpu": Recipe(
        network="located", warm_up=2000, depth=18, pixels=112, dropout=0.0, batch=32,
        learning_rate=5e-4, schedule="cosine", average=0.998, clip=150.0,
        weights=LossWeights(betas=0.1),
    ),
}  # fmt: skip
_POSITIVE = ("batch", "learning_rate", "epochs", "pixels")
_PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true", "64-true")
_RANGES = {  # of options, both ends included
    "people": (0, math.inf), "people_share": (0, 1), "people_seed": (0, 2**32 - 1),
    "minutes": (0, math.inf), "steps": (1, math.inf), "dropout": (0, 0.99), "average": (0, 1),
    "check_people": (0, math.inf), "check_every": (1, math.inf), "save_minutes": (0, math.inf),
    "check_windows": (0, math.inf), "shapes": (1, math.inf), "log_every": (1, math.inf),
    "workers": (0, 1024), "threads": (1, 1024), "warm_up": (0, math.inf),
    "seed": (0, 2**32 - 1), "weight_decay": (0, 1), "decay": (0, 1), "drop": (0, 1),
    "clip": (0, math.inf), "subset": (0, 1), "downsample": (1, math.inf),
    "heat": (0, math.inf), "rest": (0, math.inf),
}  # fmt: skip


@dataclass(kw_only=True)
class RunOptions:
    """How a training runs, whatever is trained."""

    output: Path
    """A folder: weights, the state to resume from, curves. The same command goes on from there."""
    minutes: float | None = None
    """End after so long, earlier runs counted in."""
    processor_time: bool = False
    """Let those minutes be what the processor spends on this process, whatever else it does: so
    that trainings on a shared machine get equal budgets."""
    steps: int | None = None
    """End after so many steps, instead of the preset's epochs."""
    check_every: int = 500
    """Steps between checks on what is held out."""
    save_minutes: float = 5.0
    """Between saved states."""
    log_every: int = 20
    """Steps between lines of the log and points of the curves."""
    workers: int = 0
    """Processes that read data."""
    devices: str = "auto"
    """How many devices, or which (0,1)."""
    accelerator: str = "auto"
    """As Lightning names it: cpu, gpu, …; auto takes what is there."""
    precision: str = "32-true"
    """As Lightning names it: bf16-mixed and 16-mixed save time and memory on a GPU."""
    threads: int | None = None
    """Of the processor; as many as torch takes if nothing is said."""
    seed: int = 0
    """Of the first weights and of all that is drawn."""

    @property
    def folder(self) -> Path:
        return self.output

    def check(self) -> None:
        """Raises PosecastError for a number that no training can use."""
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name, None)
            if value is not None and not least <= value <= most:
                limits = (
                    f"at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
                )
                raise PosecastError(f"--{name.replace('_', '-')} {value:g} has to be {limits}.")
        if self.minutes == 0:
            raise PosecastError("--minutes 0 leaves no time to train: give more.")
        if self.devices != "auto" and not re.fullmatch(r"-1|\d+(,\d+)*", self.devices):
            raise PosecastError(
                f"--devices {self.devices} has to be auto, a number, or numbers as in 0,1."
            )
        if self.precision not in _PRECISIONS:
            raise PosecastError(
                f"--precision {self.precision} isn't known: choose {' or '.join(_PRECISIONS)}."
            )


@dataclass(kw_only=True)
class ImageTraining(RunOptions):
    """What is asked alike of the trainings of all image regressors."""

    preset: str
    data: Path | None = None
    """A folder of data sets."""
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
    """Weights to start from."""
    batch: int | None = None
    learning_rate: float | None = None
    epochs: int | None = None
    pixels: int | None = None
    average: float | None = None
    clip: float | None = None
    check_people: int = 64
    """Synthetic people of held-out subjects, on whom errors are measured; 0 for none."""

    def given(self, names: Iterable[str]) -> dict[str, Any]:
        """What was given of a recipe's fields. Raises PosecastError for what no training can use,
        and where there is nothing to learn from."""
        self.check()
        if self.data is None and self.people < 1:
            raise PosecastError(
                "There is nothing to learn from: give --data FOLDER, or --people and a number."
            )
        given = {n: getattr(self, n) for n in names if getattr(self, n, None) is not None}
        if bad := [n for n in given if n in _POSITIVE and not 0 < given[n] < math.inf]:
            raise PosecastError(f"--{bad[0].replace('_', '-')} has to be above 0, and finite.")
        return given


@dataclass(kw_only=True)
class DsrTraining(ImageTraining):
    """Options of `train dsr`. What isn't given is as in the preset."""

    preset: Preset = "dsr"
    """dsr: the published configuration; spin: no rendering; silhouette: the outline alone;
    dsr-corrected: what DSR's paper means; keypoints: neither rendering nor 3D; cpu: small."""
    data: Path | None = None
    """A folder of data sets in SPIN's layout, label maps beside the pictures."""
    plain_people: bool = False
    """Whole people in recorded poses, upright, with nothing before them, through long lenses."""
    field_of_view: tuple[float, float] | None = None
    """Of their cameras, vertical, in degrees: from, to."""
    joints: Path | None = None
    """SPIN's J_regressor_extra.npy, for an SMPL file."""
    prior: Path | None = None
    """The clothing prior of the body's faces; the default body has its own."""
    start: Path | None = None
    """Weights to start from: a file of this training, or a published checkpoint."""
    semantics: str | None = None
    """Another preset's losses of the rendered body: a name of rendering.semantic, or none."""
    start_epoch: int | None = None
    """The epoch after which these losses count, counted from 0."""
    schedule: Literal["constant", "cosine"] | None = None
    network: Literal["hmr", "located"] | None = None
    warm_up: int | None = None
    depth: int | None = None
    dropout: float | None = None
    encoding: bool = False
    """Show the network the crops' cameras, by PersPose's perspective encoding. Those of data sets
    aren't told, and it sees none then."""
    rotation: bool = False
    """Turn the camera to each person before the crop is cut, by PersPose's perspective rotation."""
    ignore_3d: bool | None = None
    rest: float | None = None
    mixture: str | None = None
    freeze_norm: bool = False
    """Leave the statistics of batch normalisation as they are, as very small batches want it; only
    with --start: in an untrained network nothing is normalised then, and losses leap."""

    def recipe(self) -> Recipe:
        """The preset with what was given in its place. Raises PosecastError for what can't be."""
        names = {entry.name for entry in fields(Recipe)} - {"semantics", "weights", "crops"}
        recipe = replace(PRESETS[self.preset], **self.given(names))
        if self.encoding and not self.people:
            raise PosecastError("--encoding shows cameras, which only people tell: give --people.")
        if self.rotation and self.data is not None:
            raise PosecastError(
                "--rotation needs everybody's camera, which data sets in SPIN's layout don't tell: "
                "give --people, without --data."
            )
        try:
            if self.semantics is not None:
                chosen = None if self.semantics == "none" else preset(self.semantics)
                recipe = replace(recipe, semantics=chosen)
        except ValueError as error:
            raise PosecastError(f"--semantics: {error}, none.") from error
        if recipe.semantics and self.start_epoch is not None:
            after = replace(recipe.semantics, start_epoch=self.start_epoch)
            recipe = replace(recipe, semantics=after)
        return recipe
