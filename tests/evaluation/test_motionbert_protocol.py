"""MotionBERT's own test: whole clips alone, answers in the picture's units, about the root."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from regressor.data.h36m_motionbert import FILE
from regressor.evaluation.lifters.predict import Candidate, predict
from regressor.evaluation.lifters.scores import score
from regressor.evaluation.lifters.seen import View, read_test_set
from regressor.lifters.windows import LifterInput
from tests.data.lifting_files import write_motionbert

PICTURE = LifterInput("screen", 50.0, metric=False)  # as authors' weights


class Flat(nn.Module):
    """Answers x and y as they are seen, without depth; root-relative as MotionBERT's are or not."""

    frames, joints, channels, answers = 9, 17, 3, "window"

    def __init__(self, relative: bool):
        super().__init__()
        self.relative = relative
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, windows):
        joints = torch.cat([windows[..., :2], 0 * windows[..., :1]], -1) * self.weight
        return joints - joints[..., :1, :] + 0.01 * windows[..., 2:] if self.relative else joints


def test_answers_in_the_picture_s_units_are_scored_in_millimetres(tmp_path):
    write_motionbert(tmp_path / FILE, frames=20, depth=0)
    found = read_test_set(tmp_path, "gt", None, View())
    (sequences,) = found.conditions.values()
    assert found.groups == ["Directions", "WalkTogether"]
    candidate = Candidate("flat", Path("f"), "motionbert", Flat(False), PICTURE)
    for one in sequences:
        lifted = predict(candidate, one, found, "published", flip=False)
        assert len(lifted.frames) == 18
        target = one.joints[lifted.frames]
        errors = score(lifted.joints, target - target[:, :1])
        assert errors.values["mpjpe"] == pytest.approx(0, abs=1e-2)  # mm


def test_the_root_of_relative_weights_is_set_to_0_alone(tmp_path):
    """The confidence adds 0.01 to each joint: that is an error that MotionBERT's test counts."""
    write_motionbert(tmp_path / FILE, frames=9, depth=0)
    found = read_test_set(tmp_path, "gt", None, View())
    one = found.conditions["gt"][0]
    candidate = Candidate("flat", Path("f"), "motionbert", Flat(True), PICTURE)
    lifted = predict(candidate, one, found, "published", flip=False)
    assert one.scale is not None
    off = lifted.joints - (one.joints - one.joints[:, :1])
    np.testing.assert_allclose(off[:, 0], 0)
    np.testing.assert_allclose(
        off[:, 1:], np.broadcast_to(0.01 * one.scale[:, None, None], off[:, 1:].shape), atol=1e-5
    )


def test_networks_of_metres_are_left_as_they_are(tmp_path):
    write_motionbert(tmp_path / FILE, frames=9)
    found = read_test_set(tmp_path, "sh", None, View())
    one = found.conditions["sh"][0]
    own = Candidate(
        "own", Path("f"), "motionbert", Flat(True), LifterInput("screen", 50.0, True), metres=1.0,
        card={"coordinates": "screen", "fps": 50.0},
    )  # fmt: skip
    lifted = predict(own, one, found, "published", flip=False)
    seen = one.keypoints[..., :2] / 500
    off = lifted.joints[..., :2] - (seen - seen[:, :1])
    np.testing.assert_allclose(off[:, 1:], 0.01 * one.keypoints[:, 1:, 2:].repeat(2, -1), atol=1e-5)
