"""How far predicted joints are from the true ones, as the lifters' papers measure it.

All take joints (..., J, 3) in any unit, prediction first, and answer in that unit (the papers print
millimetres). Definitions are those of VideoPose3D, with its numbers to check against.
"""

import numpy as np
from numpy.typing import ArrayLike


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
    scale /= np.square(predicted).sum(over, keepdims=True)
    return mpjpe(scale * predicted, target)


def velocity_error(predicted: ArrayLike, target: ArrayLike) -> float:
    """Mean distance of the steps from frame to frame (MPJVE), in units per frame.

    (T, J, 3): the first axis is time.
    """
    predicted, target = _pair(predicted, target)
    return mpjpe(np.diff(predicted, axis=0), np.diff(target, axis=0))


def similarity_aligned(predicted: ArrayLike, target: ArrayLike) -> np.ndarray:
    """(..., J, 3) prediction, each frame turned, scaled and shifted to fit its target best."""
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
    rotated = centred @ np.swapaxes(u @ vh, -1, -2)
    return scale[..., None, None] * rotated + target_middle


def _pair(predicted: ArrayLike, target: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both in double precision, which the papers' protocols compute alignment in."""
    one, other = np.asarray(predicted, np.float64), np.asarray(target, np.float64)
    if one.shape != other.shape or one.ndim < 2 or one.shape[-1] != 3:
        raise ValueError(f"joints of shapes {one.shape} and {other.shape} can't be compared")
    return one, other
