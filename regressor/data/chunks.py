"""The windows that published lifters are trained and tested on.

VideoPose3D, common/generators.py (ChunkedGenerator) and run.py; KTPFormer, common/generators.py
(ChunkedGenerator_Seq). Frames outside a sequence are its edge frame, repeated.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from regressor.data.lifting_cameras import MIRRORED_ENTRIES
from regressor.skeletons import mirror


def chunk_table(lengths: Sequence[int], frames: int, flips: bool = False) -> np.ndarray:
    """(M, 4) sequence, first frame, end, flip: each sequence cut into chunks of `frames`.

    The chunks lie centred, so the first may begin before 0 and the last end behind the sequence.
    The flipped ones follow the others of the same sequence.
    """
    rows = []
    for number, length in enumerate(lengths):
        count = -(-length // frames)
        starts = np.arange(count) * frames - (count * frames - length) // 2
        for flip in (0, 1) if flips else (0,):
            rows += [(number, start, start + frames, flip) for start in starts]
    return np.array(rows, np.int64).reshape(-1, 4)


def subset_of(length: int, share: float, every: int = 1) -> slice:
    """The part of a sequence that `--subset share --downsample every` trains on.

    Its place follows from the length alone, so that every method gets the same part.
    """
    if share >= 1:
        return slice(0, length, every)
    kept = round(length // every * share) * every
    start = draw_from(length, 0, length - kept + 1)
    return slice(start, start + kept, every)


def draw_from(length: int, low: int, high: int) -> int:
    """A whole number from low to high that follows from SHA-256 of the length's digits."""
    raw = int.from_bytes(hashlib.sha256(str(length).encode()).digest()[:4], "little")
    return int(raw / (2**32 - 1) * (high - low)) + low


def flip_points(points: np.ndarray, skeleton: str) -> np.ndarray:
    """Keypoints or joints (..., J, C) mirrored: x negated, left and right exchanged."""
    mirrored = points[..., mirror(skeleton), :]
    mirrored[..., 0] *= -1
    return mirrored


def flip_camera(vector: np.ndarray) -> np.ndarray:
    """A camera's vector (..., 9) in the mirror."""
    mirrored = vector.copy()
    mirrored[..., list(MIRRORED_ENTRIES)] *= -1
    return mirrored


@dataclass
class Chunks:
    """Batches of shuffled windows, an epoch at each iteration.

    inputs: a (T, K, 2 or 3) array each sequence, normalised; targets: a (T, J, 3) each, or None;
    cameras: a (9,) each, or None. frames: those predicted at once, 1 for networks that see `pad`
    frames more on both sides. Yields inputs (B, frames + 2 pad, K, C), targets (B, frames, J, 3) or
    None, cameras (B, 9) or None; the epoch's last batch may be smaller. Left and right are by two
    skeletons, as detectors' keypoints may be others than the targets' joints.
    """

    inputs: Sequence[np.ndarray]
    targets: Sequence[np.ndarray] | None
    frames: int
    batch: int
    pad: int = 0
    flips: bool = False
    cameras: Sequence[np.ndarray] | None = None
    skeleton: str = "h36m17"
    keypoint_skeleton: str = "h36m17"
    seed: int = 1234  # the published one

    def __post_init__(self):
        lengths = [len(sequence) for sequence in self.inputs]
        self.lengths = np.array(lengths)
        self.offsets = np.cumsum([0, *lengths])
        self.table = chunk_table(lengths, self.frames, self.flips)
        self.random = np.random.RandomState(self.seed)
        self.all_inputs = np.concatenate(list(self.inputs))
        self.all_targets = None if self.targets is None else np.concatenate(list(self.targets))

    def __len__(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.table) // self.batch)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray | None, np.ndarray | None]]:
        order = self.random.permutation(len(self.table))
        for start in range(0, len(order), self.batch):
            yield self.gather(self.table[order[start : start + self.batch]])

    def gather(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """The windows of some rows (B, 4) of the table."""
        flipped = rows[:, 3] == 1
        around = np.arange(-self.pad, self.frames + self.pad)
        inputs = self.all_inputs[self.frames_of(rows, around)]
        inputs[flipped] = flip_points(inputs[flipped], self.keypoint_skeleton)
        targets = cameras = None
        if self.all_targets is not None:
            targets = self.all_targets[self.frames_of(rows, np.arange(self.frames))]
            targets[flipped] = flip_points(targets[flipped], self.skeleton)
        if self.cameras is not None:
            cameras = np.stack([self.cameras[i] for i in rows[:, 0]])
            cameras[flipped] = flip_camera(cameras[flipped])
        return inputs, targets, cameras

    def frames_of(self, rows: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """(B, S) frames, counted through all sequences, that lie so many steps after the first."""
        last = self.lengths[rows[:, 0]] - 1
        within = np.clip(rows[:, 1, None] + steps, 0, last[:, None])
        return self.offsets[rows[:, 0]][:, None] + within
