"""The options of `train lifter`."""

import math
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from regressor.data import mocap
from regressor.errors import PosecastError
from regressor.training.lifters.losses import Loss
from regressor.training.lifters.recipes import (
    Flip,
    LifterRecipe,
    Optimiser,
    Preset,
    Schedule,
    Windows,
    recipe_of,
)
from regressor.training.options import RunOptions

_POSITIVE = (
    "batch", "learning_rate", "epochs", "fps", "frames", "dim", "depth", "heads", "decay", "drop",
    "subset", "metres_per_unit", "amc_fps",
)  # fmt: skip
_OF_DATA_SETS = ("flip", "windows", "downsample")
_OF_MOCAP = ("up", "metres_per_unit", "amc_fps")
WEIGHTS = ".safetensors"
DEFAULT_MINUTES = 60.0


@dataclass(kw_only=True)
class LifterOptions(RunOptions):
    """What is asked alike of all trainings of lifters."""

    output: Path
    """A folder, or the weights' file (.safetensors), beside which a folder of the same name stands:
    state to resume from, curves. The same command goes on from there."""
    preset: Preset = "cpu"
    """paper: the authors' network and training; cpu: a small one for a processor."""
    frames: int | None = None
    """Frames of a window."""
    dim: int | None = None
    """Channels of each joint, or of a frame where the network has one vector for all."""
    depth: int | None = None
    """How many of its blocks follow each other."""
    heads: int | None = None
    """Of each attention; they share the channels."""
    options: dict[str, float] = field(default_factory=dict)
    """Further options of the network."""
    batch: int | None = None
    """Windows a step, on each device."""
    learning_rate: float | None = None
    """Its highest value."""
    fps: float | None = None
    """Frames a second of motion capture, a divisor of its own rate."""
    shapes: int = 4
    """Random bodies that each motion is put on."""
    held_out: tuple[str, ...] = tuple(map(str, mocap.HELD_OUT))
    """Subjects of motion capture on whom errors are measured, and nothing is learned."""
    check_windows: int = 384
    """Held-out windows on which errors are measured; 0 for none."""
    check_every: int = 1000
    """Steps between checks on what is held out."""
    log_every: int = 50
    threads: int | None = None
    """Of the processor; the cpu preset takes one if nothing is said."""

    @property
    def folder(self) -> Path:
        return self.output.with_suffix("") if self.output.suffix == WEIGHTS else self.output

    @property
    def threads_wanted(self) -> int | None:
        """None leaves as many as torch takes."""
        return self.threads or (1 if self.preset == "cpu" else None)


