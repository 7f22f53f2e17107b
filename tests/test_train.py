"""Training: a few steps write weights that the estimate loads, and go on where they stopped."""

import numpy as np
import pytest
import torch

from regressor import checkpoints, lifters, train
from regressor.errors import FileFormatError
from regressor.lifters.windows import Picture, lift
from regressor.lifting import load_lifter
from tests.data import cmu


@pytest.fixture
def options(tmp_path):
    cmu.write(tmp_path / "cmu_motion.npz")
    return train.LifterTraining(
        data=tmp_path / "cmu_motion.npz",
        output=tmp_path / "small.safetensors",
        minutes=0.02,
        frames=9,
        dim=16,
        depth=1,
        heads=2,
        batch=2,
        shapes=1,
        log_every=1000,
    )


def parts(file):
    return checkpoints.load(file)[0].state_dict()


def test_a_short_training_writes_weights_that_estimate_loads(options, capsys):
    train.train_lifter(options)
    network, expects = load_lifter("ktpformer", options.output, "cpu")
    assert (expects.coordinates, expects.fps) == ("centred", 12.5)
    points = 100 + 50 * np.random.default_rng(0).normal(size=(5, 17, 2)).astype(np.float32)
    picture = Picture(np.array([[500.0, 0, 100], [0, 500, 100], [0, 0, 1]]), 200)
    joints = lift(network, expects, points, np.arange(5) / 25, picture)
    assert joints.shape == (5, 17, 3) and np.isfinite(joints).all()
    _, metadata = checkpoints.load(options.output)
    card = metadata["card"]
    assert card["steps"] > 0 and card["held_out_mpjpe_mm"]["noisy"] > 0
    told = capsys.readouterr().out
    assert "2 clips to train on, 1 held out" in told and "held out: clean" in told

    # The same command with more time goes on.
    before, steps = parts(options.output), card["steps"]
    options.minutes = 0.04
    train.train_lifter(options)
    told = capsys.readouterr().out
    assert f"step {steps}" in told and "resuming after" in told
    _, metadata = checkpoints.load(options.output)
    assert metadata["card"]["steps"] > steps
    after = parts(options.output)
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_finished_training_is_left_as_it_is(options, capsys):
    train.train_lifter(options)
    content = options.output.read_bytes()
    train.train_lifter(options)
    assert options.output.read_bytes() == content


def test_training_lowers_the_loss():
    torch.manual_seed(0)
    network = lifters.create("ktpformer", frames=9, dim=16, depth=1, heads=2)
    inputs = torch.randn(4, 9, 17, 2)
    target = 0.3 * torch.randn(4, 9, 17, 3)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(30):
        loss = train.loss_of(network(inputs), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_the_loss_is_nothing_for_the_truth_and_weighs_limbs_ends():
    target = torch.randn(2, 9, 17, 3)
    assert train.loss_of(target, target) == 0
    hip, wrist = target.clone(), target.clone()
    hip[:, :, 1] += 0.1
    wrist[:, :, 13] += 0.1
    assert train.loss_of(wrist, target) > 3 * train.loss_of(hip, target)


def test_the_learning_rate_rises_and_falls():
    rates = [train.rate_at(done, 1.0) for done in (0.0, 0.01, 0.02, 0.5, 1.0, 1.5)]
    assert rates[0] < rates[1] < rates[2] and rates[2] > 0.99
    assert rates[2] > rates[3] > rates[4] > 0
    assert rates[4] == pytest.approx(rates[5]) == pytest.approx(0.01)


def test_a_wrong_data_file_is_answered_in_a_sentence(options):
    options.data.write_text("hello")
    with pytest.raises(FileFormatError, match="CMU motion set"):
        train.train_lifter(options)
    assert not options.output.exists()
