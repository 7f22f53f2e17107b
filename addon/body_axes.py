"""SMPL's axes and Blender's. Without bpy."""

import numpy as np


def to_blender(points: np.ndarray) -> np.ndarray:
    """(..., 3) from SMPL's axes (y up, facing +z) to Blender's (z up, facing -y)."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


def from_blender(points: np.ndarray) -> np.ndarray:
    """(..., 3) from Blender's axes to SMPL's, the way back from `to_blender`."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)
