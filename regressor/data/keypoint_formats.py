"""Detectors' keypoints on Human3.6M's 17 joints, by the rules that published lifters expect.

A network lifts best what it was trained on: weights for Human3.6M's detections (CPN) want
`coco_to_h36m`, MotionBERT's want its own rules and `normalise_box`. Lifters trained here take
`skeletons.to_h36m17`, which has no special cases.
"""

from typing import Literal

import numpy as np

from regressor import skeletons

# Human3.6M's joint: COCO's.
_COPIED = {9: 0, 11: 5, 14: 6, 12: 7, 15: 8, 13: 9, 16: 10}
_COPIED |= {4: 11, 1: 12, 5: 13, 2: 14, 6: 15, 3: 16}
_FROM_HALPE = {**_COPIED, 0: 19, 8: 18, 10: 17}
# PoseTrack's 17 are COCO's with the base of the head and its top in place of the eyes.
_FROM_POSETRACK = {**_COPIED, 8: 1, 10: 2}
LEGS = ((1, 2, 3), (4, 5, 6))  # hip, knee, ankle
UNSURE = 0.3  # scores below it are doubted


def to_h36m(keypoints: np.ndarray, skeleton: str) -> np.ndarray:
    """Detections (..., K, 2 or 3) to (..., 17, 2 or 3), for networks trained on Human3.6M's.

    COCO's by the published rule; others by `skeletons.to_h36m17`.
    """
    if skeleton == "h36m17":
        return keypoints
    if skeleton == "coco17":
        points, score = coco_to_h36m(keypoints[..., :2]), coco_to_h36m_scores
        scores = (
            score(keypoints[..., 2])[..., None] if keypoints.shape[-1] == 3 else points[..., :0]
        )
        return np.concatenate([points, scores], axis=-1)
    points = skeletons.to_h36m17(skeleton) @ keypoints[..., :2]
    if keypoints.shape[-1] == 2:
        return points
    scores = skeletons.confidence_to_h36m17(skeleton, keypoints[..., 2])
    return np.concatenate([points, scores[..., None]], axis=-1)


def coco_to_h36m(points: np.ndarray, spine: float = 2.0) -> np.ndarray:
    """COCO's (..., 17, 2) px, y down, to Human3.6M's (..., 17, 2), as CPN's detections lie.

    The rule of the demos of MHFormer and HoT (demo/lib/preprocess.py, after GAST-Net); with
    `spine` 0.3, that of HoT's second copy (demo/lib/hrnet/lib/utils/coco_h36m.py).
    """
    found = np.empty_like(points)
    found[..., list(_COPIED), :] = points[..., list(_COPIED.values()), :]
    nose, face = points[..., 0, :], points[..., 1:5, :]
    shoulders = points[..., [5, 6], :].mean(axis=-2)
    found[..., 0, :] = points[..., [11, 12], :].mean(axis=-2)
    found[..., 7, :] = points[..., [5, 6, 11, 12], :].mean(axis=-2)
    found[..., 8, :] = shoulders + (nose - shoulders) / 3
    found[..., 10, 0] = face[..., 0].mean(axis=-1)
    found[..., 10, 1] = face[..., 0, 1] + face[..., 1, 1] - nose[..., 1]
    found[..., 9, :] -= (nose - shoulders) / 4
    middle = (found[..., 0, 0] + found[..., 8, 0]) / 2
    found[..., 7, 0] += spine * (found[..., 7, 0] - middle)
    found[..., 8, 1] -= 2 / 3 * (face[..., :2, 1].mean(axis=-1) - nose[..., 1])
    return found


def coco_to_h36m_scores(scores: np.ndarray) -> np.ndarray:
    """The scores (..., 17) that go with `coco_to_h36m`."""
    found = np.empty_like(scores)
    found[..., list(_COPIED)] = scores[..., list(_COPIED.values())]
    found[..., 0] = scores[..., [11, 12]].mean(axis=-1)
    found[..., 8] = scores[..., [5, 6]].mean(axis=-1)
    found[..., 7] = (found[..., 0] + found[..., 8]) / 2
    found[..., 10] = scores[..., 1:5].mean(axis=-1)
    return found


def snap_unsure_legs(points: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Human3.6M's points (..., 17, 2) with doubted ankles at the knees (HoT's demo).

    A doubted knee with a doubted ankle goes to the hip, and the ankle with it; a doubted knee above
    a sure ankle stays.
    """
    snapped = points.copy()
    for hip, knee, ankle in LEGS:
        low_ankle = scores[..., ankle, None] < UNSURE
        both = low_ankle & (scores[..., knee, None] < UNSURE)
        snapped[..., knee, :] = np.where(both, points[..., hip, :], points[..., knee, :])
        snapped[..., ankle, :] = np.where(low_ankle, snapped[..., knee, :], points[..., ankle, :])
    return snapped


def to_motionbert(
    keypoints: np.ndarray, layout: Literal["halpe26", "coco17", "posetrack17"]
) -> np.ndarray:
    """Detections (..., K, 3) px and confidence to (..., 17, 3), as MotionBERT has them.

    Walter0807/MotionBERT, lib/data/dataset_wild.py (Halpe), dataset_action.py (COCO),
    dataset_motion_2d.py (PoseTrack). Confidence is averaged like the points; PoseTrack's is the
    least of the two.
    """
    table = {"halpe26": _FROM_HALPE, "coco17": _COPIED, "posetrack17": _FROM_POSETRACK}[layout]
    combine = np.minimum if layout == "posetrack17" else (lambda a, b: (a + b) / 2)

    def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.concatenate([(a + b)[..., :2] / 2, combine(a, b)[..., 2:]], axis=-1)

    found = np.empty((*keypoints.shape[:-2], 17, 3), keypoints.dtype)
    found[..., list(table), :] = keypoints[..., list(table.values()), :]
    parts = np.moveaxis(keypoints, -2, 0)
    if layout != "halpe26":
        found[..., 0, :] = between(parts[11], parts[12])
    if layout == "coco17":
        found[..., 8, :] = between(parts[5], parts[6])
        found[..., 10, :] = between(parts[1], parts[2])
    found[..., 7, :] = between(found[..., 0, :], found[..., 8, :])
    return found


def normalise_box(keypoints: np.ndarray, ratio: float = 1.0) -> np.ndarray:
    """Keypoints (T, J, 3) into one square about everything seen in all frames, -1 to 1, clipped.

    MotionBERT's normalisation in the wild (lib/utils/utils_data.py). Points of confidence 0 don't
    count; ratio: the square's side over the larger extent. All zeros where there are fewer than
    four points or they have no extent.
    """
    seen = keypoints[keypoints[..., 2] != 0][:, :2]
    side = ratio * float(np.ptp(seen, axis=0).max()) if len(seen) >= 4 else 0.0
    if side == 0:
        return np.zeros_like(keypoints)
    middle = (seen.min(axis=0) + seen.max(axis=0)) / 2
    inside = (keypoints[..., :2] - middle) * (2 / side)
    return np.clip(np.concatenate([inside, keypoints[..., 2:]], axis=-1), -1, 1)


def normalise_pixels(keypoints: np.ndarray, width: int, height: int) -> np.ndarray:
    """Keypoints (..., 2 or 3) px with 0 in the middle and 1 half the shorter side (MotionBERT's
    --pixel)."""
    size = np.array([width, height], keypoints.dtype)
    screen = (keypoints[..., :2] - size / 2) / (size.min() / 2)
    return np.concatenate([screen, keypoints[..., 2:]], axis=-1)
