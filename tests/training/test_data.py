"""The order of samples, and people that are kept."""

import numpy as np
import pytest
import torch

from regressor.data.mixture import seed_of
from regressor.data.people import SyntheticOptions, SyntheticPeople
from regressor.errors import FileFormatError
from regressor.smpl.body import load_body
from regressor.training.data import check_batches, synthetic
from regressor.training.kept import KeptPeople, mirrored
from regressor.training.options import DsrTraining
from regressor.training.order import Order
from rendering.cameras import project
from rendering.people import PeopleOptions


@pytest.fixture(scope="module")
def people():
    return SyntheticPeople(options=SyntheticOptions(people=PeopleOptions(size=32)))


def test_two_processes_take_what_one_does():
    one = list(Order(4, 3))
    two = zip(Order(2, 3, rank=0, world=2), Order(2, 3, rank=1, world=2), strict=True)
    assert one == [first + second for first, second in two]


def test_an_order_goes_on_from_a_step():
    assert list(Order(4, 5, start=3)) == list(Order(4, 5))[3:]
    assert len(Order(4, 5, start=3)) == 5


def test_kept_people_stay_the_same(people, tmp_path):
    first = KeptPeople(people, 20, tmp_path / "kept", augment=False)
    drawn = first.sample(17, np.random.default_rng(0))
    again = KeptPeople(people, 20, tmp_path / "kept", augment=False)
    assert again.arrays["drawn"].sum() == 4  # the last 16 of 20 are no full draw
    for name, value in again.sample(17, np.random.default_rng(1)).items():
        torch.testing.assert_close(value, drawn[name])
    fresh = people.batch(4, seed_of(0, 16))
    torch.testing.assert_close(drawn["pose"], fresh["pose"][1])
    torch.testing.assert_close(drawn["keypoints"], fresh["keypoints"][1])
    assert (drawn["image"] - fresh["image"][1]).abs().max() < 0.01  # kept in 8 bits
    assert torch.equal(drawn["labels"], fresh["labels"][1])


def test_other_people_are_not_mixed_up(people, tmp_path):
    KeptPeople(people, 20, tmp_path / "kept")
    with pytest.raises(FileFormatError, match="keeps other people"):
        KeptPeople(people, 20, tmp_path / "kept", seed=1)


def test_plain_people_are_whole_and_far(tmp_path):
    made = DsrTraining(output=tmp_path, people=1, plain_people=True)
    drawn = synthetic(made, 32, load_body(), validation=False).batch(4, 0)
    assert (drawn["keypoints"][..., 2] > 0).float().mean() > 0.97
    assert (drawn["camera"][:, 0] > 0).all() and (drawn["translation"][:, 2] > 4).all()


def test_mirroring_twice_changes_nothing(people, tmp_path):
    sample = KeptPeople(people, 4, tmp_path / "kept", augment=False).sample(0, None)
    once = mirrored(sample)
    assert not torch.equal(once["image"], sample["image"])
    for name, value in mirrored({**sample, **once}).items():
        torch.testing.assert_close(value, sample[name])
    left_alone = mirrored(sample, swap_sides=False)["labels"]
    assert torch.equal(left_alone, sample["labels"].flip(-1))


def test_augmentation_follows_from_its_draw(people, tmp_path):
    kept = KeptPeople(people, 4, tmp_path / "kept")
    one, same, other = (kept.sample(0, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(one["image"], same["image"])
    assert not torch.equal(one["image"], other["image"])


def test_held_out_people_are_others(tmp_path):
    """torch heeds 32 bits of a seed: shifted ones gave people to train on as held-out people."""
    options = DsrTraining(output=tmp_path, preset="cpu", people=32, check_people=16)
    recipe, body = options.recipe(), load_body()
    (check,) = check_batches(options, recipe, body)
    trained = KeptPeople(synthetic(options, recipe.pixels, body, False), 16, tmp_path / "a")
    others = KeptPeople(synthetic(options, recipe.pixels, body, False), 16, tmp_path / "b", 1)
    seen = [people.sample(0, np.random.default_rng(0)) for people in (trained, others)]
    betas = torch.cat([torch.as_tensor(people.arrays["betas"]) for people in (trained, others)])
    assert not torch.isclose(seen[0]["betas"], seen[1]["betas"]).any(), "another seed, others"
    assert not torch.isclose(betas[:, None], check["betas"][None]).all(2).any()


def test_cameras_are_kept_and_mirrored_where_they_are_asked_for(people, tmp_path):
    kept = KeptPeople(people, 2, tmp_path / "kept", augment=False, cameras=True)
    sample, fresh = kept.sample(1, np.random.default_rng(0)), people.batch(2, seed_of(0, 0))
    assert sample["has_camera"]
    torch.testing.assert_close(sample["intrinsics"], fresh["intrinsics"][1])
    camera = mirrored(sample)["intrinsics"]
    assert camera[0, 2] == 32 - sample["intrinsics"][0, 2] and camera[0, 0] > 0
    with pytest.raises(FileFormatError, match="keeps other people"):
        KeptPeople(people, 2, tmp_path / "kept")


def test_turned_cameras_see_people_on_their_axis(tmp_path):
    made = DsrTraining(output=tmp_path, people=1, rotation=True)
    drawn = synthetic(made, 32, load_body(), validation=False).batch(4, 0)
    torch.testing.assert_close(drawn["intrinsics"][:, :2, 2], torch.full((4, 2), 16.0))
    joints = drawn["joints3d"][..., :3] + drawn["translation"][:, None]
    seen = project(joints, drawn["intrinsics"]) / 16 - 1
    shown = drawn["keypoints"][:, 25:, 2:] > 0
    torch.testing.assert_close(seen * shown, drawn["keypoints"][:, 25:, :2])
