"""What can be done with a video here, as JSON for menus: `python -m regressor.methods`."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import tyro

from regressor import images, lifters, refine
from regressor.errors import PosecastError


@dataclass
class Options:
    """Options of `methods`."""

    weights: Path | None = None
    """Weights of your own: the methods that run with them are listed as well."""


def table(name: str) -> ModuleType:
    """The table of networks that knows `name`: `regressor.images`, or else `regressor.lifters`."""
    return images if name in images.spellings() else lifters


def names() -> list[str]:
    """All methods of `regressor.estimate`, with their further names."""
    return [*lifters.names(), *images.spellings()]


def shipped_weights(name: str) -> Path | None:
    """The (first file of the) weights that come with Posecast, None where there are none."""
    return table(name).shipped_weights(name)


def methods(weights: Path | None = None) -> list[dict[str, str]]:
    """name, label and description of each method whose weights are shipped, or are `weights`.

    A file of `regressor.train` names its network; an authors' checkpoint may be for any.
    Raises FileFormatError where `weights` can't be read.
    """
    known = [*lifters.names(), *images.names()]
    mine = set()
    if weights is not None:
        mine = set(known)
        if weights.suffix == ".safetensors":
            from regressor.checkpoints import read_metadata  # imports torch

            mine = {images.method(read_metadata(weights)["name"])}
    return [
        {
            "name": name,
            "label": table(name).label(name),
            "description": table(name).describe(name),
        }
        for name in known
        if name in mine or shipped_weights(name)
    ]


def refinements() -> list[dict[str, str]]:
    """name, label and description of what may be asked for besides smoothing and contacts, and for
    which methods.
    """
    fitting = " ".join(lifters.names())
    return [
        {"name": name, "label": label, "description": description, "methods": fitting}
        for name, (label, description) in refine.REFINEMENTS.items()
    ]


def main() -> None:
    options = tyro.cli(Options, prog="python -m regressor.methods", description=__doc__)
    try:
        found = {"methods": methods(options.weights), "refinements": refinements()}
    except PosecastError as error:
        sys.exit(str(error))
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
