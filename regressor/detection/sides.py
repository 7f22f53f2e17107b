"""Left and right repaired over time.

Seen from the side, detectors take one leg or arm for the other, for a frame or for many. The
labels that make all joints move most evenly are found by dynamic programming over the whole track.
What is looked at is the difference of each left joint to its right partner: swapping only turns its
sign, and what both have in common (the person's way, the camera's) doesn't enter. It must go on
with constant velocity rather than stay near: legs that cross in a stride swap places, not names.
"""

from dataclasses import replace

import numpy as np

from regressor.detection.track import Track
from regressor.skeletons import JOINTS, mirror

ARMS = ("shoulder", "elbow", "wrist", "pinky", "index", "thumb")
LEGS = ("hip", "knee", "ankle", "heel", "toe", "small_toe")
HEAD = ("eye_inner", "eye", "eye_outer", "ear", "mouth")
WORKING_FPS = 30.0  # at higher rates a step in time is lost in the noise, so frames are left out
# The spread of a difference around constant velocity, in shares of the person's height: the
# detector's noise, and what muscles do in 1/30 s (it grows with the square of the step).
NOISE = 0.015
ACCELERATION = 0.02
WORST = 6.0  # a single joint's misfit counts no more than this
SWITCH = 6.0  # evidence that is needed for a change between right and swapped
SWAPPED = 0.04  # and for each frame that is held to be swapped: the detector is mostly right
TWISTED = 1.0  # hips the other way round than the shoulders, for each frame
LEAST_CONFIDENCE = 0.05


def repair_sides(track: Track) -> Track:
    """The track with left and right exchanged where that makes it move evenly.

    Arms, legs and head are judged apart. Keypoints, confidence and the detector's own 3D are
    exchanged together; a track that needs nothing is returned as it is.
    """
    joints, swapped = find_swaps(track)
    if not swapped.any():
        return track
    partner = mirror(track.skeleton)
    # (T, J): the joint that each joint's place is taken from.
    source = np.where(swapped[:, joints] & (joints >= 0), partner, np.arange(len(partner)))
    rows = np.arange(len(track))[:, None]
    world = track.world
    if world is not None and world.shape[1] == len(partner):
        world = world[rows, source]
    return replace(
        track,
        keypoints=track.keypoints[rows, source],
        confidence=track.confidence[rows, source],
        world=world,
    )


