"""The options of `train lifter`."""

import math
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from regressor.data import mocap
from regressor.errors import PosecastError
from regressor.training.lifters.recipes import LifterRecipe, Optimiser, Preset, recipe_of
from regressor.training.options import RunOptions

_POSITIVE = ("batch", "learning_rate", "epochs", "fps", "frames", "dim", "depth", "heads")
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
    depth: int | None = None
    heads: int | None = None
    options: dict[str, float] = field(default_factory=dict)
    """Further options of the network."""
    batch: int | None = None
    learning_rate: float | None = None
    fps: float | None = None
    """Frames a second of motion capture, a divisor of its own rate."""
    shapes: int = 4
    """Random bodies that each motion is put on."""
    held_out: tuple[str, ...] = tuple(map(str, mocap.HELD_OUT))
    """Subjects of motion capture on whom errors are measured, and nothing is learned."""
    check_windows: int = 384
    """Held-out windows on which errors are measured; 0 for none."""
    check_every: int = 1000
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
    """What to learn from: the folder or file of a data set (Human3.6M, MPI-INF-3DHP, HumanEva,
    3DPW), or motion capture (cmu_motion.npz, BVH, ASF/AMC, AMASS), which random cameras see."""
    model: str = "ktpformer"
    """A lifter's name."""
    preset: Preset = "cpu"
    """paper: the authors' network and training; cpu: a small one for a processor, 60 minutes."""
    detections: str = "gt"
    """The 2D keypoints of a data set: gt, cpn_ft_h36m_dbb, …"""
    optimiser: Optimiser | None = None
    epochs: int | None = None
    average: float | None = None
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
        given = {name: getattr(self, name) for name in shared if getattr(self, name) is not None}
        sizes = {name: getattr(self, name) for name in ("frames", "dim", "depth", "heads")}
        further = {n: int(v) if float(v).is_integer() else v for n, v in self.options.items()}
        network = {**recipe.network, **{n: v for n, v in sizes.items() if v is not None}, **further}
        return replace(recipe, network=network, **given)
