"""PoseDA's training scheme: what an adapted lifter sees, window by window.

Source poses, half of them with a local augmentation (`local.py`), are placed where the target's
people are seen (`gpa.py`) and projected by the target's camera; their joints are what is to be
answered. No 3D of the target is used, and no 2D of the source.

Choices, where no public text says: one augmented window for each plain one, with new noise each
time it is drawn; target frames are drawn evenly; cameras without distortion; a detector's errors
(`data.keypoint_noise`) on the projections; where the target's focal length is only assumed, the
true one differs from it by 12 % (standard deviation), as in all of the house's training. A network
that reads a confidence is told 1. The generator's batch normalisation goes by the statistics that
it has gathered, where PoseAug's goes by the batch's own: batches of temporal lifters are small.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from regressor.adapt import gpa, local
from regressor.adapt.generator import Generator
from regressor.adapt.targets import Targets
from regressor.cameras import assumed_fov, intrinsics_from_fov
from regressor.data.keypoint_noise import DetectorNoise
from regressor.data.lifting import Motion17, Sampler, Views
from regressor.data.sequences import LiftingSet
from regressor.errors import PosecastError
from regressor.lifters.windows import centre

WIDTH, HEIGHT = 1920, 1080  # of the pictures that motion capture is seen in
WRONG_FOCAL = 0.12
TRIES = 8  # partners that are tried for a window


@dataclass(frozen=True)
class Scheme:
    """What is done to the source's windows."""

    coordinates: str = "centred"
    gpa: bool = True
    augmented: float = 0.5
    """Share of windows with a local augmentation, where there is a generator."""
    noise: float = 1.0
    """Of the keypoints, in a detector's errors."""


class Source:
    """Random windows of the source's poses in the axes of its cameras."""

    def __init__(
        self,
        data: LiftingSet,
        frames: int,
        batch: int,
        seed: int,
        fps: float,
        views: Views | None = None,
        fov_deg: float | None = None,
    ):
        """fps: frames a second of sequences, which are thinned; fov_deg: of cameras that aren't
        known. Raises PosecastError for joints that aren't Human3.6M's.
        """
        if data.skeleton != "h36m17":
            raise PosecastError(
                f"{data.name} has other joints than Human3.6M's 17, on which poses are augmented: "
                "choose another --source."
            )
        self.fov_deg, self.seen_by_chance = fov_deg, bool(data.motions)
        motions, cameras, heights = data.motions, [], []
        if not motions:
            motions = []
            for one in data.sequences:
                step = max(1, round(one.fps / fps))
                joints = torch.as_tensor(one.joints[::step])
                if len(joints) >= frames // 2:
                    motions.append(Motion17(joints, joints, one.name, one.subject))
                    cameras.append(self._camera(one.width, one.height, one.intrinsics))
                    heights.append(one.height / one.width)
        else:
            cameras, heights = [self._camera(WIDTH, HEIGHT, None)], [HEIGHT / WIDTH]
        self.cameras, self.heights = torch.tensor(cameras), torch.tensor(heights)
        self.sampler = Sampler(motions, frames, batch, seed, views=views)
        self.described = f"{len(motions)} recordings, {len(self.sampler.joints)} frames"

    def _camera(self, width: int, height: int, intrinsics: np.ndarray | None) -> list[float]:
        if intrinsics is None:
            fov = self.fov_deg or assumed_fov(width, height)
            intrinsics = intrinsics_from_fov(fov, width, height)
        half = np.array([width, height]) / 2
        middle = (intrinsics[:2, 2] - half) * 2 / width
        return [float(v) for v in (*np.diag(intrinsics)[:2] * 2 / width, *middle)]

    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Joints and a detector's points (B, T, 17, 3) m before the cameras (B, 4)."""
        sampler = self.sampler
        rows = sampler.rows()
        joints, seen = sampler.joints[rows], sampler.seen[rows]
        if not self.seen_by_chance:
            which = torch.searchsorted(sampler.offsets, rows[:, 0], right=True) - 1
            return joints, seen, self.cameras[which]
        turn, shift = sampler.view(joints)
        joints, seen = (w @ turn[:, None].mT + shift[:, None, None] for w in (joints, seen))
        return joints, seen, self.cameras.expand(len(joints), 4)


