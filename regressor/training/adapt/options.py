"""The options of `train adapt`."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

from regressor.errors import PosecastError
from regressor.training.lifters.options import LifterOptions, LifterTraining
from regressor.training.lifters.recipes import LifterRecipe

DEFAULT_MINUTES = 30.0
FURTHER_RATE = 0.1  # of the recipe's learning rate, where a trained lifter goes on


@dataclass(kw_only=True)
class AdaptTraining(LifterOptions):
    """Options of `train adapt`. What isn't given is as in the lifter's preset."""

    lifter: str
    """A lifter's name."""
    source: Path
    """Where the 3D poses are from: a data set of Human3.6M's joints, or motion capture."""
    target: Path
    """What the lifter is made for, known by its 2D keypoints: a data set, a video, or a folder of
    videos, Motions, or Tracks in the estimator's cache."""
    start: Path | None = None
    """Weights to start from; without them the lifter is trained anew, as in the paper."""
    gpa: bool = True
    """Place the source's poses where the target's people are seen."""
    lpa: bool = True
    """Augment the source's poses by a generator that is trained first."""
    lpa_share: float = 0.25
    """Of the minutes that the generator is trained for."""
    lpa_steps: int | None = None
    """Steps of the generator, instead of its share of the minutes (or of the steps, where only
    these are given)."""
    lpa_batch: int = 1024
    generator: Path | None = None
    """A generator that was trained for the same source and target (lpa/generator.safetensors of
    another output), instead of training one."""
    augmented: float = 0.5
    """Share of augmented windows."""
    noise: float = 1.0
    """Of the keypoints that the lifter learns from, in a detector's errors."""
    coordinates: Literal["screen", "centred"] | None = None
    """What the lifter reads: the start's own; else centred, as the other lifters here."""
    target_detections: str = "gt"
    """Which 2D keypoints of a data set."""
    target_fov: float | None = None
    """Horizontal field of view of the target's cameras in degrees; else the data set's or the
    file's own, else assumed."""
    target_fps: float | None = None
    """Frames a second to look at in videos; their own by default."""
    detector: Literal["mediapipe"] = "mediapipe"
    """What finds people in videos."""
    cache: Path | None = None
    """A folder that keeps what was found in videos; output/cache if not given."""
    fps: float | None = None
    """Frames a second of the source; the start's own, or the preset's."""
    check_windows: int = 384
    """Held-out windows, placed as the target's people, on which errors are measured."""

    def check(self) -> None:
        super().check()
        for name in ("lpa_share", "augmented"):
            if not 0 <= getattr(self, name) < 1:
                raise PosecastError(f"--{name.replace('_', '-')} has to be from 0 to below 1.")
        if self.noise < 0 or self.lpa_batch < 2:
            raise PosecastError("--noise can't be below 0, --lpa-batch below 2.")

    @property
    def time(self) -> float | None:
        """Minutes of all; --steps alone has no end in time."""
        given = self.minutes is not None or self.steps is not None
        return self.minutes if given else DEFAULT_MINUTES

    @property
    def lpa_minutes(self) -> float | None:
        """Minutes of the generator's training."""
        made = not self.lpa or self.generator is not None or self.lpa_steps is not None
        return None if made or self.time is None else self.lpa_share * self.time

    @property
    def generator_steps(self) -> int | None:
        """Steps of the generator's training, where they end it."""
        if self.lpa_steps is not None or self.time is not None or self.steps is None:
            return self.lpa_steps
        return max(1, round(self.lpa_share / (1 - self.lpa_share) * self.steps))

    def training(self) -> LifterTraining:
        """The same as options of the lifter's own training, for the time that is left to it."""
        given = {entry.name: getattr(self, entry.name) for entry in fields(LifterOptions)}
        minutes = None if self.time is None else self.time - (self.lpa_minutes or 0)
        return LifterTraining(**{**given, "minutes": minutes}, data=self.source, model=self.lifter)

    def lpa_training(self) -> LifterTraining:
        """The same for the generator, in a folder beside."""
        training = self.training()
        return replace(
            training, output=training.folder / "lpa", minutes=self.lpa_minutes,
            steps=self.generator_steps, check_windows=0,
        )  # fmt: skip

    def recipe(self) -> LifterRecipe:
        """The preset with what was given in its place. Raises PosecastError for what can't be."""
        self.check()
        recipe = self.training().recipe()
        if self.start is not None and self.learning_rate is None:
            recipe = replace(recipe, learning_rate=FURTHER_RATE * recipe.learning_rate)
        return recipe
