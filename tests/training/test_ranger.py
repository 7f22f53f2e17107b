"""Ranger against the trajectory of the published optimiser."""

import numpy as np
import torch

from regressor.training.ranger import Ranger
from tests.golden.fill import uniform
from tests.lifters.published import golden

TRAJECTORY = torch.from_numpy(golden("gla_gcn_ranger")[1]["trajectory"])


def numbers(name: str) -> torch.Tensor:
    """Five numbers in [-1, 1) that follow from `name`."""
    return torch.from_numpy((2 * uniform(name, 5) - 1).astype(np.float32))


def start() -> tuple[torch.nn.Parameter, Ranger]:
    """The golden parameter and its optimiser."""
    parameter = torch.nn.Parameter(numbers("ranger.start"))
    return parameter, Ranger([parameter], lr=0.01)


def step(parameter: torch.nn.Parameter, optimiser: Ranger, number: int) -> None:
    """Step `number`, from 1 on, with its golden gradient."""
    parameter.grad = numbers(f"ranger.grad{number}")
    optimiser.step()


def test_same_trajectory_as_the_published_optimiser():
    parameter, optimiser = start()
    rows = [parameter.detach().clone()]
    for number in range(1, 21):
        step(parameter, optimiser, number)
        rows.append(parameter.detach().clone())
    torch.testing.assert_close(torch.stack(rows), TRAJECTORY, atol=1e-6, rtol=0)


def test_it_resumes_where_it_stopped():
    parameter, optimiser = start()
    for number in range(1, 9):
        step(parameter, optimiser, number)
    state = optimiser.state_dict()
    other = torch.nn.Parameter(parameter.detach().clone())
    resumed = Ranger([other], lr=0.01)
    resumed.load_state_dict(state)
    for number in range(9, 21):
        step(other, resumed, number)
    torch.testing.assert_close(other.detach(), TRAJECTORY[20], atol=1e-6, rtol=0)


def test_a_parameter_without_a_gradient_stays():
    used, unused = torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(3))
    optimiser = Ranger([used, unused], lr=0.1)
    for _ in range(6):
        loss = optimiser.step(lambda: used.square().sum().backward() or 7.0)
    assert loss == 7.0 and used.max() < 1 and torch.equal(unused, torch.ones(3))
