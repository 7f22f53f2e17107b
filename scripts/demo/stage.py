"""The stage: the film's size and length, the camera, the person's shape.

The stage has the axes of SMPL (y up, metres; the camera looks along -z) until the motion is
written, whose world has z up.
"""

import numpy as np

from scripts.demo.curves import turn

FPS = 30
SECONDS = 5.4
SIZE = (960, 540)
FOV_DEG = 50.0
CAMERA = np.array([0.2, 1.5, 4.7])  # on the stage
PITCH_DEG = 5.0  # downwards
BETAS = np.array([0.5, -0.6, 0.7, 0.4, -0.5, 0.3, 0.6, -0.3, 0.2, 0.4])


def to_world(points: np.ndarray) -> np.ndarray:
    """(..., 3) from the stage (y up, facing +z) to the world (z up, facing -y)."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


def camera_matrices() -> tuple[np.ndarray, np.ndarray]:
    """Intrinsics (3, 3) px, and world (z up) to camera (4, 4) in OpenCV's axes."""
    focal = SIZE[0] / 2 / np.tan(np.radians(FOV_DEG / 2))
    intrinsics = np.array([[focal, 0, SIZE[0] / 2], [0, focal, SIZE[1] / 2], [0, 0, 1]])
    extrinsics = np.eye(4)
    # From z up to OpenCV's axes, then nodding down.
    extrinsics[:3, :3] = turn(0, PITCH_DEG) @ [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    extrinsics[:3, 3] = -extrinsics[:3, :3] @ to_world(CAMERA)
    return intrinsics, extrinsics


def projected(points: np.ndarray) -> np.ndarray:
    """(..., 3) points of the world to pixels (..., 2), y down."""
    intrinsics, extrinsics = camera_matrices()
    seen = (points @ extrinsics[:3, :3].T + extrinsics[:3, 3]) @ intrinsics.T
    return seen[..., :2] / seen[..., 2:]
