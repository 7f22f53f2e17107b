"""Human3.6M's archives: splits, cameras, detections, and what is wrong with broken ones."""

import numpy as np
import pytest

from regressor.data import h36m
from regressor.data.keypoint_formats import to_h36m
from regressor.data.lifting_cameras import cameras, screen_to_pixels
from regressor.data.sequences import read_set
from regressor.errors import FileFormatError, PosecastError
from tests.data.lifting_files import in_camera, save, write_h36m


def test_the_splits_are_the_official_ones(tmp_path):
    world, _ = write_h36m(tmp_path)
    for split, subjects in (("train", "S1 S5 S6 S7 S8"), ("test", "S9 S11")):
        found = read_set(tmp_path, split)
        assert (found.name, found.skeleton, found.root, found.unit) == (
            *("Human3.6M", "h36m17"),
            *(0, "m"),
        )
        assert {one.subject for one in found.sequences} == set(subjects.split())
        assert len(found.sequences) == len(subjects.split()) * 2 * 4
    assert {one.action for one in found.sequences} == {"Walking", "SittingDown"}
    assert {one.action for one in found.sequences} < set(h36m.ACTIONS)
    one = next(s for s in found.sequences if s.name == "S9 Walking 1 55011271")
    assert (one.fps, one.width, one.height, len(one)) == (50, 1000, 1000, 4)
    kept = world["S9"]["Walking 1"][:, h36m.KEPT]
    np.testing.assert_allclose(one.joints, in_camera("human36m", "S9", 1, kept), atol=1e-5)
    assert one.joints.dtype == one.keypoints.dtype == np.float32


def test_the_sides_are_the_published_ones(tmp_path):
    write_h36m(tmp_path)
    found = read_set(tmp_path, "test")
    assert found.left == found.keypoint_left == [4, 5, 6, 11, 12, 13]
    assert found.right == found.keypoint_right == [1, 2, 3, 14, 15, 16]


def test_projected_keypoints_are_distorted_as_the_lenses_do(tmp_path):
    write_h36m(tmp_path)
    one = read_set(tmp_path, "test").sequences[0]
    camera = cameras("human36m")[one.subject][0]
    np.testing.assert_allclose(one.keypoints, camera.project(one.joints))
    assert one.intrinsics is not None and one.camera is camera.vector
    flat = one.joints @ one.intrinsics.T
    apart = np.abs(flat[..., :2] / flat[..., 2:] - one.keypoints).max()
    assert 0.1 < apart < 100


@pytest.mark.parametrize(
    ("detections", "joints", "skeleton"),
    [
        ("cpn_ft_h36m_dbb", 17, "h36m17"),
        ("detectron_pt_coco", 17, "coco17"),
        ("sh_pt_mpii", 16, "mpii16"),
    ],
)
def test_detections_are_cut_to_the_motion(tmp_path, detections, joints, skeleton):
    _, seen = write_h36m(tmp_path, detections, joints=joints)
    found = read_set(tmp_path, "test", detections)
    assert (found.skeleton, found.keypoint_skeleton) == ("h36m17", skeleton)
    for number, one in enumerate(found.sequences[:4]):
        assert one.keypoints.shape == (4, joints, 2)
        np.testing.assert_array_equal(one.keypoints, seen["S9"]["Walking 1"][number][:4])
    human = read_set(tmp_path, "test", detections, as_h36m=True)
    assert human.keypoint_skeleton == "h36m17"
    wanted = to_h36m(found.sequences[0].keypoints, skeleton)
    np.testing.assert_array_equal(human.sequences[0].keypoints, wanted)
    assert human.sequences[0].keypoints.shape == (4, 17, 2)


def test_a_third_column_stays(tmp_path):
    _, seen = write_h36m(tmp_path, "mine")
    for actions in seen.values():
        for views in actions.values():
            views[:] = [np.concatenate([v, v[..., :1] / 1000], -1) for v in views]
    content = {"positions_2d": seen, "metadata": {"num_joints": 17}}
    save(tmp_path / "data_2d_h36m_mine.npz", **content)
    assert read_set(tmp_path, "test", "mine").sequences[0].keypoints.shape == (4, 17, 3)


def test_the_archive_itself_and_chosen_subjects(tmp_path):
    write_h36m(tmp_path)
    found = read_set(tmp_path / "data_3d_h36m.npz", "train", subjects=("S6",))
    assert {one.subject for one in found.sequences} == {"S6"}


def test_what_is_missing_is_named(tmp_path):
    world, seen = write_h36m(tmp_path)
    with pytest.raises(PosecastError, match="there is cpn_ft_h36m_dbb"):
        read_set(tmp_path, "test", "detectron")
    metadata = {"num_joints": 17, "keypoints_symmetry": []}
    file = tmp_path / "data_2d_h36m_x.npz"
    short = {s: {a: [v[:2] for v in views] for a, views in d.items()} for s, d in seen.items()}
    save(file, positions_2d=short, metadata=metadata)
    with pytest.raises(FileFormatError, match="S9 Walking 1 0 has 2 frames, and the motion has 4"):
        read_set(tmp_path, "test", "x")
    save(file, positions_2d=seen, metadata=metadata | {"num_joints": 12})
    with pytest.raises(FileFormatError, match="12 joints, a layout that isn't known"):
        read_set(tmp_path, "test", "x")
    del seen["S9"]["Walking 1"]
    save(file, positions_2d=seen, metadata=metadata)
    with pytest.raises(FileFormatError, match="S9 lacks Walking 1"):
        read_set(tmp_path, "test", "x")
    del world["S11"]
    save(tmp_path / "data_3d_h36m.npz", positions_3d=world)
    with pytest.raises(FileFormatError, match="its content lacks S11"):
        read_set(tmp_path, "test")


def test_arrays_of_other_shapes_are_named(tmp_path):
    world, _ = write_h36m(tmp_path)
    for wrong, told in (
        (np.zeros((4, 20, 3)), r"S9 Walking 1 is an array of shape \(4, 20, 3\)"),
        (np.full((4, 32, 3), np.nan), "S9 Walking 1 holds values that are no numbers"),
        ("text", "S9 Walking 1 is no array of numbers"),
    ):
        world["S9"]["Walking 1"] = wrong
        save(tmp_path / "data_3d_h36m.npz", positions_3d=world)
        with pytest.raises(FileFormatError, match=told):
            read_set(tmp_path, "test")


def test_the_screen_s_middle_is_where_distortion_is_none():
    camera = cameras("human36m")["S1"][2]
    assert camera.vector is not None
    ahead = camera.project(np.array([0, 0, 5], np.float32))
    np.testing.assert_allclose(ahead, screen_to_pixels(camera.vector[2:4], 1000, 1000))
