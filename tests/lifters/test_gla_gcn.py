"""GLA-GCN against the numbers of the authors' code, and its own promises."""

import numpy as np
import pytest
import torch

from regressor import lifters
from regressor.checkpoints import load_authors, load_published
from regressor.errors import FileFormatError, PosecastError
from regressor.lifters.gla_gcn import (
    HUMANEVA15_DETECTED_EDGES,
    HUMANEVA15_EDGES,
    coco_to_humaneva15,
    for_detections,
)
from tests.lifters.published import (
    assert_every_parameter_learns,
    authors_checkpoint,
    count,
    filled,
    golden,
    holds_its_numbers,
)

FACTS, ARRAYS = golden("gla_gcn")
DETECTED_FACTS, DETECTED_ARRAYS = golden("gla_gcn_humaneva_coco")
HUMANEVA = {"joints": 15, "edges": HUMANEVA15_EDGES}
DETECTED = {"joints": 15, "edges": HUMANEVA15_DETECTED_EDGES, "input_norm": False}


def close(ours: torch.Tensor, theirs: np.ndarray, name: str = "") -> None:
    """Equal to 1e-5 of the largest number: the golden parameters make outputs in the tens."""
    atol = 1e-5 * float(np.abs(theirs).max())
    np.testing.assert_allclose(ours.detach(), theirs, atol=atol, rtol=0, err_msg=name)


@pytest.fixture
def network():
    """27 frames, 32 channels, the golden parameters."""
    return filled(lifters.create("gla_gcn", frames=27, dim=32), FACTS["shapes"])


@torch.no_grad()
def test_same_output_and_intermediates_as_the_published_code(network):
    seen = {}
    watched = {
        "expand": network.expand_gcn,
        "layer0": network.layers_tcngcn[0],
        "layer1": network.layers_tcngcn[1],
        "layer5": network.layers_tcngcn[5],
        "output": network,
    }
    for name, module in watched.items():
        module.register_forward_hook(lambda *call, name=name: seen.update({name: call[2]}))
    network(torch.from_numpy(ARRAYS["input"]))
    for name in watched:
        close(seen[name][: len(ARRAYS[name])], ARRAYS[name], name)


@torch.no_grad()
def test_humaneva_from_detected_keypoints_as_in_the_published_code():
    network = lifters.create("gla_gcn", frames=27, dim=32, **DETECTED)
    filled(network, DETECTED_FACTS["shapes"])
    close(network.expand_gcn.gcn1.graph, DETECTED_ARRAYS["graph"])
    close(network(torch.from_numpy(DETECTED_ARRAYS["input_15"])), DETECTED_ARRAYS["output_15"])
    coco = torch.from_numpy(DETECTED_ARRAYS["input"])
    close(network(coco_to_humaneva15(coco)), DETECTED_ARRAYS["output"])
    assert torch.equal(coco, torch.from_numpy(DETECTED_ARRAYS["input"]))
    # Their file is read as any of HumanEva's; which keypoints it is for is told by nothing in it.
    read = filled(
        lifters.create("gla_gcn", frames=27, dim=32, **HUMANEVA), DETECTED_FACTS["shapes"]
    )
    close(for_detections(read)(coco), DETECTED_ARRAYS["output"])


def test_the_graph_is_the_published_constant(network):
    close(network.expand_gcn.gcn1.graph, ARRAYS["graph"])
    assert not any(name.endswith("graph") for name in network.state_dict())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, FACTS["parameters_full_config"]),
        ({"frames": 27}, 844_076),
        ({"frames": 81}, 1_096_466),
        ({"frames": 81, "dim": 256}, 7_703_106),
        ({"frames": 27, **HUMANEVA}, 842_724),
        ({"frames": 27, **DETECTED}, DETECTED_FACTS["parameters_full_config"]),
    ],
)
def test_parameter_counts_of_the_published_code(options, expected):
    assert count(lifters.create("gla_gcn", **options)) == expected


@pytest.mark.parametrize(
    ("options", "shapes"),
    [
        ({}, FACTS["full_shapes"]),
        ({"frames": 27, **HUMANEVA}, FACTS["full_shapes_humaneva15_gt"]),
        ({"frames": 27, **DETECTED}, DETECTED_FACTS["full_shapes"]),
    ],
)
def test_a_file_in_the_authors_layout_loads_strictly(options, shapes, tmp_path):
    authors_checkpoint(tmp_path / "96_gt_243_supervised.bin", shapes)
    network = lifters.create("gla_gcn", **options)
    load_published(network, tmp_path / "96_gt_243_supervised.bin")
    assert list(network.state_dict()) == list(shapes) and holds_its_numbers(network, shapes)


