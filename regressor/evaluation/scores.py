"""Errors of frames, and what is told of them: means over all, and over each sequence."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from regressor import metrics
from regressor.evaluation.protocols import AUC_M, FPS, PCK_M

# Columns of frames (m), and the name of their mean in the report.
_LENGTHS = {
    "mpjpe": "mpjpe_mm",
    "pa_mpjpe": "pa_mpjpe_mm",
    "pve_unaligned": "pve_unaligned_mm",
    "pve_pelvis": "pve_pelvis_mm",
    "pve_root": "pve_root_mm",
    "challenge_mpjpe": "challenge_mpjpe_mm",
    "challenge_mpjpe_pa": "challenge_mpjpe_pa_mm",
}
_ANGLES = {"challenge_mpjae": "challenge_mpjae_deg", "challenge_mpjae_pa": "challenge_mpjae_pa_deg"}
Summary = dict[str, float | int | None]


@dataclass
class Scores:
    """The frames of all people, covered or not.

    sequence (M,), person (M,) and frame (M,) of those that have a prediction, and their errors by
    column, m; total: how many frames each sequence has that count.
    """

    total: dict[str, int] = field(default_factory=dict)
    sequence: list[str] = field(default_factory=list)
    person: list[int] = field(default_factory=list)
    frame: list[int] = field(default_factory=list)
    _columns: list[dict[str, np.ndarray]] = field(default_factory=list)

    def add(
        self, sequence: str, person: int, frames: np.ndarray, errors: dict[str, np.ndarray]
    ) -> None:
        """The errors of one person's covered frames."""
        self.sequence += [sequence] * len(frames)
        self.person += [person] * len(frames)
        self.frame += frames.tolist()
        if len(frames):
            self._columns.append(errors)

    def __len__(self) -> int:
        return len(self.frame)

    def column(self, name: str) -> np.ndarray:
        """(M, ...) one error of all frames; NaN where it wasn't measured."""
        parts = []
        for block in self._columns:
            count = len(block["mpjpe"])
            shape = next((b[name].shape[1:] for b in self._columns if name in b), ())
            parts.append(block.get(name, np.full((count, *shape), np.nan)))
        return np.concatenate(parts) if parts else np.zeros(0)

    def overall(self) -> Summary:
        """Means over all frames, whichever sequence they are of."""
        return self._summary(np.ones(len(self), bool), sum(self.total.values()))

    def by_sequence(self) -> Mapping[str, Summary]:
        """The same for each sequence."""
        names = np.array(self.sequence)
        return {name: self._summary(names == name, of) for name, of in sorted(self.total.items())}

    def _summary(self, chosen: np.ndarray, of: int) -> Summary:
        found: Summary = {"frames": int(chosen.sum()), "of": of}
        found["coverage"] = round(found["frames"] / of, 4) if of else 0.0  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
        for column, name in _LENGTHS.items():
            found[name] = _mean(self.column(column), chosen, 1000)
        acceleration = _mean(self.column("acceleration"), chosen, 1000)
        found["acceleration_mm_per_frame2"] = acceleration
        found["acceleration_mm_per_s2"] = None if acceleration is None else acceleration * FPS**2
        limbs = self.column("challenge_limbs")[chosen] if chosen.any() else np.zeros(0)
        found["challenge_pck50_percent"] = 100 * metrics.pck(limbs, PCK_M) if limbs.size else None
        found["challenge_auc"] = metrics.auc(limbs, AUC_M) if limbs.size else None
        for column, name in _ANGLES.items():
            found[name] = _mean(self.column(column), chosen, 1)
        return found


def _mean(values: np.ndarray, chosen: np.ndarray, factor: float) -> float | None:
    """The mean of what was measured, None if nothing was."""
    values = values[chosen] if len(values) else values
    values = values[np.isfinite(values)]
    return float(factor * values.mean()) if values.size else None
