"""Trainings of PersPose of a few seconds: a tiny network, people of 48 pixels."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from regressor import checkpoints, images, train
from regressor.errors import FileFormatError, PosecastError
from regressor.images.perspose import FLIP, PersPose
from regressor.images.predict import cameras_of, load_network
from regressor.training.perspose.options import CPU, EPOCH, PAPER, PersPoseTraining
from tests.training.tiny import losses

pytest.importorskip("lightning")
pytest.importorskip("tensorboard")

from regressor.training.perspose.module import Perspective, heat_loss, published_rate
from regressor.training.perspose.run import WEIGHTS, build_network, train_perspose


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A folder of people that all trainings here share, once they are drawn."""
    return tmp_path_factory.mktemp("drawn") / "people"


@pytest.fixture
def options(tmp_path, people):
    """Makes the options of a training in a folder of its own."""

    def make(name: str, **changes) -> PersPoseTraining:
        made = {
            "output": tmp_path / name, "people": 16, "steps": 4, "batch": 4, "pixels": 32,
            "backbone": "w8", "people_folder": people, "schedule": "cosine", "check_people": 0,
            "log_every": 1, "accelerator": "cpu", "average": 0.9,
        }  # fmt: skip
        return PersPoseTraining(**{**made, **changes})

    return make


def test_it_learns_those_whom_it_sees(options, monkeypatch):
    """Without changes, sixteen people are learned by heart."""
    still = replace(CPU.augmentation, none=1.0, box=0.0)
    monkeypatch.setattr("regressor.training.perspose.options.CPU", replace(CPU, augmentation=still))
    train_perspose(options("run", steps=40, batch=8, learning_rate=3e-3))
    found = list(losses(options("run").output).values())
    assert len(found) == 40 and np.isfinite(found).all()
    assert np.mean(found[-10:]) < 0.92 * np.mean(found[:10])


def test_a_killed_training_resumes_to_the_same_losses(options, monkeypatch):
    train_perspose(options("whole", steps=5))
    whole, real = losses(options("whole").output), Perspective.training_step

    def dying(self, batch, index):
        if self.global_step == 3:
            raise RuntimeError("killed")
        return real(self, batch, index)

    killed = options("killed", steps=5, save_minutes=0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Perspective, "training_step", dying)
        with pytest.raises(RuntimeError, match="killed"):
            train_perspose(killed)
    assert not (killed.output / WEIGHTS).exists()
    train_perspose(killed)
    resumed = losses(killed.output)
    assert sorted(resumed) == sorted(whole) == list(range(5))
    assert list(resumed.values()) == pytest.approx(list(whole.values()), rel=1e-6)
    files = (options(name).output / WEIGHTS for name in ("whole", "killed"))
    one, other = (checkpoints.load(file)[0].state_dict() for file in files)
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], msg=name)


@pytest.mark.parametrize("mirrored", [False, True])
def test_heat_maps_are_best_where_the_joints_are(mirrored):
    """The maps that are likeliest by the places of joints have the least loss, which is theirs."""
    uv = torch.rand(2, 25, 2, generator=torch.Generator().manual_seed(0)) * 56 + 4
    inside = torch.ones(2, 25)
    inside[0, 3] = 0
    target = SimpleNamespace(uv=uv, inside=inside)
    seen = torch.stack([64 - uv[:, FLIP, 0], uv[:, FLIP, 1]], -1) if mirrored else uv
    steps = torch.arange(16) + 0.5
    across, down = ((1 - (seen[..., i, None] / 4 - steps).abs()).clamp(min=0) for i in (0, 1))
    chance = down[..., :, None] * across[..., None, :]
    best = heat_loss((chance + 1e-9).log(), target, 64, mirrored)  # pyright: ignore
    entropy = -(chance * (chance + 1e-9).log()).sum((2, 3))
    right = entropy[:, FLIP] if mirrored else entropy
    expected = (right * inside).sum() / inside.sum()
    torch.testing.assert_close(best, expected, atol=1e-4, rtol=0)
    worse = heat_loss((chance + 1e-9).log(), target, 64, not mirrored)  # pyright: ignore
    assert worse > best + 1


