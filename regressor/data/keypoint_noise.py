"""Errors like a 2D detector's, for keypoints that were projected from mocap.

Sizes are in units of the person's mean keypoint distance from their centre (about a quarter of
their height), and by joint as measured against renders of the default body.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from regressor.skeletons import mirror

# Relative to the hips', Human3.6M's 17 joints.
BY_JOINT = (0.8, 1, 1, 1.2, 1, 1, 1.2, 0.8, 0.8, 0.9, 1.1, 1, 1.2, 1.4, 1, 1.2, 1.4)
LIMBS = ((1, 2, 3), (4, 5, 6), (11, 12, 13), (14, 15, 16), (2, 3), (5, 6), (12, 13), (15, 16))
LIMBS += ((13,), (16,))
EXCHANGED = (tuple(range(1, 7)), tuple(range(11, 17)), tuple(range(1, 17)))  # legs, arms, both
BIAS, JITTER, DRIFT = 0.035, 0.02, 0.045  # standard deviations
DRIFT_FRAMES = 6  # between the drift's independent values
LOST, SWAPPED = 0.4, 0.08  # shares of the windows with such a burst
UNSURE = 0.6  # the logarithm of the jitter's size, where it comes with a confidence


@dataclass
class Burst:
    """Frames of some windows in which something happens to some joints; P such frames.

    window, frame, start: (P,) numbers, start being the burst's first frame; joints: (P, 17, 1) 1
    where it happens, else 0.
    """

    window: Tensor
    frame: Tensor
    start: Tensor
    joints: Tensor


class DetectorNoise:
    """Draws errors for windows; seeded by its generator, on its device."""

    def __init__(self, generator: torch.Generator):
        self.generator = generator
        self.device = generator.device

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator, device=self.device)

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.generator, device=self.device)

    def __call__(self, clean: Tensor, confident: bool = False) -> tuple[Tensor, Tensor | None]:
        """Errors (B, T, 17, 2) for the windows `clean`, whose mean keypoint distance is 1.

        A bias of each joint for the whole window, a slow drift, jitter, and bursts in which a limb
        is lost (far off or frozen) or in which left and right are taken for each other. confident:
        a confidence (B, T, 17) from 0 to 1 comes too; the lower it is, the larger the jitter, and
        a lost limb has little. Nobody is less sure of exchanged sides, as detectors are not.
        """
        count, frames = clean.shape[:2]
        jitter, confidence = self.normal(count, frames, 17, 2).mul_(JITTER), None
        if confident:
            unsure = self.slow(count, frames, 17)
            # Of the same mean square as without.
            jitter *= torch.exp(UNSURE * unsure - UNSURE**2)[..., None]
            logit = 2.2 - 1.2 * unsure + 0.3 * self.normal(count, frames, 17)
            confidence = torch.sigmoid(logit)
        errors = jitter.add_(self.slow(count, frames, 34, DRIFT, BIAS).unflatten(2, (17, 2)))
        scale = torch.tensor(BY_JOINT, device=self.device)[:, None]
        errors *= scale * (0.4 + 1.2 * self.uniform(count, 1, 1, 1))
        self.lose_limbs(errors, clean, confidence)
        self.swap_sides(errors, clean)
        return errors, confidence

    def slow(
        self, count: int, frames: int, values: int, drift: float = 1.0, bias: float = 0.0
    ) -> Tensor:
        """(count, frames, values) normal numbers that change slowly, plus a constant each."""
        weights = _between(frames, drift, bias).to(self.device)
        return weights @ self.normal(count, weights.shape[1], values)

    def burst(
        self, count: int, frames: int, share: float, least: int, most: float, choices: tuple
    ) -> Burst:
        """In a share of the windows, `least` to `least` + `most` frames of one choice of joints."""
        happens, chosen, start, span = self.uniform(4, count).unbind()
        start, span = (start * frames).long(), least + (span * most).long()
        frame = torch.arange(frames, device=self.device)
        within = (frame >= start[:, None]) & (frame < (start + span)[:, None])
        window, frame = (within & (happens < share)[:, None]).nonzero(as_tuple=True)
        joints = _membership(choices).to(self.device)[(chosen * len(choices)).long()[window]]
        return Burst(window, frame, start[window], joints)

    def lose_limbs(self, errors: Tensor, clean: Tensor, confidence: Tensor | None) -> None:
        """In place: a limb is somewhere else for a while, or stays where it was."""
        count, frames = clean.shape[:2]
        lost = self.burst(count, frames, LOST, 2, frames / 4, LIMBS)
        astray = (self.uniform(count) < 0.5)[lost.window, None, None]
        elsewhere = (0.5 * self.normal(count, 17, 2))[lost.window]
        frozen = clean[lost.window, lost.start] - clean[lost.window, lost.frame]
        moved = torch.where(astray, elsewhere, frozen) * lost.joints
        errors[lost.window, lost.frame] += moved
        if confidence is not None:
            doubt = self.uniform(count)[lost.window, None] * lost.joints[..., 0]
            confidence[lost.window, lost.frame] *= 1 - doubt

    def swap_sides(self, errors: Tensor, clean: Tensor) -> None:
        """In place: the legs, the arms or both are taken for the other side's for a while."""
        count, frames = clean.shape[:2]
        swap = self.burst(count, frames, SWAPPED, 1, frames / 6, EXCHANGED)
        seen = clean[swap.window, swap.frame]
        errors[swap.window, swap.frame] += (seen[:, mirror("h36m17")] - seen) * swap.joints


@cache
def _between(frames: int, drift: float, bias: float) -> Tensor:
    """(frames, knots + 1) weights: of values every few frames, and of one for all frames."""
    knots = frames // DRIFT_FRAMES + 2
    at = torch.linspace(0, knots - 1, frames)[:, None]
    hats = (1 - (at - torch.arange(knots)).abs()).clamp(min=0)
    return torch.cat([drift * hats, torch.full((frames, 1), bias)], dim=1)


@cache
def _membership(choices: tuple) -> Tensor:
    """(choices, 17, 1) 1 where a joint belongs to the choice."""
    members = torch.zeros(len(choices), 17, 1)
    for number, joints in enumerate(choices):
        members[number, list(joints)] = 1
    return members
