"""Poses to draw people in: of motion capture, exchanged, perturbed, invented.

The recordings are read once into a small file (`precompute`). The CMU data used in this project was
obtained from mocap.cs.cmu.edu. The database was created with funding from NSF EIA-0196217.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import roma
import torch
from torch import Tensor

from regressor import skeletons
from regressor.data.mocap import HELD_OUT, load_clips, pose_body
from regressor.errors import FileFormatError
from regressor.files import replacing
from regressor.images.joints import flip_rotations
from regressor.smpl.body import Body, local_rotations
from regressor.smpl.fit import limits

STEP = 5  # of the recordings' frames, one in so many: 10 a second
# Hips, knees, ankles and feet: below the pelvis poses are exchanged between people.
LEGS = [
    i for i, name in enumerate(skeletons.SMPL24) if name.endswith(("hip", "knee", "ankle", "foot"))
]


@dataclass
class PoseOptions:
    """How poses and bodies are drawn."""

    betas: float = 1.0
    """Standard deviation of the shape's components."""
    perturb: float = 0.12
    """Standard deviation of what is added to each joint's rotation, rad."""
    invented: float = 0.15
    """How often a pose is drawn from the joints' limits."""
    exchanged: float = 0.25
    """How often legs and trunk come from different recordings."""
    pitch_deg: tuple[float, float] = (-30.0, 45.0)
    """How far the camera looks up (below zero) or down."""
    roll_deg: float = 10.0
    """Standard deviation of the camera's roll."""


@dataclass
class Poses:
    """Local rotations (N, 24, 3) axis-angle, y up, the first in the world; subject (N,)."""

    rotations: Tensor
    subject: Tensor

    def split(self, validation: bool) -> "Poses":
        """Poses of the subjects that are held out, or of the others."""
        held = torch.isin(self.subject, torch.tensor(HELD_OUT))
        kept = held if validation else ~held
        return Poses(self.rotations[kept], self.subject[kept])


def precompute(motion: Path, output: Path, body: Body) -> int:
    """Writes the recordings' poses on this body to `output`; returns how many.

    Raises FileFormatError where `motion` is no motion set.
    """
    rotations, subjects = [], []
    for clip in load_clips(motion):
        world, _ = pose_body(clip, body, STEP)
        rotations.append(roma.rotmat_to_rotvec(local_rotations(world)).half().numpy())
        subjects.append(np.full(len(world), clip.subject, np.int16))
    with replacing(output) as beside, beside.open("wb") as file:
        np.savez_compressed(
            file, rotations=np.concatenate(rotations), subject=np.concatenate(subjects)
        )
    return sum(map(len, rotations))


def load_poses(file: Path) -> Poses:
    """What `precompute` wrote. Raises FileFormatError for any other file."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            rotations, subject = stored["rotations"], stored["subject"]
    except (OSError, EOFError, KeyError, ValueError, BadZipFile, zlib.error) as error:
        raise FileFormatError(
            f"{file} is no file of poses: make one by python -m regressor.data.people --motion "
            f"cmu_motion.npz --poses {file}."
        ) from error
    return Poses(
        torch.as_tensor(rotations.astype(np.float32)), torch.as_tensor(subject.astype(int))
    )


def draw_bodies(
    count: int, generator: torch.Generator, poses: Poses | None, options: PoseOptions
) -> tuple[Tensor, Tensor]:
    """Rotations (B, 24, 3, 3), the first in the camera's axes, and betas (B, 10)."""

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=generator)

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator)

    invented = _invented(uniform(-1, 1, 23, 3), normal(23, 3))
    vectors = torch.cat([normal(1, 3) * 0.1, invented], 1)
    if poses is not None:
        one, other = (
            torch.randint(len(poses.rotations), (count,), generator=generator) for _ in "ab"
        )
        recorded = poses.rotations[one].clone()
        swap = uniform(0, 1) < options.exchanged
        recorded[swap.nonzero(), LEGS] = poses.rotations[other][swap.nonzero(), LEGS]
        keep = uniform(0, 1) >= options.invented
        vectors = torch.where(keep[:, None, None], recorded, vectors)
    local = roma.rotvec_to_rotmat(vectors)
    local = local @ roma.rotvec_to_rotmat(options.perturb * normal(24, 3) * _freedom())
    mirror = uniform(0, 1) < 0.5
    local = torch.where(mirror[:, None, None, None], flip_rotations(local), local)
    yaw, pitch = uniform(-torch.pi, torch.pi), torch.deg2rad(uniform(*options.pitch_deg))
    roll = torch.deg2rad(options.roll_deg * normal())
    zero = torch.zeros(count)
    look = roma.rotvec_to_rotmat(torch.stack([zero, zero, roll], 1))
    look = look @ roma.rotvec_to_rotmat(torch.stack([pitch, zero, zero], 1))
    look = look @ torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # y up, facing +z, to the camera's
    look = look @ roma.rotvec_to_rotmat(torch.stack([zero, yaw, zero], 1))
    pose = torch.cat([(look @ local[:, 0])[:, None], local[:, 1:]], 1)
    return pose, (options.betas * normal(10)).clamp(-3, 3)


def _freedom() -> Tensor:
    """(24, 1) how much of the perturbation each joint takes: the trunk little, hands none."""
    stiff = {"spine": 0.5, "collar": 0.5, "foot": 0.3, "hand": 0.0, "pelvis": 0.8, "knee": 0.7}
    shares = [
        next((share for part, share in stiff.items() if part in name), 1.0)
        for name in skeletons.SMPL24
    ]
    return torch.tensor(shares)[:, None]


def _invented(even: Tensor, peaked: Tensor) -> Tensor:
    """(B, 23, 3) poses within the joints' limits, near the rest; the arms reach anywhere."""
    low, high, _ = limits()
    vectors = 0.35 * peaked * (high - low) / 2
    arms = [
        skeletons.SMPL24.index(f"{side}_{part}") - 1
        for side in ("left", "right")
        for part in ("shoulder", "elbow")
    ]
    middle, half = (low + high) / 2, (high - low) / 2
    vectors[:, arms] = (middle + half * even)[:, arms] * 0.9
    return torch.minimum(torch.maximum(vectors, low), high)
