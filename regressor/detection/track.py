"""One person: in a frame (Pose) and through a video (Track)."""

from dataclasses import dataclass

import numpy as np

SAME_PERSON = 0.5  # similarity above which two poses of one frame are the same person


@dataclass
class Pose:
    """One person in one frame, as a detector gives it.

    keypoints (J, 2) pixels; confidence (J,) in 0..1; box (4,) x0 y0 x1 y1 pixels; score in 0..1 of
    there being a person; world (33, 3) metres, camera axes, where the detector gives them.
    """

    keypoints: np.ndarray
    confidence: np.ndarray
    box: np.ndarray
    score: float
    world: np.ndarray | None = None


@dataclass
class Track:
    """One person through the video.

    frames (T,) int64, consecutive; times (T,) float64 seconds of the video; boxes (T, 4) float32
    x0 y0 x1 y1 pixels; keypoints (T, J, 2) float32 pixels; confidence (T, J) float32 in 0..1;
    observed (T,) bool, False where a short gap was filled in (confidence is 0 there); skeleton, a
    key of skeletons.JOINTS; world (T, 33, 3) float32 metres in camera axes (x right, y down, z
    forward), the detector's own 3D for comparison, NaN where unobserved.
    """

    frames: np.ndarray
    times: np.ndarray
    boxes: np.ndarray
    keypoints: np.ndarray
    confidence: np.ndarray
    observed: np.ndarray
    skeleton: str
    world: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def coverage(self, total_frames: int) -> float:
        """The share of the video's frames in which this person was seen."""
        return float(self.observed.sum()) / max(1, total_frames)

    @property
    def area(self) -> float:
        """Summed area of the boxes over time, in square pixels: how large the person is."""
        size = np.maximum(self.boxes[:, 2:] - self.boxes[:, :2], 0)
        return float((size[:, 0] * size[:, 1])[self.observed].sum())


def box_around(keypoints: np.ndarray, margin: float = 0.1) -> np.ndarray:
    """(J, 2) pixels to the box (4,) around them, widened by `margin` of its longer side."""
    low, high = keypoints.min(axis=0), keypoints.max(axis=0)
    border = margin * (high - low).max()
    return np.concatenate([low - border, high + border]).astype(np.float32)


def similarity(a: np.ndarray, b: np.ndarray, weight: np.ndarray, size: float) -> float:
    """How alike two poses are, 0..1: keypoints (J, 2) against (J, 2), weighted by `weight` (J,).

    As COCO's object keypoint similarity with one tolerance: a distance of a tenth of the person's
    `size` (the square root of the box's area, pixels) counts 0.6.
    """
    distance = np.square(a - b).sum(axis=-1)
    alike = np.exp(-distance / (2 * (0.1 * size) ** 2 + 1e-9))
    return float((alike * weight).sum() / max(float(weight.sum()), 1e-9))


def box_size(box: np.ndarray) -> float:
    """The square root of the area of a box (4,), in pixels."""
    return float(np.sqrt(max((box[2] - box[0]) * (box[3] - box[1]), 1.0)))


def same_person(a: Pose, b: Pose) -> bool:
    """Whether two poses of one frame are the same person, seen twice."""
    weight = np.minimum(a.confidence, b.confidence) + 0.05
    size = max(box_size(a.box), box_size(b.box))
    return similarity(a.keypoints, b.keypoints, weight, size) > SAME_PERSON


def without_duplicates(poses: list[Pose]) -> list[Pose]:
    """The poses, best score first, without those that are the same person seen twice."""
    kept: list[Pose] = []
    for pose in sorted(poses, key=lambda pose: -pose.score):
        if not any(same_person(pose, other) for other in kept):
            kept.append(pose)
    return kept
