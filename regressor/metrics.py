"""How far predicted joints are from the true ones, as the lifters' papers measure it.

All take joints (..., J, 3) in any unit, prediction first, and answer in that unit (the papers print
millimetres). Definitions are those of VideoPose3D, with its numbers to check against.
"""

import numpy as np
from numpy.typing import ArrayLike

_THRESHOLDS_3DHP_MM = np.arange(0, 151, 5)


def mpjpe(predicted: ArrayLike, target: ArrayLike) -> float:
    """Mean distance over all frames and joints (protocol 1), in the unit of the input.

    Nothing is moved first: give root-relative joints where the root shall not count.
    """
    predicted, target = _pair(predicted, target)
    return float(np.linalg.norm(predicted - target, axis=-1).mean())


def p_mpjpe(predicted: ArrayLike, target: ArrayLike) -> float:
    """Mean distance after each frame's best rotation, scale and shift (protocol 2, PA-MPJPE)."""
    return mpjpe(similarity_aligned(predicted, target), target)


def n_mpjpe(predicted: ArrayLike, target: ArrayLike) -> float:
    """Mean distance after each frame's best scale (protocol 3); nothing is centred."""
    predicted, target = _pair(predicted, target)
    over = (-2, -1)
    scale = (predicted * target).sum(over, keepdims=True)
    size = np.square(predicted).sum(over, keepdims=True)
    scale /= np.where(size > 0, size, 1)  # where all joints are at 0, any scale is as good
    return mpjpe(scale * predicted, target)


def velocity_error(predicted: ArrayLike, target: ArrayLike) -> float:
    """Mean distance of the steps from frame to frame (MPJVE), in units per frame.

    (T, J, 3): the first axis is time.
    """
    predicted, target = _pair(predicted, target)
    return mpjpe(np.diff(predicted, axis=0), np.diff(target, axis=0))


def acceleration_error(predicted: ArrayLike, target: ArrayLike) -> float:
    """Mean distance of the accelerations, in units per frame and frame (Kanazawa et al. 2019).

    (T, J, 3), T at least 3: the first axis is time.
    """
    predicted, target = _pair(predicted, target)
    return mpjpe(np.diff(predicted, 2, axis=0), np.diff(target, 2, axis=0))


def similarity_aligned(predicted: ArrayLike, target: ArrayLike) -> np.ndarray:
    """(..., J, 3) prediction, each frame turned, scaled and shifted to fit its target best."""
    return similarity(predicted, target)[0]


def similarity(predicted: ArrayLike, target: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The aligned prediction (..., J, 3), and the rotations (..., 3, 3) that turned it."""
    predicted, target = _pair(predicted, target)
    middle, target_middle = predicted.mean(-2, keepdims=True), target.mean(-2, keepdims=True)
    centred, target_centred = predicted - middle, target - target_middle
    u, singular, vh = np.linalg.svd(np.swapaxes(target_centred, -1, -2) @ centred)
    # A mirror image is no rotation: the weakest direction is turned back.
    sign = np.sign(np.linalg.det(u @ vh))
    u[..., -1] *= sign[..., None]
    singular[..., -1] *= sign
    spread = np.square(centred).sum((-2, -1))
    # Where all joints fall into one point, any scale is as good.
    scale = singular.sum(-1) / np.where(spread > 0, spread, 1)
    rotation = u @ vh
    rotated = centred @ np.swapaxes(rotation, -1, -2)
    return scale[..., None, None] * rotated + target_middle, rotation


def pck(distances: ArrayLike, threshold: float) -> float:
    """The share of distances up to the threshold, 0 to 1 (percentage of correct keypoints)."""
    return float((np.asarray(distances) <= threshold).mean())


def auc(distances: ArrayLike, thresholds: ArrayLike) -> float:
    """The area under the curve of `pck` over evenly spaced thresholds, 0 to 1."""
    curve = np.array([pck(distances, threshold) for threshold in np.asarray(thresholds)])
    return float(((curve[1:] + curve[:-1]) / 2).mean())


def pck_3dhp(distances_mm: ArrayLike) -> float:
    """PCK@150 of MPI-INF-3DHP, 0 to 1: the share of distances strictly below 150 mm.

    distances_mm: of the joints that its evaluation counts (all but pelvis, spine and the head's
    middle), each frame's root at its target's. Unlike `pck`, what lies at the threshold is wrong.
    """
    return float((np.asarray(distances_mm) < _THRESHOLDS_3DHP_MM[-1]).mean())


def auc_3dhp(distances_mm: ArrayLike) -> float:
    """AUC of MPI-INF-3DHP, 0 to 1: the mean share of distances below 0, 5, …, 150 mm.

    The mean of 31 shares, of which the first is always 0, as its MATLAB evaluation takes it
    (Mehta et al. 2017); `auc` is the area.
    """
    distances = np.sort(np.asarray(distances_mm), axis=None)
    below = np.searchsorted(distances, _THRESHOLDS_3DHP_MM, side="left")
    return float(below.mean() / max(distances.size, 1))


def angle_deg(predicted: ArrayLike, target: ArrayLike) -> np.ndarray:
    """(...) the angle between rotations (..., 3, 3), in degrees.

    What isn't quite a rotation is first brought to the nearest one.
    """
    between = np.asarray(predicted, np.float64) @ np.swapaxes(np.asarray(target, float), -1, -2)
    u, _, vh = np.linalg.svd(between)
    between = u @ vh
    axis = [(2, 1), (0, 2), (1, 0)]
    sine = np.stack([between[..., i, j] - between[..., j, i] for i, j in axis], axis=-1)
    cosine = np.trace(between, axis1=-2, axis2=-1) - 1
    return np.degrees(np.arctan2(np.linalg.norm(sine, axis=-1), cosine))


def _pair(predicted: ArrayLike, target: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both in double precision, which the papers' protocols compute alignment in."""
    one, other = np.asarray(predicted, np.float64), np.asarray(target, np.float64)
    if one.shape != other.shape or one.ndim < 2 or one.shape[-1] != 3:
        raise ValueError(f"joints of shapes {one.shape} and {other.shape} can't be compared")
    return one, other
