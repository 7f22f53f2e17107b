"""How each lifter is trained: its authors' recipe, and a small one for a processor.

Sources: the authors' training code at the states that their files' docstrings name, and for
ConvFormer, which published none, its paper. All data is in metres here; MotionBERT's own is in
units of the picture, so its recipe is taken over with targets in metres. HoT gives no recipe for
MotionBERT: MotionBERT's own stands in. Nobody's best epoch is chosen by the test subjects here.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from regressor import lifters
from regressor.errors import PosecastError
from regressor.training.lifters.losses import Loss

Preset = Literal["paper", "cpu"]
Optimiser = Literal["adamw", "adam", "ranger"]
Schedule = Literal["cosine", "epochs", "cosine-epochs"]
Windows = Literal["chunks", "frames", "clips"]
Flip = bool | Literal["random"]


@dataclass(frozen=True)
class LifterRecipe:
    """One configuration of network and training."""

    network: dict[str, Any] = field(default_factory=dict)
    """Options of the network; the others are its defaults, which are the published ones."""
    optimiser: Optimiser = "adamw"
    """adam is with amsgrad; ranger is RAdam with Lookahead."""
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: Schedule = "epochs"
    """cosine: a short rise, then down over the steps or minutes; epochs: times `decay` after each,
    times `drop` instead after every fifth; cosine-epochs: anew each epoch, down to 1e-5."""
    decay: float = 1.0
    drop: float | None = None
    epochs: int = 100
    batch: int = 8
    """Windows a step, on each device."""
    windows: Windows = "frames"
    """chunks: windows follow each other; frames: one around each frame; clips: overlapping by two
    thirds, none beyond the ends."""
    flip: Flip = True
    """Mirrored windows beside the plain ones; random: each is mirrored or not, at random."""
    label_noise: bool = False
    """Targets, not inputs, turned about the viewing axis by -5, 0 or 5 degrees, and x and y scaled
    by 0.95, 1 or 1.05, as GLA-GCN's code does."""
    norm_decay: bool = False
    """The momentum of batch normalisation goes down from 0.1 to 0.001."""
    loss: Loss = field(default_factory=Loss)
    average: float = 0.0
    """How much of the running average of the weights is kept at each step; 0 averages nothing."""
    clip: float = 0.0
    """Longest gradient, in norm; 0 clips none. One that is no number is left out in any case."""
    fps: float = 50.0
    """Of motion capture, which is brought to it."""
    subset: float | None = None
    """Share of what there is to learn from; None is all."""
    downsample: int | None = None
    """Every so many frames of a data set one; None is each."""
    up: Literal["y", "z"] | None = None
    """This and the next two: how motion capture is read, as in `data.mocap_files`."""
    metres_per_unit: float | None = None
    amc_fps: float | None = None


_MIXSTE = LifterRecipe(
    learning_rate=4e-5, weight_decay=0.1, decay=0.99, epochs=120, batch=4, windows="chunks",
    loss=Loss(weighted=True, still=0.5, velocity=2.0, squared=True),
)  # fmt: skip
_HOT = replace(_MIXSTE, epochs=160, loss=replace(_MIXSTE.loss, squared=False))
_MOTIONBERT = LifterRecipe(
    learning_rate=2e-4, weight_decay=0.01, decay=0.99, epochs=120, batch=32, windows="clips",
    flip="random", loss=Loss(scaled=0.5, velocity=20.0),
)  # fmt: skip
_MHFORMER = LifterRecipe(
    optimiser="adam", learning_rate=1e-3, decay=0.95, drop=0.5, epochs=20, batch=128
)

PAPER: dict[str, LifterRecipe] = {
    "ktpformer": replace(_MIXSTE, learning_rate=8e-5, epochs=200, batch=8),
    "mixste": _MIXSTE,
    "hot_mixste": _HOT,
    "tpc_mixste": _HOT,
    "motionbert": _MOTIONBERT,
    "hot_motionbert": _MOTIONBERT,
    "mhformer": _MHFORMER,
    "tpc_mhformer": replace(_MHFORMER, batch=210),
    "convformer": LifterRecipe(
        optimiser="adam", learning_rate=1e-3, decay=0.95, epochs=60, batch=1024
    ),
    "gla_gcn": LifterRecipe(
        optimiser="ranger", learning_rate=0.01, schedule="cosine-epochs", epochs=80, batch=512,
        flip=False, label_noise=True, norm_decay=True,
    ),
    "videopose3d": LifterRecipe(
        optimiser="adam", learning_rate=1e-3, decay=0.95, epochs=80, batch=1024, norm_decay=True
    ),
    "uao": LifterRecipe(  # their loop ends one before the 40 epochs that its option names
        optimiser="adam", learning_rate=1e-3, decay=0.95, epochs=39, batch=128
    ),
}  # fmt: skip

# The term of the published loss that pulls every motion towards rest is left out.
_CPU = LifterRecipe(
    learning_rate=7e-4, weight_decay=0.02, schedule="cosine", epochs=100, batch=4,
    loss=Loss(weighted=True, velocity=2.0), average=0.998, clip=1.0, fps=12.5,
)  # fmt: skip
_SMALL = {"frames": 27, "dim": 64, "depth": 3, "heads": 4, "drop_path": 0.0, "dropout": 0.0}
# What differs from `_SMALL`. KTPFormer counts the pairs of blocks after the first.
_SMALL_OF: dict[str, dict[str, Any]] = {
    "ktpformer": {"depth": 2},
    "motionbert": {"depth": 2, "dim_rep": 64},
    "hot_motionbert": {"depth": 2, "dim_rep": 64},
    "mhformer": {"dim": 128, "depth": 2},
    "tpc_mhformer": {"dim": 128, "depth": 2},
    "convformer": {"dim": 16, "depth": 2},
    "gla_gcn": {"dim": 48, "depth": 0, "global_local": True},
    "videopose3d": {"dim": 256},
    "uao": {"dim": 128, "depth": 2},
}
# Windows a step, of networks that answer for one frame at a small price. In six minutes MixSTE
# came to 89 mm by steps of 4 windows, and to 117 mm by steps of 16: many steps tell most.
_BATCH_OF = {
    "mhformer": 8,
    "tpc_mhformer": 8,
    "convformer": 8,
    "gla_gcn": 8,
    "videopose3d": 256,
    "uao": 256,
}


def names() -> list[str]:
    """The lifters that can be trained."""
    return [name for name in lifters.names() if name in PAPER]


def recipe_of(model: str, preset: Preset) -> LifterRecipe:
    """The recipe for a lifter. Raises PosecastError for a lifter that there isn't."""
    if model not in names():
        raise PosecastError(f"There is no lifter called {model}: choose {' or '.join(names())}.")
    if preset == "paper":
        return PAPER[model]
    small, known = {**_SMALL, **_SMALL_OF.get(model, {})}, lifters.option_names(model)
    network = {name: value for name, value in small.items() if name in known}
    return replace(_CPU, network=network, batch=_BATCH_OF.get(model, _CPU.batch))
