"""The demo clip's true motion: somebody walks in, turns and waves, with known contacts."""

from dataclasses import dataclass
from pathlib import Path

import torch

from regressor.motion import Motion
from regressor.smpl import load_body

BODY = load_body()
TRUTH = Motion.load(Path(__file__).resolve().parents[2] / "demo" / "demo_truth.npz")
FPS = TRUTH.mocap_framerate


@dataclass
class Walk:
    """rotations (T, 24, 3) axis-angle, pelvis (T, 3) and betas (10,), z up, metres."""

    rotations: torch.Tensor
    pelvis: torch.Tensor
    betas: torch.Tensor


def walk() -> Walk:
    betas = torch.as_tensor(TRUTH.betas, dtype=torch.float32)
    rotations = torch.as_tensor(TRUTH.poses, dtype=torch.float32).unflatten(1, (24, 3))
    rest = BODY.joints_at_rest(betas)[0]
    return Walk(rotations, torch.as_tensor(TRUTH.trans, dtype=torch.float32) + rest, betas)
