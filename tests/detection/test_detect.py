"""From frames to tracks, with a detector that knows what it will see."""

import json

import numpy as np
import pytest

from regressor.detection import create, detect, names, select
from regressor.detection.track import Pose, box_around
from regressor.errors import NoPersonError, PosecastError
from regressor.progress import Progress
from regressor.video import open_video
from tests import videos

SHAPE = np.random.default_rng(0).uniform(0, 20, (17, 2)).astype(np.float32)


class Seer:
    """Sees people where it is told: a function from time to places x."""

    name, skeleton = "seer", "coco17"

    def __init__(self, places):
        self.places = places
        self.resets = 0

    def __call__(self, frame):
        return [self.pose(*place) for place in self.places(frame.time)]

    def pose(self, x, scale=1.0):
        keypoints = SHAPE * scale + (x, 10)
        return Pose(keypoints, np.full(17, 0.9, np.float32), box_around(keypoints), 0.9)

    def reset(self):
        self.resets += 1

    def close(self):
        pass


@pytest.fixture
def clip(tmp_path):
    return open_video(videos.write(tmp_path / "clip.mp4", [i / 30 for i in range(60)]))


def test_everybody_is_followed(clip):
    found = detect(clip, Seer(lambda time: [(5 + 10 * time,), (35, 0.5)]))
    assert found.frame_count == 60 and found.fps == pytest.approx(30)
    assert (found.width, found.height) == (64, 48)
    assert [len(track) for track in found.tracks] == [60, 60]
    assert found.tracks[0].area > found.tracks[1].area
    assert found.times[found.tracks[0].frames] == pytest.approx(found.tracks[0].times)
    assert found.camera_motion.shape == (60, 2) and not found.camera_moves


def test_a_part_at_another_rate(clip):
    found = detect(clip, Seer(lambda time: [(5,)]), start=0.5, end=1.5, fps=10)
    assert found.frame_count == 10 and found.fps == 10
    assert found.times == pytest.approx(0.5 + np.arange(10) / 10)
    assert found.tracks[0].frames.tolist() == list(range(10))


def test_somebody_who_leaves_half_way(clip):
    (track,) = detect(clip, Seer(lambda time: [(5,)] if time < 1 else [])).tracks
    assert track.coverage(60) == pytest.approx(0.5)


def test_a_video_of_one_frame(tmp_path):
    video = open_video(videos.write(tmp_path / "one.mp4", [0.0]))
    (track,) = detect(video, Seer(lambda time: [(5,)])).tracks
    assert len(track) == 1


def test_a_cut_resets_the_detector_and_ends_the_tracks(tmp_path):
    def shot(time):
        image = videos.picture(time)
        image[:, :, 0] = 250 if time >= 1 else 0
        image[20:40, 10:30] = 0 if time >= 1 else 255
        return image

    path = videos.write(tmp_path / "cut.mp4", [i / 30 for i in range(60)], make=shot)
    seer = Seer(lambda time: [(5,)])
    found = detect(open_video(path), seer)
    assert found.cuts == [30] and seer.resets == 2
    assert sorted(int(track.frames[0]) for track in found.tracks) == [0, 30]


def test_nobody_is_an_error_that_counts_the_frames(clip):
    with pytest.raises(NoPersonError, match="60 frames"):
        detect(clip, Seer(lambda time: []))


def test_progress_ends_at_the_total(clip, tmp_path):
    with Progress("json", file=tmp_path / "lines") as progress:
        detect(clip, Seer(lambda time: [(5,)]), progress=progress)
    last = json.loads((tmp_path / "lines").read_text().splitlines()[-1])
    assert last["stage"] == "detect" and last["done"] == last["total"] == 60


def test_an_error_in_the_detector_comes_through_and_ends_the_threads(clip):
    import threading

    def fail(time):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detect(clip, Seer(fail))
    assert not [thread for thread in threading.enumerate() if thread.name == "read ahead"]


def test_choosing_people(clip):
    tracks = detect(clip, Seer(lambda time: [(5,), (40, 0.5)])).tracks
    assert select(tracks, "largest") == tracks[:1] == select(tracks, "1")
    assert select(tracks, "2") == tracks[1:] and select(tracks, "all") == tracks
    with pytest.raises(NoPersonError, match="2 people were found"):
        select(tracks, "3")
    with pytest.raises(NoPersonError, match="No person"):
        select([], "largest")
    for nonsense in ("0", "-1", "tallest", ""):
        with pytest.raises(PosecastError, match="largest, all or a number"):
            select(tracks, nonsense)


def test_detectors_have_names():
    assert names() == ["mediapipe", "rtmlib"]
    with pytest.raises(PosecastError, match="choose one of: mediapipe, rtmlib"):
        create("crystal ball")
