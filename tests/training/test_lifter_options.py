"""What `train lifter` is given takes the place of the recipe's, or is answered in a sentence."""

import json
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from regressor.data.chunks import subset_of
from regressor.data.h36m_motionbert import FILE
from regressor.data.lifting import Motion17, Sampler
from regressor.data.mocap_files import Z_UP
from regressor.data.sequences import LiftingSet, read_set
from regressor.errors import PosecastError
from regressor.training.lifters.data import Shape, material
from regressor.training.lifters.losses import Loss
from regressor.training.lifters.options import LifterTraining
from regressor.training.lifters.recipes import PAPER, LifterRecipe
from tests.data import cmu
from tests.data.lifting_files import write_3dhp, write_motionbert
from tests.data.mocap_writers import write_bvh
from tests.training.test_lifter_data import sequence


def options(model: str = "videopose3d", **changes) -> LifterTraining:
    made = {"data": Path("set"), "output": Path("run"), "preset": "paper", **changes}
    return LifterTraining(model=model, **made)


def test_every_field_of_a_recipe_has_its_option():
    given = {entry.name for entry in fields(LifterTraining)}
    assert {entry.name for entry in fields(LifterRecipe)} - given == {"network"}


def test_without_options_recipes_are_as_published():
    for model, recipe in PAPER.items():
        made = options(model).recipe()
        assert made == recipe
        noted = json.loads(json.dumps(asdict(made)))  # as trainings before these options noted it
        assert noted["subset"] is None and noted["downsample"] is None


def test_videopose3d_s_recipe_of_humaneva():
    made = options(frames=27, batch=128, epochs=1000, decay=0.996).recipe()
    published = replace(
        PAPER["videopose3d"], network={"frames": 27}, batch=128, epochs=1000, decay=0.996
    )
    assert made == published


def test_gla_gcn_s_mirrored_windows():
    made = options("gla_gcn", flip=True, label_noise=False).recipe()
    assert made == replace(PAPER["gla_gcn"], flip=True, label_noise=False)
    assert options("ktpformer", flip=False).recipe().flip is False


