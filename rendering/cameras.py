"""Cameras: weak perspective and pinhole, and the axes of OpenCV, PyTorch3D and Blender.

Everywhere here the camera's axes are OpenCV's: x right, y down, z forward, in metres; pixel (0, 0)
has its centre at (0.5, 0.5). Other conventions are converted by the functions named for them.
"""

import torch
from torch import Tensor

FOCAL_PX = 5000.0  # of the crop's camera, by which HMR, SPIN and DSR see (SPIN, constants.py)
CROP_PX = 224
# A change of axes is its own inverse for both: two axes are turned round.
OPENCV_TO_PYTORCH3D = torch.diag(torch.tensor([-1.0, -1.0, 1.0]))  # x left, y up, z forward
OPENCV_TO_BLENDER = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # x right, y up, z backward


def pinhole(focal: float | Tensor, width: int, height: int) -> Tensor:
    """(..., 3, 3) intrinsics in px with the principal point in the picture's middle."""
    focal = torch.as_tensor(focal, dtype=torch.float32)
    matrix = torch.zeros(*focal.shape, 3, 3, device=focal.device)
    matrix[..., 0, 0] = matrix[..., 1, 1] = focal
    matrix[..., 0, 2], matrix[..., 1, 2], matrix[..., 2, 2] = width / 2, height / 2, 1.0
    return matrix


def weak_to_translation(
    camera: Tensor, focal: float = FOCAL_PX, size: int = CROP_PX, eps: float = 1e-9
) -> Tensor:
    """Weak perspective (..., 3) = (s, tx, ty) to the pinhole's translation (..., 3) in m.

    tz = 2 f / (s size + eps): the body at this distance looks as under the scale s (HMR; SPIN).
    """
    scale, x, y = camera.unbind(-1)
    return torch.stack([x, y, 2 * focal / (size * scale + eps)], dim=-1)


def translation_to_weak(
    translation: Tensor, focal: float = FOCAL_PX, size: int = CROP_PX
) -> Tensor:
    """The way back: (..., 3) m to (s, tx, ty)."""
    x, y, z = translation.unbind(-1)
    return torch.stack([2 * focal / (size * z), x, y], dim=-1)


def crop_to_camera(camera: Tensor, intrinsics: Tensor, size: int = CROP_PX) -> Tensor:
    """A crop's weak perspective to the translation (..., 3) m before the camera that took it.

    intrinsics (..., 3, 3): of the crop of `size` px; the person is taken as seen straight on (hmr:
    tz = 2 F / (b s)).
    """
    scale, x, y = camera.unbind(-1)
    per_px = 2 / (size * scale)
    away = size / 2 - intrinsics[..., :2, 2]
    places = [x + away[..., 0] * per_px, y + away[..., 1] * per_px, intrinsics[..., 0, 0] * per_px]
    return torch.stack(places, dim=-1)


def project(points: Tensor, intrinsics: Tensor, eps: float = 0.0) -> Tensor:
    """(..., N, 3) m in the camera's axes to (..., N, 2) px; intrinsics (..., 3, 3).

    `eps` is added to the depth: 1e-5 gives DSR's renderer to the last digit.
    """
    scaled = points[..., :2] / (points[..., 2:] + eps)
    focal = torch.stack([intrinsics[..., 0, 0], intrinsics[..., 1, 1]], dim=-1)
    return scaled * focal[..., None, :] + intrinsics[..., None, :2, 2]
