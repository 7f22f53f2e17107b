"""What is known of the footage that a lifter is made for: 2D keypoints, and cameras to some degree.

A data set's keypoints (nothing else of it is looked at), motion capture seen by random cameras, or
one's own footage: videos, in which people are found as by the estimator, and what it left of
earlier ones, Motions and the Tracks in its cache.

Choices: keypoints of all these are brought to Human3.6M's 17 points by `skeletons.to_h36m17`.
Frames in which the detector is unsure (below 0.5 on average), the person is tiny or a gap was
filled don't count. Where the camera isn't known its field of view is assumed as the estimator does
it.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from regressor.cache import PREFIX, Cache, key_of
from regressor.cameras import assumed_fov, camera_of, intrinsics_from_fov
from regressor.data.archives import keys_of
from regressor.data.lifting_cameras import pixels_to_screen
from regressor.data.sequences import LiftingSequence, read_set
from regressor.errors import NoPersonError, PosecastError
from regressor.progress import Progress
from regressor.skeletons import confidence_to_h36m17, to_h36m17

VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")
LEAST_CONFIDENCE = 0.5
_LEAST_BOX = 0.02  # mean side, of half the picture's width


@dataclass
class Seen:
    """A person through a video: keypoints (T, 17, 2) px, confidence (T, 17) or None."""

    keypoints: np.ndarray
    confidence: np.ndarray | None
    width: int
    height: int
    intrinsics: np.ndarray | None


@dataclass
class Targets:
    """keypoints (N, 17, 2) on the screen; cameras (N, 4): fx, fy, cx, cy in the same unit; heights
    (N,): half the picture's height in it; guessed: whether cameras are only assumed.
    """

    keypoints: Tensor
    cameras: Tensor
    heights: Tensor
    guessed: bool
    described: str

    def __len__(self) -> int:
        return len(self.keypoints)


def read_targets(
    path: Path,
    detections: str = "gt",
    *,
    fov_deg: float | None = None,
    fps: float | None = None,
    detector: str = "mediapipe",
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Targets:
    """The keypoints of a data set, of a video, or of a folder of videos, Motions or Tracks.

    fps: at which videos are looked at; cache: a folder that keeps what was found in them. Raises
    PosecastError where nobody is to be seen, FileFormatError for files of another kind.
    """
    if files := footage(path):
        seen = [one for file in files for one in _of_file(file, fov_deg, fps, detector, cache,
                                                          progress)]  # fmt: skip
        return gather(seen, f"{path.name} ({len(files)} of footage)", fov_deg)
    data = read_set(path, "train", detections)
    if data.motions:
        from regressor.evaluation.lifters.seen import see

        sequences = [
            see(motion, (0.0,), 12.5, number)[0] for number, motion in enumerate(data.motions)
        ]
        return of_sequences(sequences, "h36m17", data.name, fov_deg)
    return of_sequences(data.sequences, data.keypoint_skeleton, data.name, fov_deg)


def of_sequences(
    sequences: Sequence[LiftingSequence], skeleton: str, name: str, fov_deg: float | None = None
) -> Targets:
    """The targets that a data set's sequences are, by their keypoints alone."""
    seen = [
        _combined(one.keypoints[..., :2], one.keypoints[..., 2] if one.keypoints.shape[-1] == 3
                  else None, skeleton, one.width, one.height, one.intrinsics)
        for one in sequences
    ]  # fmt: skip
    return gather(seen, name, fov_deg)


