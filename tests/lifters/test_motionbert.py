"""MotionBERT against the numbers of the authors' code, and its own promises."""

import numpy as np
import pytest
import torch

from regressor import lifters
from regressor.checkpoints import load_authors, load_published
from regressor.errors import FileFormatError, PosecastError
from regressor.lifters.motionbert import MotionBERT
from regressor.skeletons import mirror
from tests.lifters.published import (
    assert_every_parameter_learns,
    authors_checkpoint,
    count,
    filled,
    golden,
    holds_its_numbers,
)

FACTS, EXPECTED = golden("motionbert")
SMALL = {"frames": 30, "dim": 64, "depth": 3, "dim_rep": 96}
TINY = {"frames": 27, "dim": 16, "depth": 2, "heads": 4, "dim_rep": 24}


@pytest.fixture(scope="module")
def network() -> MotionBERT:
    """The small network with the golden parameters, ready to predict."""
    network = MotionBERT(**SMALL)
    filled(network, FACTS["shapes"])
    return network


def test_same_pose_and_representation_as_the_published_code(network):
    clip = torch.from_numpy(EXPECTED["input"])
    assert clip.shape[1] < network.frames  # a clip may be shorter than the table of times
    with torch.no_grad():
        pose, representation = network(clip), network.representation(clip)
    np.testing.assert_allclose(pose, EXPECTED["output"], atol=1e-5, rtol=0)
    np.testing.assert_allclose(representation, EXPECTED["representation"], atol=1e-5, rtol=0)


def test_same_average_with_the_mirrored_clip(network):
    clip, swap = torch.from_numpy(EXPECTED["input"]), mirror("h36m17")
    across = torch.tensor([-1.0, 1.0, 1.0])
    with torch.no_grad():
        straight, back = network(torch.cat([clip, clip[:, :, swap] * across])).chunk(2)
    average = (straight + back[:, :, swap] * across) / 2
    np.testing.assert_allclose(average, EXPECTED["output_flip_averaged"], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("options", "parameters"),
    [({}, 42_466_317), ({"dim": 256, "mlp_ratio": 4}, 16_001_549)],
    ids=["MotionBERT", "MotionBERT-Lite"],
)
def test_parameter_counts_of_the_published_networks(options, parameters):
    with torch.device("meta"):
        assert count(lifters.create("motionbert", **options)) == parameters


def test_a_file_in_the_authors_layout_tells_its_sizes_and_loads_strictly(tmp_path):
    file, shapes = tmp_path / "best_epoch.bin", FACTS["full_shapes"]
    authors_checkpoint(file, shapes)
    network = load_authors("motionbert", file)
    assert {name: list(value.shape) for name, value in network.state_dict().items()} == shapes
    assert holds_its_numbers(network, shapes)


def test_sizes_other_than_the_defaults_are_read_from_the_shapes():
    options = {**TINY, "joints": 15, "channels": 2, "mlp_ratio": 4}
    state = lifters.create("motionbert", **options).state_dict()
    assert lifters.options_of("motionbert", state, "it") | {"heads": 4} == options


def test_a_checkpoint_for_other_sizes_is_named(tmp_path):
    authors_checkpoint(tmp_path / "best_epoch.bin", FACTS["shapes"])
    network = lifters.create("motionbert", **{**SMALL, "frames": 27})
    with pytest.raises(FileFormatError, match=r"temp_embed is \(1, 30, 1, 64\) instead of"):
        load_published(network, tmp_path / "best_epoch.bin")


def test_a_checkpoint_of_another_network_is_answered_in_a_sentence():
    with pytest.raises(FileFormatError, match="for another network than motionbert"):
        lifters.options_of("motionbert", {"Temporal_pos_embed": torch.zeros(1)}, "it.bin")


def test_the_stages_make_up_the_forward_pass(network):
    clip = torch.from_numpy(EXPECTED["input"])
    with torch.no_grad():
        x = network.levels(network.embed(clip), last=1)
        x = network.levels(x, first=1)
        pose = network.head(network.represent(network.norm(x)))
        assert torch.equal(pose, network(clip))


def test_initial_values_are_the_published_ones():
    network = lifters.create("motionbert", **TINY)
    state = network.state_dict()
    mixes = {name: value for name, value in state.items() if name.startswith("ts_attn.")}
    assert all((value == (0 if "weight" in name else 0.5)).all() for name, value in mixes.items())
    drawn = ["temp_embed", "pos_embed", "blocks_st.0.mlp_s.fc1.weight", "joints_embed.weight"]
    assert all(0.01 < state[name].std() < 0.03 for name in drawn)
    assert not state["head.bias"].any()


def test_every_parameter_learns():
    network = lifters.create("motionbert", **TINY)
    assert_every_parameter_learns(network, network(torch.randn(2, 27, 17, 3)))


def test_keypoints_without_confidence_can_be_lifted():
    network = lifters.create("motionbert", **TINY, channels=2)
    assert network(torch.zeros(2, 27, 17, 2)).shape == (2, 27, 17, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"dim": 30}, "dim 30 can't be split among 4"), ({"channels": 4}, "channels is 2 or 3")],
)
def test_wrong_options_are_answered_in_a_sentence(options, words):
    with pytest.raises(PosecastError, match=words):
        lifters.create("motionbert", **{**TINY, **options})


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1, 31, 17, 3), "up to 30 frames of 17 joints with 3 numbers each, not 31 of 17 with 3"),
        ((1, 27, 17, 2), "not 27 of 17 with 2"),
    ],
)
def test_a_clip_of_another_kind_is_answered_in_a_sentence(network, shape, words):
    with pytest.raises(PosecastError, match=words):
        network(torch.zeros(shape))
