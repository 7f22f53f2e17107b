"""SPIN's augmentation of a training crop, and what it does to the labels (SPIN, base_dataset.py).

The picture is cropped with the change's rotation and scale, then mirrored, then its colours are
scaled; all else follows here.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from regressor.images.crops import SIZE, box_matrix, transform, transform_whole
from regressor.images.joints import J24_FLIP, J49_FLIP, flip_points, flip_rotations
from rendering.labels import swap_sides as exchange_sides


@dataclass
class Change:
    """One drawn augmentation; the default leaves everything as it is."""

    mirror: bool = False
    gain: np.ndarray = field(default_factory=lambda: np.ones(3, np.float32))
    rotation_deg: float = 0.0
    scale: float = 1.0
    """Factor of the box's side."""


@dataclass
class Augmentation:
    """How strongly crops are changed, as published."""

    mirror: float = 0.5
    """How often the picture is mirrored."""
    gain: float = 0.4
    """How far from 1 each colour's factor may lie."""
    rotation_deg: float = 30.0
    """Standard deviation; twice it is the most."""
    upright: float = 0.6
    """How often nothing is rotated."""
    scale: float = 0.25
    """Standard deviation of the box's factor, and the most."""

    def draw(self, rng: np.random.Generator) -> Change:
        turned = np.clip(rng.normal(0, self.rotation_deg), *_within(0, 2 * self.rotation_deg))
        return Change(
            mirror=bool(rng.uniform() < self.mirror),
            gain=rng.uniform(*_within(1, self.gain), 3).astype(np.float32),
            rotation_deg=0.0 if rng.uniform() < self.upright else float(turned),
            scale=float(np.clip(rng.normal(1, self.scale), *_within(1, self.scale))),
        )


def _within(middle: float, most: float) -> tuple[float, float]:
    return middle - most, middle + most


def augment_image(crop: np.ndarray, change: Change) -> np.ndarray:
    """A crop (H, W, 3), 0 .. 255, that was cut with the change's rotation and scale; float32."""
    crop = crop[:, ::-1] if change.mirror else crop
    return np.clip(crop * change.gain, 0, 255).astype(np.float32)


def augment_labels(labels: np.ndarray, change: Change, swap_sides: bool = True) -> np.ndarray:
    """A label map (H, W) of the 20 labels, uint8, likewise cut.

    In a mirrored picture a left arm is a right one. DSR's code leaves the labels as they are, so
    that half of its samples call left what is right: `swap_sides=False`.
    """
    if not change.mirror:
        return labels
    labels = np.ascontiguousarray(labels[:, ::-1])
    return exchange_sides(torch.from_numpy(labels)).numpy() if swap_sides else labels


def augment_keypoints(
    keypoints: Tensor,
    centre: np.ndarray,
    scale: float,
    change: Change,
    size: int = SIZE,
    whole: bool = True,
) -> Tensor:
    """Keypoints (49, 3) in the picture's px, with confidence, to -1 .. 1 over the crop.

    centre and scale are the box's, before the change. As published the labels are `whole` pixels,
    counted from 1; otherwise exact, counted from 0. What has no confidence becomes 0.
    """
    matrix = box_matrix(centre, scale * change.scale, size, change.rotation_deg)
    places = keypoints[:, :2].double().numpy()
    moved = transform_whole(places + 1, matrix) if whole else transform(places, matrix)
    normal = torch.as_tensor(2.0 * moved / size - 1).to(keypoints.dtype)
    known = keypoints[:, 2:] > 0
    normal = torch.where(known, normal, torch.zeros_like(normal))
    found = torch.cat([normal, keypoints[:, 2:]], dim=1)
    return flip_points(found, J49_FLIP) if change.mirror else found


def turn(rotation_deg: float) -> Tensor:
    """(3, 3): what the rotation of a picture does to its 3D, about the camera's axis."""
    angle = np.radians(-rotation_deg)
    cosine, sine = np.cos(angle), np.sin(angle)
    return torch.tensor([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]], dtype=torch.float32)


def augment_joints(joints: Tensor, change: Change) -> Tensor:
    """3D joints (24, 3 or 4) in J24's order, in the camera's axes."""
    turned = joints[:, :3] @ turn(change.rotation_deg).T
    found = torch.cat([turned, joints[:, 3:]], dim=1)
    return flip_points(found, J24_FLIP) if change.mirror else found


def augment_pose(rotations: Tensor, change: Change) -> Tensor:
    """SMPL's rotations (24, 3, 3), the first in the camera's axes."""
    found = rotations.clone()
    found[0] = turn(change.rotation_deg) @ found[0]
    return flip_rotations(found) if change.mirror else found