def gather(people: Sequence[Seen], name: str, fov_deg: float | None = None) -> Targets:
    """All usable frames of all people. Raises PosecastError where there are none."""
    keypoints, cameras, heights, guessed = [], [], [], False
    for one in people:
        intrinsics = one.intrinsics
        if intrinsics is None:
            guessed |= fov_deg is None
            fov = fov_deg or assumed_fov(one.width, one.height)
            intrinsics = intrinsics_from_fov(fov, one.width, one.height)
        screen = pixels_to_screen(one.keypoints.astype(np.float32), one.width, one.height)
        good = np.isfinite(screen).all((1, 2))
        good &= np.ptp(screen, axis=1).mean(-1) > _LEAST_BOX
        if one.confidence is not None:
            good &= one.confidence.mean(-1) >= LEAST_CONFIDENCE
        centre = np.array([[intrinsics[0, 2], intrinsics[1, 2]]])
        middle = pixels_to_screen(centre, one.width, one.height)[0]
        camera = [*(np.array([intrinsics[0, 0], intrinsics[1, 1]]) * 2 / one.width), *middle]
        keypoints.append(torch.as_tensor(screen[good]))
        cameras.append(torch.tensor(camera, dtype=torch.float32).expand(int(good.sum()), 4))
        heights.append(torch.full((int(good.sum()),), one.height / one.width))
    if not sum(map(len, keypoints)):
        raise PosecastError(f"Nobody is seen well enough in {name}: give more, or other, footage.")
    found = torch.cat(keypoints), torch.cat(cameras), torch.cat(heights)
    return Targets(*found, guessed, f"{name}, {len(found[0])} frames")


def footage(path: Path) -> list[Path]:
    """The videos, Motions and Tracks at `path`, a file or a folder; none where it is a data set."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [f for f in files if f.suffix.lower() in VIDEOS or _is_track(f) or _is_motion(f)]


def _is_track(file: Path) -> bool:
    return file.name.startswith(f"{PREFIX}detections-") and file.suffix == ".npz"


def _is_motion(file: Path) -> bool:
    if file.suffix != ".npz" or not file.is_file():
        return False
    return {"keypoints", "skeleton", "image_size"} <= keys_of(file)


def _of_file(
    file: Path,
    fov_deg: float | None,
    fps: float | None,
    detector: str,
    cache: Path | None,
    progress: Progress | None,
) -> list[Seen]:
    if _is_track(file):
        kept = Cache(file.parent, np.inf).detections(file.stem.removeprefix(PREFIX))
        return _people(kept[0], None) if kept else []
    if file.suffix.lower() in VIDEOS:
        return _of_video(file, fov_deg, fps, detector, cache, progress)
    from regressor.motion import Motion

    motion = Motion.load(file)
    assert motion.keypoints is not None and motion.image_size is not None
    width, height = map(int, motion.image_size)
    known = fov_deg is None and motion.fov_source != "assumed"
    seen = motion.observed
    sure = None if motion.confidence is None else motion.confidence[seen]
    return [_combined(motion.keypoints[seen], sure, motion.skeleton, width, height,
                      motion.camera_intrinsics if known else None)]  # fmt: skip


def _of_video(
    file: Path,
    fov_deg: float | None,
    fps: float | None,
    detector: str,
    cache: Path | None,
    progress: Progress | None,
) -> list[Seen]:
    """The people of a video, found as by the estimator, or from its cache."""
    from regressor.detection import create, detect
    from regressor.video import open_video

    store = Cache(cache, np.inf) if cache else None
    key = key_of("detections", video=file, start=None, end=None, fps=fps, detector=detector)
    with open_video(file) as video:
        camera = camera_of(fov_deg, video.info)
        given = None if camera.source == "assumed" else camera.intrinsics
        if store and (kept := store.detections(key)):
            return _people(kept[0], given)
        try:
            with closing(create(detector)) as made:
                found = detect(video, made, fps=fps, progress=progress)
        except NoPersonError as error:
            print(error, flush=True)
            return []
        if store:
            store.keep_detections(key, found, video.warning)
    return _people(found, given)


def _people(found, intrinsics: np.ndarray | None) -> list[Seen]:
    """All tracks of detections, in the frames in which they were observed."""
    return [
        _combined(track.keypoints[track.observed], track.confidence[track.observed], track.skeleton,
                  found.width, found.height, intrinsics)
        for track in found.tracks
    ]  # fmt: skip


def _combined(
    keypoints: np.ndarray,
    confidence: np.ndarray | None,
    skeleton: str,
    width: int,
    height: int,
    intrinsics: np.ndarray | None,
) -> Seen:
    sure = None if confidence is None else confidence_to_h36m17(skeleton, confidence)
    return Seen(to_h36m17(skeleton) @ keypoints, sure, width, height, intrinsics)
