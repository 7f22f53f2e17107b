"""Who is meant by a point in the picture, at a time."""

import numpy as np
import pytest

from regressor.detection import Track, person_at
from regressor.errors import NoPersonError


def track(first, boxes):
    """Somebody whose boxes (T, 4) are seen from frame `first` on, at 10 frames a second."""
    count, frames = len(boxes), first + np.arange(len(boxes))
    points = np.zeros((count, 33, 2), np.float32)
    seen = np.ones(count, bool)
    return Track(frames, frames / 10, np.array(boxes), points, points[..., 0], seen, "mediapipe33")


def test_the_box_that_holds_the_point_at_that_time():
    left, right = [0, 0, 10, 20], [50, 0, 60, 20]
    crossing = [track(0, [left] * 5 + [right] * 5), track(0, [right] * 5 + [left] * 5)]
    assert person_at(crossing, 0.2, 5, 10) == crossing[:1]
    assert person_at(crossing, 0.7, 5, 10) == crossing[1:]
    assert person_at(crossing, 0.2, 60, 20) == crossing[1:]  # at its very corner


def test_of_several_the_one_in_whose_middle_it_is():
    large, small = track(0, [[0, 0, 100, 100]]), track(0, [[60, 60, 90, 90]])
    assert person_at([large, small], 0.0, 75, 75) == [small]
    assert person_at([small, large], 0.0, 62, 62) == [large]


def test_nobody_is_there_or_then():
    somebody = [track(10, [[0, 0, 10, 20]] * 5)]
    assert person_at(somebody, 0.8, 5, 10) == somebody  # they come in a moment later
    for seconds, x, y in [(0.5, 5, 10), (2.0, 5, 10), (1.2, 11, 10), (1.2, 5, -1)]:
        with pytest.raises(NoPersonError, match="Nobody is at"):
            person_at(somebody, seconds, x, y)