def test_an_authors_file_tells_its_network(tmp_path):
    authors_checkpoint(tmp_path / "human36m.bin", FACTS["full_shapes"])
    network = load_authors("gla_gcn", tmp_path / "human36m.bin")
    assert (network.frames, network.joints) == (243, 17)
    authors_checkpoint(tmp_path / "humaneva.bin", FACTS["full_shapes_humaneva15_gt"])
    network = load_authors("gla_gcn", tmp_path / "humaneva.bin")
    assert (network.frames, network.joints) == (27, 15)
    inward = network.expand_gcn.gcn1.graph[1]
    assert inward[2, 1] > 0 and inward[1, 2] == 0  # their arms point outwards


def test_a_checkpoint_for_another_network_is_named(tmp_path):
    authors_checkpoint(tmp_path / "other.bin", FACTS["full_shapes"])
    with pytest.raises(FileFormatError, match=r"data_bn.weight is \(34,\) instead of \(30,\)"):
        load_published(lifters.create("gla_gcn", dim=96, **HUMANEVA), tmp_path / "other.bin")
    with pytest.raises(FileFormatError, match=r"it has layers_tcngcn\.6\."):
        load_published(lifters.create("gla_gcn", frames=27), tmp_path / "other.bin")


def test_initial_values_are_the_published_ones():
    torch.manual_seed(0)
    gcn = lifters.create("gla_gcn", frames=9, dim=64).layers_tcngcn[0].gcn1
    assert (gcn.bn.weight == 1e-6).all() and (gcn.PA == 1e-6).all()
    assert gcn.conv_d[0].weight.std().item() == pytest.approx((2 / (64 * 64 * 3)) ** 0.5, rel=0.1)
    assert gcn.conv_a[0].weight.std().item() == pytest.approx((2 / 16) ** 0.5, rel=0.1)
    assert not gcn.conv_a[0].bias.any()


def test_every_parameter_learns():
    network = lifters.create("gla_gcn", frames=9, dim=16)
    assert_every_parameter_learns(network, network(torch.randn(2, 9, 17, 2)))


def test_the_papers_form_answers_for_the_centre_and_for_every_frame():
    torch.manual_seed(0)
    paper = {"global_local": True, "individual": True, "depth": 2}
    network = lifters.create("gla_gcn", frames=9, dim=16, **paper)
    keypoints = torch.randn(4, 9, 17, 2)
    centre, every = network.forward_both(keypoints)
    assert centre.shape == (4, 1, 17, 3) and every.shape == (4, 9, 17, 3)
    assert (every < 0).any()
    assert_every_parameter_learns(network, torch.cat([centre, every], dim=1))
    with torch.no_grad():
        network.eval()
        assert torch.equal(network(keypoints), network.forward_both(keypoints)[0])


@torch.no_grad()
def test_individual_outputs_are_a_matrix_for_each_joint():
    output = lifters.create("gla_gcn", frames=3, dim=8, individual=True).fc
    x = torch.randn(2, 8, 17)
    one = output.weight[5] @ x[1, :, 5] + output.bias[:, 5]
    torch.testing.assert_close(output(x)[1, :, 5], one)


@torch.no_grad()
def test_the_small_network_lifts():
    network = lifters.create("gla_gcn", frames=27, dim=64).eval()
    assert network(torch.zeros(2, 27, 17, 2)).shape == (2, 1, 17, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"joints": 15}, "each of 15 joints"),
        ({"frames": 26}, "odd number"),
        ({"heads": 3}, "heads"),
    ],
)
def test_wrong_options_are_answered_in_a_sentence(options, words):
    with pytest.raises(PosecastError, match=words):
        lifters.create("gla_gcn", **options)


def test_wrong_input_is_answered_in_a_sentence(network):
    with pytest.raises(PosecastError, match="27 frames and 17 joints, not of 81 and 17"):
        network(torch.zeros(1, 81, 17, 2))
    with pytest.raises(PosecastError, match="no global branch"):
        network.forward_both(torch.zeros(1, 27, 17, 2))
