"""Poses of single frames become people over time."""

import numpy as np
import pytest

from regressor.detection.linking import link
from regressor.detection.track import Pose, box_around

FPS = 30.0
SHAPE = np.random.default_rng(0).uniform(0, 100, (17, 2)).astype(np.float32)


def pose(x: float, y: float = 0.0, scale: float = 1.0, score: float = 0.9) -> Pose:
    keypoints = SHAPE * scale + np.array([x, y], np.float32)
    return Pose(keypoints, np.full(17, 0.8, np.float32), box_around(keypoints), score)


def times(count: int) -> np.ndarray:
    return np.arange(count) / FPS


def linked(poses, cuts=()):
    return link(poses, times(len(poses)), FPS, "coco17", cuts)


def test_two_people_who_pass_each_other_stay_themselves():
    # They walk towards each other and through: their places cross, their motion goes on.
    poses = [[pose(8.0 * i), pose(480 - 8.0 * i, 40)][:: (-1) ** i] for i in range(61)]
    tracks = linked(poses)
    assert [len(track) for track in tracks] == [61, 61]
    for track in tracks:
        steps = np.diff(track.keypoints[:, 0, 0])
        assert np.allclose(steps, steps[0])


def test_a_short_gap_is_filled_in_and_marked():
    poses = [[pose(3.0 * i)] if not 10 <= i < 20 else [] for i in range(40)]
    (track,) = linked(poses)
    assert track.frames.tolist() == list(range(40))
    assert (~track.observed).nonzero()[0].tolist() == list(range(10, 20))
    assert np.allclose(track.keypoints[:, 0, 0], SHAPE[0, 0] + 3.0 * np.arange(40), atol=1e-3)
    assert (track.confidence[10:20] == 0).all() and (track.confidence[:10] > 0).all()
    assert track.coverage(40) == pytest.approx(0.75)


def test_after_a_long_gap_it_is_somebody_new():
    poses = [[pose(0)] if not 20 <= i < 60 else [] for i in range(80)]
    assert [len(track) for track in linked(poses)] == [20, 20]


def test_gaps_are_measured_in_seconds():
    poses = [[pose(0)] if not 20 <= i < 60 else [] for i in range(80)]
    (track,) = link(poses, np.arange(80) / 120, 120, "coco17")
    assert len(track) == 80


def test_no_track_crosses_a_cut():
    tracks = linked([[pose(0)] for _ in range(60)], cuts=[25])
    assert sorted((track.frames[0], track.frames[-1]) for track in tracks) == [(0, 24), (25, 59)]


def test_mistakes_of_a_few_frames_are_dropped():
    poses = [[pose(0)] + ([pose(900)] if 10 <= i < 14 else []) for i in range(60)]
    assert len(linked(poses)) == 1


def test_a_single_frame_is_enough_for_a_video_of_one():
    (track,) = linked([[pose(0)]])
    assert len(track) == 1 and track.observed.all()


def test_one_person_detected_twice_is_one():
    poses = [[pose(0), pose(2, 1, score=0.5)] for _ in range(20)]
    (track,) = linked(poses)
    assert np.allclose(track.keypoints[0], SHAPE)


def test_the_largest_person_comes_first():
    poses = [[pose(0, scale=0.5), pose(300, scale=1.5), pose(700)] for _ in range(20)]
    assert np.diff([track.area for track in linked(poses)]).max() < 0


def test_nobody_gives_no_tracks():
    assert linked([[], []]) == [] and linked([]) == []
