"""HMR's network against the numbers of SPIN's code, and its own promises."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from regressor import checkpoints, images
from regressor.errors import PosecastError
from regressor.images.crops import normalize
from regressor.images.hmr import rot6d_to_rotmat, rotmat_to_rot6d
from rendering.cameras import pinhole
from tests.golden.fill import fill, uniform

GOLDEN = Path(__file__).parents[1] / "golden"
FACTS = json.loads((GOLDEN / "hmr_dsr.json").read_text())


@pytest.fixture(scope="module")
def golden():
    return np.load(GOLDEN / "hmr_dsr.npz")


@pytest.fixture(scope="module")
def network():
    """The published network with the golden parameters, ready to predict."""
    network = images.create("hmr")
    state = fill(FACTS["parameter_shapes"])
    network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    return network.eval()


@pytest.fixture(scope="module")
def crops():
    values = uniform("input", 2 * 3 * 224 * 224).reshape(2, 3, 224, 224)
    return normalize(torch.from_numpy(values)).float()


def test_same_output_and_intermediates_as_the_published_code(golden, network, crops):
    seen = {}
    layer1 = network.layer1.register_forward_hook(
        lambda *call: seen.update(layer1_mean=call[2].mean(dim=(2, 3)))
    )
    layer4 = network.layer4.register_forward_hook(
        lambda *call: seen.update(layer4_mean_abs=call[2].abs().mean()[None])
    )
    with torch.no_grad():
        features = network.features(crops)
        seen["features"] = features
        cams = [network.regress(features, rounds).cam for rounds in (1, 2, 3)]
        seen |= network(crops)._asdict()
    layer1.remove(), layer4.remove()
    seen["cam_by_iteration"] = torch.stack(cams, dim={2: 1}[golden["cam"].ndim])
    for name, value in seen.items():
        np.testing.assert_allclose(value, golden[name], atol=1e-4, rtol=0, err_msg=name)
    again = rot6d_to_rotmat(torch.from_numpy(golden["pose6d"]).unflatten(1, (24, 6)))
    np.testing.assert_allclose(again, golden["rotmat"], atol=1e-6)


def test_names_and_shapes_are_the_published_ones():
    shapes = {name: list(value.shape) for name, value in images.create("dsr").state_dict().items()}
    assert shapes == FACTS["parameter_shapes"] and len(shapes) == 331


def test_six_numbers_to_rotations_as_spin_does():
    math = np.load(GOLDEN / "hmr_math.npz")
    rotations = rot6d_to_rotmat(torch.from_numpy(math["rot6d.x"]))
    np.testing.assert_allclose(rotations, math["rot6d.spin"], atol=1e-6)
    # Three at once as well, where the published code multiplies the wrong axes.
    three = rot6d_to_rotmat(torch.from_numpy(math["rot6d.x"][:3]))
    assert torch.equal(three, rotations[:3])
    torch.testing.assert_close(rot6d_to_rotmat(rotmat_to_rot6d(rotations)), rotations)


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_an_estimate_starts_upright_before_the_camera(depth):
    network = images.create("hmr", depth=depth, hidden=64).eval()
    for layer in (network.decpose, network.decshape, network.deccam):
        torch.nn.init.zeros_(layer.weight), torch.nn.init.zeros_(layer.bias)
    output = network(torch.randn(2, 3, 64, 96))  # neither 224 px nor square
    assert output.rotmat[:, 0].diagonal(dim1=1, dim2=2).tolist() == [[1, -1, -1]] * 2
    assert torch.equal(output.rotmat[:, 1:], torch.eye(3).expand(2, 23, 3, 3))
    assert output.betas.shape == (2, 10)
    assert torch.equal(output.cam, torch.tensor([0.9, 0, 0]).expand(2, 3))


def test_every_parameter_learns():
    network = images.create("hmr", depth=18, hidden=32)
    output = network(torch.randn(2, 3, 64, 64))
    sum(part.square().sum() for part in output[1:]).add(output.rotmat[..., 0].sum()).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_the_head_has_no_nonlinearity_and_drops_in_training():
    """As published; a ReLU put there would make the published weights useless."""
    network = images.create("hmr", depth=18, hidden=32, dropout=0.0).train()
    features = torch.randn(3, 512)
    one = network.regress(features, iterations=1).betas - network.init_shape
    start = torch.cat([network.init_pose, network.init_shape, network.init_cam], dim=1)
    x = torch.cat([features, start.expand(3, -1)], dim=1)
    torch.testing.assert_close(one, network.decshape(network.fc2(network.fc1(x))))
    dropping = images.create("hmr", depth=18, hidden=32).train()
    assert not torch.equal(dropping.regress(features).betas, dropping.regress(features).betas)


def test_output_is_exact_under_mixed_precision():
    network = images.create("hmr", depth=18, hidden=32).eval()
    with torch.autocast("cpu", torch.bfloat16):
        output = network(torch.randn(1, 3, 64, 64))
    assert {part.dtype for part in output} == {torch.float32}
    identity = output.rotmat @ output.rotmat.transpose(-1, -2)
    torch.testing.assert_close(identity, torch.eye(3).expand_as(identity), atol=1e-5, rtol=0)


def test_the_table_answers_in_sentences():
    assert images.names() == ["dsr", "perspose"] and images.label("hmr") == "DSR"
    assert images.describe("dsr").endswith(".")
    with pytest.raises(PosecastError, match="no image network called nonsense: choose dsr"):
        images.create("nonsense")
    with pytest.raises(PosecastError, match="hmr has no option width"):
        images.create("hmr", width=3)
    with pytest.raises(PosecastError, match="no ResNet of depth 101"):
        images.create("hmr", depth=101)


def test_the_encoding_is_two_more_channels_that_tell_the_crop_s_camera():
    torch.manual_seed(0)
    plain = images.create("hmr", depth=18, hidden=16, pixels=64).eval()
    seeing = images.create("hmr", depth=18, hidden=16, pixels=64, encoding=True).eval()
    checkpoints.load_published(seeing, plain.state_dict())
    crops, camera = torch.randn(2, 3, 128, 128), pinhole(100.0, 128, 128).expand(2, 3, 3)
    answer = plain(crops)
    for again in (seeing(crops), seeing(crops, camera)):  # it doesn't heed the camera yet
        torch.testing.assert_close(again.rotmat, answer.rotmat)
    seen = []
    seeing.conv1.register_forward_hook(lambda _module, given, _out: seen.append(given[0]))
    seeing(crops, camera, torch.tensor([True, False]))
    rays = seen[0][:, 3:]
    assert rays.shape == (2, 2, 64, 64) and not rays[1].any()
    # The outermost of 64 columns is 63 px of 128 off the middle.
    torch.testing.assert_close(rays[0, 0, :, -1], torch.full((64,), 0.63))
    torch.testing.assert_close(rays[0, 1, 0], torch.full((64,), -0.63))
    torch.nn.init.normal_(seeing.conv1.weight)
    one, other = seeing(crops, camera), seeing(crops, pinhole(50.0, 128, 128).expand(2, 3, 3))
    assert not torch.allclose(one.betas, other.betas)
