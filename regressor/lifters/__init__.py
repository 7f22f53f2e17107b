"""2D keypoints to 3D joints: the table of networks by name.

Every lifter takes keypoints (B, T, J, 2) in normalised screen coordinates, MotionBERT's with a
confidence beside them, and gives root-relative joints (B, n, J, 3): its `answers` says of which
frames (`windows.py`). A new lifter is one file and one line in `_LIFTERS`; with weights in
`weights/` it is a method of `regressor.estimate` and stands in the add-on's menu.
"""

import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regressor.errors import FileFormatError, PosecastError

if TYPE_CHECKING:  # menus ask for the names, and shouldn't wait for torch
    from torch import nn

WEIGHTS = Path(__file__).parent / "weights"
# name: (module, class, the authors' name for it, one sentence on it)
_LIFTERS = {
    "ktpformer": (
        "regressor.lifters.ktpformer",
        "KTPFormer",
        "KTPFormer",
        "Transformer over joints and time that starts from the skeleton's graph and the frames' "
        "chain (CVPR 2024).",
    ),
    "mixste": (
        "regressor.lifters.mixste",
        "MixSTE",
        "MixSTE",
        "Transformer that looks in turn at the joints of a frame and at a joint through time "
        "(CVPR 2022).",
    ),
    "hot_mixste": (
        "regressor.lifters.hourglass",
        "HoTMixSTE",
        "HoT-MixSTE",
        "MixSTE that thinks about a third of the frames and answers for all (HoT, CVPR 2024).",
    ),
    "tpc_mixste": (
        "regressor.lifters.hourglass",
        "TPCMixSTE",
        "TPC-MixSTE",
        "MixSTE that ends with the frames that tell most, for the middle one (HoT, CVPR 2024).",
    ),
    "videopose3d": (
        "regressor.lifters.videopose3d",
        "VideoPose3D",
        "VideoPose3D",
        "Temporal convolutions, the baseline that all compare to; lifts a video in one pass "
        "(CVPR 2019).",
    ),
    "motionbert": (
        "regressor.lifters.motionbert",
        "MotionBERT",
        "MotionBERT",
        "Two streams of a transformer, over joints and over time, that read the keypoints' "
        "confidence too (ICCV 2023).",
    ),
    "hot_motionbert": (
        "regressor.lifters.hourglass_motionbert",
        "HoTMotionBERT",
        "HoT-MotionBERT",
        "MotionBERT that thinks about a third of the frames and answers for all (HoT, CVPR 2024).",
    ),
    "mhformer": (
        "regressor.lifters.mhformer",
        "MHFormer",
        "MHFormer",
        "Transformer that weighs three hypotheses of the pose of a window's middle frame "
        "(CVPR 2022).",
    ),
    "tpc_mhformer": (
        "regressor.lifters.hourglass_mhformer",
        "TPCMHFormer",
        "TPC-MHFormer",
        "MHFormer that ends with the third of the frames that tells most (HoT, CVPR 2024).",
    ),
    "convformer": (
        "regressor.lifters.convformer",
        "ConvFormer",
        "ConvFormer",
        "Transformer with convolutions of several sizes for its queries, keys and values; few "
        "parameters (2024).",
    ),
    "gla_gcn": (
        "regressor.lifters.gla_gcn",
        "GLAGCN",
        "GLA-GCN",
        "Graph convolutions over joints and time, small, made for accurate keypoints (ICCV 2023).",
    ),
    "uao": (
        "regressor.lifters.uao",
        "UAO",
        "UAO",
        "Graph convolution and MLPs over one frame; says how sure it is of each joint (TMM 2025).",
    ),
}


def names() -> list[str]:
    """The lifters that `create` knows."""
    return list(_LIFTERS)


def describe(name: str) -> str:
    """One sentence on a lifter, for help texts and menus."""
    return _entry(name)[3]


def label(name: str) -> str:
    """A lifter's name as its authors write it."""
    return _entry(name)[2]


def shipped_weights(name: str) -> Path | None:
    """The weights that come with Posecast, None for a lifter that needs a file of the user's."""
    file = WEIGHTS / f"{name}_small.safetensors"
    return file if file.is_file() else None


def create(name: str, **options) -> "nn.Module":
    """A new network with random parameters; `options` are those of its class."""
    known = option_names(name)
    if unknown := [option for option in options if option not in known]:
        raise PosecastError(
            f"{name} has no option {unknown[0]}: its options are {', '.join(known)}."
        )
    return _class(name)(**options)


def option_names(name: str) -> list[str]:
    """What `create` takes besides the lifter's name."""
    return list(inspect.signature(_class(name)).parameters)


def options_of(name: str, state: Mapping[str, Any], source: str) -> dict[str, int]:
    """The options that an authors' checkpoint of network `name` was made with, by its shapes.

    Raises FileFormatError where the file `source` is for another network.
    """
    module, *_ = _entry(name)
    try:
        return importlib.import_module(module).options_of(state)
    except (KeyError, IndexError) as error:
        raise FileFormatError(
            f"{source} is for another network than {name}: it has no parameter {error}."
        ) from error


def _class(name: str) -> type["nn.Module"]:
    module, class_name, *_ = _entry(name)
    return getattr(importlib.import_module(module), class_name)


def _entry(name: str) -> tuple[str, str, str, str]:
    if name not in _LIFTERS:
        raise PosecastError(f"There is no lifter called {name}: choose {' or '.join(_LIFTERS)}.")
    return _LIFTERS[name]
