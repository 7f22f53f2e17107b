"""Human3.6M in MotionBERT's file: recordings, cameras, confidences and the factor to metres."""

import pickle

import numpy as np
import pytest

from regressor.data.h36m_motionbert import FILE
from regressor.data.sequences import read_set, recognise
from regressor.errors import FileFormatError, PosecastError
from tests.data.lifting_files import write_motionbert


def test_recordings_with_their_cameras_and_confidences(tmp_path):
    test = write_motionbert(tmp_path / FILE)["test"]
    for path in (tmp_path, tmp_path / FILE):
        assert recognise(path) == "h36m_motionbert"
    found = read_set(tmp_path, "test", "sh")
    one, other = found.sequences  # the broken one is left out
    assert (found.skeleton, found.root, found.unit) == ("h36m17", 0, "m")
    assert (one.subject, one.action, one.width, one.height) == ("S9", "Directions", 1000, 1002)
    assert (other.subject, other.action, other.height) == ("S11", "WalkTogether", 1000)
    assert one.fps == 50 and len(one) == len(other) == 6
    np.testing.assert_allclose(one.keypoints[..., :2], test["joint_2d"][:6], rtol=1e-6)
    np.testing.assert_allclose(other.keypoints[..., 2], test["confidence"][12:], rtol=1e-6)
    np.testing.assert_allclose(other.joints, test["joints_2.5d_image"][12:] / 1000, rtol=1e-6)
    # A label in half widths of the picture, times the scale, is the label in metres.
    shown = test["joint3d_image"][12:] / 500
    assert other.scale is not None
    np.testing.assert_allclose(shown * other.scale[:, None, None], other.joints, rtol=1e-5)
    labels = read_set(tmp_path, "test").sequences[0]
    np.testing.assert_allclose(labels.keypoints, test["joint3d_image"][:6, :, :2], rtol=1e-6)
    assert other.part(slice(0, 6, 3)).scale == pytest.approx(other.scale[[0, 3]])


def test_what_is_learned_from_is_in_the_picture_s_units(tmp_path):
    train = write_motionbert(tmp_path / FILE)["train"]
    found = read_set(tmp_path, "train", "sh")
    assert found.unit == "picture" and read_set(tmp_path, "test").unit == "m"
    assert len(found.sequences) == 2 and found.sequences[0].scale is None
    np.testing.assert_allclose(
        found.sequences[0].joints, train["joint3d_image"][:6] / 500, rtol=1e-6
    )


def test_confidences_may_have_an_axis_of_their_own(tmp_path):
    content = write_motionbert(tmp_path / FILE)
    plain = read_set(tmp_path, "test", "sh").sequences[0]
    content["test"]["confidence"] = content["test"]["confidence"][..., None]
    (tmp_path / FILE).write_bytes(pickle.dumps(content))
    same = read_set(tmp_path, "test", "sh").sequences[0]
    np.testing.assert_array_equal(plain.keypoints, same.keypoints)


def test_what_is_wrong_is_told_in_a_sentence(tmp_path):
    content = write_motionbert(tmp_path / FILE)
    with pytest.raises(PosecastError, match="has no detections 'cpn'"):
        read_set(tmp_path, "test", "cpn")

    def told(sentence, **changes):
        changed = {"test": content["test"] | changes}
        (tmp_path / "odd.pkl").write_bytes(pickle.dumps(changed))
        with pytest.raises(FileFormatError, match=sentence):
            read_set(tmp_path / "odd.pkl", "test", "sh")

    told("test action has 1 entries for 18 frames", action=["Walking"])
    told("of no camera that is known: 7", camera_name=["7"] * 18)
    told("of no camera that is known", source=["film"] * 18)
    told("test confidence is an array of shape", confidence=np.ones(18))
    (tmp_path / "odd.pkl").write_bytes(pickle.dumps([print]))
    with pytest.raises(FileFormatError, match="was not opened"):
        read_set(tmp_path / "odd.pkl", "test")
