"""3DPW as sequences for lifters."""

import numpy as np
import pytest

from regressor.data.keypoint_formats import to_h36m
from regressor.data.sequences import read_set
from regressor.data.threedpw import load_split
from regressor.errors import FileFormatError, PosecastError
from regressor.skeletons import COCO17, H36M17, SMPL24
from regressor.smpl import load_body
from regressor.smpl.landmarks import landmark_regressor
from tests.data import threedpw_files


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("3dpw")
    for split, name in (("test", "downtown_bus_00"), ("train", "courtyard_box_00")):
        threedpw_files.write(root, name, threedpw_files.sequence(), split)
    return root


def test_one_sequence_a_person_with_its_cameras(folder):
    found = read_set(folder, "test")
    assert (found.name, found.skeleton, found.keypoint_skeleton) == ("3DPW", "h36m17", "h36m17")
    assert [one.name for one in found.sequences] == [
        f"downtown_bus_00 person {number}" for number in (0, 1)
    ]
    one = found.sequences[0]
    assert (one.fps, one.width, one.height, one.action) == (30, 96, 128, "bus")
    assert one.valid is not None and one.valid.all() and one.intrinsics is not None
    flat = one.joints @ one.intrinsics.T
    np.testing.assert_allclose(one.keypoints, flat[..., :2] / flat[..., 2:], atol=1e-3)
    assert read_set(folder, "train").sequences[0].action == "box"


def test_the_17_joints_ride_on_3dpw_s_24(folder):
    """On the default body, which the file was made with, they are its regressed joints."""
    person, one = load_split(folder, "test")[1], read_set(folder, "test").sequences[1]
    assert person.joints is not None
    turn, shift = person.extrinsics[:, :3, :3], person.extrinsics[:, None, :3, 3]
    seen = person.joints @ turn.transpose(0, 2, 1) + shift
    for name in ("left_elbow", "right_wrist", "left_ankle"):
        apart = one.joints[:, H36M17.index(name)] - seen[:, SMPL24.index(name)]
        assert np.linalg.norm(apart, axis=-1).max() < 0.03
    body = load_body()
    rest = landmark_regressor(body.arrays, "h36m17") @ body.v_template.numpy()
    neck = np.linalg.norm(rest[9] - rest[8])
    found = np.linalg.norm(one.joints[:, 9] - one.joints[:, 8], axis=-1)
    assert np.abs(found / neck - 1).max() < 0.4


def test_openpose_s_detections_come_as_coco_s(folder):
    person = load_split(folder, "test")[0]
    found = read_set(folder, "test", "openpose")
    assert found.keypoint_skeleton == "coco17"
    seen = found.sequences[0].keypoints
    assert seen.shape == (4, 17, 3)
    for name, point in (("nose", 0), ("right_shoulder", 2), ("left_wrist", 7), ("left_ear", 17)):
        np.testing.assert_allclose(
            seen[:, COCO17.index(name)], person.keypoints[:, point], rtol=1e-6
        )
    human = read_set(folder, "test", "openpose", as_h36m=True)
    assert human.keypoint_skeleton == "h36m17"
    np.testing.assert_allclose(human.sequences[0].keypoints, to_h36m(seen, "coco17"))


def test_what_is_missing_is_told(folder, tmp_path):
    with pytest.raises(PosecastError, match="choose gt or openpose"):
        read_set(folder, "test", "cpn")
    content = threedpw_files.sequence()
    del content["jointPositions"]
    threedpw_files.write(tmp_path, "a_b_00", content)
    with pytest.raises(FileFormatError, match="a_b_00 person 0 of 3DPW has no jointPositions"):
        read_set(tmp_path, "test")
    with pytest.raises(PosecastError, match="no train split"):
        read_set(tmp_path, "train")
