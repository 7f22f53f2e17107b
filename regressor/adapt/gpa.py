"""Global position alignment: source poses where, and as large as, target people are seen.

The one part of PoseDA that its authors published (wenhaochai/PoseDA at 7934411, README): no
parameters, a weak perspective. All 2D is in normalised screen coordinates, x from -1 to 1; a camera
is (fx, fy, cx, cy) in the same unit. The code takes the focal lengths of a batch's first camera for
all; here each pose has the camera of its target.

Choices: no pose comes closer than 1 m; one with a joint closer than 0.5 m, or farther outside the
picture than a fifth of half its side, is given another partner. A window of a moving person is
moved as a whole, so that its middle frame meets the target.
"""

import torch
from torch import Tensor

LEAST_DEPTH = 1.0  # m, of the root
LEAST_JOINT_DEPTH = 0.5  # m
OUTSIDE = 1.2  # of half the picture's sides
_LEAST_SIZE = 1e-3


def root_for(poses: Tensor, targets: Tensor, cameras: Tensor) -> Tensor:
    """Where the root (N, 3) m of poses (N, J, 3) belongs, to be seen as targets (N, J, 2) are.

    Joint 0 is the root. It is then projected onto the target's root; the box's mean side is met as
    far as a weak perspective is true.
    """
    box = targets.amax(dim=1) - targets.amin(dim=1)
    size = box.mean(dim=-1).clamp(min=_LEAST_SIZE)
    extent = (poses.amax(dim=1) - poses.amin(dim=1))[:, :2]
    focal, middle = cameras[:, :2], cameras[:, 2:]
    depth = ((focal * extent).mean(dim=-1) / size).clamp(min=LEAST_DEPTH)
    ray = (targets[:, 0] - middle) / focal
    return depth[:, None] * torch.cat([ray, torch.ones_like(ray[:, :1])], dim=-1)


def align(poses: Tensor, targets: Tensor, cameras: Tensor) -> Tensor:
    """Poses (N, J, 3) m moved in front of cameras (N, 4) to meet targets (N, J, 2)."""
    return poses + (root_for(poses, targets, cameras) - poses[:, 0])[:, None]


def project(points: Tensor, cameras: Tensor) -> Tensor:
    """Points (N, ..., 3) m to the screen (N, ..., 2) by cameras (N, 4), without distortion."""
    shape = (len(points), *[1] * (points.dim() - 2), 2)
    depth = points[..., 2:].clamp(min=1e-3)  # what is behind is caught by `seen_whole`
    return points[..., :2] / depth * cameras[:, :2].view(shape) + cameras[:, 2:].view(shape)


def seen_whole(points: Tensor, screen: Tensor, heights: Tensor) -> Tensor:
    """(N,) bool: whether points (N, ..., 3) m lie far enough before the camera and, on the screen
    (N, ..., 2), inside or near the picture, whose half height on the screen is heights (N,).
    """
    ahead = points[..., 2].flatten(1).amin(dim=1) >= LEAST_JOINT_DEPTH
    reach = screen.abs().flatten(1, -2).amax(dim=1)
    limits = OUTSIDE * torch.stack([torch.ones_like(heights), heights], dim=-1)
    return ahead & (reach <= limits).all(dim=-1)