class AdaptedWindows:
    """Batches of inputs (B, T, 17, C) and targets (B, T, 17, 3) as a lifter is trained on them."""

    def __init__(
        self,
        source: Source,
        targets: Targets | None,
        generator: Generator | None,
        scheme: Scheme,
        channels: int = 2,
    ):
        self.source, self.targets, self.augmenter = source, targets, generator
        self.scheme, self.channels = scheme, channels
        self.frames, self.generator = source.sampler.frames, source.sampler.generator

    def draw(self) -> tuple[Tensor, Tensor]:
        """One batch; half of the windows are mirrored."""
        joints, seen, cameras = self.source.draw()
        joints, seen = self.augment(joints, seen)
        if self.scheme.gpa and self.targets is not None:
            joints, screen, cameras = self.place(joints, seen, self.targets)
        else:
            screen = gpa.project(seen, cameras)
        screen = with_errors(self.source.sampler.errors, screen, self.scheme.noise)
        relative = joints - joints[:, :, :1]
        if self.scheme.coordinates == "centred":
            focal, middle = (part[:, None, None] for part in cameras.split(2, dim=1))
            screen, rotation = centre((screen - middle) / focal)
            relative = relative @ rotation[:, None].mT
        if self.channels == 3:
            screen = torch.cat([screen, torch.ones_like(screen[..., :1])], dim=-1)
        return self.source.sampler.flip(screen, relative)

    def augment(self, joints: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """The first windows augmented, the others as they are."""
        count = round(self.scheme.augmented * len(joints))
        if self.augmenter is None or not count:
            return joints, seen
        self.augmenter.eval()
        noise = self.source.sampler.normal(3, count, 48)
        some = local.augment(self.augmenter, joints[:count], seen[:count], noise)
        return torch.cat([some[0], joints[count:]]), torch.cat([some[1], seen[count:]])

    def place(
        self, joints: Tensor, seen: Tensor, targets: Targets
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Joints before the targets' cameras, what is seen of them (B, T, 17, 2), and these cameras
        as they are thought to be.

        A window for which no partner is found gives its place to one that found its own.
        """
        sampler, count, middle = self.source.sampler, len(joints), joints.shape[1] // 2
        placed, moved = torch.zeros(count, dtype=torch.bool), torch.zeros_like(joints)
        screen, cameras = torch.zeros_like(joints[..., :2]), torch.ones(count, 4)
        for _ in range(TRIES):
            index = (sampler.errors.uniform(count) * len(targets)).long()
            camera = targets.cameras[index]
            wrong = torch.exp(WRONG_FOCAL * targets.guessed * sampler.normal(count, 1))
            true = torch.cat([camera[:, :2] * wrong, camera[:, 2:]], dim=1)
            root = gpa.root_for(seen[:, middle], targets.keypoints[index], true)
            shift = (root - seen[:, middle, 0])[:, None, None]
            found = gpa.project(seen + shift, true)
            good = gpa.seen_whole(seen + shift, found, targets.heights[index]) & ~placed
            moved[good], screen[good] = (joints + shift)[good], found[good]
            cameras[good] = camera[good]
            placed |= good
        if not placed.any():
            raise PosecastError(
                "No pose of the source can be seen as the target's are: their sizes or cameras "
                "differ too much. Check --target-fov."
            )
        there = placed.nonzero()[:, 0]
        instead = there[torch.arange(count) % len(there)]
        take = torch.where(placed, torch.arange(count), instead)
        return moved[take], screen[take], cameras[take]


def with_errors(draw: DetectorNoise, screen: Tensor, noise: float) -> Tensor:
    """Keypoints (B, T, 17, 2) with `noise` times a detector's errors."""
    if not noise:
        return screen
    centred = screen.detach() - screen.detach().mean(dim=2, keepdim=True)
    size = centred.norm(dim=-1).mean(dim=(1, 2))[:, None, None, None].clamp(min=1e-6)
    errors, _ = draw(screen.detach() / size)
    return screen + noise * size * errors
