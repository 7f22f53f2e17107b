"""The loss: HMR's terms and the rendered ones, from when on, and by which labels."""

from dataclasses import replace

import pytest
import torch

from regressor.images.hmr import HmrOutput
from regressor.images.joints import Joints49
from regressor.smpl.body import load_body
from regressor.training.objective import Objective, PosedBody
from regressor.training.options import PRESETS
from regressor.training.scores import errors
from rendering.semantic import preset
from tests.training.tiny import sample


@pytest.fixture(scope="module")
def posed():
    body = load_body()
    return PosedBody(body, Joints49(body))


@pytest.fixture
def output():
    batch = sample()
    betas = torch.zeros(2, 10, requires_grad=True)
    cam = torch.tensor([[0.9, 0.0, 0.3]] * 2, requires_grad=True)
    return HmrOutput(batch["pose"].clone().requires_grad_(), betas, cam)


def prior_of(posed):
    return torch.full((len(posed.faces), 20), 0.05)


def test_the_total_is_sixty_times_the_sum(posed, output):
    terms = Objective(PRESETS["cpu"], posed)(output, sample(), 0)
    parts = [terms[name] for name in ("keypoints", "joints", "pose", "betas", "camera")]
    torch.testing.assert_close(terms["total"], 60 * torch.stack(parts).sum())


def test_rendering_begins_after_its_epoch(posed, output):
    recipe = replace(PRESETS["dsr-corrected"], semantics=preset("dsr-corrected"))
    objective = Objective(recipe, posed, prior_of(posed))
    before, after = (objective(output, sample(), epoch) for epoch in (2, 3))
    assert "semantic" not in before
    torch.testing.assert_close(after["total"], before["total"] + 60 * after["semantic"])
    after["semantic"].backward()
    for part in output:
        assert part.grad.isfinite().all() and part.grad.any()


def test_without_3d_labels_nothing_follows_from_them(posed, output):
    objective = Objective(replace(PRESETS["keypoints"], rest=0.1), posed)
    one, other = sample(), sample()
    other["pose"] = other["pose"].roll(1, 1)
    other["betas"], other["joints3d"] = other["betas"] + 1, other["joints3d"] * 2
    first = objective(output, one, 9)
    assert not any(first[name].any() for name in ("pose", "joints", "betas"))
    torch.testing.assert_close(first["total"], objective(output, other, 9)["total"])


def test_the_rest_pose_and_mean_shape_cost_nothing(posed, output):
    objective = Objective(replace(PRESETS["keypoints"], rest=1.0), posed)
    assert not objective(output, sample(), 0)["rest"].any()
    moved = output._replace(betas=output.betas + 1)
    assert objective(moved, sample(), 0)["rest"] > 0


def test_the_truth_has_no_error(posed):
    batch = sample()
    true = HmrOutput(batch["pose"], batch["betas"], torch.zeros(2, 3))
    for value in errors(posed, true, batch).values():
        assert value.shape == (2,) and (value < 0.01).all()


def test_errors_are_millimetres_of_what_they_name(posed):
    batch = sample()
    quarter = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    pose = batch["pose"].clone()
    pose[:, 0] = quarter @ pose[:, 0]
    turned = errors(posed, HmrOutput(pose, batch["betas"], torch.zeros(2, 3)), batch)
    assert (turned["mpjpe"] > 100).all() and (turned["pve"] > 100).all()
    assert (turned["pa_mpjpe"] < 0.1).all() and (turned["shape"] < 0.01).all()
    shaped = errors(posed, HmrOutput(batch["pose"], batch["betas"] * 0, torch.zeros(2, 3)), batch)
    assert (shaped["shape"] > 3).all() and (shaped["shape"] < 100).all()
