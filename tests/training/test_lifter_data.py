"""The windows that lifters learn from: whole, mirrored, in an order that can be shared."""

import numpy as np
import pytest
import torch

from regressor.data.sequences import LiftingSequence, LiftingSet
from regressor.errors import PosecastError
from regressor.training.lifters.data import SetWindows, Shape, prepare, window_table
from regressor.training.lifters.recipes import PAPER
from tests.lifters.published import golden


def sequence(length: int, first: int = 0) -> LiftingSequence:
    """The frame's number in every coordinate of the joints; keypoints in pixels."""
    rng = np.random.default_rng(first)
    joints = rng.normal(size=(length, 17, 3)).astype(np.float32)
    points = rng.uniform(0, 1000, (length, 17, 2)).astype(np.float32)
    return LiftingSequence(f"s{first}", "S1", "Walking", points, joints, 50.0, 1000, 1002)


def test_windows_are_the_published_ones():
    facts, _ = golden("lifting_data")
    lengths = (20, 9, 5)
    assert window_table(lengths, 9, "chunks", True).tolist() == facts["chunks_seq9"]
    around = window_table(lengths, 9, "frames", True)
    assert len(around) == 2 * sum(lengths)
    centres = (around[:, 1] + 4).tolist()
    assert centres == [row[1] for row in facts["chunks_stride1"]]
    clips = window_table(lengths, 9, "clips")
    assert clips[:, :2].tolist() == [[0, 0], [0, 3], [0, 6], [0, 9], [1, 0], [2, 0]]
    lengths = np.array([500, 243, 324])
    clips = window_table(lengths, 243, "clips")
    starts = clips[:, 1] + (np.cumsum(lengths) - lengths)[clips[:, 0]]
    assert starts.tolist() == golden("keypoint_formats")[0]["split_clips_starts"]


def test_keypoints_lie_on_the_screen_and_joints_about_the_root():
    one = sequence(3)
    points, joints = prepare(one, 0, 2)
    assert points.min() >= -1.002 and points.max() <= 1
    np.testing.assert_allclose(points[0, 0], one.keypoints[0, 0] / 500 - [1, 1.002], atol=1e-6)
    assert (joints[:, 0] == 0).all()
    sure, _ = prepare(one, 0, 3)
    assert sure.shape == (3, 17, 3) and (sure[..., 2] == 1).all()


def test_each_epoch_shows_every_window_once():
    data = LiftingSet("tiny", [sequence(20), sequence(9, 1)])
    windows = SetWindows(data, Shape(9, 2), "chunks", flip=True)
    assert len(windows) == 8
    for epoch in range(2):
        batch = windows.__getitems__(list(range(8 * epoch, 8 * epoch + 8)))
        assert batch["inputs"].shape == (8, 9, 17, 2) and batch["target"].shape == (8, 9, 17, 3)
        assert len({float(x) for x in batch["target"][:, 4, 3, 0].abs()}) <= 8
        plain = windows.take(range(8))
        one, other = (sorted(b["target"].flatten(1).sum(1).tolist()) for b in (batch, plain))
        assert one == pytest.approx(other, abs=1e-4)
    first, second = (windows._order(epoch) for epoch in (0, 1))
    assert first[:, 0].tolist() != second[:, 0].tolist()
    assert not first[:, 1].any()


def test_frames_that_do_not_count_are_in_no_window():
    broken, whole = sequence(12), sequence(5, 1)
    broken.valid = np.array([1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 1], bool)
    broken.joints[~broken.valid] = np.nan
    assert [len(part) for part in broken.valid_parts()] == [3, 4, 2]
    assert whole.valid_parts() == [whole]
    windows = SetWindows(LiftingSet("tiny", [broken, whole]), Shape(9, 2), "frames")
    assert len(windows) == 3 + 4 + 2 + 5
    batch = windows.take(range(len(windows)))
    assert all(torch.isfinite(values).all() for values in batch.values())
    broken.valid[:] = False
    with pytest.raises(PosecastError, match="No frame of tiny counts"):
        SetWindows(LiftingSet("tiny", [broken]), Shape(9, 2), "frames")


def test_chance_mirrors_half_of_the_windows_without_more_of_them():
    """MotionBERT's epoch is as long as the recordings are, each time turned otherwise."""
    data = LiftingSet("tiny", [sequence(200)])
    windows = SetWindows(data, Shape(9, 2), "frames", flip="random")
    assert len(windows) == 200
    plain = windows.take(range(200))["target"][:, 4, 0, 1]
    turned = []
    for epoch in range(2):
        seen = windows.__getitems__(list(range(200 * epoch, 200 * epoch + 200)))["target"]
        assert sorted(seen[:, 4, 0, 1].tolist()) == sorted(plain.tolist())
        turned.append(windows._order(epoch)[:, 1])
        assert 70 < turned[-1].sum() < 130
    assert (turned[0] != turned[1]).any()
    both, one = windows.take([5, 5], np.array([0, 1])), data.sequences[0].joints[5]
    relative = torch.as_tensor(one - one[:1])
    torch.testing.assert_close(both["target"][0, 4], relative)
    torch.testing.assert_close(both["target"][1, 4, 4], relative[1] * torch.tensor([-1.0, 1, 1]))
    assert {name for name, recipe in PAPER.items() if recipe.flip == "random"} == {
        "motionbert", "hot_motionbert"
    }  # fmt: skip


def test_a_mirrored_window_is_the_plain_one_in_the_mirror():
    data = LiftingSet("tiny", [sequence(9)])
    both = SetWindows(data, Shape(9, 3), "chunks", flip=True).take([0, 1])
    plain, mirrored = both["target"]
    torch.testing.assert_close(mirrored[:, 1], plain[:, 4] * torch.tensor([-1.0, 1, 1]))
    plain, mirrored = both["inputs"]
    torch.testing.assert_close(mirrored[:, 16], plain[:, 13] * torch.tensor([-1.0, 1, 1]))
