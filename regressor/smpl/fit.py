"""Fits SMPL to a whole track: lifted 3D joints and every 2D landmark, all frames at once.

17 joints say nothing of where the face, the feet and the hands point; the detector's landmarks of
face, heel, toe and hand do, by reprojection. An analytic start (`smpl.start`) is followed by Adam
on

- reprojection of all landmarks, robust (Huber), weighted by the detector's confidence;
- the lifted joints, relative to the pelvis;
- a prior: soft limits of every joint's rotation vector, and betas near the mean;
- smoothness: accelerations of the joints and of the rotations.

Everything stands in the camera's axes (x right, y down, z forward), metres.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import roma
import torch
from torch import Tensor

from regressor.lifters.windows import to_rays
from regressor.skeletons import JOINTS, SMPL24
from regressor.smpl.body import Body, chain
from regressor.smpl.landmarks import RidingLandmarks
from regressor.smpl.start import start_pose

# Soft limits (radians) of the components of each joint's rotation vector, left side; the right side
# mirrors y and z. In the T-pose's axes: the knee bends about +x, the left elbow about -y.
LIMITS = {
    "hip": ((-2.2, 0.8), (-0.9, 0.9), (-0.6, 1.2)),
    "knee": ((-0.02, 2.6), (-0.25, 0.25), (-0.12, 0.12)),
    "ankle": ((-0.6, 0.9), (-0.35, 0.35), (-0.35, 0.35)),
    "foot": ((-0.5, 0.2), (-0.1, 0.1), (-0.1, 0.1)),
    "spine1": ((-0.3, 0.7), (-0.3, 0.3), (-0.3, 0.3)),
    "spine2": ((-0.2, 0.5), (-0.3, 0.3), (-0.25, 0.25)),
    "spine3": ((-0.2, 0.4), (-0.3, 0.3), (-0.25, 0.25)),
    "neck": ((-0.4, 0.5), (-0.6, 0.6), (-0.4, 0.4)),
    "head": ((-0.5, 0.5), (-0.7, 0.7), (-0.4, 0.4)),
    "collar": ((-0.2, 0.2), (-0.35, 0.35), (-0.25, 0.4)),
    "shoulder": ((-1.4, 1.4), (-2.2, 0.9), (-1.7, 1.6)),
    "elbow": ((-0.9, 1.5), (-2.7, 0.05), (-0.2, 0.2)),
    "wrist": ((-0.9, 0.9), (-0.5, 0.5), (-1.2, 1.2)),
    "hand": ((0.0, 0.0), (0.0, 0.0), (0.0, 0.0)),
}
# How strongly each joint is pulled to its rest, besides its limits.
REST_PULL = {
    "spine1": 0.5,
    "spine2": 0.5,
    "spine3": 0.5,
    "neck": 0.3,
    "head": 0.2,
    "collar": 3.0,
    "wrist": 0.5,
    "ankle": 0.4,
    "knee": 15.0,  # what stands stands straight: a knee bent towards the camera hardly shows
    "foot": 5.0,
    "hand": 20.0,
}
# The detector's surest points and its least sure ones: standard deviation relative to the others.
LANDMARK_SPREAD = {"pinky": 1.6, "index": 1.6, "thumb": 1.6, "wrist": 1.2, "ear": 1.5, "eye": 1.3}


@dataclass
class FitWeights:
    """Weights of the terms, and how far the optimisation goes."""

    reprojection: float = 1.0
    joints: float = 0.2
    limits: float = 1.0
    rest: float = 0.01
    betas: float = 0.01
    smooth_joints: float = 3.0
    smooth_pose: float = 0.02
    iterations: int = 160


@dataclass
class Fit:
    """rotations (T, 24, 3) axis-angle, pelvis (T, 3), betas (10,), in the camera's axes, metres."""

    rotations: Tensor
    pelvis: Tensor
    betas: Tensor


@dataclass
class Posed:
    """What the terms are computed from: world rotations (T, 24, 3, 3), joints (T, 24, 3)."""

    rotations: Tensor
    turned: Tensor
    joints: Tensor
    betas: Tensor


def limits() -> tuple[Tensor, Tensor, Tensor]:
    """Lower and upper limits (23, 3) of the body's joints, and the pull to rest (23, 1)."""
    low, high, pull = [], [], []
    for name in SMPL24[1:]:
        side, _, part = name.partition("_")
        ranges = np.array(LIMITS[part or name], np.float32)
        if side == "right":
            ranges[1:] = -ranges[1:, ::-1]
        low.append(ranges[:, 0])
        high.append(ranges[:, 1])
        pull.append([REST_PULL.get(part or name, 0.05)])
    return tuple(torch.as_tensor(np.array(x, np.float32)) for x in (low, high, pull))  # type: ignore


