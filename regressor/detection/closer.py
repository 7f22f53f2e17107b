"""People whom the landmark model misses where it looks first, in the region of their whole body.

The detector sees heads, also of people who are half hidden by others or by furniture, and guesses
how far the body reaches. In all of that region, somebody of whom the upper half is seen is small,
and the landmark model sees a neighbour, or nobody. Here it looks at less and less of the region,
always around the head: the narrow looks tell whether there is a person. They squeeze the body into
what they see, so the pose is taken from the wide ones, as far as these see it alike.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from regressor.detection.mediapipe_graphs import Candidate
from regressor.detection.track import Pose, box_size, similarity

HEAD_SCORE = 0.7  # of a head that is worth many looks
SURE_SCORE = 0.9  # of a look that tells that there is a person
AGREED = 2.0  # sure looks that must agree, each by its likeness to the one that is likest to all
SHARES = (1.0, 0.8, 0.65, 0.5, 0.4)  # of the region of the whole body
REGIONS = 3  # of one head, the surest, that are looked at
HEAD_SIZE = 0.1  # of the region of a whole body: heads nearer to each other than that are one
FACE, TRUNK = slice(11), [11, 12, 23, 24]  # of mediapipe's 33 keypoints

Look = Callable[[list[Any]], list[tuple[Pose, Any] | None]]


def without_poses(candidates: list[Candidate], known: list[Pose]) -> list[Candidate]:
    """The candidates whose head is none of the known poses'."""
    return [one for one in candidates if not any(has_head_at(pose, one.head) for pose in known)]


def heads(candidates: list[Candidate]) -> list[list[Candidate]]:
    """Candidates that share a head, the surest first, for each head that is worth a look."""
    found: list[list[Candidate]] = []
    for candidate in sorted(candidates, key=lambda candidate: -candidate.score):
        for others in found:
            reach = HEAD_SIZE * min(candidate.size, others[0].size)
            if np.linalg.norm(candidate.head - others[0].head) < reach:
                others.append(candidate)
                break
        else:
            if candidate.score >= HEAD_SCORE:
                found.append([candidate])
    return found


def look_closer(look: Look, head: list[Candidate], shape: tuple[int, ...]) -> Any | None:
    """The pose of the person whose head it is and the region it was seen in, or None.

    look: regions (NormalizedRect) to what is seen in each; shape: of the picture.
    """
    regions = [_around(one, share, shape) for one in head[:REGIONS] for share in SHARES]
    seen = [
        (found[0], region)
        for found, region in zip(look(regions), regions, strict=True)
        if found and has_head_at(found[0], head[0].head)
    ]
    sure = [pose for pose, _ in seen if pose.score >= SURE_SCORE]
    if not sure or _support(sure, np.ones(len(sure))).max() < AGREED:
        return None
    widths = np.array([region.width for _, region in seen])
    return seen[int(_support([pose for pose, _ in seen], widths).argmax())]


def has_head_at(pose: Pose, point: np.ndarray) -> bool:
    """Whether a point (2,) px is where the head of mediapipe's 33 keypoints is."""
    centre, reach = _head(pose)
    return bool(np.linalg.norm(point - centre) < reach)


def same_head(a: Pose, b: Pose) -> bool:
    """Whether two poses have one head, so that one of them has the limbs of somebody else."""
    (here, reach), (there, other) = _head(a), _head(b)
    return bool(np.linalg.norm(here - there) < 0.4 * max(reach, other))


def within_head(small: Pose, large: Pose) -> bool:
    """Whether one pose is nothing but the other's head: its trunk is there, and far too small.

    The trunk of somebody who stands behind may be there as well, but isn't that small.
    """
    (head, reach), trunk = _head(large), small.keypoints[TRUNK].mean(axis=0)
    return bool(np.linalg.norm(trunk - head) < 0.5 * reach and _head(small)[1] < 0.6 * reach)


def _head(pose: Pose) -> tuple[np.ndarray, float]:
    """The middle (2,) of a head and how far from it the detector may see it, about its size, px."""
    shoulders, hips = pose.keypoints[TRUNK[:2]], pose.keypoints[TRUNK[2:]]
    wide = np.linalg.norm(shoulders[0] - shoulders[1])
    long = np.linalg.norm(shoulders.mean(axis=0) - hips.mean(axis=0))
    return pose.keypoints[FACE].mean(axis=0), float(max(0.5 * wide, 0.4 * long))


def _around(one: Candidate, share: float, shape: tuple[int, ...]) -> Any:
    """A candidate's region, shrunk towards the head."""
    x, y = one.head / (shape[1], shape[0])
    return type(one.rect)(
        x_center=x + share * (one.rect.x_center - x),
        y_center=y + share * (one.rect.y_center - y),
        width=share * one.rect.width,
        height=share * one.rect.height,
        rotation=one.rect.rotation,
    )


def _support(poses: list[Pose], weights: np.ndarray) -> np.ndarray:
    """(N,): how alike each pose is to all, weighted by `weights` (N,)."""
    return np.array([[_likeness(a, b) for b in poses] for a in poses]) @ weights


def _likeness(a: Pose, b: Pose) -> float:
    weight = np.minimum(a.confidence, b.confidence) + 0.05
    return similarity(a.keypoints, b.keypoints, weight, min(box_size(a.box), box_size(b.box)))
