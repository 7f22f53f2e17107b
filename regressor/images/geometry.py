"""Where a body stands before the camera, from what was seen of its joints."""

import torch
from torch import Tensor


def estimate_translation(
    joints: Tensor,
    keypoints: Tensor,
    confidence: Tensor,
    focal: float | Tensor,
    centre: Tensor | tuple[float, float],
) -> Tensor:
    """(B, 3) metres that bring joints (B, J, 3) onto keypoints (B, J, 2) px, by least squares.

    Solves f (X + tx) = (u - cx) (Z + tz), and the same for y, weighted by confidence (B, J), in
    double precision (SPIN, utils/geometry.py). `focal` in px; `centre` is the principal point (2,)
    px. Where fewer than two joints were seen, or none tells the depth, the answer is (1, 1, 1), as
    in DSR.
    """
    points, pixels, trust = joints.double(), keypoints.double(), confidence.double()
    away = pixels - torch.as_tensor(centre, dtype=torch.float64, device=joints.device)
    focal = torch.as_tensor(focal, dtype=torch.float64, device=joints.device)
    ones, zeros = torch.ones_like(away[..., 0]) * focal, torch.zeros_like(away[..., 0])
    rows = torch.cat(
        [
            torch.stack([ones, zeros, -away[..., 0]], dim=-1),
            torch.stack([zeros, ones, -away[..., 1]], dim=-1),
        ],
        dim=1,
    )
    right = away * points[..., 2:] - focal * points[..., :2]
    right = torch.cat([right[..., 0], right[..., 1]], dim=1)
    weighted = rows * torch.cat([trust, trust], dim=1)[..., None]
    normal = weighted.transpose(1, 2) @ rows
    found, failed = torch.linalg.solve_ex(
        normal, (weighted.transpose(1, 2) @ right[..., None])[..., 0]
    )
    bad = (failed > 0) | ~found.isfinite().all(dim=1) | ((trust > 0).sum(dim=1) < 2)
    return torch.where(bad[:, None], torch.ones_like(found), found).float()
