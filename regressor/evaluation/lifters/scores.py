"""Errors of lifted sequences, and their means over actions, as the lifters' papers have them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from regressor import metrics, skeletons
from regressor.data.h36m import ACTIONS

# Of a sequence's frames, in mm (velocity: mm from a frame to the next), but PCK and AUC in percent.
METRICS = ("mpjpe", "p_mpjpe", "n_mpjpe", "velocity", "pck150", "auc")
# MPI-INF-3DHP's PCK counts 14 of its 17 joints; in other skeletons these are the others' like.
_NOT_IN_PCK = ("pelvis", "spine", "nose", "head")


@dataclass
class Errors:
    """Means over frames: `values` by METRICS, `joints` (J,) MPJPE of each joint, mm."""

    frames: int
    values: dict[str, float]
    joints: np.ndarray


@dataclass
class Scores:
    """A network's scores: of each group (action), and over all of them in two ways."""

    groups: dict[str, Errors]
    mean_of_groups: Errors
    frame_weighted: Errors


def score(
    predicted: np.ndarray,
    target: np.ndarray,
    skeleton: str = "h36m17",
    root: int = 0,
    valid: np.ndarray | None = None,
) -> Errors:
    """The errors of one sequence, predicted and target (T, J, 3) m, the target's root at 0.

    What the prediction leaves at the root counts, except in PCK and AUC, whose evaluation takes
    the root from both. Only frames of `valid` (T,) count; a step counts between two of them.
    """
    valid = np.ones(len(target), bool) if valid is None else np.asarray(valid, bool)
    predicted, target = (1000.0 * joints.astype(np.float64) for joints in (predicted, target))
    both = valid[1:] & valid[:-1]
    steps = [np.diff(joints, axis=0)[both] for joints in (predicted, target)]
    predicted, target = predicted[valid], target[valid]
    placed = predicted - predicted[:, root : root + 1]
    counted = _in_pck(skeleton)
    distances = np.linalg.norm(placed - target, axis=-1)[:, counted]
    values = {
        "mpjpe": metrics.mpjpe(predicted, target),
        "p_mpjpe": metrics.p_mpjpe(predicted, target),
        "n_mpjpe": metrics.n_mpjpe(predicted, target),
        "velocity": metrics.mpjpe(*steps) if both.any() else 0.0,
        "pck150": 100 * metrics.pck_3dhp(distances),
        "auc": 100 * metrics.auc_3dhp(distances),
    }
    joints = np.mean(np.linalg.norm(predicted - target, axis=-1), axis=0)
    return Errors(len(target), values, joints)


def _in_pck(skeleton: str) -> list[int]:
    names = skeletons.JOINTS[skeleton]
    return [i for i, name in enumerate(names) if name not in _NOT_IN_PCK]


def summarise(errors: Sequence[Errors], groups: Sequence[str]) -> Scores:
    """Sequences' errors by their groups: in the order of the papers, then of names."""
    parts = {
        name: _over_frames([e for e, group in zip(errors, groups, strict=True) if group == name])
        for name in sorted(set(groups), key=_place)
    }
    mean = Errors(
        sum(part.frames for part in parts.values()),
        {name: float(np.mean([p.values[name] for p in parts.values()])) for name in METRICS},
        np.mean([part.joints for part in parts.values()], axis=0),
    )
    return Scores(parts, mean, _over_frames(errors))


def _place(name: str) -> tuple:
    """Papers' order first, then by name; numbers in names by their size."""
    parts = [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
    return (ACTIONS.index(name) if name in ACTIONS else len(ACTIONS), parts)


def _over_frames(errors: Sequence[Errors]) -> Errors:
    weights = np.array([one.frames for one in errors], np.float64)
    values = {
        name: float(np.average([one.values[name] for one in errors], weights=weights))
        for name in METRICS
    }
    joints = np.average([one.joints for one in errors], axis=0, weights=weights)
    return Errors(int(weights.sum()), values, joints)
