"""Smoothing in time, with constants in seconds."""

import numpy as np
import roma
import torch
from scipy.ndimage import correlate1d, gaussian_filter1d
from torch import Tensor

DEPTH_S = 0.2  # people's distance changes slowly


def smooth(values: np.ndarray, seconds: float, fps: float) -> np.ndarray:
    """Gaussian of standard deviation `seconds` along the first axis; ends are mirrored at a point.

    Extending antisymmetrically about the first and last value keeps a steady motion steady there.
    """
    sigma = seconds * fps
    if sigma < 0.1 or len(values) < 3:
        return values
    reach, last = int(np.ceil(4 * sigma)), len(values) - 1
    # A short sequence is extended over and over, each time about its last extension's end.
    laps, place = np.divmod(np.arange(-reach, len(values) + reach), last)
    laps = laps.reshape(-1, *[1] * (values.ndim - 1))
    turned = values[:1] + values[-1:] - values[last - place]
    extended = np.where(laps % 2, turned, values[place]) + laps * (values[-1:] - values[:1])
    smoothed = gaussian_filter1d(extended.astype(values.dtype), sigma, axis=0)
    return smoothed[reach : reach + len(values)]


def smooth_by_trust(
    values: np.ndarray, trust: np.ndarray, seconds: float, fps: float
) -> np.ndarray:
    """Values (T, N), each from a straight line through those about it.

    They count by trust (T,), above 0, and by a Gaussian of standard deviation `seconds`. What moves
    steadily stays, also at the ends and beside frames that aren't trusted (local linear regression:
    Cleveland 1979).
    """
    sigma = seconds * fps
    if sigma < 0.1 or len(values) < 3:
        return values
    away = np.arange(-np.ceil(4 * sigma), np.ceil(4 * sigma) + 1)
    near = np.exp(-0.5 * (away / sigma) ** 2)

    def about(each: np.ndarray, power: int) -> np.ndarray:
        return correlate1d(each, near * away**power, axis=0, mode="constant")

    weights = trust.astype(np.float64)[:, None]
    count, first, second = (about(weights, power) for power in range(3))
    second = second + 0.01 * sigma**2 * count  # one frame alone tells no slope
    found = second * about(weights * values, 0) - first * about(weights * values, 1)
    return (found / (count * second - first**2)).astype(values.dtype)


def smooth_path(pelvis: np.ndarray, seconds: float, fps: float) -> np.ndarray:
    """A path (T, 3) in the camera's axes; its depth, which shakes most, is smoothed most.

    One camera tells the direction of a person to a pixel, their distance only by their size.
    """
    if seconds == 0:
        return pelvis
    depth = smooth(pelvis[:, 2:], max(seconds, DEPTH_S), fps)
    return np.concatenate(
        [smooth(pelvis[:, :2] / pelvis[:, 2:], seconds, fps) * depth, depth], axis=1
    )


def smooth_rotations(rotations: Tensor, seconds: float, fps: float) -> Tensor:
    """Rotation vectors (T, J, 3), smoothed as unit quaternions made continuous in time."""
    smoothed = torch.as_tensor(smooth(continuous(rotations).numpy(), seconds, fps))
    return roma.unitquat_to_rotvec(torch.nn.functional.normalize(smoothed, dim=-1))


def continuous(rotations: Tensor) -> Tensor:
    """Rotation vectors (T, J, 3) to unit quaternions (T, J, 4) that change no sign in between."""
    quaternions = roma.rotvec_to_unitquat(rotations)
    jumps = (quaternions[1:] * quaternions[:-1]).sum(-1, keepdim=True) < 0
    signs = torch.where(jumps, -1.0, 1.0).cumprod(dim=0)
    return torch.cat([quaternions[:1], quaternions[1:] * signs])