def find_swaps(track: Track) -> tuple[np.ndarray, np.ndarray]:
    """(J,) the group of each joint (0 arms, 1 legs, 2 head, -1 none); (T, 3) where it is swapped."""
    joints = _groups(track.skeleton)
    swapped = np.zeros((len(track), 3), bool)
    if len(track) < 3:
        return joints, swapped
    step_s = float(np.median(np.diff(track.times)))
    every = max(1, round(1.0 / (WORKING_FPS * max(step_s, 1e-6))))
    chosen = np.arange(0, len(track), every)
    if len(chosen) < 3:
        return joints, swapped
    parts = [_Differences(track, joints, group, chosen) for group in range(3)]
    body = _best_path(*_body_costs(parts[0], parts[1], every * step_s))
    head = _best_path(parts[2].misfit(every * step_s), SWAPPED * np.arange(2) * _ones(chosen, 2))
    labels = np.stack([body // 2, body % 2, head], axis=1).astype(bool)
    swapped[chosen] = labels
    for group, part in enumerate(parts):
        part.fill_between(swapped[:, group], chosen)
    return joints, swapped


class _Differences:
    """Left minus right of the joint pairs of one group, through the chosen frames."""

    def __init__(self, track: Track, joints: np.ndarray, group: int, chosen: np.ndarray):
        names = JOINTS[track.skeleton]
        self.left = [i for i, name in enumerate(names) if joints[i] == group and "left_" in name]
        right = mirror(track.skeleton)[self.left]
        height = np.maximum(*(track.boxes[:, 2:] - track.boxes[:, :2]).T)
        height = np.maximum(height, 1.0)[:, None, None]
        self._all = (track.keypoints[:, self.left] - track.keypoints[:, right]) / height
        sure = np.minimum(track.confidence[:, self.left], track.confidence[:, right])
        self.difference = self._all[chosen]  # (N, P, 2) in person heights
        self.weight = np.maximum(sure[chosen], LEAST_CONFIDENCE)  # (N, P)

    def misfit(self, step_s: float) -> np.ndarray:
        """(N - 2, 2, 2, 2) cost of the labels of three frames in a row, the latest last."""
        d = self.difference
        sigma = np.hypot(NOISE, ACCELERATION * (step_s * 30.0) ** 2)
        weight = np.minimum(np.minimum(self.weight[2:], self.weight[1:-1]), self.weight[:-2])
        cost = np.zeros((len(d) - 2, 2, 2, 2))
        for a, b, c in np.ndindex(2, 2, 2):
            off = (1 - 2 * c) * d[2:] - 2 * (1 - 2 * b) * d[1:-1] + (1 - 2 * a) * d[:-2]
            joint = np.minimum(np.square(off).sum(axis=-1) / (2 * sigma**2), WORST)
            cost[:, a, b, c] = (weight * joint).sum(axis=1) + SWITCH * (b != c)
        return cost

    def fill_between(self, swapped: np.ndarray, chosen: np.ndarray) -> None:
        """Label the frames that were left out like the chosen ones beside them (T,), in place."""
        for first, last in zip(chosen, [*chosen[1:], len(swapped)], strict=True):
            after = min(last, chosen[-1])
            if swapped[first] == swapped[after]:
                swapped[first:last] = swapped[first]
                continue
            ends = [(-1) ** int(swapped[i]) * self._all[i] for i in (first, after)]
            for i in range(first + 1, last):
                share = (i - first) / (after - first)
                between = (1 - share) * ends[0] + share * ends[1]
                swapped[i] = (between * self._all[i]).sum() < 0


def _groups(skeleton: str) -> np.ndarray:
    """(J,) 0 arms, 1 legs, 2 head, -1 for joints without a partner."""
    groups = {name: group for group, part in enumerate((ARMS, LEGS, HEAD)) for name in part}
    names = JOINTS[skeleton]
    partner = mirror(skeleton)
    return np.array(
        [
            groups[name.partition("_")[2]] if partner[i] != i else -1
            for i, name in enumerate(names)
        ]
    )


def _body_costs(
    arms: _Differences, legs: _Differences, step_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Costs of the four labels 2 * arms + legs: (N - 2, 4, 4, 4) in time, and (N, 4) alone."""
    apart = [arms.misfit(step_s), legs.misfit(step_s)]
    label = np.arange(4)
    first = apart[0][:, label[:, None, None] // 2, label[None, :, None] // 2, label // 2]
    second = apart[1][:, label[:, None, None] % 2, label[None, :, None] % 2, label % 2]
    # Shoulders and hips point the same way, unless one of the two is swapped.
    shoulders, hips = arms.difference[:, 0], legs.difference[:, 0]
    length = np.linalg.norm(shoulders, axis=1) * np.linalg.norm(hips, axis=1)
    # Counts where both are as wide as from the front; from the side nothing can be told.
    agree = (shoulders * hips).sum(axis=1) / np.maximum(length, 0.06**2)
    sign = (1 - 2 * (label // 2)) * (1 - 2 * (label % 2))
    alone = TWISTED * np.maximum(0.0, -sign * agree[:, None])
    return first + second, alone + SWAPPED * (label // 2 + label % 2)


def _best_path(misfit: np.ndarray, alone: np.ndarray) -> np.ndarray:
    """The labels (N,) of least cost, by dynamic programming over pairs of frames.

    misfit (N - 2, S, S, S) of three frames in a row; alone (N, S) of one.
    """
    total = alone[0][:, None] + alone[1]  # (S, S): the labels of the last two frames
    total = total + SWITCH * (1 - np.eye(len(total)))
    back = np.zeros(misfit.shape[:1] + total.shape, np.int64)
    for i, cost in enumerate(misfit):
        options = total[:, :, None] + cost  # (S, S, S)
        back[i] = options.argmin(axis=0)
        total = options.min(axis=0) + alone[i + 2]
    before, last = np.unravel_index(int(total.argmin()), total.shape)
    path = [int(last), int(before)]
    for choice in back[::-1]:
        path.append(int(choice[path[-1], path[-2]]))
    return np.array(path[::-1])


def _ones(chosen: np.ndarray, count: int) -> np.ndarray:
    return np.ones((len(chosen), count))
