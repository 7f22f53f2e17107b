"""VideoPose3D against the numbers of the authors' code, and its own promises."""

import numpy as np
import pytest
import torch

from regressor import lifters
from regressor.checkpoints import load_authors, load_published
from regressor.errors import FileFormatError, PosecastError
from regressor.lifters.videopose3d import filter_widths
from tests.lifters.published import (
    assert_every_parameter_learns,
    authors_checkpoint,
    count,
    filled,
    golden,
    holds_its_numbers,
)

FACTS, ARRAYS = golden("videopose3d")


@pytest.fixture
def network():
    """27 frames, 48 channels, the golden parameters."""
    return filled(lifters.create("videopose3d", frames=27, dim=48), FACTS["shapes"])


@torch.no_grad()
def test_same_output_as_the_published_code(network):
    output = network(torch.from_numpy(ARRAYS["input"]))
    np.testing.assert_allclose(output, ARRAYS["output"], atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("frames", [27, 45, 7])
def test_a_whole_video_equals_window_by_window(frames):
    torch.manual_seed(0)
    network = lifters.create("videopose3d", frames=frames, dim=16).eval()
    video = torch.randn(2, frames + 10, 17, 2)
    whole = network(video)  # dilated
    windows = [network(video[:, i : i + frames]) for i in range(11)]  # strided
    assert whole.shape == (2, 11, 17, 3)
    torch.testing.assert_close(whole, torch.cat(windows, dim=1))


def test_training_on_windows_takes_strides():
    # Batch statistics come from the steps that the answer is made of, as in the authors' training.
    network = lifters.create("videopose3d", frames=9, dim=8)
    seen = {}
    network.expand_bn.register_forward_hook(lambda *call: seen.update(shape=call[2].shape))
    assert_every_parameter_learns(network, network(torch.randn(2, 9, 17, 2)))
    assert seen["shape"] == (2, 8, 3)


def test_parameter_count_and_names_are_the_authors():
    network = lifters.create("videopose3d")
    shapes = {name: list(value.shape) for name, value in network.state_dict().items()}
    assert shapes == FACTS["full_shapes"]
    assert count(network) == FACTS["parameters_full_config"]


def test_a_file_in_the_authors_layout_loads_strictly(tmp_path):
    authors_checkpoint(tmp_path / "pretrained_h36m_cpn.bin", FACTS["full_shapes"])
    network = load_authors("videopose3d", tmp_path / "pretrained_h36m_cpn.bin")
    assert holds_its_numbers(network, FACTS["full_shapes"])
    assert (network.frames, network.joints, network.channels) == (243, 17, 2)


def test_the_authors_weights_of_humaneva_read_other_keypoints_than_their_joints(tmp_path):
    """pretrained_humaneva15_detectron.bin: 27 frames, COCO's 17 keypoints, HumanEva's 15 joints."""
    authors = lifters.create("videopose3d", frames=27, dim=8, joints=15, keypoints=17)
    shapes = {name: list(value.shape) for name, value in authors.state_dict().items()}
    assert shapes["expand_conv.weight"] == [8, 34, 3] and shapes["shrink.weight"] == [45, 8, 1]
    authors_checkpoint(tmp_path / "a.bin", shapes)
    network = load_authors("videopose3d", tmp_path / "a.bin")
    assert holds_its_numbers(network, shapes)
    assert network(torch.zeros(1, 30, 17, 2)).shape == (1, 4, 15, 3)
    with pytest.raises(PosecastError, match="27 frames and 17 joints, not of 27 and 15"):
        network(torch.zeros(1, 27, 15, 2))


def test_a_checkpoint_for_another_window_is_named(tmp_path):
    authors_checkpoint(tmp_path / "other.bin", FACTS["full_shapes"])
    with pytest.raises(FileFormatError, match=r"has layers_conv\.\S+ .* beside them"):
        load_published(lifters.create("videopose3d", frames=81), tmp_path / "other.bin")


def test_filter_widths_are_the_factors_of_the_window():
    assert filter_widths(243) == [3, 3, 3, 3, 3]
    assert filter_widths(45) == [3, 3, 5]
    for even_or_short in (1, 26):
        with pytest.raises(PosecastError, match="odd number from 3 on"):
            filter_widths(even_or_short)


def test_another_skeleton_with_a_confidence_can_be_lifted():
    network = lifters.create("videopose3d", frames=9, joints=15, dim=8, channels=3)
    assert network(torch.zeros(3, 12, 15, 3)).shape == (3, 4, 15, 3)


def test_too_few_frames_are_answered_in_a_sentence(network):
    with pytest.raises(PosecastError, match="27 frames and 17 joints, not of 26 and 17"):
        network(torch.zeros(1, 26, 17, 2))
