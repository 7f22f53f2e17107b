"""MotionBERT's mesh regressor against the numbers of the authors' code."""

import numpy as np
import pytest
import roma
import torch

from regressor.checkpoints import load_published
from regressor.errors import FileFormatError
from regressor.lifters.motionbert import MotionBERT
from regressor.lifters.motionbert_mesh import MotionBERTMesh
from tests.lifters.published import count, filled, golden

FACTS, EXPECTED = golden("motionbert_mesh")


def small() -> MotionBERTMesh:
    return MotionBERTMesh(MotionBERT(frames=16, dim=32, depth=2, dim_rep=64), hidden=48)


def test_same_rotations_and_shape_as_the_published_code():
    network = filled(small(), FACTS["shapes"])
    with torch.no_grad():
        rotmat, betas = network(torch.from_numpy(EXPECTED["input"]))
    np.testing.assert_allclose(rotmat, EXPECTED["rotmats"], atol=1e-4, rtol=0)
    pose, shape = np.split(EXPECTED["theta"], [72], axis=-1)
    np.testing.assert_allclose(betas, shape, atol=1e-4, rtol=0)
    turned = roma.rotvec_to_rotmat(torch.from_numpy(pose).unflatten(-1, (24, 3)))
    np.testing.assert_allclose(rotmat, turned, atol=1e-4, rtol=0)


def test_the_published_network_has_its_parameters():
    with torch.device("meta"):
        network = MotionBERTMesh()
    assert count(network) == FACTS["parameters_full_config"]
    state = network.state_dict()
    assert {name: list(value.shape) for name, value in state.items()} == FACTS["full_shapes"]


def test_a_file_in_the_authors_layout_loads_strictly(tmp_path):
    shapes = {**FACTS["shapes"], "head.smpl.v_template": [6890, 3]}
    states = {f"module.{name}": torch.zeros(()).expand(s) for name, s in shapes.items()}
    torch.save({"epoch": 60, "model": states}, tmp_path / "best_epoch.bin")
    network = load_published(small(), tmp_path / "best_epoch.bin")
    assert not any(value.any() for value in network.state_dict().values())
    with pytest.raises(FileFormatError, match=r"temp_embed is \(1, 16, 1, 32\) instead of"):
        load_published(
            MotionBERTMesh(MotionBERT(frames=27, dim=32, depth=2, dim_rep=64), hidden=48),
            tmp_path / "best_epoch.bin",
        )


def test_a_new_network_stands_upright_before_the_camera():
    torch.manual_seed(0)
    network = small().eval()
    rotmat, betas = network(torch.zeros(1, 16, 17, 3))
    upright = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    assert (rotmat[0, :, 0] - upright).abs().max() < 0.3
    assert (rotmat[0, :, 1:] - torch.eye(3)).abs().max() < 0.3
    assert betas.shape == (1, 16, 10)


def test_every_parameter_learns_but_those_of_the_lifters_head():
    network = small()
    rotmat, betas = network(torch.randn(3, 16, 17, 3))
    (rotmat[..., 0].sum() + betas.sum()).backward()
    silent = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    assert silent == {"backbone.head.weight", "backbone.head.bias"}
