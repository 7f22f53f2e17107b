"""The published files of SPIN, DSR and EFT load strictly; our own go out in parts."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from regressor import checkpoints, images
from regressor.errors import FileFormatError, PosecastError
from regressor.images.hmr import read_mean_parameters

FACTS = json.loads((Path(__file__).parents[1] / "golden" / "hmr_dsr.json").read_text())
SHAPES = FACTS["parameter_shapes"]
BUFFERS = ("init_pose", "init_shape", "init_cam")
SMALL = {"depth": 18, "hidden": 32}


def numbered():
    """The published tensors, the i-th filled with i, each stretched from a single number."""
    tensors = {}
    for i, (name, shape) in enumerate(SHAPES.items()):
        whole = name.endswith("num_batches_tracked")
        tensors[name] = torch.tensor(i if whole else float(i)).expand(shape)
    return tensors


def backbone(name):
    return "head" if name.split(".")[0] in ("fc1", "fc2", "decpose", "decshape", "deccam") else ""


def dsr_name(name):
    part = "head" if backbone(name) or name.startswith("init_") else "backbone"
    return f"model.{part}.{name}"


CONTAINERS = {
    "spin": lambda state: {
        "model": state,
        "optimizer": {"state": {}, "param_groups": [{"lr": 5e-5}]},
        "epoch": 3,
        "dataset_perm": np.arange(5),
        "total_step_count": 900,
    },
    "dsr": lambda state: {
        "epoch": 4,
        "pytorch-lightning_version": "0.8.4",
        # Lightning keeps the whole module, the body model and the losses as well.
        "state_dict": {
            **{dsr_name(name): value for name, value in state.items()},
            "smpl.v_template": torch.zeros(6890, 3),
            "loss.renderer.lighting": torch.zeros(3),
        },
    },
    "raw": dict,
    "parallel": lambda state: {"module." + name: value for name, value in state.items()},
    "parallel spin": lambda state: {"model": {"module." + k: v for k, v in state.items()}},
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_tensor_of_a_published_file_arrives(tmp_path, container):
    torch.save(CONTAINERS[container](numbered()), tmp_path / "model.pt")
    network = checkpoints.load_authors("hmr", tmp_path / "model.pt")
    state = network.state_dict()
    assert [int(state[name].flatten()[-1]) for name in SHAPES] == list(range(len(SHAPES)))
    assert not network.training


def mean_parameters(file):
    rng = np.random.default_rng(0)
    arrays = {"pose": rng.normal(size=144), "shape": rng.normal(size=10), "cam": [0.9, 0, 0]}
    np.savez(file, **arrays)
    return arrays


def test_a_raw_state_dict_takes_its_start_from_the_mean_parameters(tmp_path):
    raw = {name: value for name, value in numbered().items() if name not in BUFFERS}
    torch.save(raw, tmp_path / "eft.pt")
    with pytest.raises(FileFormatError, match="it lacks init_pose, init_shape, init_cam"):
        checkpoints.load_authors("hmr", tmp_path / "eft.pt")
    arrays = mean_parameters(tmp_path / "smpl_mean_params.npz")
    start = read_mean_parameters(tmp_path / "smpl_mean_params.npz")
    network = checkpoints.load_authors("hmr", tmp_path / "eft.pt", start)
    for name in ("pose", "shape", "cam"):
        found = getattr(network, f"init_{name}")[0]
        np.testing.assert_allclose(found, np.float32(arrays[name]), err_msg=name)


def test_a_checkpoints_own_start_goes_before_the_mean_parameters(tmp_path):
    torch.save({"model": numbered()}, tmp_path / "spin.pt")
    mean_parameters(tmp_path / "mean.npz")
    start = read_mean_parameters(tmp_path / "mean.npz")
    network = checkpoints.load_authors("hmr", tmp_path / "spin.pt", start)
    assert int(network.init_pose[0, 0]) == list(SHAPES).index("init_pose")


@pytest.mark.parametrize(
    "content", [b"", b"nothing", b"PK\x03\x04 cut short", {"pose": np.zeros(144)}, {"pose": [1]}]
)
def test_other_files_are_no_mean_parameters(tmp_path, content):
    file = tmp_path / "mean.npz"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        np.savez(file, shape=np.zeros(9), cam=np.zeros(3), **content)
    with pytest.raises(FileFormatError, match=r"mean parameters"):
        read_mean_parameters(file)


@pytest.mark.parametrize("container", ["spin", "dsr"])
def test_a_missing_tensor_is_named(tmp_path, container):
    state = numbered()
    del state["layer3.4.bn2.running_var"]
    torch.save(CONTAINERS[container](state), tmp_path / "model.pt")
    with pytest.raises(FileFormatError, match=r"it lacks layer3\.4\.bn2\.running_var\.$"):
        checkpoints.load_authors("hmr", tmp_path / "model.pt")


def test_another_networks_file_is_refused(tmp_path):
    torch.save({"model_pos": {"head.1.weight": torch.zeros(3, 3)}}, tmp_path / "lifter.bin")
    with pytest.raises(FileFormatError, match="is for another network than hmr"):
        checkpoints.load_authors("hmr", tmp_path / "lifter.bin")


def test_smaller_networks_are_known_by_their_shapes(tmp_path):
    for depth in (18, 34):
        network = images.create("hmr", depth=depth, hidden=48)
        torch.save({"model": network.state_dict()}, tmp_path / "a.pt")
        loaded = checkpoints.load_authors("hmr", tmp_path / "a.pt")
        assert loaded.state_dict().keys() == network.state_dict().keys()


@pytest.fixture
def network():
    torch.manual_seed(0)
    return images.create("hmr", **SMALL)


def save(network, file, **options):
    return checkpoints.save(network, file, name="hmr", options=SMALL, card={"a": 1}, **options)


def test_parts_hold_the_network_in_half_precision(network, tmp_path):
    network.bn1.running_var.fill_(1e6)  # too large for half precision, and not to be halved
    files = save(network, tmp_path / "hmr.safetensors", half=True, part_bytes=6_000_000)
    count = len(files)
    assert [f.name for f in files] == [
        f"hmr-{i + 1:05d}-of-{count:05d}.safetensors" for i in range(count)
    ]
    assert count > 3 and all(file.stat().st_size < 6_100_000 for file in files)
    assert sorted(tmp_path.iterdir()) == files
    for file in (files[0], files[-1]):
        loaded, metadata = checkpoints.load(file)
        assert metadata["card"] == {"a": 1}
        for name, value in network.state_dict().items():
            found = loaded.state_dict()[name]
            assert found.dtype == value.dtype
            torch.testing.assert_close(found, value, rtol=1e-3, atol=1e-6)
            assert value.dim() > 1 or torch.equal(found, value)


def test_the_shipped_size_keeps_every_part_under_16_mb(tmp_path):
    files = checkpoints.save(
        images.create("hmr"),
        tmp_path / "hmr.safetensors",
        name="hmr",
        options={},
        card={},
        half=True,
        part_bytes=checkpoints.PART_BYTES,
    )
    assert len(files) == 4 and all(file.stat().st_size < 16_000_000 for file in files)


def test_a_missing_part_is_named(network, tmp_path):
    files = save(network, tmp_path / "hmr.safetensors", part_bytes=20_000_000)
    files[1].unlink()
    with pytest.raises(FileFormatError, match=rf"{files[1].name} can't be read: there is no such"):
        checkpoints.load(files[0])


def test_a_number_too_large_for_half_precision_is_named(network, tmp_path):
    network.fc1.weight.data[0, 0] = 1e5
    with pytest.raises(PosecastError, match=r"fc1\.weight can't be stored in half precision"):
        save(network, tmp_path / "hmr.safetensors", half=True)
    assert not list(tmp_path.iterdir())


def test_settings_of_a_training_are_read_and_never_run(tmp_path):
    """DSR's files carry a yacs configuration, a class of a package that isn't installed here."""
    import sys
    import types

    module = types.ModuleType("yacs.config")
    module.CfgNode = type("CfgNode", (dict,), {"__module__": "yacs.config"})
    sys.modules["yacs"], sys.modules["yacs.config"] = types.ModuleType("yacs"), module
    try:
        settings = module.CfgNode({"DSR": module.CfgNode({"BACKBONE": "resnet50"})})
        content = {"state_dict": {"a": torch.zeros(1)}, "hparams_type": module.CfgNode}
        torch.save({**content, "hyper_parameters": settings}, tmp_path / "a.ckpt")
    finally:
        del sys.modules["yacs"], sys.modules["yacs.config"]
    read = checkpoints.read_checkpoint(tmp_path / "a.ckpt")
    assert read["hyper_parameters"] == {"DSR": {"BACKBONE": "resnet50"}}
