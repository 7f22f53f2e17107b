"""Left and right repaired over time.

Seen from the side, detectors take one leg or arm for the other, for a frame or for many. The
labels that make all joints move most evenly are found by dynamic programming over the whole track.
What is looked at is the difference of each left joint to its right partner: swapping only turns its
sign, and what both have in common (the person's way, the camera's) doesn't enter. It must go on
with constant velocity rather than stay near: legs that cross in a stride swap places, not names.
"""

from dataclasses import dataclass, replace

import numpy as np

from regressor.detection.track import Track
from regressor.skeletons import JOINTS, mirror

# Joint pairs that a detector swaps together, and the smaller sets that it swaps for a few frames.
ARMS = (("shoulder",), ("elbow",), ("wrist", "pinky", "index", "thumb"))
LEGS = (("hip",), ("knee",), ("ankle", "heel", "toe", "small_toe"))
HEAD = (("eye_inner", "eye", "eye_outer", "ear", "mouth"),)
WORKING_FPS = 30.0  # at higher rates a step in time is lost in the noise, so frames are left out
# The spread of a difference around constant velocity, in shares of the person's height: the
# detector's noise, and what muscles do in 1/30 s (it grows with the square of the step).
NOISE = 0.015
ACCELERATION = 0.02
WORST = 6.0  # a single joint's misfit counts no more than this
SWITCH = 10.0  # evidence that is needed for a change between right and swapped
# The same in the second look, at small sets of joints and short runs.
SHORT_SWITCH = 1.5
SHORT_SWITCH_PER_JOINT = 0.5
SWAPPED = 0.04  # and for each frame that is held to be swapped: the detector is mostly right
TWISTED = 1.0  # hips the other way round than the shoulders, for each frame
LEAST_CONFIDENCE = 0.05
NEIGHBOURS = 4  # on either side, in the second look at short runs
CLEARLY_APART = 0.05  # person heights


def repair_sides(track: Track) -> Track:
    """The track with left and right exchanged where that makes it move evenly.

    Arms, legs and head are judged apart. Keypoints, confidence and the detector's own 3D are
    exchanged together; a track that needs nothing is returned as it is.
    """
    swapped = find_swaps(track)
    if not swapped.any():
        return track
    partner = mirror(track.skeleton)
    source = np.where(swapped, partner, np.arange(len(partner)))  # (T, J)
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


