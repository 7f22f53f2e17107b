"""People who are half hidden: found once each, by looking closer, and nobody else."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from regressor.detection.closer import heads, look_closer, same_head, within_head, without_poses
from regressor.detection.mediapipe_graphs import Candidate
from regressor.detection.mediapipe_pose import MediapipePose
from regressor.detection.track import Pose, box_around
from regressor.video import open_video
from tests.detection import walker
from tests.detection.test_mediapipe_pose import DEMO


@dataclass
class Rect:
    """As mediapipe's NormalizedRect."""

    x_center: float
    y_center: float
    width: float
    height: float
    rotation: float = 0.0


SHAPE = (1000, 1000, 3)


def pose(x=500.0, y=500.0, scale=1.0, score=1.0):
    """Somebody standing, their face at (x, y)."""
    keypoints = walker.track(0.0, seconds=0.1).keypoints[0]
    keypoints = (keypoints - keypoints[:11].mean(axis=0)) * scale + (x, y)
    return Pose(keypoints, np.full(33, 0.9, np.float32), box_around(keypoints), score)


def candidate(x=500.0, y=500.0, score=0.9, size=600.0):
    rect = Rect(x / 1000, (y + 200) / 1000, size / 1000, size / 1000)
    return Candidate(rect, np.array([x, y]), size, score)


def test_candidates_of_one_head_belong_together():
    near, unsure, other = candidate(score=0.8), candidate(520, 510, 0.4), candidate(700, 500)
    found = heads([unsure, near, other, candidate(100, 100, 0.5)])
    assert found == [[other], [near, unsure]]
    assert without_poses([near, unsure, other], [pose(505, 495)]) == [other]


def test_narrow_looks_say_that_there_is_somebody_and_wide_ones_how_they_are_posed():
    squeezed = replace(pose(scale=0.7), score=1.0)
    wide = pose(score=0.6)

    def look(regions) -> list:
        return [(wide if one.width > 0.4 else squeezed, None) for one in regions]

    found = look_closer(look, [candidate()], SHAPE)
    assert found is not None and found[0] is wide
    assert look_closer(lambda regions: [(wide, None)] * 5, [candidate()], SHAPE) is None
    assert look_closer(lambda regions: [None] * 5, [candidate()], SHAPE) is None


def test_looks_that_see_a_neighbour_or_do_not_agree_count_nothing():
    neighbour = pose(700)
    assert look_closer(lambda regions: [(neighbour, None)] * 5, [candidate()], SHAPE) is None
    many = [pose(scale=scale) for scale in (0.25, 0.5, 1.0, 2.0, 4.0)]
    assert look_closer(lambda regions: [(p, None) for p in many], [candidate()], SHAPE) is None


def test_nobody_is_in_or_on_the_head_of_somebody():
    assert same_head(pose(), pose(505, 500, 0.8)) and not same_head(pose(), pose(600))
    tiny = pose(500, 465, 0.15)
    assert within_head(tiny, pose()) and not within_head(pose(), tiny)
    assert not within_head(pose(560, 480), pose())
    assert not within_head(pose(500, 420, 0.8), pose())  # stands behind


@pytest.mark.skipif(not DEMO.is_file(), reason="demo/demo.mp4 hasn't been rendered yet")
def test_everybody_in_a_row_behind_a_wall_is_found_once():
    detector = MediapipePose()
    frame = next(open_video(DEMO).frames())
    (alone,) = detector(frame)
    x0, y0, x1, y1 = np.maximum(alone.box, 0).astype(int)
    seen = frame.image[y0 - 10 : y0 + int(0.5 * (y1 - y0)), x0:x1]  # down to the waist
    picture = np.full((481, 941, 3), 200, np.uint8)
    picture[30 + len(seen) :] = 120, 90, 70
    places = [20 + int(0.91 * i * (x1 - x0)) for i in range(5)]
    for x in places:
        picture[30 : 30 + len(seen), x : x + x1 - x0] = seen
    detector.reset()
    people = detector(SimpleNamespace(image=picture, time=0.0))  # pyright: ignore
    detector.close()
    faces = sorted(person.keypoints[0, 0] for person in people)
    assert faces == pytest.approx(np.array(places) + alone.keypoints[0, 0] - x0, abs=15)
