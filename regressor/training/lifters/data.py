"""The windows that lifters learn from, by number, so that a training can be resumed and shared."""

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from regressor import skeletons
from regressor.data import mocap
from regressor.data.lifting import Motion17, Sampler, build_motions
from regressor.data.mixture import seed_of
from regressor.data.sequences import LiftingSequence, LiftingSet, read_set
from regressor.errors import PosecastError
from regressor.smpl import load_body
from regressor.training.lifters.options import LifterTraining
from regressor.training.lifters.recipes import LifterRecipe, Windows

Batch = dict[str, Tensor]  # inputs (B, T, K, C), target (B, T, J, 3)
BLOCK = 64  # windows of motion capture that are drawn together
CHECK_SEED = 7
NOISES = {"clean": 0.0, "noisy": 1.0}


@dataclass
class Shape:
    """What a network reads: frames, and numbers a keypoint."""

    frames: int
    channels: int


class SeenMotions(Dataset):
    """Endless windows of mocap, in random cameras' views with a detector's noise.

    They are drawn in blocks of 64, or of the largest power of two that divides the batch: where
    processes share a batch, they draw what one would if theirs is a multiple of 64.
    """

    def __init__(self, motions: list[Motion17], shape: Shape, batch: int, seed: int):
        self.block, self.seed = math.gcd(batch, BLOCK), seed
        self.sampler = Sampler(motions, shape.frames, self.block, seed, channels=shape.channels)
        self.frames = sum(len(motion.seen) for motion in motions)

    def __len__(self) -> int:
        """So many windows tell about as much as there is: half of each is new."""
        return max(1, 2 * self.frames // self.sampler.frames)

    def __getitems__(self, numbers: list[int]) -> Batch:
        """The windows of these numbers, which are whole blocks in order."""
        drawn = []
        for number in numbers[:: self.block]:
            self.sampler.generator.manual_seed(seed_of(self.seed, number // self.block))
            drawn.append(self.sampler.draw())
        inputs, targets = zip(*drawn, strict=True)
        return {"inputs": torch.cat(inputs), "target": torch.cat(targets)}


class SetWindows(Dataset):
    """The windows of a data set, each epoch in another order; mirrored ones follow the plain.

    Windows go on beyond a sequence's ends with its first and last frame.
    """

    def __init__(
        self, data: LiftingSet, shape: Shape, windows: Windows, flip: bool = False, seed: int = 0
    ):
        self.frames, self.seed = shape.frames, seed
        parts = [prepare(sequence, data.root, shape.channels) for sequence in data.sequences]
        self.inputs = torch.cat([inputs for inputs, _ in parts])
        self.joints = torch.cat([joints for _, joints in parts])
        lengths = [len(sequence) for sequence in data.sequences]
        firsts = np.cumsum([0, *lengths[:-1]])
        table = [
            (first, length, start)
            for first, length in zip(firsts.tolist(), lengths, strict=True)
            for start in window_starts(length, shape.frames, windows)
        ]
        self.table = torch.tensor(table, dtype=torch.long)
        self.flip = flip
        self.swap = skeletons.mirror(data.skeleton)
        self.keypoint_swap = skeletons.mirror(data.keypoint_skeleton)

    def __len__(self) -> int:
        return len(self.table) * (1 + self.flip)

    def __getitems__(self, numbers: list[int]) -> Batch:
        """The windows of these numbers of an endless run of epochs."""
        chosen = [int(self._order(n // len(self))[n % len(self)]) for n in numbers]
        return self.take(torch.tensor(chosen))

    def take(self, chosen: Tensor) -> Batch:
        """Windows by their place (B,) in the table; from its length on, mirrored ones."""
        mirrored = chosen >= len(self.table)
        first, length, start = self.table[chosen % len(self.table)].unbind(1)
        index = start[:, None] + torch.arange(self.frames)
        rows = first[:, None] + torch.minimum(index.clamp(min=0), length[:, None] - 1)
        inputs, target = self.inputs[rows], self.joints[rows]
        sign = torch.tensor([-1.0, 1.0, 1.0])
        inputs[mirrored] = inputs[mirrored][:, :, self.keypoint_swap] * sign[: inputs.shape[-1]]
        target[mirrored] = target[mirrored][:, :, self.swap] * sign
        return {"inputs": inputs, "target": target}

    @lru_cache(maxsize=2)  # noqa: B019 - a training has one such set
    def _order(self, epoch: int) -> np.ndarray:
        return np.random.default_rng(seed_of(self.seed, epoch)).permutation(len(self))


def prepare(sequence: LiftingSequence, root: int, channels: int) -> tuple[Tensor, Tensor]:
    """Keypoints (T, K, C) as on the screen, x from -1 to 1, and joints (T, J, 3) about the root.

    A confidence that the network reads and the set hasn't is 1; one that it doesn't read goes.
    """
    points = torch.as_tensor(sequence.keypoints, dtype=torch.float32)
    centre = torch.tensor([1.0, sequence.height / sequence.width])
    inputs = points[..., :2] * (2 / sequence.width) - centre
    if channels == 3:
        sure = points[..., 2:3] if points.shape[-1] > 2 else torch.ones_like(points[..., :1])
        inputs = torch.cat([inputs, sure], dim=-1)
    joints = torch.as_tensor(sequence.joints, dtype=torch.float32)
    return inputs, joints - joints[:, root : root + 1]


def window_starts(length: int, frames: int, windows: Windows) -> list[int]:
    """Where the windows of a sequence begin; before 0, or so late that they end beyond it, too."""
    if windows == "frames":
        return list(range(-(frames // 2), length - frames // 2))
    if windows == "clips":
        return list(range(0, max(length - frames, 0) + 1, max(frames // 3, 1)))
    count = -(-length // frames)
    before = (count * frames - length) // 2
    return [i * frames - before for i in range(count)]


@dataclass
class Material:
    """All that a training sees: windows to learn from, held-out batches, and what they are."""

    windows: SeenMotions | SetWindows
    checks: list[Batch]
    coordinates: str
    fps: float
    skeleton: str
    root: int
    described: str
    held_out: str


def material(options: LifterTraining, recipe: LifterRecipe, shape: Shape) -> Material:
    """What `options.data` holds. Raises PosecastError or FileFormatError where that is nothing."""
    if options.data.suffix == ".npz" and _is_cmu(options.data):
        return _of_motions(options, recipe, shape, *_cmu(options, recipe))
    data = read_set(options.data, "train", options.detections)
    test = read_set(options.data, "test", options.detections)
    if data.motions:
        return _of_motions(options, recipe, shape, data.motions, test.motions, "the test split")
    windows = SetWindows(data, shape, recipe.windows, recipe.flip, options.seed)
    some = SetWindows(test, shape, recipe.windows)
    count = min(options.check_windows, len(some))
    places = torch.linspace(0, len(some) - 1, count).long()
    checks = [some.take(part) | {"noisy": torch.tensor(-1)} for part in places.split(BLOCK)]
    return Material(
        windows, checks if count else [], "screen", data.sequences[0].fps, data.skeleton, data.root,
        f"{len(data.sequences)} sequences, {len(windows)} windows", "the test split",
    )  # fmt: skip


def _is_cmu(file: Path) -> bool:
    from regressor.data.archives import keys_of

    return "rotvec_d" in keys_of(file)


def _cmu(options: LifterTraining, recipe: LifterRecipe) -> tuple[list, list, str]:
    clips, body = mocap.load_clips(options.data), load_body()
    if not 0 < recipe.fps <= mocap.FPS or mocap.FPS % recipe.fps:
        raise PosecastError(
            f"--fps {recipe.fps:g} has to divide the recordings' {mocap.FPS:g} frames a second."
        )
    kept = [clip for clip in clips if clip.subject not in mocap.HELD_OUT]
    held = [clip for clip in clips if clip.subject in mocap.HELD_OUT]
    return (
        build_motions(kept, body, options.shapes, recipe.fps, options.seed),
        build_motions(held, body, 1, recipe.fps, 1000),
        "subjects " + ", ".join(map(str, mocap.HELD_OUT)),
    )


def _of_motions(
    options: LifterTraining,
    recipe: LifterRecipe,
    shape: Shape,
    motions: list[Motion17],
    held: list[Motion17],
    who: str,
) -> Material:
    windows = SeenMotions(motions, shape, recipe.batch, options.seed)
    checks = []
    for number, noise in enumerate(NOISES.values()):
        count = options.check_windows
        sizes = [min(BLOCK, count - i) for i in range(0, count, BLOCK)]
        for size in sizes if held else []:
            sampler = Sampler(held, shape.frames, size, CHECK_SEED, noise, channels=shape.channels)
            sampler.generator.manual_seed(seed_of(CHECK_SEED, len(checks) % max(1, len(sizes))))
            inputs, target = sampler.draw()
            checks.append({"inputs": inputs, "target": target, "noisy": torch.tensor(number)})
    return Material(
        windows, checks, "centred", recipe.fps, "h36m17", 0,
        f"{len(motions)} motions, {windows.frames} frames", who,
    )  # fmt: skip
