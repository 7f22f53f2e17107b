"""HoT's four networks against the numbers of the authors' code, and the promises of TPC and TRA."""

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from regressor import lifters
from regressor.checkpoints import load_authors, load_published
from regressor.errors import FileFormatError, PosecastError
from regressor.lifters.hourglass import (
    TPC,
    TRA,
    densities,
    distances,
    separations,
    take_frame,
    take_frames,
)
from tests.golden.fill import uniform
from tests.lifters.published import assert_every_parameter_learns, count, filled, golden

# The options of the golden networks.
GOLDEN = {
    "hot_mixste": {"frames": 27, "dim": 64, "depth": 4, "token_num": 9, "layer_index": 2},
    "tpc_mixste": {"frames": 27, "dim": 64, "depth": 4, "token_num": 7, "layer_index": 3},
    "hot_motionbert": {"frames": 27, "dim": 64, "depth": 3, "dim_rep": 96, "token_num": 9},
    "tpc_mhformer": {"frames": 45, "dim": 32, "token_num": 15, "layer_index": 1},
}
TINY = {"frames": 9, "dim": 16, "depth": 2, "heads": 2}
WINDOW = [name for name in GOLDEN if name.startswith("hot")]
CENTRE = [name for name in GOLDEN if name.startswith("tpc")]
every_network = pytest.mark.parametrize("name", GOLDEN)


def golden_network(name):
    """The small network with the golden parameters, ready to predict, and the golden arrays."""
    facts, arrays = golden(name)
    network = filled(lifters.create(name, **GOLDEN[name]), facts["shapes"])
    return network, {key: torch.from_numpy(array) for key, array in arrays.items()}


def chosen(network):
    """A list that gets what the network's TPC chooses."""
    calls = []
    network.tpc.register_forward_hook(lambda *call: calls.append(call[2]))
    return calls


