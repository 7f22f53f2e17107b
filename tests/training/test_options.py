"""Presets are the published configurations; what is given takes their place."""

from pathlib import Path

import pytest

from regressor.errors import PosecastError
from regressor.training.options import PRESETS, DsrTraining


def options(**changes):
    return DsrTraining(output=Path("out"), people=10, **changes)


def test_dsr_is_as_published():
    recipe = options().recipe()
    assert recipe == PRESETS["dsr"]
    assert (recipe.learning_rate, recipe.batch, recipe.epochs) == (3e-5, 128, 50)
    assert (recipe.depth, recipe.pixels, recipe.mixture, recipe.crops) == (50, 224, "dsr", "dsr")
    drawn = recipe.semantics
    assert (drawn.mc_weight, drawn.c_weight, drawn.mc_loss, drawn.c_loss) == (
        0.1, 0.1, "row-iou", "logits",
    )  # fmt: skip
    assert (drawn.sigma, drawn.gamma, drawn.start_epoch) == (1e-5, 0.1, 2)
    weights = recipe.weights
    assert (weights.keypoints, weights.joints, weights.pose, weights.betas) == (5, 5, 1, 0.001)
    assert (weights.openpose, weights.labelled, weights.camera, weights.total) == (0, 1, 1, 60)


def test_spin_renders_nothing():
    recipe = options(preset="spin").recipe()
    assert recipe.semantics is None and recipe.crops == "spin"
    assert (recipe.learning_rate, recipe.batch) == (5e-5, 64)


def test_keypoints_see_no_3d():
    assert options(preset="keypoints").recipe().ignore_3d
    assert options(preset="silhouette").recipe().semantics.silhouette_weight > 0


def test_what_is_given_takes_the_preset_s_place():
    recipe = options(batch=8, ignore_3d=True, start_epoch=-1, semantics="dsr-corrected").recipe()
    assert recipe.batch == 8 and recipe.ignore_3d and recipe.learning_rate == 3e-5
    assert recipe.semantics.mode == "hard" and recipe.semantics.start_epoch == -1
    assert options(semantics="none").recipe().semantics is None


def test_what_makes_no_sense_is_a_sentence():
    with pytest.raises(PosecastError, match="nothing to learn from"):
        DsrTraining(output=Path("out")).recipe()
    with pytest.raises(PosecastError, match="dsr-corrected"):
        options(semantics="silhouettes").recipe()
    with pytest.raises(PosecastError, match="above 0"):
        options(batch=0).recipe()


def test_cameras_are_for_those_who_know_them():
    assert not options().recipe().rotation
    recipe = options(encoding=True, rotation=True).recipe()
    assert recipe.encoding and recipe.rotation
    with pytest.raises(PosecastError, match="--encoding shows cameras"):
        DsrTraining(output=Path("out"), data=Path("sets"), encoding=True).recipe()
    with pytest.raises(PosecastError, match=r"--rotation needs everybody's camera"):
        options(data=Path("sets"), rotation=True).recipe()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0), ("minutes", -1.0), ("minutes", float("nan")), ("workers", -1), ("seed", -1),
        ("log_every", 0), ("check_every", 0), ("check_people", -1), ("dropout", 2.0),
        ("people_share", 3.0), ("threads", 0), ("devices", "foo"), ("devices", "0,x"),
    ],
)  # fmt: skip
def test_numbers_that_no_training_can_use_are_refused(name, value):
    with pytest.raises(PosecastError, match=f"--{name.replace('_', '-')} .* has to be"):
        options(**{name: value}).recipe()
