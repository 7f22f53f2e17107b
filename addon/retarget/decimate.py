"""Fewer keys, with a bound on how far any joint may be moved by that. Without bpy.

All channels share their keys. Between two keys Blender goes straight, channel by channel (and makes
quaternions unit ones); so does the evaluation here, and a span is split where it's worst until no
joint of any frame is off by more than the bound.
"""

from collections.abc import Callable

import numpy as np

Joints = Callable[[list[np.ndarray], np.ndarray], np.ndarray]
"""Channels (n, c) each at frames with indices (n,) -> joints (n, K, 3) m."""


def kept_frames(
    frames: np.ndarray, channels: list[np.ndarray], joints: Joints, bound_m: float
) -> np.ndarray:
    """Indices into frames (T,) of the keys to be kept, the first and the last among them.

    channels: a list of (T, c) as they're keyed.
    """
    count = len(frames)
    if count < 3:
        return np.arange(count)
    exact = joints(channels, np.arange(count))
    kept = np.array([0, count - 1])
    open_spans = np.array([True])
    while open_spans.any():
        inside = [
            np.arange(first + 1, last)
            for first, last, is_open in zip(kept[:-1], kept[1:], open_spans, strict=True)
            if is_open and last - first > 1
        ]
        if not inside:
            break
        at = np.concatenate(inside)
        drawn = [between_keys(frames, values, kept, at) for values in channels]
        errors = np.linalg.norm(joints(drawn, at) - exact[at], axis=-1).max(-1)
        starts = np.cumsum([0] + [len(span) for span in inside[:-1]])
        added = [
            span[np.argmax(errors[start : start + len(span)])]
            for start, span in zip(starts, inside, strict=True)
            if errors[start : start + len(span)].max() > bound_m
        ]
        before, kept = kept, np.union1d(kept, np.array(added, int))
        spans = np.searchsorted(before, kept[:-1], side="right") - 1
        open_spans = np.bincount(spans, minlength=len(before) - 1)[spans] > 1
    return kept


def between_keys(
    frames: np.ndarray, values: np.ndarray, kept: np.ndarray, at: np.ndarray
) -> np.ndarray:
    """(n, c) what a linear curve through the kept keys of values (T, c) gives at indices `at`."""
    return np.stack(
        [np.interp(frames[at], frames[kept], column[kept]) for column in values.T], axis=1
    )
