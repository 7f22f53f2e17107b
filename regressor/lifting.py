"""The network that lifts keypoints, ready to work on its device."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from regressor import checkpoints, lifters
from regressor.errors import PosecastError
from regressor.lifters.windows import LifterInput

if TYPE_CHECKING:
    from torch import nn

# Published weights saw Human3.6M's films, MotionBERT's the detector's confidence as well.
AUTHORS_INPUT = LifterInput("screen", 50.0, confidence=True)


def device_of(name: str) -> str:
    """A device that is there; "auto" is the GPU where there is one. Raises PosecastError."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise PosecastError(f"There is no device {name!r} here: use --device cpu.") from error
    return name


def load_lifter(
    method: str, weights: Path | None = None, device: str = "auto"
) -> tuple["nn.Module", LifterInput]:
    """The network on its device, and what it expects as input.

    weights: a file of `regressor.train`, or the authors' checkpoint; else what is shipped.
    """
    device = device_of(device)
    file = weights or lifters.shipped_weights(method)
    if file is None:
        raise PosecastError(f"{method} comes without weights: name yours with --weights.")
    if weights is None or file.suffix == ".safetensors":
        network, metadata = checkpoints.load(file)
        if metadata["name"] != method:
            raise PosecastError(f"{file} is for --method {metadata['name']}, not for {method}.")
        card = metadata["card"]
        if not {"coordinates", "fps"} <= card.keys():
            raise PosecastError(
                f"{file} doesn't say what keypoints its network was trained on: give a lifter that "
                "`regressor.train` made."
            )
        return network.to(device), _expected(card)
    return checkpoints.load_authors(method, file).to(device), AUTHORS_INPUT


def _expected(card: dict) -> LifterInput:
    return LifterInput(card["coordinates"], card["fps"], bool(card.get("confidence", False)))
