"""Counts what goes wrong while data is read, also in a loader's workers, and says it once."""

import logging

import torch
from torch.utils.data import get_worker_info

_WORKERS = 64
log = logging.getLogger("posecast")


class Tally:
    """How often each of a few kinds of trouble was met; the first of each kind is logged.

    Workers of a DataLoader count in memory that they share with the process which made the tally,
    each in a row of its own, so that none is lost.
    """

    def __init__(self, *kinds: str):
        self.kinds = kinds
        self._counts = torch.zeros(_WORKERS, len(kinds), dtype=torch.int64).share_memory_()

    def add(self, kind: str, sentence: str) -> None:
        """Counts one of `kind`; `sentence` tells of this one."""
        if self[kind] == 0:
            log.warning("%s (Said once; further ones are counted.)", sentence)
        worker = get_worker_info()
        row = 0 if worker is None else 1 + worker.id % (_WORKERS - 1)
        self._counts[row, self.kinds.index(kind)] += 1

    def __getitem__(self, kind: str) -> int:
        return int(self._counts[:, self.kinds.index(kind)].sum())

    def counts(self) -> dict[str, int]:
        """Every kind's number."""
        return {kind: self[kind] for kind in self.kinds}
