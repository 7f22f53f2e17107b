"""The papers' error measures: their numbers, and what each must not mind."""

import json
from pathlib import Path

import numpy as np
import pytest
import roma
import torch

from regressor import metrics
from tests.golden.fill import uniform

GOLDEN = Path(__file__).parent / "golden" / "lifting_metrics.json"


@pytest.fixture
def joints():
    """(predicted, target) (10, 17, 3) of the golden numbers."""
    predicted = 2 * uniform("predicted", 510).reshape(10, 17, 3) - 1
    target = 2 * uniform("target", 510).reshape(10, 17, 3) - 1
    target[:, 0] = 0
    return predicted.astype(np.float32), target.astype(np.float32)


@pytest.mark.parametrize(
    ("measure", "name"),
    [
        (metrics.mpjpe, "mpjpe"),
        (metrics.p_mpjpe, "p_mpjpe"),
        (metrics.n_mpjpe, "n_mpjpe"),
        (metrics.velocity_error, "mean_velocity_error"),
    ],
)
def test_numbers_of_the_published_code(joints, measure, name):
    assert measure(*joints) == pytest.approx(json.loads(GOLDEN.read_text())[name], abs=1e-5)


def test_mpi_inf_3dhp_counts_14_joints_below_150_mm():
    """PCK and AUC as its MATLAB evaluation has them; MPJPE over all 17 joints."""
    golden = json.loads((GOLDEN.parent / "lifting_data.json").read_text())
    errors = np.load(GOLDEN.parent / "lifting_data.npz")["errors_3dhp_mm"]
    counted = errors[:14]
    assert 100 * metrics.pck_3dhp(counted) == pytest.approx(golden["pck_150"], abs=1e-6)
    assert 100 * metrics.auc_3dhp(counted) == pytest.approx(golden["auc_0_150"], abs=1e-6)
    assert errors.mean() == pytest.approx(golden["mpjpe_3dhp"], abs=1e-4)
    assert metrics.pck_3dhp([149.9, 150.0]) == 0.5
    assert metrics.auc_3dhp([0.0]) == pytest.approx(30 / 31)


def rotation(seed):
    torch.manual_seed(seed)
    return roma.random_rotmat(10).double().numpy()


def test_alignment_undoes_rotation_scale_and_shift(joints):
    target = joints[1]
    moved = 3 * target @ rotation(0) + [1, 2, 3]
    assert metrics.p_mpjpe(moved, target) == pytest.approx(0, abs=1e-6)
    assert metrics.mpjpe(moved, target) > 1


def test_a_mirror_image_is_an_error(joints):
    target = joints[1]
    assert metrics.p_mpjpe(target * [-1, 1, 1], target) > 0.1


def test_alignment_is_the_best_there_is(joints):
    """No small turn, scale or shift of the aligned prediction brings it closer."""
    predicted, target = joints
    aligned = metrics.similarity_aligned(predicted, target)
    best = np.square(aligned - target).sum((1, 2))
    small = roma.rotvec_to_rotmat(torch.tensor([[0.01, 0, 0], [0, -0.01, 0], [0, 0, 0.01]]))
    middle = target.mean(1, keepdims=True)
    others = [(aligned - middle) @ turn.numpy() + middle for turn in small]
    others += [1.01 * (aligned - middle) + middle, aligned + 0.01]
    for other in others:
        assert (np.square(other - target).sum((1, 2)) > best).all()


def test_scale_alone(joints):
    target = joints[1]
    assert metrics.n_mpjpe(0.2 * target, target) == pytest.approx(0, abs=1e-6)
    assert metrics.n_mpjpe(target + 0.1, target) > 0.01


def test_velocity_does_not_mind_a_constant_shift(joints):
    predicted, target = joints
    shifted = metrics.velocity_error(predicted + 5, target)
    assert shifted == pytest.approx(metrics.velocity_error(predicted, target), abs=1e-6)


def test_joints_in_one_point_are_no_division_by_zero(joints):
    target = joints[1]
    error = metrics.p_mpjpe(np.zeros_like(target), target)
    spread = np.linalg.norm(target - target.mean(1, keepdims=True), axis=-1).mean()
    assert error == pytest.approx(spread)


def test_different_shapes_are_an_error(joints):
    with pytest.raises(ValueError, match="can't be compared"):
        metrics.mpjpe(joints[0], joints[1][:5])
