"""The network that lifts keypoints, ready to work on its device."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from regressor import checkpoints, lifters
from regressor.errors import PosecastError
from regressor.lifters.windows import LifterInput

if TYPE_CHECKING:
    from torch import nn

# Published weights saw Human3.6M's films, MotionBERT's the detector's confidence as well; these
# alone answer in the picture's units.
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
    method: str, weights: Path | None = None, device: str = "auto", any_skeleton: bool = False
) -> tuple["nn.Module", LifterInput]:
    """The network on its device, and what it expects as input.

    weights: a file of `regressor.train`, or the authors' checkpoint; else what is shipped.
    any_skeleton: also networks of other joints than Human3.6M's 17, which videos are lifted to.
    Raises PosecastError for weights that can't be used.
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
        expects = _expected(card)
    else:
        network, card = checkpoints.load_authors(method, file), {}
        expects = replace(AUTHORS_INPUT, metric=not method.endswith("motionbert"))
    if not any_skeleton:
        check_skeleton(file, network, card)
    return network.to(device), expects


def check_skeleton(file: Path, network: "nn.Module", card: dict) -> None:
    """Raises PosecastError for joints or keypoints that a video's person isn't told by."""
    known = {card.get(name, "h36m17") for name in ("skeleton", "keypoint_skeleton")} - {"h36m17"}
    if int(network.joints) != 17:  # pyright: ignore[reportArgumentType]
        known.add(f"{network.joints} joints")
    if known:
        raise PosecastError(
            f"{file} is for another skeleton ({' and '.join(sorted(known))}), and videos are "
            "lifted to Human3.6M's 17 joints: give weights for these."
        )


def _expected(card: dict) -> LifterInput:
    return LifterInput(
        card["coordinates"], card["fps"], bool(card.get("confidence", False)),
        metric=card.get("unit", "m") == "m",
    )  # fmt: skip