def test_terms_of_the_loss():
    made = options("mixste", loss={"velocity": 3.0, "weighted": 0.0}, clip=1.0, weight_decay=0.0)
    recipe = made.recipe()
    assert recipe.loss == Loss(weighted=False, still=0.5, velocity=3.0, squared=True)
    assert recipe.loss.weighted is False
    assert (recipe.clip, recipe.weight_decay) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"weight_decay": -1.0}, "--weight-decay -1 has to be from 0 to 1"),
        ({"decay": 0.0}, "--decay 0.0 has to be above 0"),
        ({"decay": 1.5}, "--decay 1.5 has to be from 0 to 1"),
        ({"schedule": "cosine", "decay": 0.9}, "--decay is for --schedule epochs"),
        ({"clip": float("nan")}, "--clip nan has to be at least 0"),
        ({"subset": 0.0}, "--subset 0.0 has to be above 0"),
        ({"subset": 2.0}, "--subset 2 has to be from 0 to 1"),
        ({"amc_fps": -60.0}, "--amc-fps -60.0 has to be above 0"),
        ({"downsample": 0}, "--downsample 0 has to be at least 1"),
        ({"loss": {"speed": 1.0}}, "--loss has no speed: its terms are weighted, still"),
        ({"loss": {"velocity": -1.0}}, "--loss velocity -1 has to be a number not below 0"),
        ({"loss": {"squared": 0.5}}, "--loss squared 0.5 has to be 1 or 0"),
        ({"model": "uao", "loss": {"still": 1.0}}, "isn't for uao"),
        ({"model": "gla_gcn", "weight_decay": 0.1}, "isn't for ranger"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(changes, told):
    with pytest.raises(PosecastError, match=told):
        options(**changes).recipe()


def test_options_of_data_sets_are_not_for_motion_capture():
    options(flip=True, downsample=2).check_kind("h36m")
    with pytest.raises(PosecastError, match=r"--downsample is for data sets.*give --fps"):
        options(downsample=2).check_kind("mocap_files")
    with pytest.raises(PosecastError, match="--flip is for data sets"):
        options(flip=False).check_kind("mocap_files")
    with pytest.raises(PosecastError, match=r"--amc-fps is for motion capture.* is a data set"):
        options(amc_fps=60.0).check_kind("h36m")


def test_motion_capture_is_read_as_it_is_told(tmp_path):
    for subject in ("a", "b"):
        (tmp_path / subject).mkdir()
        write_bvh(tmp_path / subject / "one.bvh", frames=60, fps=30)
    plain = options(frames=9, fps=15.0, data=tmp_path, held_out=("b",), check_windows=4)
    told = replace(plain, up="z", metres_per_unit=0.02)
    draws = [material(one, one.recipe(), Shape(9, 2)).windows.sampler for one in (plain, told)]
    assert all(isinstance(draw, Sampler) for draw in draws)
    np.testing.assert_allclose(draws[1].joints, 2 * draws[0].joints @ Z_UP.T, atol=1e-4)
    with pytest.raises(PosecastError, match="--up x isn't known: choose y or z"):
        read_set(tmp_path, up="x")


def test_a_set_is_thinned_as_published():
    data = LiftingSet("tiny", [sequence(50), sequence(1)])
    data.sequences[0].valid = np.arange(50) > 20
    thin = data.thinned(0.5, 5)
    assert [len(one) for one in thin.sequences] == [5] and thin.sequences[0].fps == 10
    kept = subset_of(50, 0.5, 5)
    for name in ("keypoints", "joints", "valid"):
        whole, part = (getattr(one.sequences[0], name) for one in (data, thin))
        np.testing.assert_array_equal(part, whole[kept])
    assert [len(one) for one in data.thinned().sequences] == [50, 1]
    motion = Motion17(torch.randn(20, 17, 3), torch.randn(20, 17, 3))
    (part,) = LiftingSet("mocap", [], motions=[motion]).thinned(0.5).motions
    assert part.joints.equal(motion.joints[subset_of(20, 0.5)]) and len(part.seen) == 10


def test_a_training_sees_the_thinned_set(tmp_path):
    write_3dhp(tmp_path)
    made = options(frames=9, subset=0.5, downsample=2, data=tmp_path, check_windows=64, flip=False)
    seen = material(made, made.recipe(), Shape(9, 2))
    assert seen.fps == 12.5 and len(seen.windows) == 3 * 1  # of each recording's five frames
    # TS1 and TS5 are valid at 0, 2 and 3: every other frame is 0, 2 and 4.
    assert sum(len(batch["inputs"]) for batch in seen.checks) == 2 * 2
    (tmp_path / "mocap").mkdir()
    cmu.write(tmp_path / "mocap" / "cmu_motion.npz", subjects=(1, 2, 3))
    with pytest.raises(PosecastError, match="is for data sets"):
        material(replace(made, data=tmp_path / "mocap"), made.recipe(), Shape(9, 2))


def test_motionbert_s_file_is_learned_in_the_picture_s_units(tmp_path):
    write_motionbert(tmp_path / FILE, frames=9)
    made = options("motionbert", frames=9, detections="sh", data=tmp_path)
    seen = material(made, made.recipe(), Shape(9, 3))
    assert (seen.unit, seen.confidence, len(seen.windows)) == ("picture", True, 2)
    (batch,) = seen.checks
    test = read_set(tmp_path, "test", "sh").sequences
    for i, one in enumerate(test):
        relative = one.joints - one.joints[:, :1]
        np.testing.assert_allclose(batch["target"][i], relative, atol=1e-6)
        assert one.scale is not None
        np.testing.assert_array_equal(batch["scale"][i, :, 0, 0], one.scale)
