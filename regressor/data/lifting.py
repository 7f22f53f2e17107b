"""Windows to train a lifter on: mocap on random bodies, seen by random cameras and a detector.

The input is what a detector would give: the landmarks that mediapipe finds on this body, combined
to 17 points by the same matrix as at run time, with noise like a detector's. The target is the
body's own Human3.6M joints in the axes of the virtual camera (`lifters.windows.centre`), in metres.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import roma
import torch
from torch import Tensor

from regressor import skeletons
from regressor.data import mocap
from regressor.lifters.windows import MIRROR, centre
from regressor.smpl.body import Body

# Detector noise by joint, relative to the hips', measured against renders of the default body.
NOISE = torch.tensor([0.8, 1, 1, 1.2, 1, 1, 1.2, 0.8, 0.8, 0.9, 1.1, 1, 1.2, 1.4, 1, 1.2, 1.4])
LIMBS = (
    [1, 2, 3],
    [4, 5, 6],
    [11, 12, 13],
    [14, 15, 16],
    [2, 3],
    [5, 6],
    [12, 13],
    [15, 16],
    [13],
    [16],
)


@dataclass
class Motion17:
    """One clip on one body, y up, metres: detector's points (T, 17, 3) and joints (T, 17, 3)."""

    seen: Tensor
    joints: Tensor


def build_motions(
    clips: list[mocap.Clip], body: Body, shapes: int, fps: float, seed: int = 0
) -> list[Motion17]:
    """Each clip on `shapes` random bodies at `fps` (a divisor of the recordings' 50)."""
    generator = torch.Generator().manual_seed(seed)
    combine = torch.as_tensor(skeletons.to_h36m17("mediapipe33"))
    motions = []
    for clip in clips:
        world, root = mocap.pose_body(clip, body, step=round(mocap.FPS / fps))
        for _ in range(shapes):
            betas = torch.randn(10, generator=generator)
            points = mocap.landmarks(world, root, body, betas, "mediapipe33")
            joints = mocap.landmarks(world, root, body, betas, "h36m17")
            motions.append(Motion17(combine @ points, joints))
    return motions


class Sampler:
    """Endless random batches: inputs (B, T, 17, 2) and targets (B, T, 17, 3)."""

    def __init__(
        self, motions: list[Motion17], frames: int, batch: int, seed: int, noise: float = 1.0
    ):
        self.motions = [m for m in motions if len(m.seen) >= frames // 2]
        self.frames, self.batch, self.noise = frames, batch, noise
        self.weights = torch.tensor([float(len(m.seen)) for m in self.motions])
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield self.draw()

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=self.generator)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator)

    def draw(self) -> tuple[Tensor, Tensor]:
        """One batch; half of the windows are mirrored."""
        chosen = torch.multinomial(self.weights, self.batch, True, generator=self.generator)
        seen, joints = [], []
        for number in chosen.tolist():
            motion = self.motions[number]
            length = len(motion.seen)
            free = max(length - self.frames, 0)
            start = int(torch.randint(free + 1, (1,), generator=self.generator))
            index = (start + torch.arange(self.frames)).clamp(max=length - 1)
            seen.append(motion.seen[index])
            joints.append(motion.joints[index])
        seen, joints = self.view(torch.stack(seen), torch.stack(joints))
        rays = seen[..., :2] / seen[..., 2:]
        # The camera's focal length is a guess at run time, often wrong by a fifth.
        rays = rays * torch.exp(0.12 * self.normal(self.batch, 1, 1, 1))
        clean, _ = centre(rays)
        size = (rays - rays.mean(2, keepdim=True)).norm(dim=-1).mean(dim=(1, 2), keepdim=True)
        rays = rays + self.noise * size[..., None] * self.detector_noise(clean)
        inputs, rotation = centre(rays)
        relative = joints - joints[:, :, :1]
        targets = relative @ rotation[:, None].transpose(-1, -2)
        return self.flip(inputs, targets)

    def view(self, seen: Tensor, joints: Tensor) -> tuple[Tensor, Tensor]:
        """World points (B, T, 17, 3), y up, into random cameras (x right, y down, z forward)."""
        count = self.batch
        middle = joints[:, :, 0].mean(dim=1)
        reach = (joints - middle[:, None, None]).norm(dim=-1).amax(dim=(1, 2))
        yaw = self.uniform(0, 2 * np.pi, count)
        steep = (torch.rand(count, generator=self.generator) < 0.25).float()
        pitch = torch.deg2rad(5 + (6 + 14 * steep) * self.normal(count)).clamp(-0.6, 1.0)
        roll = torch.deg2rad(2.0 * self.normal(count))
        away = torch.exp(self.uniform(np.log(1.0), np.log(6.0), count))
        distance = 1.2 * reach + 0.6 + away
        zero = torch.zeros(count)
        turn = roma.rotvec_to_rotmat(torch.stack([zero, yaw, zero], -1))
        tilt = roma.rotvec_to_rotmat(torch.stack([pitch, zero, zero], -1))
        tip = roma.rotvec_to_rotmat(torch.stack([zero, zero, roll], -1))
        axes = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # y up, z back -> y down, z forward
        # The person stands anywhere in the frame: the camera looks past them.
        aside = (
            torch.deg2rad(self.uniform(-32, 32, count)),
            torch.deg2rad(self.uniform(-16, 16, count)),
        )
        past = roma.rotvec_to_rotmat(torch.stack([aside[1], aside[0], zero], -1))
        rotation = past @ tip @ axes @ tilt @ turn
        offset = torch.stack([zero, zero, distance], -1)[..., None]
        shift = (past @ offset)[..., 0]

        def into(points: Tensor) -> Tensor:
            return (points - middle[:, None, None]) @ rotation[:, None].transpose(-1, -2) + shift[
                :, None, None
            ]

        return into(seen), into(joints)

    def detector_noise(self, clean: Tensor) -> Tensor:
        """(B, T, 17, 2) in units of the person's mean keypoint distance (about a quarter of them).

        A bias of each joint for the whole window, a slow drift, jitter, and bursts in which a limb
        is lost (far off or frozen) or in which left and right are taken for each other.
        """
        count, frames = self.batch, self.frames
        scale = NOISE[:, None] * self.uniform(0.4, 1.6, count, 1, 1, 1)
        bias = 0.035 * self.normal(count, 1, 17, 2)
        jitter = 0.02 * self.normal(count, frames, 17, 2)
        slow = self.normal(count * 34, 1, frames // 6 + 2)
        slow = torch.nn.functional.interpolate(slow, frames, mode="linear", align_corners=True)
        slow = 0.045 * slow.view(count, 17, 2, frames).permute(0, 3, 1, 2)
        noise = scale * (bias + jitter + slow)
        unit = (clean - clean.mean(2, keepdim=True)).norm(dim=-1).mean()
        for window in range(count):
            draw = torch.rand(6, generator=self.generator).tolist()
            if draw[0] < 0.4:
                limb = LIMBS[int(draw[1] * len(LIMBS))]
                start, span = int(draw[2] * frames), 2 + int(draw[3] * frames / 4)
                part = slice(start, start + span)
                if draw[4] < 0.5:  # somewhere else
                    noise[window, part, limb] += 0.5 * self.normal(1, len(limb), 2)
                else:  # frozen where it was
                    frozen = clean[window, start, limb] - clean[window, part][:, limb]
                    noise[window, part, limb] += frozen / unit
            if draw[5] < 0.08:  # left taken for right: the legs, the arms or both
                start, span = int(draw[1] * frames), 1 + int(draw[2] * frames / 6)
                part = slice(start, start + span)
                joints = [[1, 2, 3, 4, 5, 6], list(range(11, 17)), list(range(1, 17))][
                    int(draw[3] * 3)
                ]
                swapped = clean[window, part][:, MIRROR] - clean[window, part]
                noise[window, part, joints] += swapped[:, joints] / unit
        return noise

    def flip(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Mirrors a random half of the windows."""
        turned = torch.rand(self.batch, 1, 1, 1, generator=self.generator) < 0.5
        sign = torch.tensor([-1.0, 1.0, 1.0])
        inputs = torch.where(turned, inputs[:, :, MIRROR] * sign[:2], inputs)
        return inputs, torch.where(turned, targets[:, :, MIRROR] * sign, targets)
