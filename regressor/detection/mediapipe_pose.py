"""mediapipe's pose models as a detector: 33 landmarks of several people.

mediapipe's ready-made task runs its person detector on every frame as long as fewer people are
tracked than were asked for, and smooths landmarks when only one is asked for. Here the landmark
model runs for each person who is followed, in the region that the last frame suggests, and the
detector only at intervals, or as soon as somebody is lost. That finds several people at the price
of one, gives unsmoothed landmarks, and lets the detector, which sees 224 x 224 pixels, look closer
at parts of the picture.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from regressor.detection.closer import heads, look_closer, same_head, within_head, without_poses
from regressor.detection.mediapipe_graphs import Box, Candidate, PoseGraphs
from regressor.detection.track import Pose, same_person
from regressor.errors import PosecastError
from regressor.video import VideoFrame

SEARCH_EVERY_S = 0.5  # people who come in are found within about this time
CLOSER = (0.7, 0.5)  # of the picture's shorter side: looks for the heads of a group
SURE_SCORE = 0.9  # of somebody small, who was found nowhere but in the closest looks
SURE_KEYPOINTS = 0.4  # and the mean confidence of theirs


@dataclass
class _Person:
    """Somebody who is followed: the pose last seen, and where to look next (NormalizedRect)."""

    pose: Pose
    rect: Any


class MediapipePose:
    """Follows up to `people` people through the frames that it is called with, one by one."""

    name = "mediapipe"
    skeleton = "mediapipe33"

    def __init__(self, people: int = 12):
        if people < 1:
            raise PosecastError(f"{people} people can't be followed; ask for at least one.")
        self._graphs = PoseGraphs(people)
        self._limit = people
        self._people: list[_Person] = []
        self._searched_at: float | None = None
        self._searches = 0

    def __call__(self, frame: VideoFrame) -> list[Pose]:
        """The people in this frame."""
        followed = self._look(frame.image, [person.rect for person in self._people])
        lost = [old for old, new in zip(self._people, followed, strict=True) if new is None]
        self._people = _distinct([person for person in followed if person is not None])
        height, width = frame.image.shape[:2]
        for person in lost:
            self._search(frame.image, _around(person.pose.box, width, height))
        if not self._people or self._is_due(frame.time):
            self._search_everywhere(frame.image)
            self._searched_at = frame.time
            self._searches += 1
        return self._poses()

    def reset(self) -> None:
        """Forget everybody: the next frame belongs to another shot."""
        self._people.clear()
        self._searched_at = None

    def close(self) -> None:
        self._graphs.close()

    def _look(self, image: np.ndarray, rects: list[Any]) -> list[_Person | None]:
        found = self._graphs.landmarks(image, rects)
        return [None if person is None else _Person(*person) for person in found]

    def _is_due(self, time: float) -> bool:
        waited = self._searched_at is None or time - self._searched_at >= SEARCH_EVERY_S
        return waited and len(self._people) < self._limit

    def _search_everywhere(self, image: np.ndarray) -> None:
        """In a new shot with every look; later with one or two looks at a time, in turn."""
        height, width = image.shape[:2]
        side, turn, seen = min(width, height), self._searches, list[Candidate]()
        whole, closer = (0, 0, width, height), looks(width, height, side)
        closest = looks(width, height, side // 2)
        if self._searched_at is not None:
            closer, closest = [closer[turn // 2 % len(closer)]], [closest[turn % len(closest)]]
        one = closer[:1] if turn % 2 else [whole]
        for part in one if self._people else [whole, *closer]:
            seen += self._search(image, part)
        # Parts of a person look like people when seen too closely: only where there is nobody else.
        for part in [] if self._people else closest:
            seen += self._search(image, part, SURE_SCORE, SURE_KEYPOINTS)
        if self._searched_at is None:
            self._search_groups(image, seen)

    def _search_groups(self, image: np.ndarray, seen: list[Candidate]) -> None:
        """Where more heads were seen than people: closer, and by many looks at each such head."""
        if not without_poses(seen, self._poses()):
            return
        height, width = image.shape[:2]
        for share in CLOSER:
            for part in looks(width, height, round(share * min(width, height))):
                seen += self._graphs.detect(image, part)
        for head in heads(without_poses(seen, self._poses())):
            found = look_closer(partial(self._graphs.landmarks, image), head, image.shape)
            if found and len(self._people) < self._limit:
                self._people = _distinct([*self._people, _Person(*found)])

    def _poses(self) -> list[Pose]:
        return [person.pose for person in self._people]

    def _search(
        self, image: np.ndarray, part: Box, score: float = 0.0, confidence: float = 0.0
    ) -> list[Candidate]:
        """Adds those in a part of the picture who weren't known; returns all that was seen."""
        if len(self._people) >= self._limit:
            return []
        known = [person.rect for person in self._people]
        seen = self._graphs.detect(image, part)
        rects = [
            one.rect for one in seen if not any(_same_region(one.rect, other) for other in known)
        ]
        found = [person for person in self._look(image, rects) if person is not None]
        # A second look, at the region that the first one suggests, as it will be from now on.
        again = self._look(image, [person.rect for person in _distinct(found)])
        new = [
            person
            for person in again
            if person and person.pose.score >= score and person.pose.confidence.mean() >= confidence
        ]
        self._people = _distinct(self._people + new)[: self._limit]
        return seen


def looks(width: int, height: int, side: int) -> list[Box]:
    """Overlapping squares of about `side` that cover the picture, several along its longer side.

    The detector shrinks what it is given to a square, and misses people lower than a quarter of it.
    """
    if max(width, height) < 1.2 * side:
        side = round(0.65 * side)
    xs, ys = _positions(width, side), _positions(height, side)
    return [(x, y, x + side, y + side) for y in ys for x in xs]


def _positions(length: int, side: int) -> list[int]:
    count = 1 if length <= side else max(2, math.ceil(1.35 * length / side))
    return [round(i * (length - side) / max(1, count - 1)) for i in range(count)]


def _around(box: np.ndarray, width: int, height: int) -> Box:
    """A part of the picture, twice as large as `box`."""
    centre = 0.5 * (box[:2] + box[2:])
    reach = max(box[2:] - box[:2])
    x0, y0 = np.clip(centre - reach, 0, (width - 16, height - 16)).astype(int)
    x1, y1 = np.clip(centre + reach, (x0 + 16, y0 + 16), (width, height)).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def _same_region(a: Any, b: Any) -> bool:
    """Whether two regions lie on each other, so that the landmark model would see the same."""
    apart = max(abs(a.x_center - b.x_center) / b.width, abs(a.y_center - b.y_center) / b.height)
    return apart < 0.15 and 0.7 < a.height / b.height < 1.4


def _distinct(people: list[_Person]) -> list[_Person]:
    """Without those who are somebody before them, seen twice, or only a part of somebody's head."""
    kept: list[_Person] = []
    for person in people:
        known = [other.pose for other in kept]
        if any(within_head(person.pose, other.pose) for other in people):
            continue
        if not any(same_person(person.pose, o) or same_head(person.pose, o) for o in known):
            kept.append(person)
    return kept
