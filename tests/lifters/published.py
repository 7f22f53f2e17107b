"""What the tests of the lifters share: golden files, and checkpoints as the authors write them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tests.golden.fill import fill

GOLDEN = Path(__file__).parents[1] / "golden"


def golden(name: str) -> tuple[dict, Mapping[str, np.ndarray]]:
    """(facts, arrays) of a published network."""
    return json.loads((GOLDEN / f"{name}.json").read_text()), np.load(GOLDEN / f"{name}.npz")


def filled(network: nn.Module, shapes: Mapping[str, Sequence[int]]) -> nn.Module:
    """`network` with the golden parameters, ready to predict."""
    network.load_state_dict({name: torch.from_numpy(v) for name, v in fill(shapes).items()})
    return network.eval()


def authors_checkpoint(file: Path, shapes: Mapping[str, Sequence[int]]) -> None:
    """A file as the authors' training writes it; parameter i is filled with the number i.

    The tensors are stretched from one number each, so that millions of parameters take no space.
    """
    weights = {
        "module." + name: torch.tensor(float(i)).expand(shape)
        for i, (name, shape) in enumerate(shapes.items())
    }
    content = {
        "epoch": 80,
        "lr": np.float64(3.6e-5),
        "random_state": np.random.RandomState(1234),
        "optimizer": {"state": {0: {"step": torch.tensor(5.0)}}, "param_groups": [{"lr": 8e-5}]},
        "model_pos": weights,
    }
    torch.save(content, file)


def holds_its_numbers(network: nn.Module, shapes: Mapping[str, Sequence[int]]) -> bool:
    """Whether each parameter is what `authors_checkpoint` wrote for it."""
    state = network.state_dict()
    return [int(state[name].flatten()[-1]) for name in shapes] == list(range(len(shapes)))


def count(network: nn.Module) -> int:
    """The number of parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def assert_every_parameter_learns(network: nn.Module, outputs: torch.Tensor) -> None:
    """Each parameter of `network` gets a gradient from its `outputs`."""
    outputs.square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []
