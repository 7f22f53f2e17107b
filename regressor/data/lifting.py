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
from regressor.data.keypoint_noise import DetectorNoise
from regressor.errors import PosecastError
from regressor.lifters.windows import MIRROR, centre
from regressor.smpl.body import Body


@dataclass
class Motion17:
    """One clip on one body, y up, metres: detector's points (T, 17, 3) and joints (T, 17, 3)."""

    seen: Tensor
    joints: Tensor
    name: str = ""
    subject: str = ""


def build_motions(
    clips: list[mocap.Clip], body: Body, shapes: int, fps: float, seed: int = 0
) -> list[Motion17]:
    """Each clip on `shapes` random bodies at `fps`, a divisor of the recordings' 50.

    Raises PosecastError for another one.
    """
    if clips and abs(mocap.FPS / fps - round(mocap.FPS / fps)) > 1e-6:
        raise PosecastError(f"Mocap at 50 fps can't be thinned to {fps:g}: choose 50, 25, 12.5 …")
    generator = torch.Generator().manual_seed(seed)
    combine = torch.as_tensor(skeletons.to_h36m17("mediapipe33"))
    motions = []
    for clip in clips:
        world, root = mocap.pose_body(clip, body, step=round(mocap.FPS / fps))
        for _ in range(shapes):
            betas = torch.randn(10, generator=generator)
            points = mocap.landmarks(world, root, body, betas, "mediapipe33")
            joints = mocap.landmarks(world, root, body, betas, "h36m17")
            motions.append(Motion17(combine @ points, joints, clip.name, str(clip.subject)))
    return motions


@dataclass(frozen=True)
class Views:
    """How the cameras stand that motion capture is seen by."""

    pitch_deg: float = 5.0
    """How far they look down on average."""
    pitch_spread_deg: float = 6.0
    steep_share: float = 0.25
    """Of cameras whose spread is larger, by 14 degrees."""
    pitch_range_deg: tuple[float, float] | None = None
    """Evenly from one angle to another, instead of all that."""
    past_deg: tuple[float, float] = (32.0, 16.0)
    """How far at most they look past the person, sideways and up or down."""
    away_m: tuple[float, float] = (1.0, 6.0)
    """Their distance, besides what a motion's own extent asks for."""


class Sampler:
    """Endless random batches: inputs (B, T, 17, 2 or 3) and targets (B, T, 17, 3).

    channels 3: the inputs have a confidence from 0 to 1, and a share `dropped` of all joints is
    missing (all three values 0). device: where motions, generator and batches are. views: of the
    cameras.
    """

    def __init__(
        self,
        motions: list[Motion17],
        frames: int,
        batch: int,
        seed: int,
        noise: float = 1.0,
        *,
        channels: int = 2,
        dropped: float = 0.02,
        device: str = "cpu",
        views: Views | None = None,
    ):
        kept = [m for m in motions if len(m.seen) >= frames // 2]
        if not kept:
            raise PosecastError(f"No motion lasts for half a window of {frames} frames.")
        self.frames, self.batch, self.noise = frames, batch, noise
        self.channels, self.dropped, self.device = channels, dropped, device
        self.views = views or Views()
        self.seen = torch.cat([m.seen for m in kept]).float().to(device)
        self.joints = torch.cat([m.joints for m in kept]).float().to(device)
        self.lengths = torch.tensor([len(m.seen) for m in kept], device=device)
        self.offsets = self.lengths.cumsum(0) - self.lengths
        self.generator = torch.Generator(device).manual_seed(seed)
        self.errors = DetectorNoise(self.generator)
        self.mirror = torch.as_tensor(MIRROR, device=device)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield self.draw()

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * self.errors.uniform(*shape)

    def normal(self, *shape: int) -> Tensor:
        return self.errors.normal(*shape)

    def draw(self) -> tuple[Tensor, Tensor]:
        """One batch; half of the windows are mirrored."""
        seen, joints = self.windows()
        turn, shift = self.view(joints)
        flat = (seen.flatten(1, 2) @ turn.mT).add_(shift[:, None])  # one product a window
        # The camera's focal length is a guess at run time, often wrong by a fifth.
        wrong = torch.exp(0.12 * self.normal(self.batch, 1, 1))
        rays = (flat[..., :2] * (wrong / flat[..., 2:])).unflatten(1, (self.frames, 17))
        squares = ((part - part.mean(2, keepdim=True)).square_() for part in rays.unbind(-1))
        size = sum(squares).sqrt().mean(dim=(1, 2))[:, None, None, None]
        errors, confidence = self.detector_noise(rays / size)
        inputs, rotation = centre(rays + self.noise * size * errors)
        relative = (joints - joints[:, :, :1]).flatten(1, 2)
        targets = (relative @ (rotation @ turn).mT).view_as(joints)
        if confidence is not None:
            inputs = self.drop(inputs, confidence)
        return self.flip(inputs, targets)

    def windows(self) -> tuple[Tensor, Tensor]:
        """Random pieces of the motions, seen (B, T, 17, 3) and joints (B, T, 17, 3).

        A motion shorter than a window goes on with its last frame.
        """
        rows = self.rows()
        return self.seen[rows], self.joints[rows]

    def rows(self) -> Tensor:
        """Random windows' frames (B, T), by their numbers among those of all motions."""
        chosen = torch.multinomial(self.lengths.float(), self.batch, True, generator=self.generator)
        length = self.lengths[chosen]
        free = (length - self.frames).clamp(min=0)
        start = (self.errors.uniform(self.batch) * (free + 1)).long().clamp(max=free)
        steps = torch.arange(self.frames, device=self.device)
        index = torch.minimum(start[:, None] + steps, length[:, None] - 1)
        return self.offsets[chosen][:, None] + index

    def view(self, joints: Tensor) -> tuple[Tensor, Tensor]:
        """Random cameras (x right, y down, z forward) for world points (B, T, 17, 3), y up.

        Returns rotations (B, 3, 3) and shifts (B, 3), metres, from the world to the camera.
        """
        count, views = self.batch, self.views
        middle = joints[:, :, 0].mean(dim=1)
        reach = (joints - middle[:, None, None]).square().sum(-1).amax(dim=(1, 2)).sqrt()
        steep = (self.errors.uniform(count) < views.steep_share).float()
        away = torch.exp(self.uniform(*np.log(views.away_m), count))
        distance = 1.2 * reach + 0.6 + away
        vectors = torch.zeros(4, count, 3, device=self.device)
        vectors[0, :, 1] = self.uniform(0, 2 * np.pi, count)  # round the person
        spread = views.pitch_spread_deg + 14 * steep
        pitch = torch.deg2rad(views.pitch_deg + spread * self.normal(count)).clamp(-0.6, 1.0)
        if views.pitch_range_deg is not None:
            pitch = torch.deg2rad(self.uniform(*views.pitch_range_deg, count))
        vectors[1, :, 0] = pitch
        vectors[2, :, 2] = torch.deg2rad(2.0 * self.normal(count))
        # The person stands anywhere in the frame: the camera looks past them.
        across, up = views.past_deg
        vectors[3, :, 1] = torch.deg2rad(self.uniform(-across, across, count))
        vectors[3, :, 0] = torch.deg2rad(self.uniform(-up, up, count))
        turn, tilt, tip, past = roma.rotvec_to_rotmat(vectors)
        # y up, z back -> y down, z forward
        axes = torch.diag(torch.tensor([1.0, -1.0, -1.0], device=self.device))
        rotation = past @ tip @ axes @ tilt @ turn
        ahead = past[..., 2] * distance[:, None]
        return rotation, ahead - (rotation @ middle[..., None])[..., 0]

    def detector_noise(self, clean: Tensor) -> tuple[Tensor, Tensor | None]:
        """Errors (B, T, 17, 2) for windows whose mean keypoint distance is 1, and confidence."""
        return self.errors(clean, confident=self.channels == 3)

    def drop(self, inputs: Tensor, confidence: Tensor) -> Tensor:
        """Inputs (B, T, 17, 3) with confidence (B, T, 17), which is 1 where there is no noise."""
        confidence = 1 - min(self.noise, 1.0) * (1 - confidence)
        missing = self.errors.uniform(*confidence.shape) < min(self.noise, 1.0) * self.dropped
        inputs = torch.cat([inputs, confidence[..., None]], dim=-1)
        return inputs.masked_fill(missing[..., None], 0.0)

    def flip(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Mirrors a random half of the windows."""
        turned = self.errors.uniform(len(inputs)) < 0.5
        sign = torch.tensor([-1.0, 1.0, 1.0], device=self.device)
        inputs[turned] = inputs[turned][:, :, self.mirror] * sign[: inputs.shape[-1]]
        targets[turned] = targets[turned][:, :, self.mirror] * sign
        return inputs, targets