def place(points: Tensor, rays: Tensor, weights: Tensor) -> Tensor:
    """Translations (T, 3) that bring points (T, J, 3) onto rays (T, J, 2), by least squares."""
    ones, zeros = torch.ones_like(rays[..., 0]), torch.zeros_like(rays[..., 0])
    # (X + t_x) - u (Z + t_z) = 0, and the same for y.
    rows = torch.cat(
        [
            torch.stack([ones, zeros, -rays[..., 0]], -1),
            torch.stack([zeros, ones, -rays[..., 1]], -1),
        ],
        1,
    )
    right = (rays * points[..., 2:] - points[..., :2]).transpose(1, 2).flatten(1)
    scale = weights.repeat(1, 2)[..., None]
    normal = rows.transpose(1, 2) @ (rows * scale)
    normal = normal + 1e-6 * torch.eye(3)
    return torch.linalg.solve(normal, (rows * scale).transpose(1, 2) @ right[..., None])[..., 0]


def bridged(path: Tensor, known: Tensor) -> Tensor:
    """A path (T, N) whose frames that aren't known (T,) are filled in from those around them."""
    if known.all() or not known.any():
        return path
    index = np.arange(len(path))
    axes = [np.interp(index, index[known.numpy()], axis) for axis in path[known].numpy().T]
    return torch.as_tensor(np.stack(axes, axis=1), dtype=path.dtype)


def huber(squared: Tensor, knee: float) -> Tensor:
    """Pseudo-Huber of squared distances in units of a standard deviation."""
    return knee * knee * (torch.sqrt(1 + squared / (knee * knee)) - 1)


def posed_joints(
    body: Body, rotations: Tensor, pelvis: Tensor, betas: Tensor
) -> tuple[Tensor, Tensor]:
    """World rotations (T, 24, 3, 3) and joints (T, 24, 3) of a motion.

    rotations (T, 24, 3) axis-angle, pelvis (T, 3) metres, betas (10,).
    """
    turned, joints = chain(roma.rotvec_to_rotmat(rotations), body.joints_at_rest(betas))
    return turned, joints - joints[:, :1] + pelvis[:, None]


class Problem:
    """One track's observations and the energy of a candidate."""

    def __init__(
        self,
        body: Body,
        lifted: Tensor,
        keypoints: Tensor,
        confidence: Tensor,
        skeleton: str,
        box_heights: Tensor,
        intrinsics: Tensor,
        fps: float,
        weights: FitWeights,
    ):
        self.body, self.weights = body, weights
        self.low, self.high, self.pull = limits()
        self.seen = RidingLandmarks(body, skeleton)
        self.human = RidingLandmarks(body, "h36m17")
        self.lifted = lifted - lifted[:, :1]
        self.rays = to_rays(keypoints, intrinsics)
        spread = [
            LANDMARK_SPREAD.get(n.split("_", 1)[-1].split("_")[0], 1.0) for n in JOINTS[skeleton]
        ]
        # Standard deviation of a landmark: 1 % of the person's height in the picture.
        self.per_pixel = intrinsics[0, 0] / (0.01 * box_heights[:, None])
        self.trust = confidence / torch.tensor(spread) ** 2
        self.fps = fps

    def pose(self, rotations: Tensor, pelvis: Tensor, betas: Tensor, root: Tensor) -> Posed:
        """`root` (T, 3, 3) turned by rotations[:, 0]; the others are axis-angle themselves."""
        matrices = roma.rotvec_to_rotmat(rotations)
        matrices = torch.cat([(root @ matrices[:, 0])[:, None], matrices[:, 1:]], dim=1)
        turned, joints = chain(matrices, self.body.joints_at_rest(betas))
        joints = joints - joints[:, :1] + pelvis[:, None]
        return Posed(rotations, turned, joints, betas)

    def energy(self, posed: Posed) -> Tensor:
        """The mean energy a frame."""
        w = self.weights
        points = self.seen(posed.turned, posed.joints, posed.betas)
        flat = points[..., :2] / points[..., 2:].clamp(min=0.1)
        miss = ((flat - self.rays) * self.per_pixel[..., None]).square().sum(-1)
        total = w.reprojection * (self.trust * huber(miss, 2.0)).mean()
        human = self.human(posed.turned, posed.joints, posed.betas)
        apart = ((human - human[:, :1] - self.lifted) / 0.05).square().sum(-1)
        total = total + w.joints * huber(apart, 2.0).mean()
        angles = posed.rotations[:, 1:]
        beyond = (angles - self.high).clamp(min=0) + (self.low - angles).clamp(min=0)
        total = total + w.limits * (beyond / 0.1).square().sum(-1).mean()
        total = total + w.rest * (self.pull * (angles / 0.3).square()).sum(-1).mean()
        total = total + w.betas * posed.betas.square().mean()
        if len(angles) > 2:
            # Accelerations in m/s^2 and rad/s^2, in units of brisk motion.
            joints = posed.joints.diff(n=2, dim=0) * self.fps**2
            total = total + w.smooth_joints * huber((joints / 40.0).square().sum(-1), 1.0).mean()
            turns = angles.diff(n=2, dim=0) * self.fps**2
            total = total + w.smooth_pose * huber((turns / 60.0).square().sum(-1), 1.0).mean()
        return total


