"""Left and right: repaired where swapped, untouched where right."""

from dataclasses import replace

import numpy as np
import pytest

from regressor.detection.sides import ARMS, HEAD, LEGS, find_swaps, repair_sides
from regressor.skeletons import JOINTS, mirror
from tests.detection.walker import PX_PER_M, track

SIDE = np.pi / 2
FEET = LEGS[-1:]
GROUPS = {"feet": FEET, "legs": LEGS, "arms": ARMS, "body": ARMS + LEGS, "all": ARMS + LEGS + HEAD}


def swapped(walk, frames, sets):
    """The track with left and right exchanged in some frames, in some joints."""
    names = sum(sets, ())
    joints = [i for i, name in enumerate(JOINTS[walk.skeleton]) if name.partition("_")[2] in names]
    keypoints = walk.keypoints.copy()
    for frame in frames:
        keypoints[frame, joints] = walk.keypoints[frame, mirror(walk.skeleton)[joints]]
    return replace(walk, keypoints=keypoints)


def wrong(walk, truth):
    """The share of joints that are further than 8 cm from where they are."""
    return (np.linalg.norm(walk.keypoints - truth.keypoints, axis=-1) > 0.08 * PX_PER_M).mean()


@pytest.mark.parametrize("yaw", [0.0, 0.8, SIDE, np.pi, -SIDE])
@pytest.mark.parametrize("fps", [15, 30, 60])
def test_a_right_track_is_left_as_it_is(yaw, fps):
    walk = track(yaw, fps=fps)
    assert repair_sides(walk) is walk


@pytest.mark.parametrize("seed", range(3))
def test_somebody_who_turns_round_keeps_the_sides(seed):
    assert not find_swaps(track(np.linspace(0, 2 * np.pi, 120), seed=seed)).any()


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("frames", [range(40, 41), range(40, 44), range(70, 95)], ids=len)
@pytest.mark.parametrize("yaw", [0.8, SIDE])
def test_swaps_are_undone(group, frames, yaw):
    walk = track(yaw)
    broken = swapped(walk, frames, GROUPS[group])
    assert wrong(broken, walk) > 0
    assert wrong(repair_sides(broken), walk) <= 0.02 * wrong(broken, walk)


def test_many_swaps_in_a_side_view():
    walk = track(SIDE, seconds=8)
    runs = [range(12, 15), range(40, 58), range(90, 91), range(120, 150), range(200, 209)]
    broken = swapped(walk, [frame for run in runs for frame in run], LEGS)
    assert wrong(repair_sides(broken), walk) <= 0.02 * wrong(broken, walk)


def test_a_swap_that_passes_through_one_place():
    # As detectors do it: a frame with both feet in one place, then the wrong way round.
    walk = track(SIDE)
    broken = swapped(walk, [41, 42], FEET)
    feet = [i for i, name in enumerate(JOINTS["mediapipe33"]) if name.endswith(FEET[0])]
    broken.keypoints[40, feet] = walk.keypoints[40, feet].mean(axis=0)
    repaired = repair_sides(broken)
    assert (
        wrong(
            replace(repaired, keypoints=repaired.keypoints[41:43]),
            replace(walk, keypoints=walk.keypoints[41:43]),
        )
        == 0
    )


@pytest.mark.parametrize("skeleton", ["coco17"])
def test_other_skeletons(skeleton):
    walk = track(SIDE, skeleton=skeleton)
    assert repair_sides(walk) is walk
    broken = swapped(walk, range(50, 70), LEGS)
    assert wrong(repair_sides(broken), walk) <= 0.02 * wrong(broken, walk)


def test_confidence_and_world_landmarks_go_along():
    walk = track(SIDE)
    names = JOINTS[walk.skeleton]
    right = [i for i, name in enumerate(names) if name.startswith("right_")]
    walk.confidence[:, right] = 0.6
    assert walk.world is not None
    walk.world[:, right] = 1.0
    broken = swapped(walk, range(50, 70), LEGS)
    repaired = repair_sides(broken)
    assert repaired.world is not None
    knee = names.index("left_knee")
    assert (repaired.confidence[50:70, knee] == np.float32(0.6)).all()
    assert (repaired.world[50:70, knee] == 1.0).all() and (repaired.world[:50, knee] == 0).all()


def test_short_tracks_are_left_as_they_are():
    for count in range(1, 6):
        walk = track(SIDE, seconds=count / 30)
        assert repair_sides(walk) is walk
