"""The lifters' losses and rates, held to the authors' numbers."""

import pytest
import torch

from regressor.errors import PosecastError
from regressor.training.lifters.losses import (
    JOINT_WEIGHTS,
    Loss,
    n_mpjpe,
    stillness,
    velocity,
    weighted_mpjpe,
)
from regressor.training.lifters.recipes import PAPER, names, recipe_of
from regressor.training.schedule import annealed, decayed, rate_at
from tests.golden.fill import uniform
from tests.lifters.published import golden

WEIGHTS = torch.tensor(JOINT_WEIGHTS["h36m17"])


def test_mixste_and_ktpformer():
    facts, arrays = golden("mixste")
    predicted, target = (torch.as_tensor(arrays[name]) for name in ("output", "target"))
    target[:, :, 0] = 0
    values = facts["values"]
    assert float(weighted_mpjpe(predicted, target, WEIGHTS)) == pytest.approx(
        values["loss_weighted_mpjpe"], rel=1e-5
    )
    assert float(stillness(predicted, WEIGHTS)) == pytest.approx(
        values["loss_temporal_consistency"], rel=1e-5
    )
    assert float(velocity(predicted, target)) == pytest.approx(
        values["loss_mean_velocity"], rel=1e-5
    )
    for name in ("mixste", "ktpformer", "hot_mixste"):
        total = PAPER[name].loss(predicted, target, WEIGHTS)["total"]
        assert float(total) == pytest.approx(values["loss_total"], rel=1e-5)


def test_ktpformer_s_total_of_one_sequence():
    facts, _ = golden("lifting_data")
    predicted, target = (
        torch.as_tensor(2 * uniform(name, 510) - 1).float().view(1, 10, 17, 3)
        for name in ("predicted", "target")
    )
    target[:, :, 0] = 0
    total = PAPER["ktpformer"].loss(predicted, target, WEIGHTS)["total"]
    assert float(total) == pytest.approx(facts["ktpformer_total_loss"], rel=1e-5)


def test_motionbert():
    facts, arrays = golden("motionbert")
    predicted, target = (torch.as_tensor(arrays[name]) for name in ("output", "target"))
    target = target - target[:, :, :1]
    values = facts["losses"]["root_relative"]
    assert float(n_mpjpe(predicted, target)) == pytest.approx(values["scale"], rel=1e-5)
    terms = PAPER["motionbert"].loss(predicted, target, WEIGHTS)
    assert float(terms["position"]) == pytest.approx(values["pos"], rel=1e-5)
    assert float(terms["velocity"]) == pytest.approx(values["velocity"], rel=1e-5)
    assert float(terms["total"]) == pytest.approx(values["total_pose3d"], rel=1e-5)


def test_one_frame_has_no_velocity():
    terms = Loss(still=0.5, velocity=2.0)(
        torch.zeros(2, 1, 17, 3), torch.ones(2, 1, 17, 3), WEIGHTS
    )
    assert set(terms) == {"position", "total"} and float(terms["total"]) == pytest.approx(3**0.5)


def test_the_rates_of_the_papers():
    assert [decayed(epoch, 1.0, 0.99) for epoch in (0, 1, 2)] == pytest.approx([1, 0.99, 0.9801])
    rates = [decayed(epoch, 1.0, 0.95, 0.5) for epoch in (4, 5, 6)]
    assert rates == pytest.approx([0.95**4, 0.95**4 * 0.5, 0.95**5 * 0.5])
    assert annealed(0, 80, 0.01, 1e-5) == pytest.approx(0.01)
    assert annealed(80, 80, 0.01, 1e-5) == pytest.approx(1e-5)


def test_the_learning_rate_of_the_small_preset_rises_and_falls():
    rates = [rate_at(done, 1.0) for done in (0.0, 0.01, 0.02, 0.5, 1.0, 1.5)]
    assert rates[0] < rates[1] < rates[2] and rates[2] > 0.99
    assert rates[2] > rates[3] > rates[4] > 0
    assert rates[4] == pytest.approx(rates[5]) == pytest.approx(0.01)


def test_every_lifter_has_both_presets():
    for name in names():
        small = recipe_of(name, "cpu")
        assert small.network.get("frames", 27) == 27 and small.schedule == "cosine"
        assert recipe_of(name, "paper") == PAPER[name]
    with pytest.raises(PosecastError, match="no lifter called nothing"):
        recipe_of("nothing", "paper")


def test_a_network_that_says_how_unsure_it_is_learns_by_its_likelihood():
    facts, arrays = golden("uao")
    joints, s, target = (torch.as_tensor(arrays[name]) for name in ("mu", "s", "target"))
    target[:, :, 0] = 0
    for preset in ("paper", "cpu"):
        terms = recipe_of("uao", preset).loss(joints, target, WEIGHTS, s)
        assert float(terms["total"]) == pytest.approx(facts["gaussian_loss"], rel=1e-5)
    assert float(terms["position"]) == pytest.approx(float((joints - target).norm(dim=-1).mean()))
