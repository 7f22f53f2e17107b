"""Weights of networks: the authors' checkpoints in, our own safetensors in and out.

Our files carry their network's name and options in the header, so that one file rebuilds its
network by itself. Nothing that a file contains is ever run.
"""

import contextlib
import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from regressor import lifters
from regressor.errors import FileFormatError
from regressor.files import replacing
from regressor.safe_pickle import Dropped, refusal

# What authors' files call the part that holds the weights.
_WEIGHT_KEYS = ("model_pos", "state_dict", "model_state_dict", "model")
_HEADER = "posecast"
# NumPy objects that training scripts leave in checkpoints (random states, scores) and nobody needs.
_NUMPY_NAMES = [
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.random._pickle.__randomstate_ctor",
    "numpy.random._pickle.__bit_generator_ctor",
    "numpy.random._mt19937.MT19937",
    "numpy.random.bit_generator.SeedSequence",
    "numpy.random.__RandomState_ctor",
    *(
        f"numpy.{core}.{name}"
        for core in ("core", "_core")
        for name in ("multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer")
    ),
]


def load_published(network: nn.Module, file_or_state_dict: str | Path | Mapping) -> nn.Module:
    """Gives `network` the parameters of a checkpoint, which must be exactly its own; returns it.

    Takes a torch file of the authors, a safetensors file, or what one of them holds. Raises
    FileFormatError that names the parameters when they are those of another network.
    """
    source, content = "The state dict", file_or_state_dict
    if isinstance(content, str | Path):
        source, content = str(content), read_checkpoint(content)
    state = _weights(source, content)
    _compare(source, state, network.state_dict())
    network.load_state_dict(state)
    return network


def read_checkpoint(file: str | Path) -> Mapping[str, Any]:
    """What a .safetensors or torch file holds, on the CPU; NumPy objects in it are dropped."""
    try:
        if Path(file).suffix == ".safetensors":
            return safetensors.torch.load_file(file)
        # Each name leads to a class that keeps nothing; everything else that torch doesn't know
        # to be data is refused by torch itself.
        known = torch.serialization.safe_globals([(Dropped, name) for name in _NUMPY_NAMES])
        with known, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a pickle that torch didn't write
            return torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise FileFormatError(f"{file} can't be read: {error.strerror}.") from error
    except Exception as error:  # a broken or hostile file can fail in any way
        if named := re.search(r"GLOBAL ([\w.]+)|module ([\w.]+)", str(error)):
            raise FileFormatError(refusal(file, named[1] or named[2])) from None
        raise FileFormatError(
            f"{file} is not a readable checkpoint: it may be incomplete or a file of another kind."
        ) from error


def _weights(source: str, content: Any) -> dict[str, Tensor]:
    """The parameters in a checkpoint's dictionary, by their names in the network."""
    if isinstance(content, Mapping):
        for key in _WEIGHT_KEYS:
            if isinstance(content.get(key), Mapping):
                content = content[key]
                break
    if not isinstance(content, Mapping) or not content:
        raise FileFormatError(f"{source} holds no parameters: give a checkpoint of the network.")
    if not all(isinstance(value, Tensor) for value in content.values()):
        raise FileFormatError(
            f"{source} holds more than parameters: give the network's part of it."
        )
    # torch's DataParallel puts its own name before every parameter.
    if all(name.startswith("module.") for name in content):
        return {name.removeprefix("module."): value for name, value in content.items()}
    return dict(content)


def _compare(source: str, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Raises FileFormatError that names what doesn't fit, a few of each kind."""

    def shape(name: str) -> str:
        return f"{name} is {tuple(found[name].shape)} instead of {tuple(wanted[name].shape)}"

    common = [name for name in wanted if name in found]
    complaints = [
        _listed("it lacks {}", [name for name in wanted if name not in found]),
        _listed("it has {} beside them", [name for name in found if name not in wanted]),
        _listed("{}", [shape(n) for n in common if found[n].shape != wanted[n].shape]),
    ]
    if any(complaints):
        raise FileFormatError(
            f"{source} is for another network: {'; '.join(filter(None, complaints))}."
        )


def _listed(sentence: str, items: list[str], most: int = 3) -> str:
    if not items:
        return ""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return sentence.format(", ".join(items[:most]) + more)


def save(network: nn.Module, file: str | Path, *, name: str, options: dict, card: dict) -> None:
    """Writes a network as safetensors that `load` rebuilds.

    `name` and `options` are what `lifters.create` takes; `card` says how the weights were made and
    what they score. Raises PosecastError where the file can't be written.
    """
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    header = json.dumps({"version": 1, "name": name, "options": options, "card": card})
    with replacing(file) as partial:
        partial.write_bytes(safetensors.torch.save(state, metadata={_HEADER: header}))


def load(file: str | Path) -> tuple[nn.Module, dict]:
    """The network in a file of `save`, in eval mode, and its metadata (name, options, card)."""
    metadata = read_metadata(file)
    network = lifters.create(metadata["name"], **metadata["options"])
    return load_published(network, file).eval(), metadata


def load_authors(name: str, file: str | Path) -> nn.Module:
    """The network `name` with the authors' checkpoint, whose sizes its parameters tell."""
    state = _weights(str(file), read_checkpoint(file))
    network = lifters.create(name, **lifters.options_of(name, state, str(file)))
    return load_published(network, state).eval()


def read_metadata(file: str | Path) -> dict:
    """The header of a file of `save`: version, name, options, card; reads no weights."""
    header = None
    try:
        with safetensors.safe_open(file, framework="pt") as content:
            header = (content.metadata() or {}).get(_HEADER)
    except FileNotFoundError as error:
        raise FileFormatError(f"{file} can't be read: there is no such file.") from error
    except (OSError, safetensors.SafetensorError) as error:
        raise FileFormatError(f"{file} is not a readable safetensors file.") from error
    with contextlib.suppress(TypeError, ValueError):
        metadata = json.loads(header or "")
        if metadata.keys() >= {"name", "options", "card"}:
            return metadata
    raise FileFormatError(
        f"{file} doesn't say which network it is for: only files that Posecast saved do."
    )
