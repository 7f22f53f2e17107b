"""The windows that lifters learn from, by number, so that a training can be resumed and shared."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from regressor import skeletons
from regressor.data.chunks import Chunks, chunk_table
from regressor.data.lifting import Sampler
from regressor.data.lifting_cameras import pixels_to_screen
from regressor.data.mixture import seed_of
from regressor.data.sequences import LiftingSequence, LiftingSet, read_set, recognise
from regressor.errors import PosecastError
from regressor.training.lifters.options import LifterTraining
from regressor.training.lifters.recipes import Flip, LifterRecipe, Windows

# inputs (B, T, K, C), target (B, T, J, 3); to check on also noisy, and scale (B, T, 1, 1) where
# the answers' unit is the picture's and the target's is the metre
Batch = dict[str, Tensor]
BLOCK = 64  # windows of motion capture that are drawn together
CHECK_SEED = 7
NOISES = {"clean": 0.0, "noisy": 1.0}


@dataclass
class Shape:
    """What a network reads: frames, and numbers a keypoint."""

    frames: int
    channels: int

    @classmethod
    def of(cls, network: nn.Module) -> Self:
        return cls(int(network.frames), int(network.channels))  # pyright: ignore


class Draws(Protocol):
    """Random batches of inputs (B, T, K, C) and targets (B, T, J, 3), as its generator says."""

    frames: int
    generator: torch.Generator

    def draw(self) -> tuple[Tensor, Tensor]: ...


class DrawnWindows(Dataset):
    """Endless windows that are drawn at random, in blocks.

    sampler: what draws them, a block at a time; length: frames that there are.
    """

    def __init__(self, sampler: Draws, block: int, length: int, seed: int):
        self.sampler, self.block, self.length, self.seed = sampler, block, length, seed

    def __len__(self) -> int:
        """So many windows tell about as much as there is: half of each is new."""
        return max(1, 2 * self.length // self.sampler.frames)

    def __getitems__(self, numbers: list[int]) -> Batch:
        """The windows of these numbers, which are whole blocks in order."""
        drawn = []
        for number in numbers[:: self.block]:
            self.sampler.generator.manual_seed(seed_of(self.seed, number // self.block))
            drawn.append(self.sampler.draw())
        inputs, targets = zip(*drawn, strict=True)
        return {"inputs": torch.cat(inputs), "target": torch.cat(targets)}


class SetWindows(Dataset):
    """The windows of a data set, each epoch in another order; by `flip` mirrored ones beside the
    plain, or at random in their place.

    Frames that don't count (3DPW's where the camera fails) are in none.
    """

    def __init__(
        self, data: LiftingSet, shape: Shape, windows: Windows, flip: Flip = False, seed: int = 0
    ):
        sequences = [part for sequence in data.sequences for part in sequence.valid_parts()]
        if not sequences:
            raise PosecastError(f"No frame of {data.name} counts: give another data set.")
        parts = [prepare(sequence, data.root, shape.channels) for sequence in sequences]
        self.chunks = Chunks(
            [inputs for inputs, _ in parts], [joints for _, joints in parts], shape.frames, 1,
            skeleton=data.skeleton, keypoint_skeleton=data.keypoint_skeleton,
        )  # fmt: skip
        scales = [one.scale for one in sequences if one.scale is not None]
        self.scale = np.concatenate(scales) if scales else None
        lengths = [len(sequence) for sequence in sequences]
        self.table = window_table(lengths, shape.frames, windows, flip is True)
        self.seed, self.chance = seed, 0.5 * (flip == "random")

    def __len__(self) -> int:
        return len(self.table)

    def __getitems__(self, numbers: list[int]) -> Batch:
        """The windows of these numbers of an endless run of epochs."""
        rows = np.stack([self._order(n // len(self))[n % len(self)] for n in numbers])
        return self.take(*rows.T)

    def take(self, places: Sequence[int] | np.ndarray, turned: int | np.ndarray = 0) -> Batch:
        """Windows by their places in the table; turned (B,): 1 for those to be mirrored besides."""
        rows = self.table[np.asarray(places)]
        rows[:, 3] ^= turned
        inputs, target, _ = self.chunks.gather(rows)
        assert target is not None
        batch = {"inputs": torch.from_numpy(inputs), "target": torch.from_numpy(target)}
        if self.scale is not None:
            frames = self.chunks.frames_of(rows, np.arange(target.shape[1]))
            batch["scale"] = torch.from_numpy(self.scale[frames])[..., None, None]
        return batch

    @lru_cache(maxsize=2)  # noqa: B019 - a training has one such set
    def _order(self, epoch: int) -> np.ndarray:
        """(M, 2) the epoch's windows in their order, and 1 for those that chance mirrors."""
        draw = np.random.default_rng(seed_of(self.seed, epoch))
        order = draw.permutation(len(self))
        return np.stack([order, draw.random(len(self)) < self.chance], axis=1)


def confident(data: LiftingSet) -> bool:
    """Whether its keypoints come with confidences."""
    return all(sequence.keypoints.shape[-1] == 3 for sequence in data.sequences)


