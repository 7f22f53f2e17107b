"""The clock on which the motion is authored, and channels keyed on it."""

import numpy as np

from scripts.demo.stage import SECONDS

RATE = 240  # Hz at which the motion is authored; the film takes every eighth
CLOCK = np.arange(round(-1.0 * RATE), round((SECONDS + 0.5) * RATE)) / RATE


def smooth(values: np.ndarray, sigma_s: float) -> np.ndarray:
    """(N, ...) values on the clock under a Gaussian of `sigma_s`; the ends are held."""
    reach = int(4 * sigma_s * RATE)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (sigma_s * RATE)) ** 2)
    flat = values.reshape(len(values), -1)
    padded = np.pad(flat, ((reach, reach), (0, 0)), mode="edge")
    columns = [np.convolve(column, kernel / kernel.sum(), "valid") for column in padded.T]
    return np.stack(columns, axis=1).reshape(values.shape)


def keyed(keys: dict[float, float], sigma_s: float = 0.1) -> np.ndarray:
    """(N,) a channel: straight between keys {s: value}, then smoothed."""
    return smooth(np.interp(CLOCK, list(keys), list(keys.values())), sigma_s)
