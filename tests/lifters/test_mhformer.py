"""MHFormer against the numbers of the code that HoT published, and its own promises."""

import numpy as np
import pytest
import torch

from regressor import lifters
from regressor.checkpoints import load_authors, load_published
from regressor.errors import FileFormatError, PosecastError
from regressor.lifters.blocks import DropPath
from regressor.lifters.mhformer import MHFormer
from tests.lifters.published import (
    assert_every_parameter_learns,
    authors_checkpoint,
    count,
    filled,
    golden,
    holds_its_numbers,
)

FACTS, EXPECTED = golden("mhformer")
TINY = {"frames": 27, "dim": 16, "depth": 2, "heads": 4}


@pytest.fixture(scope="module")
def network() -> MHFormer:
    """The small network with the golden parameters, ready to predict."""
    network = MHFormer(frames=27, dim=64)
    filled(network, FACTS["shapes"])
    return network


@pytest.fixture(scope="module")
def windows() -> torch.Tensor:
    return torch.from_numpy(EXPECTED["input"])


def test_same_poses_of_all_frames_as_the_published_code(network, windows):
    with torch.no_grad():
        poses, frames = network.forward_kept(windows)
    np.testing.assert_allclose(poses, EXPECTED["output"], atol=1e-5, rtol=0)
    assert frames.tolist() == [list(range(27))] * 2


def test_the_answer_is_the_middle_frame(network, windows):
    with torch.no_grad():
        np.testing.assert_allclose(network(windows), EXPECTED["output"][:, 13:14], atol=1e-5)


def test_some_frames_alone_can_be_asked_for(network, windows):
    keep = torch.tensor([[0, 13, 26], [5, 6, 13]])
    with torch.no_grad():
        poses, frames = network.forward_kept(windows, keep=keep)
    expected = [EXPECTED["output"][sample, keep[sample]] for sample in (0, 1)]
    np.testing.assert_allclose(poses, expected, atol=1e-5)
    assert torch.equal(frames, keep)


def test_parameter_count_of_the_published_network():
    with torch.device("meta"):
        assert count(lifters.create("mhformer")) == 31_516_125


def test_a_file_in_the_authors_layout_tells_its_sizes_and_loads_strictly(tmp_path):
    file, shapes = tmp_path / "mhformer.pth", FACTS["full_shapes"]
    states = {name: torch.tensor(float(i)).expand(s) for i, (name, s) in enumerate(shapes.items())}
    torch.save(states, file)  # nothing around the parameters, no prefix
    network = load_authors("mhformer", file)
    assert {name: list(value.shape) for name, value in network.state_dict().items()} == shapes
    assert holds_its_numbers(network, shapes)


def test_sizes_other_than_the_defaults_are_read_from_the_shapes():
    options = {**TINY, "joints": 15, "depth": 3, "mlp_ratio": 4}
    state = lifters.create("mhformer", **options).state_dict()
    assert lifters.options_of("mhformer", state, "it") | {"heads": 4} == options


def test_a_checkpoint_of_a_longer_window_is_named(tmp_path):
    authors_checkpoint(tmp_path / "mhformer.pth", FACTS["full_shapes"])
    with pytest.raises(FileFormatError, match="is for another network") as caught:
        load_published(MHFormer(**TINY), tmp_path / "mhformer.pth")
    assert "it lacks embedding_1.0.weight" in str(caught.value)
    assert "it has embedding_1.weight" in str(caught.value)
    assert "norm_1.weight is (351,) instead of (27,)" in str(caught.value)


def test_the_stages_take_fewer_frames_than_the_window(network, windows):
    """Frames that a network prunes after the first block are those that the rest answers for."""
    kept = [0, 5, 13, 26]
    with torch.no_grad():
        x = network.refine(network.hypotheses(windows), last=1)
        whole = network.merge(network.refine(x, first=1))
        assert torch.equal(whole, network.forward_kept(windows)[0])
        assert network.merge(network.refine(x[:, kept], first=1)).shape == (2, 4, 17, 3)


def test_only_short_windows_have_a_norm_behind_the_embedding():
    short, long = (MHFormer(**{**TINY, "frames": frames}).state_dict() for frames in (27, 36))
    assert {name for name in short if "running_mean" in name} == {
        *(f"embedding_{k}.1.running_mean" for k in (1, 2, 3)),
        "regression.0.running_mean",
    }
    assert {name for name in long if "running_mean" in name} == {"regression.0.running_mean"}


def test_drop_path_grows_to_its_rate():
    """From 0 through each encoder of four blocks, and again through the SHR blocks to CHI."""
    rates = [module.rate for module in MHFormer(**TINY).modules() if isinstance(module, DropPath)]
    encoder = [0, 0.2 / 3, 0.4 / 3, 0.2]
    assert rates == pytest.approx([*encoder, *encoder, *encoder, 0, 0.1, 0.2])


def test_every_parameter_learns():
    network = MHFormer(**TINY, drop_path=0)
    assert_every_parameter_learns(network, network.forward_kept(torch.randn(2, 27, 17, 2))[0])


def test_a_window_that_9_does_not_divide_is_answered_in_a_sentence():
    with pytest.raises(PosecastError, match="of 28 frames: choose a multiple of 9"):
        lifters.create("mhformer", frames=28)


def test_a_width_that_the_heads_cannot_share_is_answered_in_a_sentence():
    with pytest.raises(PosecastError, match="dim 30 can't be split among 4 heads"):
        lifters.create("mhformer", **{**TINY, "dim": 30})


def test_a_window_of_another_length_is_answered_in_a_sentence(network):
    with pytest.raises(PosecastError, match="27 frames and 17 joints, not of 81 and 17"):
        network(torch.zeros(1, 81, 17, 2))
