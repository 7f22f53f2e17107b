"""Which of the people in a video is meant."""

import numpy as np

from regressor.detection.track import Track, box_size
from regressor.errors import NoPersonError, PosecastError

NEAR_S = 0.25  # who isn't seen at the very time, but this near to it, is meant as well


def check_person(person: str) -> None:
    """Raises PosecastError when `person` is none of "largest", "all" and a number from 1."""
    if person not in ("largest", "all") and (not person.isdecimal() or int(person) < 1):
        raise PosecastError(f"{person!r} is no choice of person; say largest, all or a number.")


def select(tracks: list[Track], person: str) -> list[Track]:
    """The tracks that `person` asks for: "largest", "all", or a number from 1 (the largest).

    Raises NoPersonError, with the number found, when there is no such person.
    """
    if not tracks:
        raise NoPersonError("No person was found; choose a video in which a person can be seen.")
    check_person(person)
    if person == "all":
        return tracks
    if person == "largest":
        return tracks[:1]
    if int(person) > len(tracks):
        found = "1 person was" if len(tracks) == 1 else f"{len(tracks)} people were"
        raise NoPersonError(f"There is no person {person}: {found} found; choose a lower number.")
    return [tracks[int(person) - 1]]


def person_at(tracks: list[Track], seconds: float, x: float, y: float) -> list[Track]:
    """The one track whose box holds the point (x, y) in pixels at that time of the video.

    Of several, the one whose box has its centre nearest, in boxes. Raises NoPersonError.
    """
    found = []
    for track in tracks:
        nearest = int(np.abs(track.times - seconds).argmin())
        x0, y0, x1, y1 = box = track.boxes[nearest]
        if abs(track.times[nearest] - seconds) > NEAR_S or not (x0 <= x <= x1 and y0 <= y <= y1):
            continue
        away = np.hypot(x - (x0 + x1) / 2, y - (y0 + y1) / 2) / box_size(box)
        found.append((away, len(found), track))
    if not found:
        raise NoPersonError(
            f"Nobody is at {x:g}, {y:g} after {seconds:g} s: give the time and a point, in pixels, "
            "at which the person is seen."
        )
    return [min(found)[2]]
