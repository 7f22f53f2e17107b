"""UAO's optimisation at test time as published (Wang et al., IEEE TMM 2025), frame by frame.

The lifter stays as it is; what changes is its input, for a few steps of Adam, so that the joints'
projection meets the detected keypoints while joints of which the network is sure stay near its
first answer. The paper calls what is optimised a latent state; in the authors' code it is the 2D
input, and so it is here. Their numbers (46.7 mm for 49.4 on Human3.6M) rest on the true camera and
the true place of the root, which no video tells: `uao_track.py` is the form for videos.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from regressor.lifters.inference import mirrored
from regressor.lifters.uao import distance
from regressor.lifters.windows import MIRROR


@dataclass(frozen=True)
class Published:
    """The authors' settings."""

    steps: int = 4
    learning_rate: float = 1e-3
    near: float = 0.005
    """Weight of staying near the first answer, where the network was sure."""
    projection: float = 1.0


@dataclass
class Optimised:
    """joints (B, 1, 17, 3), their root at 0; the optimised inputs z, plain and mirrored, each
    (B, 1, 17, 2); terms (steps, 5) before each step: total, near, near mirrored, projection,
    projection mirrored.
    """

    joints: Tensor
    keypoints: Tensor
    mirrored: Tensor
    terms: Tensor


def optimise(
    network: nn.Module,
    keypoints: Tensor,
    camera: Tensor,
    roots: Tensor,
    options: Published | None = None,
) -> Optimised:
    """Keypoints (B, 1, 17, 2), normalised screen coordinates, to joints that project onto them.

    camera (9,): as in `data.lifting_cameras`; roots (B, 3): the pelvis in the camera's axes, in the
    unit of the network's joints. All losses are means over the batch. A network without
    `forward_uncertain` counts as equally sure of everything. The network must be in eval mode.
    """
    options = options or Published()
    z = [keypoints.clone().requires_grad_(), mirrored(keypoints).requires_grad_()]
    optimiser = torch.optim.Adam(z, lr=options.learning_rate)
    with torch.no_grad():
        first = [joints for joints, _ in both(network, *z)]
    terms = []
    for _ in range(options.steps):
        answers = both(network, *z)
        near = [
            (distance(joints, start) * torch.exp(-s) + s).mean()
            for (joints, s), start in zip(answers, first, strict=True)
        ]
        misses = [
            distance(project(placed(joints, roots), camera), keypoints).mean()
            for joints, _ in answers
        ]
        total = options.near * (near[0] + near[1])
        total = total + options.projection * (misses[0] + misses[1])
        terms.append(torch.stack([total, *near, *misses]).detach())
        step_down(optimiser, z, total)
    with torch.no_grad():
        plain, turned = both(network, *z)
        joints = (plain[0] + turned[0]) / 2
        joints[:, :, 0] = 0
    shown = torch.stack(terms) if terms else keypoints.new_zeros(0, 5)
    return Optimised(joints, z[0].detach(), z[1].detach(), shown)


def both(network: nn.Module, plain: Tensor, turned: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Joints (B, 1, 17, 3) and s (B, 1, 17, 1) of a plain and of a mirrored input, which is turned
    back; no gradient goes through s.
    """
    found = []
    for z in (plain, turned):
        if hasattr(network, "forward_uncertain"):
            joints, s = network.forward_uncertain(z)  # pyright: ignore[reportCallIssue]
        else:
            joints = network(z)
            s = torch.zeros_like(joints[..., :1])
        found.append((joints, s.detach()))
    joints, s = found[1]
    return [found[0], (mirrored(joints), s[..., MIRROR, :])]


def placed(joints: Tensor, roots: Tensor) -> Tensor:
    """Joints (B, 1, J, 3) at roots (B, 3); the first joint is the root itself."""
    offsets = torch.cat([torch.zeros_like(joints[:, :, :1]), joints[:, :, 1:]], dim=2)
    return offsets + roots[:, None, None]


def project(points: Tensor, camera: Tensor) -> Tensor:
    """Points (..., 3) in the camera's axes to screen coordinates (..., 2).

    `data.lifting_cameras.project`, for tensors: tangents are clamped to -1..1, then distorted.
    """
    focal, centre, radial, tangential = camera.split([2, 2, 3, 2])
    tangents = (points[..., :2] / points[..., 2:]).clamp(-1, 1)
    square = tangents.square().sum(-1, keepdim=True)
    powers = torch.cat([square, square**2, square**3], dim=-1)
    factor = 1 + (radial * powers).sum(-1, keepdim=True)
    factor = factor + (tangential * tangents).sum(-1, keepdim=True)
    return focal * (tangents * factor + tangential * square) + centre


def step_down(optimiser: torch.optim.Optimizer, variables: list[Tensor], loss: Tensor) -> None:
    """A step of `variables` alone: nothing of the network gets a gradient or any other mark."""
    found = torch.autograd.grad(loss, variables)
    for variable, gradient in zip(variables, found, strict=True):
        variable.grad = gradient
    optimiser.step()
