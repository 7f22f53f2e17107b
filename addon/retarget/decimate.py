"""Fewer keys, with a bound on how far any joint may be moved by that. Without bpy.

Between two keys Blender goes straight, channel by channel (and makes quaternions unit ones); so
does the evaluation here. First each bone is reduced by itself, to a share of the bound; then keys
are put back where the joints of the whole body are still off by more than the bound.
"""

from collections.abc import Callable

import numpy as np

Joints = Callable[[list[np.ndarray]], np.ndarray]
"""Channels (T, c) each -> K joints (K, 3, T) m."""

SHARES = (1.0, 0.6, 0.35)  # of the bound, for one bone alone; whichever needs the fewest keys


def reduced(
    frames: np.ndarray,
    channels: list[np.ndarray],
    reaches: list[float],
    joints: Joints,
    bound_m: float,
) -> list[np.ndarray]:
    """Of each of the channels (T, c) the indices into frames (T,) of the keys to be kept.

    reaches: m by which a joint moves, about, where the channels change by 1.
    """
    exact = joints(channels)
    best = [np.arange(len(frames))] * len(channels)
    for share in SHARES:
        alone = [
            kept_frames(frames, values, share * bound_m / reach)
            for values, reach in zip(channels, reaches, strict=True)
        ]
        kept = _mended(frames, channels, alone, joints, exact, bound_m)
        if sum(map(len, kept)) < sum(map(len, best)):
            best = kept
    return best


def kept_frames(frames: np.ndarray, values: np.ndarray, bound: float) -> np.ndarray:
    """Indices of the keys that values (T, c) need to be drawn to within `bound`; at least one.

    A span between two keys is split where it's worst, all such spans at once.
    """
    if np.linalg.norm(values - values[0], axis=1).max() <= min(bound, 1e-6):
        return np.array([0])
    kept = np.array([0, len(frames) - 1])
    while True:
        off = between_keys(frames, values, kept) - values
        worst = _worst(np.sqrt((off * off).sum(1)), kept, bound)
        if len(worst) == 0:
            return kept
        kept = np.union1d(kept, worst)


def _worst(errors: np.ndarray, starts: np.ndarray, bound: float) -> np.ndarray:
    """The index of the largest of errors (T,) in each part that begins at starts, if over bound."""
    most = np.maximum.reduceat(errors, starts)
    part = np.zeros(len(errors), int)
    part[starts[1:]] = 1
    part = np.cumsum(part)
    found = np.flatnonzero((errors == most[part]) & (errors > bound))
    return found[np.unique(part[found], return_index=True)[1]]


def _mended(frames, channels, kept, joints, exact, bound_m: float) -> list[np.ndarray]:
    """More keys for all, at the worst frame of each stretch that is off by more than the bound."""
    while True:
        drawn = [
            between_keys(frames, values, keys) for values, keys in zip(channels, kept, strict=True)
        ]
        off = joints(drawn) - exact
        errors = np.sqrt((off * off).sum(1).max(0))
        wrong = errors > bound_m
        if not wrong.any():
            return kept
        stretches = np.flatnonzero(np.diff(wrong.astype(int), prepend=1 - int(wrong[0])))
        worst = _worst(errors, stretches, bound_m)
        kept = [keys if len(keys) == 1 else np.union1d(keys, worst) for keys in kept]


def between_keys(frames: np.ndarray, values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(T, c) what a linear curve through the kept keys of values (T, c) gives at all frames."""
    return np.stack([np.interp(frames, frames[kept], column[kept]) for column in values.T], axis=1)
