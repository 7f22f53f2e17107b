"""A training that was killed, or shared by two processes, learns what it would have learned."""

import os
import signal
import subprocess
import sys

import pytest
import torch

from regressor import checkpoints
from tests.training.tiny import losses, options

pytest.importorskip("lightning")
pytest.importorskip("tensorboard")

from regressor.training.module import Regression
from regressor.training.run import STATE, WEIGHTS, train_regressor


def killed_at(step, monkeypatch):
    """Trainings die in the midst of this step."""
    real = Regression.training_step

    def dying(self, batch, index):
        if self.global_step == step:
            raise RuntimeError("killed")
        return real(self, batch, index)

    monkeypatch.setattr(Regression, "training_step", dying)


def test_a_killed_training_resumes_to_the_same_losses(tmp_path, monkeypatch):
    changes = {"steps": 6, "dropout": 0.5, "average": 0.9}
    train_regressor(options(tmp_path / "whole", **changes))
    whole = losses(tmp_path / "whole")
    assert len(whole) == 6

    killed = options(tmp_path / "killed", save_minutes=0.0, **changes)
    with monkeypatch.context() as patch:
        killed_at(3, patch)
        with pytest.raises(RuntimeError, match="killed"):
            train_regressor(killed)
    assert not (killed.output / WEIGHTS).exists()
    train_regressor(killed)
    resumed = losses(killed.output)
    assert sorted(resumed) == sorted(whole)
    for step, loss in whole.items():
        assert resumed[step] == pytest.approx(loss, rel=1e-6), step
    one, other = (checkpoints.load(tmp_path / n / WEIGHTS)[0] for n in ("whole", "killed"))
    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[name], msg=name)


def test_being_told_to_stop_saves_what_is_learned(tmp_path, monkeypatch):
    real = Regression.training_step

    def told(self, batch, index):
        if self.global_step == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(Regression, "training_step", told)
        train_regressor(options(tmp_path / "told", steps=4))
    _, metadata = checkpoints.load(tmp_path / "told" / WEIGHTS)
    assert metadata["card"]["steps"] == 2
    train_regressor(options(tmp_path / "told", steps=4))
    assert sorted(losses(tmp_path / "told")) == [0, 1, 2, 3]


def test_two_processes_agree_with_one(tmp_path):
    same = {"dropout": 0.0, "freeze_norm": True, "steps": 3, "learning_rate": 1e-5}
    one = options(tmp_path / "one", batch=4, **same)
    train_regressor(one)
    command = [
        sys.executable, "-m", "regressor.train", "dsr", "--preset", "cpu", "--network", "hmr",
        "--people", "16",
        "--output", tmp_path / "two", "--people-folder", tmp_path / "people", "--steps", "3",
        "--batch", "2", "--pixels", "32", "--average", "0", "--schedule", "constant",
        "--check-people", "0", "--accelerator", "cpu", "--devices", "2", "--dropout", "0",
        "--freeze-norm", "--learning-rate", "1e-5",
    ]  # fmt: skip
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    start = torch.load(one.output / STATE, weights_only=True)
    other = torch.load(tmp_path / "two" / STATE, weights_only=True)
    assert start["global_step"] == other["global_step"] == 3
    gap = moved = 0.0
    for name, value in _first(start).items():
        # Adam's first moment is the mean of the gradients, which is what processes share.
        gap += float((value - _first(other)[name]).square().sum())
        moved += float(value.square().sum())
    assert moved > 0 and gap < 1e-4 * moved


def _first(state):
    return {k: v["exp_avg"] for k, v in state["optimizer_states"][0]["state"].items()}
