"""The rtmlib detector, with rtmlib's classes stood in for: their files can't be shipped."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from regressor.detection import create
from regressor.detection.rtmlib_pose import RtmlibPose
from regressor.errors import FileFormatError, PosecastError
from regressor.video import VideoFrame


class Model:
    """What rtmlib's tools have in common: a session that knows its input, and a size."""

    input_shape = (1, 3, 256, 192)

    def __init__(self, path, model_input_size=(1, 1), backend="", device="cpu"):
        assert backend == "onnxruntime"
        if b"broken" in Path(path).read_bytes():
            raise RuntimeError("INVALID_PROTOBUF : Protobuf parsing failed.\nmore lines")
        shape = types.SimpleNamespace(shape=list(self.input_shape))
        self.session = types.SimpleNamespace(get_inputs=lambda: [shape])
        self.model_input_size = model_input_size
        self.calls = []


class RTMPose(Model):
    joints = 17

    def __call__(self, image, bboxes):
        self.calls.append((image, bboxes))
        steps = np.linspace(0.25, 0.75, self.joints)[:, None]
        boxes = np.array(bboxes)[:, None]
        keypoints = boxes[..., :2] + steps * (boxes[..., 2:] - boxes[..., :2])
        return keypoints, np.full(keypoints.shape[:2], 1.2 if image.any() else 0.1)


class YOLOX(Model):
    input_shape = (1, 3, 640, 640)

    def __call__(self, image):
        return np.array([[0, 0, 20, 40], [30, 0, 50, 40]], float)


@pytest.fixture
def rtmlib(monkeypatch):
    pose = type("RTMPose", (RTMPose,), {})
    module = types.SimpleNamespace(RTMPose=pose, YOLOX=YOLOX, RTMDet=None)
    monkeypatch.setitem(sys.modules, "rtmlib", module)
    monkeypatch.setitem(sys.modules, "onnxruntime", types.SimpleNamespace())
    return module


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    return path


def frame(value=9, width=80, height=60):
    image = np.full((height, width, 3), value, np.uint8)
    image[..., 0] = 2 * value  # red, so that the order of channels shows
    return VideoFrame(0, 0.0, image)


def test_one_pose_for_each_detected_person(rtmlib, file):
    people = create("rtmlib", pose_model=file, detector_model=file)(frame())
    assert len(people) == 2
    assert people[1].keypoints[:, 0].min() >= 30
    assert people[0].confidence.max() == 1.0 and people[0].world is None


def test_the_input_size_is_the_files_own_and_the_picture_is_bgr(rtmlib, file):
    detector = RtmlibPose(file)
    detector(frame(9))
    image, _ = detector._pose.calls[-1]
    assert detector._pose.model_input_size == (192, 256)
    assert image[0, 0].tolist() == [9, 9, 18]


def test_without_a_detector_one_person_is_followed(rtmlib, file):
    detector = RtmlibPose(file)
    detector(frame())
    detector(frame())
    (_, first), (_, second) = detector._pose.calls[-2:]
    assert first == [[0, 0, 80, 60]]
    assert second[0][0] > 0 and second[0][2] < 80
    assert detector(frame(0)) == []
    detector(frame())
    assert detector._pose.calls[-1][1] == [[0, 0, 80, 60]]


@pytest.mark.parametrize(("joints", "skeleton"), [(17, "coco17"), (26, "halpe26")])
def test_the_skeleton_follows_from_the_number_of_joints(rtmlib, file, joints, skeleton):
    rtmlib.RTMPose.joints = joints
    assert RtmlibPose(file).skeleton == skeleton


def test_other_numbers_of_joints_are_refused(rtmlib, file):
    rtmlib.RTMPose.joints = 133
    with pytest.raises(FileFormatError, match="133 keypoints"):
        RtmlibPose(file)


def test_missing_or_broken_files_are_one_sentence(rtmlib, tmp_path):
    with pytest.raises(PosecastError, match="doesn't exist"):
        RtmlibPose(tmp_path / "nothing.onnx")
    with pytest.raises(PosecastError, match="name its"):
        RtmlibPose()
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"broken")
    with pytest.raises(FileFormatError, match="can't be used") as caught:
        RtmlibPose(broken)
    assert "\n" not in str(caught.value)


def test_a_missing_rtmlib_says_how_to_get_it(monkeypatch, file):
    monkeypatch.setitem(sys.modules, "rtmlib", None)
    with pytest.raises(PosecastError, match="pip install"):
        RtmlibPose(file)
