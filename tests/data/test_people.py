"""Synthetic people as training samples: what a sample says of its picture, poses, and refusals."""

import numpy as np
import pytest
import torch

from regressor.data.mocap import HELD_OUT
from regressor.data.people import Options, SyntheticOptions, SyntheticPeople, run
from regressor.data.poses import Poses, draw_bodies, load_poses
from regressor.errors import FileFormatError, PosecastError
from regressor.images.joints import LABELLED
from regressor.smpl.body import chain
from rendering.cameras import project
from rendering.people import PeopleOptions

SMALL = SyntheticOptions(people=PeopleOptions(size=64))
SOURCE = SyntheticPeople(options=SMALL)


def test_one_seed_gives_one_batch():
    one, same, other = SOURCE.batch(3, 8), SOURCE.batch(3, 8), SOURCE.batch(3, 9)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["image"], other["image"])


def test_a_sample_s_numbers_agree_with_one_another():
    batch = SOURCE.batch(6, 1)
    joints = batch["joints3d"][..., :3] + batch["translation"][:, None]
    pixels = project(joints, batch["intrinsics"]) / 32 - 1
    keypoints = batch["keypoints"][:, LABELLED]
    known = keypoints[..., 2] > 0
    assert known.float().mean() > 0.5
    assert torch.allclose(pixels[known], keypoints[..., :2][known], atol=1e-3)
    assert (keypoints[..., :2].abs() <= 1).all() and (keypoints[~known] == 0).all()
    _, from_pose = chain(batch["pose"], SOURCE.body.joints_at_rest(batch["betas"]))
    assert torch.allclose(from_pose[:, 7], batch["joints3d"][:, 5, :3], atol=1e-4)  # left ankle
    eye = batch["pose"] @ batch["pose"].transpose(-1, -2)
    assert torch.allclose(eye, torch.eye(3).expand_as(eye), atol=1e-4)
    assert (torch.linalg.det(batch["pose"]) > 0).all()


def test_people_stand_upright_and_look_anywhere():
    pose, _ = draw_bodies(400, torch.Generator().manual_seed(0), None, SMALL)
    up, ahead = pose[:, 0, :, 1], pose[:, 0, :, 2]  # the body's y and z in the camera's axes
    assert (up[:, 1] < 0).float().mean() > 0.95  # y is down
    assert 0.3 < (ahead[:, 2] < 0).float().mean() < 0.7


def test_poses_come_from_those_that_are_given():
    vectors = torch.zeros(1, 24, 3)
    vectors[0, 4, 0] = 1.5  # left knee
    calm = SyntheticOptions(perturb=0.0, invented=0.0)
    pose, _ = draw_bodies(
        50, torch.Generator().manual_seed(0), Poses(vectors, torch.tensor([1])), calm
    )
    bent = (pose[:, [4, 5], 1, 1] - np.cos(1.5)).abs() < 1e-5
    assert bent.any(0).all() and (bent.sum(1) == 1).all()  # left, or right where mirrored


def test_held_out_subjects_are_in_no_training_batch():
    poses = Poses(torch.zeros(3, 24, 3), torch.tensor([HELD_OUT[0], 1, HELD_OUT[1]]))
    assert poses.split(validation=False).subject.tolist() == [1]
    assert len(poses.split(validation=True).rotations) == 2


def test_a_file_of_poses_is_read_and_another_is_refused(tmp_path):
    file = tmp_path / "poses.npz"
    np.savez(file, rotations=np.zeros((5, 24, 3), np.float16), subject=np.ones(5, np.int16))
    assert load_poses(file).rotations.shape == (5, 24, 3)
    np.savez(file, other=np.zeros(3))
    with pytest.raises(FileFormatError, match="no file of poses"):
        load_poses(file)


def test_the_sheet_shows_pictures_above_their_labels(tmp_path):
    from PIL import Image

    sheet = tmp_path / "sheet.png"
    run(Options(sheet=sheet, count=3, columns=2, draw=SMALL))
    assert Image.open(sheet).size == (2 * 64, 2 * 2 * 64)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"count": 0}, "--count and --columns"),
        ({"columns": 0}, "--count and --columns"),
        ({"device": "gramophone"}, "no device 'gramophone'"),
        ({"sheet": None}, "nothing to do"),
    ],
)
def test_a_sheet_that_can_t_be_is_refused_in_a_sentence(tmp_path, wrong, sentence):
    options = {"sheet": tmp_path / "sheet.png", "count": 1, "draw": SMALL, **wrong}
    with pytest.raises(PosecastError, match=sentence):
        run(Options(**options))
    assert not any(tmp_path.iterdir())


def test_the_command_says_what_is_missing(tmp_path):
    with pytest.raises(PosecastError, match="--poses"):
        run(Options(motion=tmp_path / "motion.npz"))
    with pytest.raises(PosecastError, match="no picture"):
        SyntheticPeople(SOURCE.body, pictures=tmp_path)