@dataclass(kw_only=True)
class LifterTraining(LifterOptions):
    """Options of `train lifter`. What isn't given is as in the preset."""

    data: Path
    """What to learn from: the folder or file of a data set (Human3.6M, also in MotionBERT's file,
    MPI-INF-3DHP, HumanEva, 3DPW), or motion capture (cmu_motion.npz, BVH, ASF/AMC, AMASS), which
    random cameras see."""
    model: str = "ktpformer"
    """A lifter's name."""
    preset: Preset = "cpu"
    """paper: the authors' network and training; cpu: a small one for a processor, 60 minutes."""
    detections: str = "gt"
    """The 2D keypoints of a data set: gt, cpn_ft_h36m_dbb, …, sh of MotionBERT's file."""
    up: Literal["y", "z"] | None = None
    """The axis that points up in BVH files, y if not given."""
    metres_per_unit: float | None = None
    """How many metres a unit of BVH files is, 0.01 where they count in cm; guessed by the legs'
    length if not given."""
    amc_fps: float | None = None
    """Frames a second of AMC files, which don't tell it; CMU's 120 if not given."""
    subset: float | None = None
    """Share of the training data to learn from, above 0 to 1: a part of each recording whose place
    follows from its length, as in VideoPose3D."""
    downsample: int | None = None
    """Take one of so many frames of a data set, to learn from and to check on."""
    optimiser: Optimiser | None = None
    """adam is with amsgrad; ranger is RAdam with Lookahead, GLA-GCN's."""
    weight_decay: float | None = None
    """From 0 to 1, of adam and adamw."""
    schedule: Schedule | None = None
    """Of the learning rate. epochs: times --decay after each epoch; cosine: a short rise, then down
    over the steps or the minutes; cosine-epochs: a cosine down to 1e-5 over all epochs."""
    decay: float | None = None
    """What the learning rate is multiplied by after each epoch, above 0 to 1."""
    drop: float | None = None
    """What it is multiplied by instead after every fifth epoch, above 0 to 1."""
    epochs: int | None = None
    """How often all windows are seen."""
    windows: Windows | None = None
    """Of a data set. chunks: they follow each other; frames: one around each frame; clips: they
    overlap by two thirds, none beyond the ends."""
    flip: Flip | None = None
    """Learn from the mirrored windows of a data set too (GLA-GCN's -da), or mirror them at random;
    half of the windows of motion capture are mirrored in any case."""
    label_noise: bool | None = None
    """Turn targets by -5, 0 or 5 degrees about the viewing axis and scale their x and y by 0.95, 1
    or 1.05, as GLA-GCN's code does."""
    norm_decay: bool | None = None
    """Let the momentum of batch normalisation go down from 0.1 to 0.001 over the epochs."""
    loss: dict[str, float] = field(default_factory=dict)
    """Weights of the loss's terms beside the mean distance: velocity (of steps from frame to
    frame), still (of the prediction's own steps), scaled (of the distance after each frame's best
    scale); weighted 1 or 0: limbs' ends count more; squared 1 or 0: half of the square goes down.
    E.g. --loss velocity 20 scaled 0.5."""
    average: float | None = None
    """How much of the running average of the weights is kept at each step, 0 to 1; 0 averages
    nothing."""
    clip: float | None = None
    """Longest gradient, in norm; 0 clips none."""
    compiled: bool = False
    """The network through torch.compile: a first minute is lost, then steps take less time
    (of MixSTE in bf16 a third less). Needs a C++ compiler."""

    @property
    def weights(self) -> Path:
        """Where the weights go."""
        named = self.output.suffix == WEIGHTS
        return self.output if named else self.output / f"{self.model}{WEIGHTS}"

    @property
    def time(self) -> float | None:
        """The minutes to train; the cpu preset ends by itself."""
        given = self.minutes is not None or self.steps is not None or self.epochs is not None
        return self.minutes if given or self.preset == "paper" else DEFAULT_MINUTES

    def recipe(self) -> LifterRecipe:
        """The preset with what was given in its place. Raises PosecastError for what can't be."""
        self.check()
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise PosecastError(f"--{name.replace('_', '-')} {value} has to be above 0.")
        recipe = recipe_of(self.model, self.preset)
        shared = {entry.name for entry in fields(LifterRecipe)} & {e.name for e in fields(self)}
        shared.remove("loss")
        given = {name: getattr(self, name) for name in shared if getattr(self, name) is not None}
        sizes = {name: getattr(self, name) for name in ("frames", "dim", "depth", "heads")}
        further = {n: int(v) if float(v).is_integer() else v for n, v in self.options.items()}
        network = {**recipe.network, **{n: v for n, v in sizes.items() if v is not None}, **further}
        given["loss"] = self._loss(recipe.loss)
        recipe = replace(recipe, network=network, **given)
        self._check_pace(recipe)
        return recipe

    def _loss(self, preset: Loss) -> Loss:
        """The preset's with the weights that are given."""
        if self.loss and self.model == "uao":
            raise PosecastError("--loss isn't for uao, which learns by its own likelihood.")
        kinds = {entry.name: type(entry.default) for entry in fields(Loss)}
        for name, weight in self.loss.items():
            if name not in kinds:
                raise PosecastError(f"--loss has no {name}: its terms are {', '.join(kinds)}.")
            if not 0 <= weight < math.inf or (kinds[name] is bool and weight not in (0, 1)):
                wanted = "1 or 0" if kinds[name] is bool else "a number not below 0"
                raise PosecastError(f"--loss {name} {weight:g} has to be {wanted}.")
        return replace(preset, **{name: kinds[name](w) for name, w in self.loss.items()})

    def _check_pace(self, recipe: LifterRecipe) -> None:
        """Raises PosecastError for what would be given in vain."""
        for name in ("decay", "drop"):
            if getattr(self, name) is not None and recipe.schedule != "epochs":
                raise PosecastError(
                    f"--{name} is for --schedule epochs, and this one is {recipe.schedule}."
                )
        if self.weight_decay and recipe.optimiser == "ranger":
            raise PosecastError("--weight-decay isn't for ranger: choose another --optimiser.")

    def check_kind(self, kind: str) -> None:
        """Raises PosecastError for options that this kind of data, as `recognise` has it, lacks."""
        mocap = kind == "mocap_files"
        vain, meant, given = (
            (_OF_DATA_SETS, "data sets", "motion capture")
            if mocap
            else (_OF_MOCAP, "motion capture", "a data set")
        )
        if named := [name for name in vain if getattr(self, name) is not None]:
            hint = "; give --fps." if named[0] == "downsample" else "."
            raise PosecastError(
                f"--{named[0].replace('_', '-')} is for {meant}, and {self.data} is {given}{hint}"
            )

    def reading(self) -> dict[str, Any]:
        """What was given of how motion capture is read (`data.mocap_files.MocapOptions`)."""
        given = {name: getattr(self, name) for name in _OF_MOCAP}
        return {name: value for name, value in given.items() if value is not None}
