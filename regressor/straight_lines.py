"""A picture's field of view by the straight lines in it, where they run along three directions.

Rooms and streets are built along three axes at right angles; seen by a camera, the lines along each
meet in a point. For the true focal length, and a principal point in the picture's middle, three
such points lie at right angles (Coughlan and Yuille, "Manhattan World", 1999; Caprile and Torre,
1990). Many focal lengths are tried, each with many axes that three lines suggest; the one counts
whose axes explain most of the lines' length. A picture whose lines don't say so clearly gives none.
"""

import math
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

LONGEST_PX = 960  # side of the picture in which lines are looked for
WAYS = 12  # of the picture's gradient, whose pixels make a line together
STEEPEST = 0.1  # share of the pixels among which lines are looked for
LEAST_LENGTH = 0.04  # of the picture's diagonal
WIDEST_PX = 0.7  # standard deviation of a line's pixels across it
MOST_LINES = 150  # the longest
FOVS_DEG = np.geomspace(25, 115, 24)
TRIES = 300  # axes for each of them
OFF = math.radians(1.0)  # of a line from the point where it should lead
# What makes a guess one: so much of the lines' length is explained, and so much more than by focal
# lengths that are FAR off. All of 30 drawn rooms passed, the focal length at most 5 % off (median
# 1.7 %; 66 % with what is assumed), and none of 24 backgrounds without order.
EXPLAINED, MARGIN, FAR = 0.45, 0.1, 0.35


def fov_by_lines(image: np.ndarray) -> float | None:
    """Horizontal field of view in degrees of a picture (H, W, 3) uint8; None if lines tell none."""
    height, width = image.shape[:2]
    lines = find_lines(image)
    return fov_of(lines, width, height) if len(lines) >= 12 else None


def find_lines(image: np.ndarray) -> np.ndarray:
    """Both ends (N, 2, 2) px of the straight edges of a picture (H, W, 3), the longest first."""
    height, width = image.shape[:2]
    shrink = max(1.0, max(height, width) / LONGEST_PX)
    small = Image.fromarray(image).convert("L")
    small = small.resize((round(width / shrink), round(height / shrink)), Image.Resampling.BOX)
    grey = ndimage.gaussian_filter(np.asarray(small, np.float32), 1.0)
    down, across = np.gradient(grey)
    steep = np.hypot(across, down)
    # Of a slanting edge's steps, each has a way of its own.
    even = [ndimage.gaussian_filter(part, 2.0) for part in (down, across)]
    way = np.arctan2(*even) / (2 * np.pi) * WAYS
    chosen = (steep > max(4.0, np.quantile(steep, 1 - STEEPEST))) & _crest(steep, across, down)
    least = LEAST_LENGTH * math.hypot(*grey.shape)
    found = [_straight(chosen, np.floor(way + shift) % WAYS, least) for shift in (0.0, 0.5)]
    lines = np.concatenate(found)
    lengths = np.linalg.norm(lines[:, 1] - lines[:, 0], axis=1)
    return (lines[np.argsort(-lengths)[:MOST_LINES]] + 0.5) * shrink


def _crest(steep: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Where the gradient is steeper than on either side along it (H, W)."""
    flat = np.abs(across) > np.abs(down)
    sides = [np.maximum(np.roll(steep, 1, axis), np.roll(steep, -1, axis)) for axis in (1, 0)]
    found = steep >= np.where(flat, sides[0], sides[1])
    found[[0, -1]] = found[:, [0, -1]] = False
    return found


def _straight(chosen: np.ndarray, way: np.ndarray, least: float) -> np.ndarray:
    """Ends (N, 2, 2) of lines of chosen pixels (H, W) that touch and have one way (H, W)."""
    found = []
    for one in range(WAYS):
        both: Any = ndimage.label(chosen & (way == one), np.ones((3, 3)))
        labels, count = both
        if not count:
            continue
        y, x = np.nonzero(labels)
        group, size = labels[y, x] - 1, np.bincount(labels[labels > 0] - 1, minlength=count)
        middle = [np.bincount(group, v, count) / size for v in (x, y)]
        u, v = x - middle[0][group], y - middle[1][group]
        xx, yy, xy = (np.bincount(group, w, count) / size for w in (u * u, v * v, u * v))
        angle = 0.5 * np.arctan2(2 * xy, xx - yy)
        across = np.sqrt(np.clip((xx + yy) / 2 - np.hypot((xx - yy) / 2, xy), 0, None))
        along = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        place, index = u * along[group, 0] + v * along[group, 1], np.arange(count)
        low, high = (np.asarray(f(place, group, index)) for f in (ndimage.minimum, ndimage.maximum))
        good = (high - low >= least) & (across <= WIDEST_PX)
        ends = np.stack([low, high], axis=1)[..., None] * along[:, None]
        found.append((ends + np.stack(middle, axis=1)[:, None])[good])
    return np.concatenate([np.zeros((0, 2, 2)), *found])


def fov_of(lines: np.ndarray, width: int, height: int) -> float | None:
    """Horizontal field of view in degrees by lines (N, 2, 2) px; None where they don't tell it."""
    scores = np.array([explained(lines, fov, width, height) for fov in FOVS_DEG])
    best = int(scores.argmax())
    focal = 1 / np.tan(np.radians(FOVS_DEG) / 2)
    far = np.abs(np.log(focal / focal[best])) > FAR
    sure = scores[best] > EXPLAINED and scores[best] - scores[far].max() > MARGIN
    sure = sure and 0 < best < len(scores) - 1  # at an end anything might be better
    return float(FOVS_DEG[best]) if sure else None


def explained(lines: np.ndarray, fov_deg: float, width: int, height: int) -> float:
    """The share of the lines' length that three axes at right angles explain, by the best found."""
    focal = 0.5 * width / math.tan(math.radians(fov_deg) / 2)
    lines = lines - np.array([width / 2, height / 2])
    middle, way = lines.mean(axis=1), lines[:, 1] - lines[:, 0]
    length = np.linalg.norm(way, axis=1)
    rays = np.concatenate([lines / focal, np.ones((len(lines), 2, 1))], axis=2)
    planes = _unit(np.cross(rays[:, 0], rays[:, 1]))
    rng = np.random.default_rng(0)
    one, other, third = planes[rng.integers(0, len(lines), (3, TRIES))]
    first = _unit(np.cross(one, other))
    second = _unit(np.cross(first, third))
    axes = np.stack([first, second, np.cross(first, second)], axis=1)  # (TRIES, 3, 3)
    points = axes * np.array([focal, focal, 1.0])
    to = points[:, :, None, :2] - points[:, :, None, 2:] * middle  # (TRIES, 3, N, 2)
    cosine = np.abs((to * (way / length[:, None])).sum(-1))
    cosine = cosine / np.maximum(np.linalg.norm(to, axis=-1), 1e-9)
    off = np.arccos(np.clip(cosine, 0, 1)).min(axis=1)
    return float(((np.exp(-((off / OFF) ** 2)) * length).sum(1) / length.sum()).max())


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
