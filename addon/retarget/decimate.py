"""Fewer keys, with a bound on how far any joint may be moved by that. Without bpy.

Between two keys Blender goes straight, channel by channel (and makes quaternions unit ones); so
does the evaluation here. First each bone is reduced by itself, to a share of the bound; then keys
are put back where the joints of the whole body are still off by more than the bound.
"""

from collections.abc import Callable

import numpy as np

Joints = Callable[[list[np.ndarray], np.ndarray], np.ndarray]
"""Channels (n, c) each at frames with indices (n,) -> joints (n, K, 3) m."""


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
    every = np.arange(len(frames))
    exact = joints(channels, every)
    best: list[np.ndarray] = [every] * len(channels)
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

    A span between two keys is split where it's worst.
    """
    if np.linalg.norm(values - values[0], axis=1).max() <= min(bound, 1e-6):
        return np.array([0])
    kept = np.array([0, len(frames) - 1])
    pending = [(0, len(frames) - 1)]
    added = []
    while pending:
        first, last = pending.pop()
        if last - first < 2:
            continue
        inside = np.arange(first + 1, last)
        share = (frames[inside] - frames[first]) / (frames[last] - frames[first])
        drawn = values[first] + share[:, None] * (values[last] - values[first])
        errors = np.linalg.norm(drawn - values[inside], axis=1)
        worst = int(np.argmax(errors))
        if errors[worst] > bound:
            added.append(inside[worst])
            pending += [(first, inside[worst]), (inside[worst], last)]
    return np.union1d(kept, np.array(added, int))


def _mended(frames, channels, kept, joints, exact, bound_m: float) -> list[np.ndarray]:
    """More keys for all, at the worst frame of each stretch that is off by more than the bound."""
    every = np.arange(len(frames))
    off = every
    while len(off):
        drawn = [
            between_keys(frames, values, keys, off)
            for values, keys in zip(channels, kept, strict=True)
        ]
        errors = np.linalg.norm(joints(drawn, off) - exact[off], axis=-1).max(-1)
        wrong = errors > bound_m
        # Only frames that were off can change: a new key is put where a stretch was wrong.
        if not wrong.any():
            again = [
                between_keys(frames, values, keys, every)
                for values, keys in zip(channels, kept, strict=True)
            ]
            errors = np.linalg.norm(joints(again, every) - exact, axis=-1).max(-1)
            off = np.flatnonzero(errors > bound_m)
            continue
        stretches = np.split(
            np.flatnonzero(wrong), np.flatnonzero(np.diff(np.flatnonzero(wrong)) > 1) + 1
        )
        worst = np.array([off[part[np.argmax(errors[part])]] for part in stretches])
        kept = [keys if len(keys) == 1 else np.union1d(keys, worst) for keys in kept]
        off = off[wrong]
    return kept


def between_keys(
    frames: np.ndarray, values: np.ndarray, kept: np.ndarray, at: np.ndarray
) -> np.ndarray:
    """(n, c) what a linear curve through the kept keys of values (T, c) gives at indices `at`."""
    return np.stack(
        [np.interp(frames[at], frames[kept], column[kept]) for column in values.T], axis=1
    )