def windows(network, batch=2, seed=0):
    """Random keypoints of the network's size."""
    shape = (batch, network.frames, network.joints, network.channels)
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@every_network
@torch.no_grad()
def test_same_choice_and_output_as_the_published_code(name):
    network, expected = golden_network(name)
    calls = chosen(network)
    forward = network if name in WINDOW else network.forward_kept
    output = forward(expected["input"], noise=expected["noise"])
    output = output if name in WINDOW else output[0]
    assert calls[0].tolist() == expected["selected"].tolist()
    np.testing.assert_allclose(output, expected["output"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["hot_mixste", "tpc_mixste"])
@torch.no_grad()
def test_same_steps_of_the_choice_as_the_published_code(name):
    network, expected = golden_network(name)
    seen = []
    network.tpc.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    network(expected["input"])
    np.testing.assert_allclose(seen[0], expected["pooled_tokens"], atol=1e-5, rtol=0)

    distance = distances(expected["pooled_tokens"])
    density = densities(distance, expected["noise"])
    apart = separations(distance, density)
    score = density * apart
    if name == "tpc_mixste":
        score[:, 13] = -1  # as the golden file writes it
    steps = {"distance": distance, "density": density, "parent_distance": apart, "score": score}
    for step, value in steps.items():
        np.testing.assert_allclose(value, expected[step], atol=2e-6, rtol=0, err_msg=step)


@torch.no_grad()
def test_same_recovery_as_the_published_code():
    network, expected = golden_network("hot_mixste")
    tokens = torch.from_numpy(2 * (2 * uniform("input.tra_tokens", 2 * 27 * 64) - 1))
    memory = torch.from_numpy(2 * (2 * uniform("input.tra_memory", 2 * 9 * 64) - 1))
    tokens, memory = tokens.float().view(2, 27, 64), memory.float().view(2, 9, 64)
    for i in range(2):  # the queries are one sample for the whole batch
        joint = memory[i : i + 1, :, None]
        recovered = network.cross_attention.recover(tokens[i : i + 1], joint)[0, :, 0]
        np.testing.assert_allclose(recovered, expected["tra_output"][i], atol=1e-5, rtol=0)


def bare_checkpoint(file, shapes):
    """A file as HoT's training writes it, the parameters alone."""
    torch.save({name: torch.tensor(0.5).expand(shape) for name, shape in shapes.items()}, file)


@every_network
def test_parameters_of_the_paper_load_strictly_by_the_name_alone(name, tmp_path):
    facts, _ = golden(name)
    bare_checkpoint(tmp_path / "model.pth", facts["full_shapes"])
    network = load_authors(name, tmp_path / "model.pth")
    assert count(network) == facts["parameters_full_config"]
    assert all((value == 0.5).all() for value in network.parameters())
    full = facts["full_config"]
    assert (network.tpc.token_num, network.layer_index) == (full["token_num"], full["layer_index"])
    assert network.frames == full.get("frames", full.get("maxlen"))


def test_a_checkpoint_that_does_not_fit_is_named(tmp_path):
    bare_checkpoint(tmp_path / "hot.pth", golden("hot_mixste")[0]["shapes"])
    with pytest.raises(FileFormatError, match="another network") as caught:
        load_published(
            lifters.create("hot_mixste", **{**GOLDEN["hot_mixste"], "token_num": 7}),
            tmp_path / "hot.pth",
        )
    assert "pos_embed_token is (1, 9, 64) instead of (1, 7, 64)" in str(caught.value)
    with pytest.raises(FileFormatError, match=r"it has .*pos_embed_token.* beside them"):
        load_published(lifters.create("mixste", frames=27, dim=64, depth=4), tmp_path / "hot.pth")
    with pytest.raises(FileFormatError, match="another network than tpc_mhformer"):
        load_authors("tpc_mhformer", tmp_path / "hot.pth")


# --- the choice of frames


def test_the_noise_decides_between_two_frames_that_are_nearest_to_each_other():
    descriptors = torch.tensor([[0.0], [1], [10], [13]])[None]
    tpc = TPC(frames=4, token_num=1)
    for frame in (0, 1):
        noise = torch.nn.functional.one_hot(torch.tensor([frame]), 4)
        assert tpc(descriptors, noise).tolist() == [[frame]]


def test_distances_are_symmetric_to_the_last_bit():
    distance = distances(torch.randn(2, 60, 32) * 1e-3 + 5)
    assert (distance == distance.mT).all() and not distance.diagonal(dim1=1, dim2=2).any()


def test_frames_are_kept_in_the_order_of_time_and_with_the_middle_one():
    kept = TPC(frames=30, token_num=4, middle=15)(torch.randn(50, 30, 3))
    assert (kept.diff(dim=1) > 0).all()
    assert (kept == 15).any(dim=1).all()


@every_network
@torch.no_grad()
def test_results_repeat_in_evaluation(name):
    network, expected = golden_network(name)
    again, _ = golden_network(name)
    torch.manual_seed(1)
    first = network(expected["input"])
    torch.manual_seed(2)
    assert torch.equal(network(expected["input"]), first)
    assert torch.equal(again(expected["input"]), first)
    one_by_one = torch.cat([network(window[None]) for window in expected["input"]])
    torch.testing.assert_close(one_by_one, first, atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_choice_is_drawn_anew_in_training_by_torch_s_seed():
    network = lifters.create("hot_mixste", **GOLDEN["hot_mixste"], drop_path=0.0).train()
    calls, keypoints = chosen(network), windows(network, 8)
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        network(keypoints)
    assert torch.equal(calls[0], calls[2]) and not torch.equal(calls[0], calls[1])


@pytest.mark.parametrize("name", WINDOW)
@torch.no_grad()
def test_given_frames_and_given_noise_take_the_choice_s_place(name):
    network, expected = golden_network(name)
    noise = 1 - expected["noise"]
    calls = chosen(network)
    by_noise = network(expected["input"], noise=noise)
    assert not torch.equal(calls[0], expected["selected"])
    assert torch.equal(network(expected["input"], keep=calls[0]), by_noise)
    assert len(calls) == 1


@pytest.mark.parametrize("name", CENTRE)
@torch.no_grad()
def test_the_mirrored_pass_can_take_the_plain_pass_s_frames(name):
    network, expected = golden_network(name)
    middle = network.frames // 2
    joints, kept = network.forward_kept(expected["input"])
    centre = network(expected["input"])
    for sample in range(2):
        place = kept[sample].tolist().index(middle)
        assert torch.equal(centre[sample, 0], joints[sample, place])
    mirrored = -expected["input"]
    back, same = network.forward_kept(mirrored, keep=kept)
    assert torch.equal(same, kept)
    assert torch.equal(network(mirrored, keep=kept), take_frame(back, kept, middle))


def test_frames_are_taken_out_of_each_sample_by_its_own_numbers():
    x = torch.arange(24).view(2, 4, 3)
    assert take_frames(x, torch.tensor([[0, 3], [1, 2]]))[:, :, 0].tolist() == [[0, 9], [15, 18]]


# --- the networks


@every_network
def test_every_parameter_learns(name):
    network = lifters.create(name, **TINY)
    keypoints = windows(network, 3)
    output = network(keypoints) if name in WINDOW else network.forward_kept(keypoints)[0]
    assert_every_parameter_learns(network, output)


@every_network
@torch.no_grad()
def test_a_small_network_is_one_option_away_from_the_large_one(name):
    network = lifters.create(name, frames=27, dim=32, depth=2).eval()
    assert network.tpc.token_num == (7 if name == "tpc_mixste" else 9)
    frames = {"window": 27, "centre": 1}[network.answers]
    assert network(windows(network, 1)).shape == (1, frames, 17, 3)
    if network.answers == "centre":
        joints, kept = network.forward_kept(windows(network, 3))
        assert joints.shape == (3, network.tpc.token_num, 17, 3)
        assert kept.shape == (3, network.tpc.token_num)


@pytest.mark.parametrize("name", ["hot_mixste", "tpc_mixste", "hot_motionbert"])
@torch.no_grad()
def test_a_window_of_one_frame(name):
    network = lifters.create(name, **{**TINY, "frames": 1}).eval()
    assert network(windows(network)).isfinite().all()


@every_network
@torch.no_grad()
def test_a_person_who_stands_still(name):
    network = lifters.create(name, **TINY).eval()
    keypoints = windows(network)[:, :1].expand(-1, 9, -1, -1)
    assert network(keypoints).isfinite().all()


@every_network
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"token_num": 10}, "token_num 10 can't be kept of 9 frames: choose 1 to 9"),
        ({"token_num": 0}, "token_num 0"),
        ({"layer_index": 0}, "layer_index 0 must be from 1"),
        ({"layer_index": 3}, "layer_index 3 must be from 1"),
    ],
)
def test_wrong_options_are_answered_in_a_sentence(name, options, words):
    with pytest.raises(PosecastError, match=words):
        lifters.create(name, **{**TINY, **options})


