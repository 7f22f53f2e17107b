"""UAO's network against the numbers of the authors' code, and its own promises."""

import numpy as np
import pytest
import torch

from regressor import lifters
from regressor.checkpoints import load_authors
from regressor.lifters.uao import adjacency, likelihood_loss
from tests.lifters.published import (
    assert_every_parameter_learns,
    authors_checkpoint,
    count,
    filled,
    golden,
    holds_its_numbers,
)

FACTS, ARRAYS = golden("uao")


@pytest.fixture(scope="module")
def network():
    """Two blocks, the golden parameters."""
    return filled(lifters.create("uao", depth=2), FACTS["shapes"])


@torch.no_grad()
def test_same_joints_uncertainty_and_loss_as_the_published_code(network):
    joints, s = network.forward_uncertain(torch.from_numpy(ARRAYS["input"]))
    np.testing.assert_allclose(joints, ARRAYS["mu"], atol=1e-5, rtol=0)
    np.testing.assert_allclose(s, ARRAYS["s"], atol=1e-5, rtol=0)
    target = torch.from_numpy(ARRAYS["target"]).clone()
    target[:, :, 0] = 0
    loss = likelihood_loss(joints, s, target)
    assert float(loss) == pytest.approx(FACTS["gaussian_loss"], abs=1e-5)
    assert torch.equal(network(torch.from_numpy(ARRAYS["input"])), joints)


def test_the_graph_is_the_published_constant_and_no_parameter(network):
    np.testing.assert_allclose(adjacency(), ARRAYS["adjacency"], atol=1e-7)
    assert not any("adjacency" in name for name in network.state_dict())


def test_authors_checkpoints_load(tmp_path):
    authors_checkpoint(tmp_path / "Model_Gaussian_p1_4941.pth", FACTS["full_shapes"])
    network = load_authors("uao", tmp_path / "Model_Gaussian_p1_4941.pth")
    assert holds_its_numbers(network, FACTS["full_shapes"])
    assert count(network) == 4_509_059 and not network.training


@torch.no_grad()
def test_frames_know_nothing_of_each_other():
    network = lifters.create("uao", dim=32, depth=1).eval()
    keypoints = torch.rand(2, 5, 17, 2)
    together = network(keypoints)
    assert together.shape == (2, 5, 17, 3)
    for frame in range(5):
        alone = network(keypoints[:, frame : frame + 1])
        torch.testing.assert_close(alone[:, 0], together[:, frame])


def test_every_parameter_learns_from_the_likelihood():
    network = lifters.create("uao", dim=16, depth=2, drop_path=0.0, dropout=0.0)
    joints, s = network.forward_uncertain(torch.rand(3, 1, 17, 2))
    assert_every_parameter_learns(network, likelihood_loss(joints, s, torch.zeros_like(joints)))


def test_drop_path_and_dropout_grow_as_published():
    blocks = lifters.create("uao", dim=16).GCN_MLP.blocks
    assert [block.drop_path.rate for block in blocks] == pytest.approx([0, 0.1, 0.2])
    assert blocks[0].channel_mlp.linear_mid.dropout.p == 0.1
    assert blocks[0].spatial_mlp.linear_mid.dropout.p == 0.05
