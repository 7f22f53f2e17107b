"""Weights of networks: the authors' checkpoints in, our own safetensors in and out.

Our files carry their network's name and options in the header, so that one file rebuilds its
network by itself; a large network may be one set of files (`name-00001-of-00004.safetensors`, …),
of which any stands for all. Nothing that a file contains is ever run.
"""

import contextlib
import json
import re
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from regressor.errors import FileFormatError, PosecastError, first_few
from regressor.files import replacing
from regressor.methods import table
from regressor.safe_pickle import Dropped, refusal

# What authors' files call the part that holds the weights.
_WEIGHT_KEYS = ("model_pos", "state_dict", "model_state_dict", "model")
_HEADER = "posecast"
# Objects that training scripts leave in checkpoints (random states, scores, the command line's
# options) and nobody needs.
_UNUSED_NAMES = [
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.random._pickle.__randomstate_ctor",
    "numpy.random._pickle.__bit_generator_ctor",
    "numpy.random._mt19937.MT19937",
    "numpy.random.bit_generator.SeedSequence",
    "numpy.random.__RandomState_ctor",
    "argparse.Namespace",
    *(
        f"numpy.{core}.{name}"
        for core in ("core", "_core")
        for name in ("multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer")
    ),
]
# Dictionaries of a training's settings, of Lightning and of yacs (which DSR uses), come as plain
# ones.
_SETTINGS_NAMES = ["yacs.config.CfgNode", "pytorch_lightning.utilities.parsing.AttributeDict"]
_PART = re.compile(r"-(\d{5})-of-(\d{5})$")
PART_BYTES = 15_500_000


def load_published(
    network: nn.Module,
    file_or_state_dict: str | Path | Mapping,
    start: Mapping[str, Tensor] | None = None,
) -> nn.Module:
    """Gives `network` the parameters of a checkpoint, which must be exactly its own; returns it.

    Takes a torch file of the authors, a safetensors file, or what one of them holds. `start` are
    parameters that stand in where the checkpoint lacks them (`images.hmr.read_mean_parameters`).
    Raises FileFormatError that names the parameters when they are those of another network.
    """
    source, content = "The state dict", file_or_state_dict
    if isinstance(content, str | Path):
        source, content = str(content), read_checkpoint(content)
    return _give(network, source, _weights(source, content), start)


def _give(
    network: nn.Module, source: str, state: Mapping[str, Tensor], start: Mapping[str, Tensor] | None
) -> nn.Module:
    """Gives `network` the parameters `state`, which `source` held."""
    rename = getattr(network, "published", dict)  # some know how their authors' names vary
    wanted = network.state_dict()
    # Batch norms' count of their steps, which torch 0.4.0 didn't save and evaluation doesn't need.
    counts = {name: value for name, value in wanted.items() if name.endswith("num_batches_tracked")}
    state = {**counts, **(start or {}), **rename(state)}
    _compare(source, state, wanted)
    network.load_state_dict(state)
    return network


def read_checkpoint(file: str | Path) -> Mapping[str, Any]:
    """What a .safetensors or torch file holds, on the CPU; NumPy objects in it are dropped."""
    try:
        if Path(file).suffix == ".safetensors":
            parts = _parts(Path(file))
            return {k: v for part in parts for k, v in safetensors.torch.load_file(part).items()}
        # Each name leads to a class that keeps nothing; everything else that torch doesn't know
        # to be data is refused by torch itself.
        harmless: list[Any] = [(Dropped, name) for name in _UNUSED_NAMES]
        harmless += [(OrderedDict, name) for name in _SETTINGS_NAMES]
        known = torch.serialization.safe_globals(harmless)
        with known, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a pickle that torch didn't write
            return torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise FileFormatError(f"{file} can't be read: {error.strerror}.") from error
    except FileFormatError:
        raise
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
    return sentence.format(first_few(items, most)) if items else ""


def _parts(file: Path) -> list[Path]:
    """The files that `file` stands for: itself, or the whole set that it is a part of.

    Raises FileFormatError that names a part that is missing.
    """
    found = _PART.search(file.stem)
    if not found:
        return [file]
    stem, count = file.stem[: found.start()], int(found[2])
    parts = [
        file.with_stem(f"{stem}-{number:05d}-of-{count:05d}") for number in range(1, count + 1)
    ]
    if missing := [part for part in parts if not part.is_file()]:
        raise FileFormatError(
            f"{missing[0]} can't be read: there is no such file, and the {count} parts belong "
            "together."
        )
    return parts


def save(
    network: nn.Module,
    file: str | Path,
    *,
    name: str,
    options: dict,
    card: dict,
    half: bool = False,
    part_bytes: int | None = None,
) -> list[Path]:
    """Writes a network as safetensors that `load` rebuilds; returns the files.

    `name` and `options` are what `lifters.create` or `images.create` takes; `card` says how the
    weights were made and what they score. `half` stores weights of two dimensions and more in half
    precision (biases and normalisations are small, and stay exact). Above `part_bytes` (PART_BYTES
    for shipping) the network is written as several files, whose names end in -00001-of-0000N.
    Raises PosecastError where a file can't be written, or a number is too large for half precision.
    """
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    if half:
        state = {key: _halved(key, value) for key, value in state.items()}
    header = json.dumps({"version": 1, "name": name, "options": options, "card": card})
    groups = list(_groups(state, part_bytes or 2**63))
    files = [Path(file)]
    if len(groups) > 1:
        stem, count = Path(file).stem, len(groups)
        files = [Path(file).with_stem(f"{stem}-{i + 1:05d}-of-{count:05d}") for i in range(count)]
    with contextlib.ExitStack() as stack:  # no file takes its place before all are written
        for path, group in zip(files, groups, strict=True):
            partial = stack.enter_context(replacing(path))
            partial.write_bytes(safetensors.torch.save(group, metadata={_HEADER: header}))
    return files


def _halved(name: str, value: Tensor) -> Tensor:
    if value.dtype != torch.float32 or value.dim() < 2:
        return value
    half = value.half()
    if not half.isfinite().all():
        raise PosecastError(f"{name} can't be stored in half precision: it is {value.abs().max()}.")
    return half


def _groups(state: dict[str, Tensor], most_bytes: int) -> Iterator[dict[str, Tensor]]:
    """The parameters in order, so many at a time as make no more than `most_bytes`."""
    group, size = {}, 0
    for name, value in state.items():
        if group and size + value.nbytes > most_bytes:
            yield group
            group, size = {}, 0
        group[name] = value
        size += value.nbytes
    yield group


def load(file: str | Path) -> tuple[nn.Module, dict]:
    """The network in a file of `save`, in eval mode, and its metadata (name, options, card)."""
    metadata = read_metadata(file)
    network = table(metadata["name"]).create(metadata["name"], **metadata["options"])
    return load_published(network, file).eval(), metadata


def load_authors(
    name: str, file: str | Path, start: Mapping[str, Tensor] | None = None
) -> nn.Module:
    """The network `name` with the authors' checkpoint, whose sizes its parameters tell.

    `start` stands in for parameters that the file lacks, as in `load_published`.
    """
    return load_authors_sized(name, file, start)[0]


def load_authors_sized(
    name: str, file: str | Path, start: Mapping[str, Tensor] | None = None
) -> tuple[nn.Module, dict[str, Any]]:
    """The network of `load_authors`, and the options that it was made with."""
    state, networks = _weights(str(file), read_checkpoint(file)), table(name)
    options = networks.options_of(name, state, str(file))
    return _give(networks.create(name, **options), str(file), state, start).eval(), options


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
