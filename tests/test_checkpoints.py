"""Weights go in and out unharmed; wrong and hostile files are answered in a sentence."""

import pickle
import resource

import numpy as np
import pytest
import torch

from regressor import checkpoints, lifters
from regressor.errors import FileFormatError, PosecastError
from tests import hostile

OPTIONS = {"frames": 9, "dim": 16, "depth": 1, "heads": 2}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return lifters.create("ktpformer", **OPTIONS)


def equal(one, other):
    """Whether two networks hold the same numbers."""
    one, other = one.state_dict(), other.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_our_file_rebuilds_its_network(network, tmp_path):
    file = tmp_path / "small.safetensors"
    card = {"data": "none", "mpjpe_mm": 12.5}
    checkpoints.save(network, file, name="ktpformer", options=OPTIONS, card=card)
    loaded, metadata = checkpoints.load(file)
    assert equal(loaded, network) and not loaded.training
    assert (metadata["name"], metadata["options"], metadata["card"]) == ("ktpformer", OPTIONS, card)
    assert list(tmp_path.iterdir()) == [file]


def test_our_file_can_be_given_to_a_network_at_hand(network, tmp_path):
    checkpoints.save(network, tmp_path / "a.safetensors", name="ktpformer", options={}, card={})
    other = lifters.create("ktpformer", **OPTIONS)
    assert not equal(other, network)
    assert checkpoints.load_published(other, tmp_path / "a.safetensors") is other
    assert equal(other, network)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("key", ["model_pos", "state_dict", "model", None])
def test_layouts_of_authors_are_understood(network, tmp_path, key, zipped):
    weights = {"module." + name: value for name, value in network.state_dict().items()}
    content = (
        {key: weights, "epoch": 3, "random_state": np.random.RandomState(1)} if key else weights
    )
    torch.save(content, tmp_path / "a.bin", _use_new_zipfile_serialization=zipped)
    other = lifters.create("ktpformer", **OPTIONS)
    assert equal(checkpoints.load_published(other, tmp_path / "a.bin"), network)


def test_a_mismatch_leaves_the_network_as_it_was(network):
    state = network.state_dict()
    state["extra.weight"] = state.pop("head.1.weight")
    other = lifters.create("ktpformer", **OPTIONS)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    words = r"it lacks head.1.weight; it has extra.weight beside them\.$"
    with pytest.raises(FileFormatError, match=words):
        checkpoints.load_published(other, state)
    assert all(torch.equal(before[name], value) for name, value in other.state_dict().items())


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", hostile.gadgets(hostile.Path("x")))
def test_hostile_checkpoints_raise_and_do_not_run(network, tmp_path, name, zipped):
    marker = tmp_path / "ran"
    content = {"model_pos": network.state_dict(), "random_state": hostile.gadgets(marker)[name]}
    torch.save(content, tmp_path / "a.bin", _use_new_zipfile_serialization=zipped)
    with pytest.raises(FileFormatError, match="was not opened because it wants to use"):
        checkpoints.load_published(network, tmp_path / "a.bin")
    assert not marker.exists()


def test_loading_leaves_torch_as_strict_as_before(network, tmp_path):
    torch.save({"model_pos": network.state_dict(), "r": np.random.RandomState(1)}, tmp_path / "a")
    before = set(torch.serialization.get_safe_globals())
    checkpoints.load_published(network, tmp_path / "a")
    assert set(torch.serialization.get_safe_globals()) == before


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.bin", b"no checkpoint", "not a readable checkpoint"),
        ("a.bin", b"", "not a readable checkpoint"),
        ("a.safetensors", b"no checkpoint", "not a readable"),
    ],
)
def test_other_files_are_answered_in_a_sentence(network, tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileFormatError, match=words):
        checkpoints.load_published(network, tmp_path / name)
    with pytest.raises(FileFormatError, match="not a readable safetensors file"):
        checkpoints.load(tmp_path / name)


def test_a_missing_file_is_answered_in_a_sentence(network, tmp_path):
    for name in ("none.bin", "none.safetensors"):
        with pytest.raises(FileFormatError, match=r"none.*can't be read"):
            checkpoints.load_published(network, tmp_path / name)
        with pytest.raises(FileFormatError, match=r"none.*can't be read"):
            checkpoints.load(tmp_path / name)


def test_safetensors_of_others_do_not_say_their_network(network, tmp_path):
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(2)}, tmp_path / "a.safetensors")
    with pytest.raises(FileFormatError, match="doesn't say which network"):
        checkpoints.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize("content", [{"epoch": 3}, {"model": {}}, [1, 2], {"a": {"b": 1}}])
def test_checkpoints_without_parameters_are_answered(network, tmp_path, content):
    torch.save(content, tmp_path / "a.bin")
    with pytest.raises(FileFormatError, match="holds"):
        checkpoints.load_published(network, tmp_path / "a.bin")


def test_a_full_disk_leaves_the_older_file(network, tmp_path):
    file = tmp_path / "a.safetensors"
    file.write_text("older")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(PosecastError, match="can't be written"):
            checkpoints.save(network, file, name="ktpformer", options=OPTIONS, card={})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.read_text() == "older" and list(tmp_path.iterdir()) == [file]


def test_a_pickle_that_torch_did_not_write_is_answered_without_warnings(tmp_path, recwarn):
    file = tmp_path / "a.pt"
    file.write_bytes(pickle.dumps({"weight": [1.0]}, protocol=4))
    with pytest.raises(FileFormatError):
        checkpoints.read_checkpoint(file)
    assert not recwarn.list


def test_checkpoints_of_torch_0_4_0_lack_the_batch_norms_counts(tmp_path):
    options = {"frames": 9, "dim": 8}
    network = lifters.create("videopose3d", **options)
    state = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
    torch.save({"model_pos": state}, tmp_path / "a.bin")
    assert equal(checkpoints.load_authors("videopose3d", tmp_path / "a.bin"), network)
    state["shrink.extra"] = state.pop("shrink.bias")
    torch.save({"model_pos": state}, tmp_path / "a.bin")
    words = r"a.bin is for another network: it lacks shrink.bias; it has shrink.extra beside them"
    with pytest.raises(FileFormatError, match=words):
        checkpoints.load_authors("videopose3d", tmp_path / "a.bin")