def fit(
    body: Body,
    lifted: np.ndarray,
    keypoints: np.ndarray,
    confidence: np.ndarray,
    skeleton: str,
    boxes: np.ndarray,
    intrinsics: np.ndarray,
    fps: float,
    weights: FitWeights | None = None,
    neutral: bool = False,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Fit:
    """The body's motion in the camera's axes.

    lifted (T, 17, 3) joints relative to the pelvis in metres; keypoints (T, J, 2) px and confidence
    (T, J) of `skeleton`; boxes (T, 4) px; intrinsics (3, 3) px. A `neutral` body keeps the body
    model's own shape.
    """
    weights = weights or FitWeights()
    camera = torch.as_tensor(intrinsics, dtype=torch.float32)
    heights = torch.as_tensor(boxes[:, 3] - boxes[:, 1], dtype=torch.float32).clamp(min=8.0)
    joints = torch.as_tensor(lifted, dtype=torch.float32)
    problem = Problem(
        body,
        joints,
        torch.as_tensor(keypoints, dtype=torch.float32),
        torch.as_tensor(confidence, dtype=torch.float32),
        skeleton,
        heights,
        camera,
        fps,
        weights,
    )
    # Tensors this small are slower on several threads, and far slower where others want the cores.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return solve(problem, joints, neutral, report)
    finally:
        torch.set_num_threads(threads)


def solve(
    problem: Problem, joints: Tensor, neutral: bool, report: Callable[[int, int], None]
) -> Fit:
    """The analytic start, then the descent."""
    body = problem.body
    local = start_pose(joints, body)
    root = local[:, 0]
    rotations = roma.rotmat_to_rotvec(local)
    rotations[:, 0] = 0
    rotations[:, 1:] = torch.maximum(torch.minimum(rotations[:, 1:], problem.high), problem.low)
    betas = torch.zeros(10)
    still = problem.pose(rotations, torch.zeros(len(joints), 3), betas, root)
    pelvis = place(problem.seen(still.turned, still.joints, betas), problem.rays, problem.trust)
    pelvis[:, 2] = pelvis[:, 2].clamp(min=0.5)
    pelvis = bridged(pelvis, problem.trust.sum(dim=1) > 0.5)
    rotations, pelvis, betas = descend(problem, rotations, pelvis, betas, root, neutral, report)
    first = roma.rotmat_to_rotvec(root @ roma.rotvec_to_rotmat(rotations[:, 0]))
    return Fit(torch.cat([first[:, None], rotations[:, 1:]], dim=1), pelvis, betas)


def descend(
    problem: Problem,
    rotations: Tensor,
    pelvis: Tensor,
    betas: Tensor,
    root: Tensor,
    neutral: bool,
    report: Callable[[int, int], None],
) -> tuple[Tensor, Tensor, Tensor]:
    """Adam over all frames; the depth is moved by a factor, exp of the step.

    The betas stay as they are where `neutral`.
    """
    depth = pelvis[:, 2:].clone()
    variables = [rotations.clone(), torch.zeros_like(pelvis), betas.clone()]
    turns, shift, shape = variables
    moving = variables[:2] if neutral else variables
    for variable in moving:
        variable.requires_grad_(True)
    optimiser = torch.optim.Adam([{"params": [variable]} for variable in moving])
    count = problem.weights.iterations
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [0.04, 0.012, 0.04][: len(moving)], total_steps=count, pct_start=0.15
    )

    def moved() -> Tensor:
        # A step sideways is a step in the picture; one in depth goes along the line of sight.
        far = depth * torch.exp(shift[:, 2:])
        side = pelvis[:, :2] / depth + shift[:, :2] / 2
        return torch.cat([side * far, far], dim=1)

    for step in range(count):
        energy = problem.energy(problem.pose(turns, moved(), shape, root))
        optimiser.zero_grad()
        energy.backward()
        optimiser.step()
        schedule.step()
        report(step + 1, count)
    with torch.no_grad():
        return turns.detach(), moved().detach(), shape.detach()