def find_swaps(track: Track) -> np.ndarray:
    """(T, J) bool: the joints that carry their partner's name."""
    swapped = np.zeros(track.confidence.shape, bool)
    if len(track) < 3:
        return swapped
    step_s = float(np.median(np.diff(track.times)))
    every = max(1, round(1.0 / (WORKING_FPS * max(step_s, 1e-6))))
    chosen = np.arange(0, len(track), every)
    if len(chosen) < 5:
        return swapped
    step_s *= every
    groups = [
        [_Pairs(track, names, chosen, step_s) for names in sets] for sets in (ARMS, LEGS, HEAD)
    ]
    arms, legs, head = (_Motion.of([pairs.motion for pairs in group]) for group in groups)
    body = _best_path(*_body_costs(arms, legs))
    face = _best_path(head.misfit(), np.tile([0, SWAPPED], (len(chosen), 1)))
    for group, labels in zip(groups, (body // 2, body % 2, face), strict=True):
        for pairs in group:
            if len(pairs.left):
                alone = _best_path(pairs.motion.misfit(), np.tile([0, SWAPPED], (len(chosen), 1)))
                best = pairs.better(labels, alone, np.zeros_like(labels))
                label = pairs.filled(best)[:, None]
                swapped[:, pairs.left] = swapped[:, pairs.right] = label
    return swapped


@dataclass
class _Motion:
    """Differences of left and right (N, P, 2) in person heights, how sure (N, P), their spread."""

    difference: np.ndarray
    weight: np.ndarray
    sigma: float

    @classmethod
    def of(cls, parts: "list[_Motion]") -> "_Motion":
        """Several, as one."""
        return cls(
            np.concatenate([part.difference for part in parts], axis=1),
            np.concatenate([part.weight for part in parts], axis=1),
            max(part.sigma for part in parts),
        )

    def under(self, labels: np.ndarray) -> "_Motion":
        """The same with the frames labelled 1 (N,) turned round."""
        return replace(self, difference=(1.0 - 2.0 * labels)[:, None, None] * self.difference)

    def misfit(self, switch: float = SWITCH) -> np.ndarray:
        """(N - 2, 2, 2, 2) cost of the labels of three frames in a row, the latest last."""
        d = self.difference
        weight = np.minimum(np.minimum(self.weight[2:], self.weight[1:-1]), self.weight[:-2])
        cost = np.zeros((len(d) - 2, 2, 2, 2))
        for a, b, c in np.ndindex(2, 2, 2):
            off = (1 - 2 * c) * d[2:] - 2 * (1 - 2 * b) * d[1:-1] + (1 - 2 * a) * d[:-2]
            cost[:, a, b, c] = _cost(off, self.sigma, weight) + switch * (b != c)
        return cost


class _Pairs:
    """Some joint pairs: how far left is from right, through the chosen frames."""

    def __init__(self, track: Track, names: tuple[str, ...], chosen: np.ndarray, step_s: float):
        joints: list[str] = list(JOINTS[track.skeleton])
        self.left = [joints.index(f"left_{name}") for name in names if f"left_{name}" in joints]
        self.right = [joints.index(f"right_{joints[i][5:]}") for i in self.left]
        height = np.maximum(*(track.boxes[:, 2:] - track.boxes[:, :2]).T)
        height = np.maximum(height, 1.0)[:, None, None]
        self._all = (track.keypoints[:, self.left] - track.keypoints[:, self.right]) / height
        self._chosen = chosen
        sure = np.minimum(track.confidence[:, self.left], track.confidence[:, self.right])
        weight = np.maximum(sure[chosen], LEAST_CONFIDENCE)
        self.motion = _Motion(self._all[chosen], weight, _spread(self._all[chosen], step_s))
        self._switch = SHORT_SWITCH + SHORT_SWITCH_PER_JOINT * len(self.left)

    def better(self, *suggestions: np.ndarray) -> np.ndarray:
        """Of several labellings (N,), each refined, the one under which all moves most evenly.

        One frame with both feet in one place looks to constant velocity like feet that cross, and
        would turn all that follows; then the best is to have changed next to nothing.
        """
        distinct = {labels.tobytes(): labels for labels in suggestions}.values()
        labellings = [self._refined(labels) for labels in distinct]
        return min(labellings, key=self._unevenness)

    def _unevenness(self, labels: np.ndarray) -> float:
        off = self._off(self.motion.under(labels), self.motion.sigma)[:, 0]
        changes = np.abs(np.diff(labels)).sum()
        return float(off.sum() + self._switch * changes + SWAPPED * labels.sum())

    def _refined(self, labels: np.ndarray) -> np.ndarray:
        """(N,) labels, changed where these pairs alone, or a few frames, are better the other way.

        Detectors pass from one labelling to the other through frames that have no velocity to go
        by: here each frame is also held against a robust line through its neighbours.
        """
        for _ in range(2):
            before = labels
            motion = self.motion.under(labels)
            costs = self._off(motion, 2 * motion.sigma) + (0, SWAPPED)
            # At the ends there is no line to trust, and a change must begin and end somewhere.
            costs[:2] = costs[-2:] = 0
            costs[[0, -1], 1] += self._switch
            # Constant velocity counts half: it is told with fewer frames, so it is less sure.
            in_time = replace(motion, weight=0.5 * motion.weight).misfit(self._switch)
            labels = before ^ _best_path(in_time, costs, self._switch)
            if (labels == before).all():
                break
        return labels

    def _off(self, motion: "_Motion", sigma: float) -> np.ndarray:
        """(N, 2) costs of each frame beside its neighbours' line, as it is and turned round."""
        line = _robust_line(motion.difference, motion.weight, sigma)
        both = [_cost(sign * motion.difference - line, sigma, motion.weight) for sign in (1, -1)]
        return np.stack(both, axis=1)

    def filled(self, labels: np.ndarray) -> np.ndarray:
        """(N,) labels of the chosen frames to (T,) bool of all, by what lies between them."""
        everywhere = np.arange(len(self._all))
        before = np.searchsorted(self._chosen, everywhere, side="right") - 1
        after = np.minimum(before + (self._chosen[before] < everywhere), len(labels) - 1)
        signs = 1.0 - 2.0 * labels
        corrected = self.motion.under(labels).difference
        first, second = corrected[before], corrected[after]
        gap = np.maximum(self._chosen[after] - self._chosen[before], 1)
        share = ((everywhere - self._chosen[before]) / gap)[:, None, None]
        agreement = ((first + share * (second - first)) * self._all).sum(axis=(1, 2))
        # Between two frames of one label, a frame must plainly be the other way round.
        plain = -len(self.left) * CLEARLY_APART**2
        same = np.where(agreement * signs[before] < plain, 1 - labels[before], labels[before])
        return np.where(labels[before] == labels[after], same, agreement < 0).astype(bool)


def _spread(difference: np.ndarray, step_s: float) -> float:
    """How far a difference (N, P, 2) may be from constant velocity, in person heights.

    What is usual, or more where this film's own jitter is more (the median misfit of the labels as
    they came, which swaps here and there don't change).
    """
    usual = float(np.hypot(NOISE, ACCELERATION * (step_s * 30.0) ** 2))
    off = np.linalg.norm(difference[2:] - 2 * difference[1:-1] + difference[:-2], axis=-1)
    return max(usual, float(np.median(off)) if off.size else 0.0)


def _cost(off: np.ndarray, sigma: float, weight: np.ndarray) -> np.ndarray:
    """(N, P, 2) distances to (N,) costs, in which no joint counts more than WORST."""
    joint = 0.5 * np.square(off / sigma).sum(axis=-1)
    return (weight * np.minimum(joint, WORST)).sum(axis=1)


def _body_costs(arms: _Motion, legs: _Motion) -> tuple[np.ndarray, np.ndarray]:
    """Costs of the four labels 2 * arms + legs: (N - 2, 4, 4, 4) in time, and (N, 4) alone."""
    arm, leg = np.arange(4) // 2, np.arange(4) % 2
    in_time = arms.misfit()[:, arm[:, None, None], arm[:, None], arm]
    in_time = in_time + legs.misfit()[:, leg[:, None, None], leg[:, None], leg]
    # Shoulders and hips point the same way, unless one of the two is swapped.
    shoulders, hips = arms.difference[:, 0], legs.difference[:, 0]
    length = np.linalg.norm(shoulders, axis=1) * np.linalg.norm(hips, axis=1)
    # Counts where both are as wide as from the front; from the side nothing can be told.
    agree = (shoulders * hips).sum(axis=1) / np.maximum(length, 0.06**2)
    sign = (1 - 2 * arm) * (1 - 2 * leg)
    alone = TWISTED * np.maximum(0.0, -sign * agree[:, None])
    return in_time, alone + SWAPPED * (arm + leg)


def _best_path(misfit: np.ndarray, alone: np.ndarray, switch: float = SWITCH) -> np.ndarray:
    """The labels (N,) of least cost, by dynamic programming over pairs of frames.

    misfit (N - 2, S, S, S) of three frames in a row; alone (N, S) of one; switch: between the first
    two, which misfit doesn't hold.
    """
    total = alone[0][:, None] + alone[1]  # (S, S): the labels of the last two frames
    total = total + switch * (1 - np.eye(len(total)))
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


def _robust_line(values: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """(N, P, 2): each frame as the line through its neighbours has it; outliers count little.

    values (N, P, 2), weight (N, P).
    """
    reach = np.arange(-NEIGHBOURS, NEIGHBOURS + 1)
    at = np.arange(len(values))[:, None] + reach  # (N, W)
    inside = (at >= 0) & (at < len(values)) & (reach != 0)
    near = values[np.clip(at, 0, len(values) - 1)]  # (N, W, P, 2)
    base = weight[np.clip(at, 0, len(values) - 1)] * inside[..., None]  # (N, W, P)
    time = reach[:, None].astype(float)
    trust = base
    line = np.zeros_like(values)
    for _ in range(5):
        total, first = trust.sum(axis=1) + 1e-9, (trust * time).sum(axis=1)
        second = (trust * time**2).sum(axis=1) + 1e-3
        sums = (trust[..., None] * near).sum(axis=1)
        products = (trust[..., None] * time[..., None] * near).sum(axis=1)
        determinant = (total * second - first**2 + 1e-9)[..., None]
        line = (second[..., None] * sums - first[..., None] * products) / determinant
        slope = (total[..., None] * products - first[..., None] * sums) / determinant
        off = near - line[:, None] - slope[:, None] * time[..., None]
        trust = base / (1 + np.square(off).sum(axis=-1) / sigma**2)
    return line
