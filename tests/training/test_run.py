"""Trainings of a few steps: they end in time, and leave out what is broken."""

import errno
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from regressor import checkpoints, train
from regressor.data.spin import EXTRAS, FOLDERS
from regressor.errors import FileFormatError, PosecastError
from regressor.images.located import LocatedHMR
from regressor.images.predict import load_network
from tests.data.people_files import picture, spin_arrays
from tests.training.tiny import losses, options

pytest.importorskip("lightning")
pytest.importorskip("tensorboard")

import lightning as L

from regressor.training import run
from regressor.training.module import Regression
from regressor.training.run import STATE, WEIGHTS, build_network, train_regressor


def test_it_ends_in_time_and_is_left_as_it_is(tmp_path):
    short = options(tmp_path / "short", steps=100000, minutes=0.0001, check_people=2)
    found = train_regressor(short)
    assert found["mpjpe"] > 0 and found["shape"] >= 0
    _, metadata = checkpoints.load(short.output / WEIGHTS)
    assert metadata["card"]["steps"] == 1 and metadata["card"]["held_out_mm"] == found
    assert metadata["options"]["pixels"] == 32 and metadata["card"]["crops"] == "dsr"
    before = (short.output / WEIGHTS).read_bytes()
    train_regressor(short)
    assert (short.output / WEIGHTS).read_bytes() == before
    assert list(short.output.glob("curves/events*"))


def test_another_training_keeps_out_of_the_folder(tmp_path):
    train_regressor(options(tmp_path / "one", steps=1))
    with pytest.raises(FileFormatError, match="another batch"):
        train_regressor(options(tmp_path / "one", steps=2, batch=2))


def test_a_broken_picture_is_left_out_and_counted(tmp_path, capsys):
    for name, file in (
        ("h36m", "h36m_train"), ("coco", "coco_2014_train"), ("mpi-inf-3dhp", "mpi_inf_3dhp_train"),
    ):  # fmt: skip
        for index in range(4):
            picture(tmp_path / FOLDERS / name / "images" / f"{index}.jpg", index)
        (tmp_path / EXTRAS).mkdir(exist_ok=True)
        np.savez(tmp_path / EXTRAS / f"{file}.npz", **spin_arrays(4))
    (tmp_path / FOLDERS / "h36m" / "images" / "2.jpg").write_bytes(b"no picture")
    train_regressor(options(tmp_path / "run", data=tmp_path, people=0, steps=6))
    _, metadata = checkpoints.load(tmp_path / "run" / WEIGHTS)
    assert metadata["card"]["skipped"] > 0
    told = capsys.readouterr().out
    assert "samples of h36m couldn't be used" in told
    assert all(np.isfinite(list(losses(tmp_path / "run").values())))


def test_a_gradient_that_is_no_number_costs_one_step(tmp_path, monkeypatch):
    real = Regression.training_step

    def wild(self, batch, index):
        loss = real(self, batch, index)
        return loss * float("inf") if self.global_step == 1 else loss

    monkeypatch.setattr(Regression, "training_step", wild)
    train_regressor(options(tmp_path / "wild", steps=3))
    network, metadata = checkpoints.load(tmp_path / "wild" / WEIGHTS)
    assert metadata["card"]["steps"] == 3
    assert all(value.isfinite().all() for value in network.state_dict().values())


def test_published_weights_and_imagenet_s_are_starts(tmp_path):
    first = options(tmp_path / "first", steps=1)
    train_regressor(first)
    train_regressor(options(tmp_path / "second", steps=1, start=first.output / WEIGHTS))
    state = checkpoints.load(first.output / WEIGHTS)[0].state_dict()
    head = ("fc1", "fc2", "dec", "init_")
    backbone = {k: v for k, v in state.items() if not k.startswith(head)}
    torch.save({**backbone, "fc.weight": torch.zeros(1000, 512)}, tmp_path / "imagenet.pth")
    train_regressor(options(tmp_path / "third", steps=1, start=tmp_path / "imagenet.pth"))
    with pytest.raises(FileFormatError, match="another network"):
        train_regressor(
            options(tmp_path / "fourth", steps=1, depth=34, start=first.output / WEIGHTS)
        )


def test_the_located_network_warms_up_once_and_is_dsr_s(tmp_path, monkeypatch):
    made = options(tmp_path / "run", network="located", warm_up=2, steps=2, batch=8, check_people=2)
    train_regressor(made)
    network, metadata = checkpoints.load(made.output / WEIGHTS)
    assert metadata["name"] == "located" and isinstance(network, LocatedHMR)
    assert load_network("dsr", made.output / WEIGHTS, "cpu").body == "default"
    assert {"maps", "places", "labels"} <= {name[6:] for name in _columns(made.output)}
    monkeypatch.setattr(run, "warm_up", lambda *_: pytest.fail("it is warm already"))
    train_regressor(replace(made, steps=3))
    assert len(losses(made.output)) == 3
    train_regressor(replace(made, output=tmp_path / "more", start=made.output / WEIGHTS))
    resnet = {
        name.removeprefix("backbone.resnet."): value
        for name, value in network.state_dict().items()
        if name.startswith("backbone.resnet.")
    }
    torch.save({**resnet, "fc1.weight": torch.zeros(4, 4)}, tmp_path / "hmr.pth")
    started, has_head = build_network(
        replace(made, start=tmp_path / "hmr.pth").recipe(), tmp_path / "hmr.pth"
    )
    assert not has_head
    assert torch.equal(started.state_dict()["backbone.resnet.conv1.weight"], resnet["conv1.weight"])


def _columns(folder: Path) -> list[str]:
    return next(iter(folder.glob("csv/*/metrics.csv"))).read_text().splitlines()[0].split(",")


def test_without_lightning_it_says_what_to_install(tmp_path, monkeypatch):
    for name in [n for n in sys.modules if n.startswith("regressor.training.")]:
        if name.rsplit(".", 1)[1] in ("run", "images", "module", "timing"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lightning", None)
    with pytest.raises(PosecastError, match=r"posecast\[train\]"):
        train.dsr(options(tmp_path / "never"))
    assert not (tmp_path / "never").exists()


def test_a_full_disk_is_told_and_leaves_the_state_before(tmp_path, monkeypatch):
    whole = options(tmp_path / "run", steps=1)
    train_regressor(whole)
    before = sorted(file.name for file in whole.output.iterdir())
    state = (whole.output / STATE).read_bytes()

    def full(self, file, *_, **__):
        Path(file).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(L.Trainer, "save_checkpoint", full)
    with pytest.raises(PosecastError, match=r"last\.ckpt can't be written \(No space left"):
        train_regressor(options(tmp_path / "run", steps=2))
    assert (whole.output / STATE).read_bytes() == state
    assert sorted(file.name for file in whole.output.iterdir()) == before