@every_network
def test_a_window_of_another_length_is_answered_in_a_sentence(name):
    network = lifters.create(name, **TINY)
    with pytest.raises(PosecastError, match="windows of 9 frames and 17 joints, not of 8 and 17"):
        network(windows(network)[:, :8])


# --- what it saves


@torch.no_grad()
def multiply_adds(name, **options):
    """Of one window; nothing is computed."""
    network = lifters.create(name, **options).eval().to("meta")
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network(torch.empty(1, network.frames, 17, network.channels, device="meta"))
    return counter.get_total_flops() // 2


def test_a_small_hot_needs_at_most_62_percent_of_its_mixste_s_multiply_adds():
    for depth in (3, 4):
        small = {"frames": 27, "dim": 64, "depth": depth}
        mixste = multiply_adds("mixste", **small)
        assert multiply_adds("hot_mixste", **small, token_num=9, layer_index=1) <= 0.62 * mixste


@every_network
def test_multiply_adds_of_small_networks_are_fewer_than_unpruned(name):
    small = {"frames": 27, "dim": 64, "depth": 3}
    base = {**small, "mlp_ratio": 4} if name == "hot_motionbert" else small
    assert multiply_adds(name, **small) < 0.85 * multiply_adds(name[4:], **base)


def test_the_paper_s_multiply_adds():
    published = golden("hot_mixste")[0]["macs_full_config"]
    before = published["unpruned_mixste"]["all_matmul_including_attention"]
    after = published["pruned"]["all_matmul_including_attention"]
    assert multiply_adds("mixste") == before
    # TRA's queries are the same for all joints; we compute them once, the authors 17 times.
    assert multiply_adds("hot_mixste") == after - 16 * 243 * 512**2
    tpc = golden("tpc_mixste")[0]["macs_full_config"]["pruned"]["all_matmul_including_attention"]
    assert multiply_adds("tpc_mixste") == tpc


def test_tra_gives_each_frame_its_query_and_what_it_found():
    tra, kept = TRA(8, 2), torch.randn(3, 4, 5, 8)
    queries = torch.zeros(1, 6, 8)
    recovered = tra.recover(queries, kept)
    assert recovered.shape == (3, 6, 5, 8)
    # Equal queries find the same; each joint asks its own tokens.
    torch.testing.assert_close(recovered[:, 0], recovered[:, 5])
    alone = tra.recover(queries, kept[1:2, :, 2:3])
    torch.testing.assert_close(alone[0, :, 0], recovered[1, :, 2])
