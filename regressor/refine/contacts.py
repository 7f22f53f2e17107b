"""Which foot stands, and keeping it where it stands."""

import numpy as np
import roma
import torch
from scipy.ndimage import binary_closing, binary_opening, minimum_filter1d
from torch import Tensor
from torch.nn.functional import normalize

from regressor.refine.smoothing import smooth
from regressor.skeletons import SMPL24
from regressor.smpl.body import Body, local_rotations
from regressor.smpl.fit import posed_joints
from regressor.smpl.start import smallest_rotation

SLOW_M_S = 0.4  # a standing foot moves less than this (detections shake) ...
SLOW_SHARE = 0.25  # ... or than this share of the speed at which the feet swing
LOW_M = 0.06  # and is not higher than this above the lower foot's floor
SHORTEST_S = 0.1
EASE_S = 0.12
LEGS = [
    (SMPL24.index(f"{side}_hip"), SMPL24.index(f"{side}_knee"), SMPL24.index(f"{side}_ankle"))
    for side in ("left", "right")
]


class SolePoints:
    """The lowest skin under heel and ball of each foot, riding on ankle and toe joints."""

    def __init__(self, body: Body):
        rest = body.v_template
        self.body = body
        self.carried = []
        for side in ("left", "right"):
            ankle = body.weights[:, SMPL24.index(f"{side}_ankle")]
            toes = body.weights[:, SMPL24.index(f"{side}_foot")]
            foot = (ankle + toes) > 0.6
            low = foot & (rest[:, 1] < rest[foot, 1].min() + 0.02)
            middle = float(body.rest_joints[SMPL24.index(f"{side}_ankle"), 2])
            heel, ball = low & (rest[:, 2] < middle), low & (toes > 0.3)
            self.carried.append(
                [
                    (SMPL24.index(f"{side}_ankle"), heel.nonzero()[:, 0]),
                    (SMPL24.index(f"{side}_foot"), ball.nonzero()[:, 0]),
                ]
            )

    def __call__(self, turned: Tensor, joints: Tensor, betas: Tensor) -> Tensor:
        """(T, 2 feet, 2 ends, 3) from turned (T, 24, 3, 3), joints (T, 24, 3) and betas (10,)."""
        rest_joints = self.body.joints_at_rest(betas)
        feet = []
        for ends in self.carried:
            points = []
            for joint, vertices in ends:
                shaped = self.body.v_template[vertices] + self.body.shapedirs[vertices] @ betas
                offset = torch.stack([shaped[:, 0].mean(), shaped[:, 1].min(), shaped[:, 2].mean()])
                points.append(joints[:, joint] + turned[:, joint] @ (offset - rest_joints[joint]))
            feet.append(torch.stack(points, dim=1))
        return torch.stack(feet, dim=1)


