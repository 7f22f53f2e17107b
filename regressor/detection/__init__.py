"""From a video to the Tracks of the people in it."""

from contextlib import closing
from dataclasses import dataclass

import numpy as np

from regressor.detection.base import Detector, create, models_of, names
from regressor.detection.linking import link
from regressor.detection.people import check_person, person_at, select
from regressor.detection.scene import SceneAnalyzer
from regressor.detection.sides import repair_sides
from regressor.detection.track import Pose, Track
from regressor.errors import NoPersonError
from regressor.progress import Progress
from regressor.read_ahead import read_ahead
from regressor.video import Video

__all__ = [
    "Detections",
    "Detector",
    "Pose",
    "Track",
    "check_person",
    "create",
    "detect",
    "link",
    "models_of",
    "names",
    "person_at",
    "repair_sides",
    "select",
]

LOOK_AHEAD = 2  # frames whose background is looked at while the detector works on another


@dataclass
class Detections:
    """All that was seen in a video.

    tracks: the largest person first; times (T,) seconds, one for each of the `frame_count` frames;
    width, height in pixels; cuts: the frames that begin a new shot; camera_moves: whether the
    camera pans, zooms or travels; camera_motion (T, 2) pixels by which the background moved since
    the frame before.
    """

    tracks: list[Track]
    frame_count: int
    fps: float
    times: np.ndarray
    width: int
    height: int
    cuts: list[int]
    camera_moves: bool
    camera_motion: np.ndarray


def detect(
    video: Video,
    detector: str | Detector = "mediapipe",
    *,
    start: float | None = None,
    end: float | None = None,
    fps: float | None = None,
    progress: Progress | None = None,
) -> Detections:
    """Find and follow everybody from `start` to `end` (seconds), at `fps` (default: the video's).

    Left and right are repaired over time. A detector given by name is made here, and closed.
    Raises NoPersonError, with the number of frames, when nobody was found, and VideoError.
    """
    if isinstance(detector, str):
        with closing(create(detector)) as made:
            return detect(video, made, start=start, end=end, fps=fps, progress=progress)
    rate = fps or video.info.fps
    total = _frames_expected(video, start, end, rate)
    scene, poses, times = SceneAnalyzer(), [], []
    detector.reset()
    frames = video.frames(start, end, fps)
    seen = ((frame, scene.look(frame.image)) for frame in frames)
    with closing(frames), closing(read_ahead(seen, LOOK_AHEAD)) as looked_at:
        for frame, new_shot in looked_at:
            if new_shot:
                detector.reset()
            people = detector(frame)
            scene.hide([pose.box for pose in people])
            poses.append(people)
            times.append(frame.time)
            if progress:
                progress.update("detect", len(times), max(total, len(times)) if total else None)
    if progress:
        progress.update("detect", len(times), len(times))
    cuts = scene.cuts()
    tracks = link(poses, np.array(times), rate, detector.skeleton, cuts)
    if not tracks:
        raise NoPersonError(
            f"No person was found in the {len(times)} frames of {video.path.name} that were looked "
            "at; choose a video, or a part of it, in which a whole person can be seen."
        )
    return Detections(
        tracks=[repair_sides(track) for track in tracks],
        frame_count=len(times),
        fps=rate,
        times=np.array(times),
        width=video.info.width,
        height=video.info.height,
        cuts=cuts,
        camera_moves=scene.camera_moves(),
        camera_motion=scene.motion(),
    )


def _frames_expected(
    video: Video, start: float | None, end: float | None, rate: float
) -> int | None:
    duration = video.info.duration_s
    if duration is None:
        return None
    seconds = min(duration, end if end is not None else duration) - (start or 0.0)
    return max(1, round(seconds * rate))
