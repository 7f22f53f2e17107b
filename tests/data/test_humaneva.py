"""HumanEva's archives for lifters."""

import numpy as np
import pytest

from regressor.data.sequences import read_set
from regressor.errors import FileFormatError, PosecastError
from tests.data.lifting_files import in_camera, write_humaneva


def test_the_splits_are_the_official_ones(tmp_path):
    world, seen = write_humaneva(tmp_path)
    train, test = (read_set(tmp_path, split) for split in ("train", "test"))
    assert [one.name for one in train.sequences] == [
        f"Train/S1 Walking 1 chunk0 C{n}" for n in (1, 2, 3)
    ]
    assert {(one.subject, one.action) for one in test.sequences} == {("S1", "Jog"), ("S2", "Box")}
    assert (test.skeleton, test.keypoint_skeleton, test.root) == ("humaneva15", "humaneva15", 0)
    assert test.left == [2, 3, 4, 8, 9, 10] and test.right == [5, 6, 7, 11, 12, 13]
    one = test.sequences[4]
    assert (one.name, one.fps) == ("Validate/S2 Box 1 chunk2 C2", 60)
    assert (one.width, one.height, one.intrinsics) == (640, 480, None)
    points = world["Validate/S2"]["Box 1 chunk2"]
    np.testing.assert_allclose(one.joints, in_camera("humaneva", "S2", 1, points), atol=1e-5)
    np.testing.assert_array_equal(one.keypoints, seen["Validate/S2"]["Box 1 chunk2"][1])


def test_detections_have_their_own_skeleton_and_other_actions_can_be_asked_for(tmp_path):
    write_humaneva(tmp_path, "detectron_pt_coco")
    found = read_set(tmp_path / "data_3d_humaneva15.npz", "test", "detectron_pt_coco")
    assert (found.skeleton, found.keypoint_skeleton) == ("humaneva15", "coco17")
    assert found.sequences[0].keypoints.shape == (3, 17, 2)
    more = read_set(tmp_path, "train", "detectron_pt_coco", actions=("Walk", "Gestures"))
    assert {one.action for one in more.sequences} == {"Walk", "Gestures"}


def test_what_is_wrong_is_told(tmp_path):
    write_humaneva(tmp_path, "detectron_pt_coco")
    with pytest.raises(PosecastError, match=r"has no data_2d_humaneva15_gt\.npz"):
        read_set(tmp_path, "test")
    with pytest.raises(PosecastError, match="holds nothing for the test split"):
        read_set(tmp_path, "test", "detectron_pt_coco", actions=("Throw",))
    (tmp_path / "data_3d_humaneva15.npz").write_bytes(b"PK")
    with pytest.raises(FileFormatError, match="not a readable"):
        read_set(tmp_path, "test", "detectron_pt_coco")