def detect(ends: np.ndarray, up: np.ndarray, fps: float, in_place: bool = False) -> np.ndarray:
    """(T, 2, 2) whether each foot's heel and ball bear, from their places (T, 2, 2, 3).

    An end bears while it is slow, for this person's feet, and hardly higher than the lowest of the
    four; `up` (3,) is a unit vector. Somebody who stays in place (`in_place`) as on a treadmill has
    standing feet that slide: there only the vertical speed counts, and a foot must be lower. Runs
    shorter than SHORTEST_S don't count, nor do gaps as short.
    """
    height = ends @ up
    above = height - height.min(axis=(1, 2), keepdims=True)
    if len(ends) < 3:  # too short for a speed
        return above < LOW_M
    velocity = np.gradient(smooth(ends, 0.05, fps), axis=0) * fps
    speed = np.linalg.norm(velocity, axis=-1)
    slow = np.clip(SLOW_SHARE * np.percentile(speed, 95), SLOW_M_S, 2.5 * SLOW_M_S)
    bears = (speed < slow) & (above < LOW_M)
    if in_place:
        floor = minimum_filter1d(height.min(axis=(1, 2)), max(1, round(0.5 * fps)))[:, None, None]
        bears = (np.abs(velocity @ up) < SLOW_M_S) & (height - floor < 0.5 * LOW_M)
    span = max(1, round(SHORTEST_S * fps))
    mask = np.ones((span, 1, 1), bool)
    padded = np.pad(bears, ((span, span), (0, 0), (0, 0)), mode="edge")
    return binary_opening(binary_closing(padded, mask), mask)[span:-span]


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """[start, stop) of every run of True in (T,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def hold(ends: np.ndarray, bearing: np.ndarray) -> np.ndarray:
    """(R, 3) how far a foot has to move, frame by frame of one run, so that it doesn't slide.

    ends (R, 2, 3) heel and ball, bearing (R, 2). The end that bears stays where it is; when the
    foot rolls on to the other end, that one stays where it has just come to. The lowest end is on
    the floor. All in all the foot stays where it was on average.
    """
    active = int(np.argmax(bearing[0]))
    place = ends[0, active]
    moves = np.empty((len(ends), 3))
    moves[0] = 0
    for t in range(1, len(ends)):
        if not bearing[t, active] and bearing[t, 1 - active]:
            active = 1 - active
            place = ends[t, active] + moves[t - 1]
        moves[t] = place - ends[t, active]
    moves -= moves.mean(axis=0)
    moves[:, 2] = -ends[..., 2].min(axis=1)
    return moves


def pull(ends: np.ndarray, bearing: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """How far each foot has to move to stay where it stands: (T, 2, 3), and a weight (T, 2).

    Before and after each run of bearing frames the pull fades in and out.
    """
    count = len(ends)
    moves, weights = np.zeros((count, 2, 3)), np.zeros((count, 2))
    ease = max(1, round(EASE_S * fps))
    for foot in (0, 1):
        for start, stop in runs(bearing[:, foot].max(axis=1)):
            held = hold(ends[start:stop, foot], bearing[start:stop, foot])
            first, last = max(0, start - ease), min(count, stop + ease)
            index = np.arange(first, last)
            away = np.maximum(np.maximum(start - index, index - stop + 1), 0)
            fade = 0.5 + 0.5 * np.cos(np.pi * np.minimum(away / (ease + 1), 1))
            stronger = fade > weights[index, foot]
            moves[index[stronger], foot] = held[(index - start).clip(0, stop - start - 1)][stronger]
            weights[index[stronger], foot] = fade[stronger]
    return moves, weights


def two_bones(turned: Tensor, joints: Tensor, leg: tuple[int, int, int], target: Tensor) -> Tensor:
    """Bends a leg so that the ankle reaches `target` (T, 3); returns the new turned (T, 24, 3, 3).

    The knee's hinge and the foot's own direction in the world stay. A target out of reach is aimed
    at with a leg that is all but straight.
    """
    hip, knee, ankle = leg
    thigh, shank = joints[:, knee] - joints[:, hip], joints[:, ankle] - joints[:, knee]
    upper, lower = thigh.norm(dim=-1), shank.norm(dim=-1)
    wanted = target - joints[:, hip]
    reach = wanted.norm(dim=-1).clamp(max=0.999 * (upper + lower))
    reach = torch.maximum(reach, 1.05 * (upper - lower).abs())
    hinge = turned[:, knee, :, 0]  # the knee bends about its x axis
    bent = torch.arccos(((thigh * shank).sum(-1) / (upper * lower)).clamp(-1, 1))
    need = torch.arccos(((reach**2 - upper**2 - lower**2) / (2 * upper * lower)).clamp(-1, 1))
    bend = roma.rotvec_to_rotmat(hinge * (need - bent)[:, None])
    shank = (bend @ shank[..., None])[..., 0]
    swing = smallest_rotation(normalize(thigh + shank, dim=-1), normalize(wanted, dim=-1))
    turned = turned.clone()
    turned[:, hip] = swing @ turned[:, hip]
    turned[:, knee] = swing @ bend @ turned[:, knee]
    return turned


def plant(
    body: Body, rotations: Tensor, pelvis: Tensor, betas: Tensor, fps: float, in_place: bool
) -> tuple[Tensor, Tensor, np.ndarray]:
    """Feet that stand stay put on the floor, and none goes through it.

    rotations (T, 24, 3) axis-angle and pelvis (T, 3) in the world, z up. The body as a whole is
    moved first, the legs take the rest. `in_place`: the person's path isn't known (the camera
    moves), so only heights are put right. Returns rotations, pelvis and contacts (T, 2).
    """
    sole = SolePoints(body)
    turned, joints = posed_joints(body, rotations, pelvis, betas)
    ends = sole(turned, joints, betas).numpy()
    bearing = detect(ends, np.array([0.0, 0.0, 1.0]), fps, in_place)
    if not in_place:
        moves, weights = pull(ends, bearing, fps)
        known = weights.sum(1) > 0.5
        if known.any():
            whole = (moves * weights[..., None]).sum(1)[known] / weights.sum(1)[known, None]
            index = np.arange(len(ends))
            whole = np.stack([np.interp(index, index[known], axis) for axis in whole.T], axis=1)
            pelvis = pelvis + torch.as_tensor(smooth(whole, 0.08, fps), dtype=torch.float32)
    turned, joints = posed_joints(body, rotations, pelvis, betas)
    ends = sole(turned, joints, betas).numpy()
    moves, weights = pull(ends, bearing, fps)
    moves = moves * weights[..., None] * ([0, 0, 1] if in_place else [1, 1, 1])
    below = -(ends[..., 2].min(axis=2) + moves[..., 2])
    moves[..., 2] += np.maximum(smooth(np.maximum(below, 0), 0.03, fps), np.maximum(below, 0))
    fixed = turned
    for foot, leg in enumerate(LEGS):
        target = joints[:, leg[2]] + torch.as_tensor(moves[:, foot], dtype=torch.float32)
        fixed = two_bones(fixed, joints, leg, target)
    local = local_rotations(fixed)
    return roma.rotmat_to_rotvec(local), pelvis, bearing.max(axis=2)