def prepare(sequence: LiftingSequence, root: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (T, K, C) as on the screen, x from -1 to 1, and joints (T, J, 3) about the root.

    A confidence that the network reads and the set hasn't is 1; one that it doesn't read goes.
    """
    points = pixels_to_screen(sequence.keypoints, sequence.width, sequence.height)
    points = points[..., :channels]
    if channels > points.shape[-1]:
        points = np.concatenate([points, np.ones_like(points[..., :1])], axis=-1)
    joints = sequence.joints - sequence.joints[:, root : root + 1]
    return points.astype(np.float32), joints.astype(np.float32)


def window_table(
    lengths: Sequence[int], frames: int, windows: Windows, flip: bool = False
) -> np.ndarray:
    """(M, 4) sequence, first frame, end, flip (`data.chunks`); first may be before 0.

    Around each frame the window reaches frames // 2 back. Clips are MotionBERT's (split_clips in
    lib/utils/utils_data.py), but that a recording shorter than a clip is one too.
    """
    if windows == "frames":
        table = chunk_table(lengths, 1, flip)
        table[:, 1] -= frames // 2
        table[:, 2] = table[:, 1] + frames
        return table
    if windows == "chunks":
        return chunk_table(lengths, frames, flip)
    rows = [
        (number, start, start + frames, side)
        for number, length in enumerate(lengths)
        for side in ((0, 1) if flip else (0,))
        for start in range(0, max(length - frames, 0) + 1, max(frames // 3, 1))
    ]
    return np.array(rows, np.int64).reshape(-1, 4)


@dataclass
class Material:
    """All that a training sees: windows to learn from, held-out batches, and what they are."""

    windows: DrawnWindows | SetWindows
    checks: list[Batch]
    coordinates: str
    fps: float
    skeleton: str
    root: int
    described: str
    held_out: str
    keypoint_skeleton: str = "h36m17"
    confidence: bool = False  # whether the third channel of inputs is a detector's, not ones
    unit: str = "m"  # of the answers: "picture" where that is what is learned


def material(options: LifterTraining, recipe: LifterRecipe, shape: Shape) -> Material:
    """What `options.data` holds. Raises PosecastError or FileFormatError where that is nothing."""
    kind = recognise(options.data)
    options.check_kind(kind)
    if kind == "mocap_files":
        return _of_motions(options, recipe, shape)
    data = read_set(options.data, "train", options.detections)
    data = data.thinned(recipe.subset, recipe.downsample)
    if len(skeletons.JOINTS[data.keypoint_skeleton]) != len(skeletons.JOINTS[data.skeleton]):
        raise PosecastError(
            f"A lifter reads as many keypoints as it gives joints: {data.keypoint_skeleton} and "
            f"{data.skeleton} differ. Choose other --detections."
        )
    windows = SetWindows(data, shape, recipe.windows, recipe.flip, options.seed)
    checks = []
    if options.check_windows:
        test = read_set(options.data, "test", options.detections)
        test = test.thinned(every=recipe.downsample)
        some = SetWindows(test, shape, recipe.windows)
        count = min(options.check_windows, len(some))
        places = np.linspace(0, len(some) - 1, count).astype(int)
        checks = [
            some.take(places[i : i + BLOCK]) | {"noisy": torch.tensor(-1)}
            for i in range(0, count, BLOCK)
        ]
    return Material(
        windows, checks, "screen", data.sequences[0].fps, data.skeleton, data.root,
        f"{len(data.sequences)} sequences, {len(windows)} windows", "the test split",
        data.keypoint_skeleton, shape.channels == 3 and confident(data),
        "picture" if data.unit == "picture" else "m",
    )  # fmt: skip


def _of_motions(options: LifterTraining, recipe: LifterRecipe, shape: Shape) -> Material:
    """Mocap, put on several bodies to learn from and on one to check, in random cameras' views.

    Windows are drawn in blocks of 64, or of the largest power of two that divides the batch: where
    processes share a batch, they draw what one would if theirs is a multiple of 64.
    """
    held = tuple(options.held_out)
    found = read_set(
        options.data, "train", fps=recipe.fps, shapes=options.shapes, seed=options.seed,
        held_out=held, **options.reading(),
    )  # fmt: skip
    motions = found.thinned(recipe.subset).motions
    block, length = math.gcd(recipe.batch, BLOCK), sum(len(motion.seen) for motion in motions)
    sampler = Sampler(motions, shape.frames, block, options.seed, channels=shape.channels)
    windows = DrawnWindows(sampler, block, length, options.seed)
    checks = []
    if options.check_windows:
        test = read_set(
            options.data, "test", fps=recipe.fps, shapes=1, seed=CHECK_SEED, held_out=held,
            **options.reading(),
        ).motions  # fmt: skip
        for number, noise in enumerate(NOISES.values()):
            for i, first in enumerate(range(0, options.check_windows, BLOCK)):
                count = min(BLOCK, options.check_windows - first)
                seed = seed_of(CHECK_SEED, i)
                sampler = Sampler(test, shape.frames, count, seed, noise, channels=shape.channels)
                inputs, target = sampler.draw()
                checks.append({"inputs": inputs, "target": target, "noisy": torch.tensor(number)})
    return Material(
        windows, checks, "centred", recipe.fps, "h36m17", 0,
        f"{len(motions)} motions, {length} frames", f"subjects {', '.join(held)}",
        confidence=shape.channels == 3,
    )  # fmt: skip
