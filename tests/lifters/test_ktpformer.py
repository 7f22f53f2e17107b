"""KTPFormer against the numbers of the authors' code, and its own promises."""

import numpy as np
import pytest
import torch

from regressor import lifters
from regressor.checkpoints import load_published
from regressor.errors import FileFormatError, PosecastError
from regressor.lifters.blocks import DropPath
from regressor.lifters.ktpformer import adjacency_from_parents
from tests.lifters import published

SMALL = {"frames": 27, "dim": 32, "depth": 2}


@pytest.fixture(scope="module")
def golden():
    """(facts, arrays) of the published network at T=27, C=32, D=2."""
    return published.golden("ktpformer")


@pytest.fixture
def network(golden):
    """The small network with the golden parameters, ready to predict."""
    return published.filled(lifters.create("ktpformer", **SMALL), golden[0]["shapes"])


def test_same_output_and_intermediates_as_the_published_code(golden, network):
    _, expected = golden
    seen = {}
    watched = {
        "kpa": network.kpattention.attn.kpa,
        "after_kpa_block": network.kpattention,
        "tpa": network.tpattention.attn.tpa,
        "after_tpa_block": network.tpattention,
        "output": network,
    }
    for name, module in watched.items():
        module.register_forward_hook(lambda *call, name=name: seen.update({name: call[2].numpy()}))
    with torch.no_grad():
        network(torch.from_numpy(expected["input"]))
    # The authors' tokens have one axis for both that attention doesn't look along.
    seen["after_tpa_block"] = seen["after_tpa_block"].swapaxes(1, 2)
    for name in watched:
        seen[name] = seen[name].reshape(expected[name].shape)
        np.testing.assert_allclose(seen[name], expected[name], atol=1e-4, rtol=0, err_msg=name)


def test_the_graphs_are_the_published_constants(golden, network):
    _, expected = golden
    spatial = network.kpattention.attn.kpa.gconv.adjacency
    temporal = network.tpattention.attn.tpa.gconv1.gconv.adjacency
    np.testing.assert_array_equal(spatial, expected["adjacency_spatial"])
    np.testing.assert_array_equal(temporal, expected["adjacency_temporal"])
    assert not any("adjacency" in name for name in network.state_dict())


def test_a_single_frame_has_a_graph_without_edges():
    assert adjacency_from_parents([-1]).tolist() == [[1.0]]


PAPER_COUNTS = [(243, 35_213_430), (81, 34_859_622), (27, 34_765_014)]


@pytest.mark.parametrize(("frames", "count"), PAPER_COUNTS)
def test_parameter_counts_of_the_paper(frames, count):
    network = lifters.create("ktpformer", frames=frames)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


def test_parameter_names_and_shapes_are_the_authors(golden):
    state = lifters.create("ktpformer").state_dict()
    assert {name: list(value.shape) for name, value in state.items()} == golden[0]["full_shapes"]


def test_a_file_in_the_authors_layout_loads_strictly(golden, tmp_path):
    shapes = golden[0]["full_shapes"]
    published.authors_checkpoint(tmp_path / "model_243_CPN_best_epoch.bin", shapes)
    network = lifters.create("ktpformer")
    load_published(network, tmp_path / "model_243_CPN_best_epoch.bin")
    assert published.holds_its_numbers(network, shapes)


def test_a_checkpoint_for_another_window_is_named(golden, tmp_path):
    published.authors_checkpoint(tmp_path / "other.bin", golden[0]["full_shapes"])
    with pytest.raises(FileFormatError, match="is for another network") as caught:
        load_published(lifters.create("ktpformer", frames=81), tmp_path / "other.bin")
    assert "Temporal_pos_embed is (1, 243, 512) instead of (1, 81, 512)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_initial_values_are_the_published_ones():
    network = lifters.create("ktpformer", **SMALL)
    graph = network.tpattention.attn.tpa.gconv1.gconv
    # Fans of a (2, C, C) tensor as torch computes them: C * C and 2 * C.
    bound = 1.414 * (6 / (32 * 32 + 2 * 32)) ** 0.5
    assert 0.9 * bound < graph.W.abs().max() <= bound
    assert graph.bias.abs().max() <= 32**-0.5
    assert (graph.M == 1).all() and (graph.adj2 == 1e-6).all()
    assert not network.kpattention.attn.Spatial_pos_embed.any()


def test_every_parameter_learns():
    network = lifters.create("ktpformer", frames=9, dim=16, depth=1, heads=2)
    network(torch.randn(2, 9, 17, 2)).square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_another_skeleton_can_be_lifted():
    humaneva = (-1, 0, 1, 2, 3, 1, 5, 6, 0, 8, 9, 0, 11, 12, 1)
    network = lifters.create("ktpformer", frames=9, dim=16, depth=1, joints=15, parents=humaneva)
    assert network(torch.zeros(3, 9, 15, 2)).shape == (3, 9, 15, 3)


@pytest.mark.parametrize("axis", [1, 2])
def test_drop_path_keeps_the_mean_and_drops_whole_sequences(axis):
    torch.manual_seed(0)
    drop, x = DropPath(0.5), torch.ones(5_000, 3, 3, 2)
    y = drop(x, axis)
    assert y.mean().item() == pytest.approx(1, abs=0.02)
    assert set(y.sum((axis, 3)).flatten().tolist()) == {0.0, 12.0}
    assert set(y.sum((1, 2, 3)).tolist()) == {0.0, 12.0, 24.0, 36.0}  # one by one
    assert drop.eval()(x) is x


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dim": 100}, "dim 100"),
        ({"joints": 15}, "17 parents for 15 joints"),
        ({"width": 3}, "no option width"),
    ],
)
def test_wrong_options_are_answered_in_a_sentence(options, words):
    with pytest.raises(PosecastError, match=words):
        lifters.create("ktpformer", **{**SMALL, **options})


def test_a_window_of_another_length_is_answered_in_a_sentence(network):
    with pytest.raises(PosecastError, match="27 frames and 17 joints, not of 81 and 17"):
        network(torch.zeros(1, 81, 17, 2))


def test_the_registry_names_and_describes_its_lifters():
    assert "ktpformer" in lifters.names()
    assert all(lifters.describe(name).endswith(".") for name in lifters.names())
    with pytest.raises(PosecastError, match="no lifter called nonsense"):
        lifters.create("nonsense")
