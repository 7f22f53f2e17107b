"""MixSTE against the numbers of the authors' code, and its own promises."""

import numpy as np
import pytest
import torch

from regressor import lifters
from regressor.checkpoints import load_authors, load_published
from regressor.errors import FileFormatError, PosecastError
from regressor.metrics import mpjpe
from regressor.skeletons import mirror
from tests.lifters.published import (
    assert_every_parameter_learns,
    authors_checkpoint,
    count,
    filled,
    golden,
    holds_its_numbers,
)

SMALL = {"frames": 27, "dim": 32, "depth": 3}
FACTS, ARRAYS = golden("mixste")


@pytest.fixture
def network():
    """The small network with the golden parameters, ready to predict."""
    return filled(lifters.create("mixste", **SMALL), FACTS["shapes"])


@torch.no_grad()
def test_same_output_and_intermediates_as_the_published_code(network):
    seen = {"Spatial_norm": [], "Temporal_norm": []}  # each is called in every stage
    for name, calls in seen.items():
        network.get_submodule(name).register_forward_hook(
            lambda *call, calls=calls: calls.append(call[2])
        )
    output = network(torch.from_numpy(ARRAYS["input"]))
    spatial, temporal = (calls[0].transpose(1, 2).flatten(0, 1) for calls in seen.values())
    np.testing.assert_allclose(spatial, ARRAYS["after_first_spatial"], atol=2e-5, rtol=0)
    np.testing.assert_allclose(temporal, ARRAYS["after_first_temporal"], atol=2e-5, rtol=0)
    np.testing.assert_allclose(output, ARRAYS["output"], atol=2e-5, rtol=0)


@torch.no_grad()
def test_same_average_with_the_mirrored_input(network):
    swap, sign = mirror("h36m17"), torch.tensor([-1.0, 1.0, 1.0])
    keypoints = torch.from_numpy(ARRAYS["input"])
    back = network(keypoints[:, :, swap] * sign[:2])[:, :, swap] * sign
    average = (network(keypoints) + back) / 2
    np.testing.assert_allclose(average, ARRAYS["output_flip_averaged"], atol=2e-5, rtol=0)


@torch.no_grad()
def test_same_error_as_the_published_evaluation(network):
    target = ARRAYS["target"].copy()
    target[:, :, 0] = 0
    error = mpjpe(network(torch.from_numpy(ARRAYS["input"])).numpy(), target)
    assert error == pytest.approx(FACTS["values"]["metric_mpjpe"], abs=1e-5)


def test_parameters_of_the_paper_in_count_names_and_shapes():
    with torch.device("meta"):
        network = lifters.create("mixste")
    assert count(network) == FACTS["parameters_full_config"] == 33_783_811
    state = network.state_dict()
    assert {name: list(value.shape) for name, value in state.items()} == FACTS["full_shapes"]


def test_a_file_in_the_authors_layout_loads_strictly_by_its_name_alone(tmp_path):
    authors_checkpoint(tmp_path / "best_epoch.bin", FACTS["full_shapes"])
    network = load_authors("mixste", tmp_path / "best_epoch.bin")
    assert (network.frames, network.depth) == (243, 8)
    assert holds_its_numbers(network, FACTS["full_shapes"])


def test_a_checkpoint_that_does_not_fit_is_named(tmp_path):
    authors_checkpoint(tmp_path / "other.bin", FACTS["shapes"])
    with pytest.raises(FileFormatError, match="is for another network") as caught:
        load_published(lifters.create("mixste", frames=81, dim=32, depth=3), tmp_path / "other.bin")
    assert "Temporal_pos_embed is (1, 27, 32) instead of (1, 81, 32)" in str(caught.value)
    with pytest.raises(FileFormatError, match=r"it lacks .*STEblocks.3.norm1.weight"):
        load_published(lifters.create("mixste", frames=27, dim=32, depth=4), tmp_path / "other.bin")


def test_initial_values_are_the_published_ones():
    network = lifters.create("mixste", **SMALL)
    assert not network.Spatial_pos_embed.any() and not network.Temporal_pos_embed.any()
    rates = [block.drop_path.rate for block in network.TTEblocks]
    assert rates == pytest.approx([0, 0.05, 0.1])


def test_every_parameter_learns():
    network = lifters.create("mixste", frames=9, dim=16, depth=2, heads=2)
    assert_every_parameter_learns(network, network(torch.randn(2, 9, 17, 2)))


@torch.no_grad()
def test_a_window_does_not_depend_on_its_neighbours_in_the_batch(network):
    keypoints = torch.from_numpy(ARRAYS["input"])
    torch.testing.assert_close(network(keypoints[1:]), network(keypoints)[1:], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1, 81, 17, 2), "27 frames and 17 joints, not of 81 and 17"),
        ((1, 27, 16, 2), "27 frames and 17 joints, not of 27 and 16"),
        ((1, 27, 17, 3), "This MixSTE reads 2 numbers for each keypoint, not 3"),
    ],
)
def test_a_window_of_another_shape_is_answered_in_a_sentence(network, shape, words):
    with pytest.raises(PosecastError, match=words):
        network(torch.zeros(shape))


def test_wrong_options_are_answered_in_a_sentence():
    with pytest.raises(PosecastError, match="dim 100 can't be split among 8 heads"):
        lifters.create("mixste", **{**SMALL, "dim": 100})


def test_long_windows_reach_the_fused_attention_in_the_shape_of_its_fast_kernels(monkeypatch):
    seen, fused = [], torch.nn.functional.scaled_dot_product_attention

    def watched(*given):
        seen.extend(x.dim() for x in given)
        return fused(*given)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", watched)
    network = lifters.create("mixste", frames=81, dim=8, depth=1, heads=2).eval()
    assert network(torch.randn(2, 81, 17, 2)).shape == (2, 81, 17, 3)
    assert seen == [4, 4, 4]
