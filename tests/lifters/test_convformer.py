"""ConvFormer against the paper's counts and a second reconstruction, and its own promises."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from regressor import lifters
from regressor.checkpoints import load_authors, load_published
from regressor.errors import FileFormatError, PosecastError
from tests.lifters.published import (
    assert_every_parameter_learns,
    authors_checkpoint,
    count,
    filled,
    golden,
    holds_its_numbers,
)

FACTS, ARRAYS = golden("convformer")
SMALL = {"frames": 9, "kernels": (3, 5, 7)}
TINY = {"frames": 9, "dim": 8, "depth": 1, "heads": 2}


@pytest.fixture
def network():
    """9 frames, three sizes of kernels, the golden parameters."""
    return filled(lifters.create("convformer", **SMALL), FACTS["shapes"])


@torch.no_grad()
def test_same_output_as_the_other_reconstruction(network):
    output = network(torch.from_numpy(ARRAYS["input"]))
    np.testing.assert_allclose(output, ARRAYS["output"], atol=1e-5, rtol=0)


def papers_counts():
    """(options, parameters in millions as the paper prints them, ours) of each figure met."""
    printed, ours = FACTS["parameters_published_millions"], FACTS["parameters_reconstruction"]
    frames, kernels, depth = (key for key in printed if key.startswith("by"))
    for key in printed[frames]:
        yield {"frames": int(key)}, printed[frames][key], ours[frames][key]
    for key in printed[kernels]:
        sizes = [int(size) for size in key.split(",")]
        yield {"frames": 9, "kernels": sizes}, printed[kernels][key], ours[kernels][key]
    for key in printed[depth]:
        spatial, temporal = (int(number) for number in key.split(","))
        options = {"frames": 9, "spatial_depth": spatial, "depth": temporal}
        yield options, printed[depth][key], ours[depth][key]


def test_parameter_counts_of_the_paper():
    for options, millions, ours in papers_counts():
        found = count(lifters.create("convformer", **options))
        assert (found, round(found / 1e6, 2)) == (ours, millions), options


def test_parameter_count_and_names_of_the_full_size():
    network = lifters.create("convformer")
    shapes = {name: list(value.shape) for name, value in network.state_dict().items()}
    assert shapes == FACTS["full_shapes"]
    assert count(network) == FACTS["parameters_full_config"]


def test_a_torch_file_loads_strictly_and_tells_its_network(tmp_path):
    authors_checkpoint(tmp_path / "convformer.bin", FACTS["shapes"])
    network = load_authors("convformer", tmp_path / "convformer.bin")
    assert holds_its_numbers(network, FACTS["shapes"])
    with pytest.raises(FileFormatError, match=r"is \(1, 9, 544\) instead of \(1, 27, 544\)"):
        load_published(lifters.create("convformer", frames=27), tmp_path / "convformer.bin")


@torch.no_grad()
def test_one_mixed_convolution_equals_the_mixture_of_many(network):
    attention = network.blocks[1].attn
    x = torch.randn(2, 9, 544)
    weight, bias = attention.mixed_kernel()
    mixed = F.conv1d(x, weight, bias, padding=3).chunk(3, dim=1)
    for name, ours in zip("qkv", mixed, strict=True):
        shares = getattr(attention, f"eta_{name}").softmax(0)
        layers = getattr(attention, name)
        written_out = sum(share * layer(x) for share, layer in zip(shares, layers, strict=True))
        torch.testing.assert_close(ours, written_out, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_whole_video_equals_window_by_window():
    torch.manual_seed(0)
    network = lifters.create("convformer", **TINY).eval()
    video = torch.randn(2, 9 + 70, 17, 2)
    whole = network(video)
    windows = torch.stack([video[:, i : i + 9] for i in range(71)])
    assert whole.shape == (2, 71, 17, 3)
    each = network(windows.flatten(0, 1)).view(71, 2, 17, 3).transpose(0, 1)
    torch.testing.assert_close(whole, each)


def test_every_parameter_learns():
    network = lifters.create("convformer", **TINY)
    assert_every_parameter_learns(network, network(torch.randn(2, 9, 17, 2)))


def test_stochastic_depth_grows_over_each_stack():
    network = lifters.create("convformer", frames=9, depth=3, drop_path=0.2)
    for stack in (network.blocks, network.Spatial_blocks):
        assert [block.drop_path.rate for block in stack] == pytest.approx([0, 0.1, 0.2])


@torch.no_grad()
def test_the_small_network_lifts_other_skeletons():
    network = lifters.create("convformer", frames=27, joints=15, dim=16, channels=3).eval()
    assert network(torch.zeros(2, 27, 15, 3)).shape == (2, 1, 15, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"dim": 30}, "dim 30"), ({"kernels": (3, 4)}, "odd sizes"), ({"kernels": ()}, "odd sizes")],
)
def test_wrong_options_are_answered_in_a_sentence(options, words):
    with pytest.raises(PosecastError, match=words):
        lifters.create("convformer", **{**TINY, "heads": 8, **options})


def test_too_few_frames_are_answered_in_a_sentence(network):
    with pytest.raises(PosecastError, match="9 frames and 17 joints, not of 8 and 17"):
        network(torch.zeros(1, 8, 17, 2))
