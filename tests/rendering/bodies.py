"""The default body before a camera, for the tests of the rasteriser.

`python -m tests.rendering.bodies` draws it by PyTorch3D from all directions and stores the
silhouettes that the tests compare with.
"""

import math
from pathlib import Path

import numpy as np
import roma
import torch
from torch import Tensor

from regressor.smpl import load_body
from rendering.cameras import FOCAL_PX, pinhole, weak_to_translation
from rendering.rasterize import rasterize

SILHOUETTES = Path(__file__).parents[1] / "golden" / "silhouettes_pytorch3d.npz"
DIRECTIONS = [(yaw, height) for height in (-35, 0, 35) for yaw in range(0, 360, 30)]  # degrees
BODY = load_body()
FACES = torch.as_tensor(BODY.faces)
# A right arm on the trunk, side on: parts that hide one another. Axis-angle without the root.
POSE = torch.zeros(23, 3)
POSE[0, 0], POSE[4, 0] = -0.5, 0.6  # left hip and right knee
POSE[15, 2], POSE[16, 2], POSE[17, 1] = -1.1, 1.1, 0.6  # shoulders and left elbow


def turned(yaw: float, height: float) -> Tensor:
    """(3, 3) from the body's axes to the camera's, seen from `height` degrees above."""
    around = roma.rotvec_to_rotmat(torch.tensor([0.0, math.radians(yaw), 0.0]))
    down = roma.rotvec_to_rotmat(torch.tensor([math.radians(height), 0.0, 0.0]))
    return down @ torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ around


def before_camera(rotation: Tensor, betas: Tensor | None = None, pose: Tensor = POSE) -> Tensor:
    """(1, V, 3) m: the body turned by `rotation` (3, 3), 47 m away, as SPIN's camera sees it."""
    betas = torch.zeros(10) if betas is None else betas
    orient = roma.rotmat_to_rotvec(rotation)[None]
    vertices = BODY(betas=betas[None], global_orient=orient, body_pose=pose.reshape(1, 69)).vertices
    middle = BODY.v_template.mean(0) @ rotation.detach().T
    return vertices - middle + weak_to_translation(torch.tensor([0.95, 0.0, 0.0]))


def camera(size: int) -> Tensor:
    """(3, 3) px of a picture of `size` x `size`, the same view at any size."""
    return pinhole(FOCAL_PX * size / 224, size, size)


def silhouette(yaw: float, height: float, size: int, samples: int = 1, backend="torch") -> Tensor:
    """(H, W) coverage of the body from one direction."""
    vertices = before_camera(turned(yaw, height))
    picture = rasterize(
        vertices, FACES, camera(size), (size, size), samples=samples, backend=backend
    )
    return picture.silhouette[0]


def iou(a: Tensor, b: Tensor) -> float:
    """Intersection over union of two coverages of any shape."""
    return float((a * b).sum() / (a + b - a * b).sum())


if __name__ == "__main__":
    stored = {}
    for size in (112, 224):
        drawn = [silhouette(*direction, size, backend="pytorch3d") for direction in DIRECTIONS]
        stored[str(size)] = np.packbits(torch.stack(drawn).numpy() > 0.5)
    np.savez_compressed(SILHOUETTES, **stored)