@pytest.mark.parametrize("encoding", [False, True])
@pytest.mark.parametrize("rotation", [False, True])
def test_every_arm_is_a_method_that_cuts_its_own_crops(options, encoding, rotation):
    arm = options("arm", steps=1, encoding=encoding, rotation=rotation, check_people=2)
    found = train_perspose(arm)
    assert set(found) == {"mpjpe", "pa_mpjpe", "root"} and all(np.isfinite(list(found.values())))
    network = load_network("perspose", arm.output / WEIGHTS, "cpu").network
    assert isinstance(network, PersPose) and network.pixels == 32 and network.first_beta == 0
    assert (network.cam_layer is not None) == encoding
    metadata = checkpoints.read_metadata(arm.output / WEIGHTS)
    assert metadata["card"]["held_out_mm"] == found and metadata["options"]["rotation"] == rotation
    aside = torch.tensor([[500.0, 100.0, 80.0, 80.0]]).double()
    camera = np.array([[300.0, 0, 320], [0, 300, 240], [0, 0, 1]])
    crop = cameras_of(network, aside, camera, network.pixels)
    turned = float(crop.rotation[0, 2, 2])
    assert turned < 0.9 if rotation else turned == 1.0
    with torch.inference_mode():
        output = network(torch.randn(1, 3, 32, 32), crop.intrinsics.float())
        other = network.look(torch.ones(1, 3, 32, 32), crop.intrinsics.float())
        wider = crop.intrinsics.float() * torch.tensor([[0.3], [0.3], [1.0]])
        seen = network.look(torch.ones(1, 3, 32, 32), wider)
    assert output.joints.isfinite().all()
    assert bool((other.twists != seen.twists).any()) == encoding  # only so does it see the camera


def test_what_a_training_is_of_may_not_change(options):
    train_perspose(options("run", steps=1))
    with pytest.raises(FileFormatError, match="another rotation"):
        train_perspose(options("run", steps=2, rotation=False))


def test_people_of_other_options_are_refused(options):
    train_perspose(options("one", steps=1))
    with pytest.raises(FileFormatError, match="keeps other people"):
        train_perspose(options("two", steps=1, pixels=64))


def test_a_training_starts_from_weights_or_from_an_hrnet_s(options, tmp_path):
    first = options("first", steps=1)
    train_perspose(first)
    again = build_network(options("second", start=first.output / WEIGHTS), first.recipe())
    state = checkpoints.load(first.output / WEIGHTS)[0].state_dict()
    for name, value in again.state_dict().items():
        torch.testing.assert_close(value, state[name])
    trunk = {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")}
    kept = {k: v for k, v in trunk.items() if not k.startswith(("incre", "downsamp", "final"))}
    torch.save({**kept, "final_layer.weight": torch.zeros(17, 8, 1, 1)}, tmp_path / "pose.pth")
    posed = options("third", start=tmp_path / "pose.pth")
    network = build_network(posed, posed.recipe())
    torch.testing.assert_close(network.state_dict()["backbone.conv1.weight"], trunk["conv1.weight"])
    with pytest.raises(FileFormatError, match="of another width"):
        wide = options("fourth", start=tmp_path / "pose.pth", backbone="w16")
        build_network(wide, wide.recipe())


def test_a_training_starts_from_the_pyramid_of_a_located_network(options, tmp_path):
    located = images.create("located", pixels=32)
    checkpoints.save(located, tmp_path / "l.safetensors", name="located", options={}, card={})
    chosen = options("run", start=tmp_path / "l.safetensors", backbone="resnet18")
    network = build_network(chosen, chosen.recipe()).get_submodule("backbone")
    for name, value in located.backbone.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value)
    with pytest.raises(FileFormatError, match="another network"):
        other = options("other", start=tmp_path / "l.safetensors", backbone="resnet34")
        build_network(other, other.recipe())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"people": 0}, "nothing to learn from"),
        ({"backbone": "w7"}, "--backbone w7 isn't known: choose w48"),
        ({"pixels": 100}, "--pixels 100 has to be a multiple of 32"),
        ({"batch": 0}, "--batch has to be above 0"),
        ({"learning_rate": math.nan}, "--learning-rate has to be above 0"),
        ({"heat": -1.0}, "--heat -1 has to be at least 0"),
        ({"sets": ("lsp",)}, "--sets lsp isn't in the mixture 3dpw"),
        ({"first_beta": 1.5}, "--first-beta 1.5 has to be from 0 to 1"),
        ({"average": 2.0}, "--average 2 has to be from 0 to 1"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(options, changes, sentence):
    with pytest.raises(PosecastError, match=sentence):
        train.perspose(options("never", **changes))
    assert not options("never").output.exists()


def test_data_sets_that_are_not_there_are_named(options, tmp_path):
    with pytest.raises(PosecastError, match=r"h36m_train\.npz can't be read"):
        train_perspose(options("never", preset="paper", data=tmp_path, people=0))


def test_the_published_recipe():
    assert (PAPER["3dpw"].backbone, PAPER["3dpw"].pixels, PAPER["3dpw"].batch) == ("w48", 256, 96)
    assert PAPER["3dpw"].first_beta == 1.0 and CPU.first_beta == 0.0
    assert PAPER["h36m"].weights.twist == 10.0 and PAPER["h36m"].batch == 128 and EPOCH == 300_000
    rates = [published_rate(done, 3e-4, 3) / 3e-4 for done in (0, 0.5, 1, 2.9, 3, 6, 16)]
    assert rates == pytest.approx([0.01, 0.505, 1, 1, 0.75, 0.75**2, 0.75**5])
