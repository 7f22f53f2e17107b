"""Poses of single frames, linked into Tracks of people over time."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from regressor.detection.track import Pose, Track, box_size, similarity, without_duplicates

LONGEST_GAP_S = 0.8  # who is away for longer comes back as somebody new
SHORTEST_TRACK_S = 0.3  # what is seen for less, in a longer shot, is a mistake of the detector
LEAST_LIKENESS = 0.15  # below this, a pose isn't the continuation of a track
VELOCITY_OVER_S = 0.2  # motion is measured over this time
MOTION_FADES_S = 0.4  # and believed to go on for about this long


def link(
    poses: Sequence[Sequence[Pose]],
    times: np.ndarray,
    fps: float,
    skeleton: str,
    cuts: Collection[int] = (),
) -> list[Track]:
    """Tracks from the poses of each frame, the largest person first.

    poses: for each frame its people; times (T,) in seconds; cuts: the frames that begin a new shot,
    which no track crosses. Gaps up to LONGEST_GAP_S are filled in and marked as unobserved.
    """
    tracks: list[Track] = []
    starts = [0, *sorted(cut for cut in cuts if 0 < cut < len(poses)), len(poses)]
    for first, last in zip(starts, starts[1:], strict=False):
        # In a short shot, or a video of one frame, half of it is long enough.
        shortest = min(SHORTEST_TRACK_S, 0.5 * (last - first) / fps)
        for chain in _link_shot(poses, times, range(first, last)):
            if len(chain.seen) / fps >= shortest:
                tracks.append(_track(chain, times, skeleton))
    return sorted(tracks, key=lambda track: -track.area)


@dataclass
class _Chain:
    """Somebody in the making: frame numbers and poses, seen so far."""

    seen: list[int] = field(default_factory=list)
    poses: list[Pose] = field(default_factory=list)

    def expected(self, time: float, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Keypoints and box at `time`, moved on as the person moved of late."""
        last = self.poses[-1]
        before = len(self.seen) - 1
        while before > 0 and times[self.seen[-1]] - times[self.seen[before]] < VELOCITY_OVER_S:
            before -= 1
        passed = times[self.seen[-1]] - times[self.seen[before]]
        if passed <= 0:
            return last.keypoints, last.box
        way = _centre(last.box) - _centre(self.poses[before].box)
        ahead = min(float(time - times[self.seen[-1]]), MOTION_FADES_S)
        shift = way * (ahead / passed)
        return last.keypoints + shift, last.box + np.tile(shift, 2)


def _link_shot(poses: Sequence[Sequence[Pose]], times: np.ndarray, frames: range) -> list[_Chain]:
    finished: list[_Chain] = []
    chains: list[_Chain] = []
    for i in frames:
        people = without_duplicates(list(poses[i]))
        old = [chain for chain in chains if times[i] - times[chain.seen[-1]] > LONGEST_GAP_S]
        finished += old
        chains = [chain for chain in chains if chain not in old]
        new = set(range(len(people)))
        for chain, person in _assign(chains, people, times, i):
            chains[chain].seen.append(i)
            chains[chain].poses.append(people[person])
            new.discard(person)
        chains += [_Chain([i], [people[person]]) for person in sorted(new)]
    return finished + chains


def _assign(
    chains: list[_Chain], people: list[Pose], times: np.ndarray, frame: int
) -> list[tuple[int, int]]:
    """Pairs (chain, person) that together fit best."""
    likeness = np.zeros((len(chains), len(people)))
    for row, chain in enumerate(chains):
        keypoints, box = chain.expected(times[frame], times)
        # The longer ago, the less is known of where the person is now.
        slack = 1.0 + 2.0 * float(times[frame] - times[chain.seen[-1]])
        for column, person in enumerate(people):
            weight = np.minimum(chain.poses[-1].confidence, person.confidence) + 0.05
            size = slack * max(box_size(box), box_size(person.box))
            pose = similarity(keypoints, person.keypoints, weight, size)
            likeness[row, column] = 0.5 * pose + 0.5 * _overlap(box, person.box)
    if likeness.size > 1:
        # Imported here: it takes a third of a second, and most films show one person.
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(likeness, maximize=True)
    else:
        rows, columns = np.nonzero(likeness)
    return [
        (int(row), int(column))
        for row, column in zip(rows, columns, strict=True)
        if likeness[row, column] >= LEAST_LIKENESS
    ]


def _track(chain: _Chain, times: np.ndarray, skeleton: str) -> Track:
    """A chain as a Track, its gaps filled in along straight lines."""
    frames = np.arange(chain.seen[0], chain.seen[-1] + 1, dtype=np.int64)
    observed = np.isin(frames, chain.seen)
    keypoints = _filled(frames, chain.seen, [pose.keypoints for pose in chain.poses])
    boxes = _filled(frames, chain.seen, [pose.box for pose in chain.poses])
    confidence = np.zeros(keypoints.shape[:2], np.float32)
    confidence[observed] = [pose.confidence for pose in chain.poses]
    world = None
    landmarks = [pose.world for pose in chain.poses if pose.world is not None]
    if len(landmarks) == len(chain.poses):
        world = np.full((len(frames), *landmarks[0].shape), np.nan, np.float32)
        world[observed] = landmarks
    return Track(
        frames=frames,
        times=times[frames],
        boxes=boxes,
        keypoints=keypoints,
        confidence=confidence,
        observed=observed,
        skeleton=skeleton,
        world=world,
    )


def _filled(frames: np.ndarray, seen: list[int], values: list[np.ndarray]) -> np.ndarray:
    """values (one array a seen frame) at all `frames`, interpolated: (T, ...) float32."""
    known = np.asarray(values, np.float64)
    flat = known.reshape(len(seen), -1)
    columns = [np.interp(frames, seen, column) for column in flat.T]
    return np.stack(columns, axis=1).reshape(len(frames), *known.shape[1:]).astype(np.float32)


def _centre(box: np.ndarray) -> np.ndarray:
    return 0.5 * (box[:2] + box[2:])


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    size = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = float(np.prod(np.maximum(size, 0)))
    total = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - common
    return common / max(total, 1e-9)
