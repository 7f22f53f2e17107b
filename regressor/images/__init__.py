"""Pictures of people to SMPL: the table of networks by name.

Every network takes crops (B, 3, 224, 224) and gives an HmrOutput: rotmat, betas, cam. A new one is
one file and one line in `_NETWORKS`; with weights, shipped or named, it is a method of
`regressor.estimate`.
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
# name: (module, class, as its authors write it, one sentence on it)
_NETWORKS = {
    "dsr": (
        "regressor.images.hmr",
        "HMR",
        "DSR",
        "HMR's regressor from pictures to SMPL, as SPIN and DSR train it, by differentiable "
        "semantic rendering (ICCV 2021).",
    ),
    "located": (
        "regressor.images.located",
        "LocatedHMR",
        "DSR (located)",
        "Joints in the picture first, SMPL from them and it: learns in less time than HMR's.",
    ),
    "perspose": (
        "regressor.images.perspose",
        "PersPose",
        "PersPose",
        "Sees the camera as well as the picture, and turns towards each person (ICCV 2025).",
    ),
}
# Networks that go by the name of what trains them: their files are for that method.
_TRAINED_AS = {"located": "dsr"}
_ALIASES = {"hmr": "dsr", "spin": "dsr"}  # one network under the names of those who trained it


def names() -> list[str]:
    """The networks that are methods by themselves, without their further names."""
    return [name for name in _NETWORKS if name not in _TRAINED_AS]


def spellings() -> list[str]:
    """All names that `create` understands."""
    return [*_NETWORKS, *_ALIASES]


def describe(name: str) -> str:
    """One sentence on a network, for help texts and menus."""
    return _entry(name)[3]


def label(name: str) -> str:
    """A network's name as its authors write it."""
    return _entry(name)[2]


def plain(name: str) -> str:
    """The name in the table of a network that may go by another one."""
    return _ALIASES.get(name, name)


def method(name: str) -> str:
    """The method whose weights a file with a network of this name holds."""
    return _TRAINED_AS.get(name, plain(name))


def shipped_weights(name: str) -> Path | None:
    """The (first file of the) weights that come with Posecast, None where there are none."""
    # Who asks for SPIN's network by that name wants SPIN's weights.
    files = sorted(WEIGHTS.glob(f"{_TRAINED_AS.get(name, name)}*.safetensors"))
    return files[0] if files else None


def create(name: str, **options) -> "nn.Module":
    """A new network with random parameters; `options` are those of its class."""
    module, class_name, _, _ = _entry(name)
    network = getattr(importlib.import_module(module), class_name)
    known = list(inspect.signature(network).parameters)
    if unknown := [option for option in options if option not in known]:
        raise PosecastError(
            f"{name} has no option {unknown[0]}: its options are {', '.join(known)}."
        )
    return network(**options)


def options_of(name: str, state: Mapping[str, Any], source: str) -> dict[str, int]:
    """The options that an authors' checkpoint of network `name` was made with, by its shapes.

    Raises FileFormatError where the file `source` is for another network.
    """
    try:
        return importlib.import_module(_entry(name)[0]).options_of(state)
    except (KeyError, IndexError) as error:
        raise FileFormatError(
            f"{source} is for another network than {name}: it has no parameter {error}."
        ) from error


def _entry(name: str) -> tuple[str, str, str, str]:
    if plain(name) not in _NETWORKS:
        raise PosecastError(
            f"There is no image network called {name}: choose {' or '.join(spellings())}."
        )
    return _NETWORKS[plain(name)]
