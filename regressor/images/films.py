"""What an image network says of a film's pictures, brought together over time and with keypoints.

Each picture is looked at by itself, and in every one the network is wrong otherwise. In a film it
is one person before one camera: their shape is one, they move smoothly, and the detector sees in
each frame where they are. So what the network says is only what a lifter's joints are elsewhere:
the body is fitted to both as for lifters. A single picture is a film of one frame.
"""

import roma
import torch
from torch import Tensor
from torch.nn.functional import normalize

from regressor.images.predict import CONFIDENT, Shot
from regressor.lifters.windows import to_rays
from regressor.progress import Progress
from regressor.refine.smoothing import continuous, smooth_by_trust
from regressor.smpl.body import chain
from regressor.smpl.fit import Fit, bridged, fit, place, posed_joints
from regressor.smpl.landmarks import RidingLandmarks

STEADY_S = 0.07  # longer takes a runner's strides for noise
FAR_OFF = 0.02  # of a person's height: a picture with its keypoints so far off counts half
LEAST_TRUST = 1e-3  # so that there is something in long gaps, too


def over_time(shot: Shot, seen: Fit, progress: Progress) -> Fit:
    """The motion through a film whose pictures gave `seen`.

    It is `seen` itself where no keypoint was surely seen.
    """
    if shot.track.confidence.max() <= CONFIDENT:
        progress.update("fit", 1, 1)
        return seen
    track, body = shot.track, shot.body
    observed = torch.as_tensor(track.observed)
    rotations = steadied(seen.rotations, trust_in(shot, seen), observed, shot.fps)
    turned, joints = chain(roma.rotvec_to_rotmat(rotations), body.joints_at_rest(seen.betas))
    return fit(
        body,
        RidingLandmarks(body, "h36m17")(turned, joints, seen.betas).numpy(),
        track.keypoints,
        track.confidence,
        track.skeleton,
        track.boxes,
        shot.camera.intrinsics,
        shot.fps,
        neutral=shot.neutral,
        report=lambda done, total: progress.update("fit", done, total),
    )


def trust_in(shot: Shot, seen: Fit) -> Tensor:
    """(T,), above 0: how well each picture shows the person, and its keypoints bear the body out.

    A network that is wrong in a picture seldom has all joints where the keypoints are.
    """
    track = shot.track
    confidence = torch.as_tensor(track.confidence)
    turned, joints = posed_joints(
        shot.body, seen.rotations, torch.zeros_like(seen.pelvis), seen.betas
    )
    points = RidingLandmarks(shot.body, track.skeleton)(turned, joints, seen.betas)
    intrinsics = torch.as_tensor(shot.camera.intrinsics, dtype=torch.float32)
    rays = to_rays(torch.as_tensor(track.keypoints), intrinsics)
    points = points + place(points, rays, confidence)[:, None]
    miss_px = (points[..., :2] / points[..., 2:].clamp(min=0.1) - rays).norm(dim=-1)
    miss_px = intrinsics[0, 0] * (miss_px * confidence).sum(1) / confidence.sum(1).clamp(min=1e-6)
    height_px = torch.as_tensor(track.boxes[:, 3] - track.boxes[:, 1]).clamp(min=8.0)
    trust = confidence.mean(dim=1) / (1 + (miss_px / height_px / FAR_OFF) ** 2)
    return trust.clamp(min=LEAST_TRUST)


def steadied(rotations: Tensor, trust: Tensor, observed: Tensor, fps: float) -> Tensor:
    """Rotation vectors (T, 24, 3), smoothed by trust (T,); bridged where not observed (T,)."""
    quaternions = torch.zeros(*rotations.shape[:2], 4)
    quaternions[observed] = continuous(rotations[observed])
    whole = bridged(quaternions.flatten(1), observed).numpy()
    smoothed = torch.as_tensor(smooth_by_trust(whole, trust.numpy(), STEADY_S, fps))
    return roma.unitquat_to_rotvec(normalize(smoothed.unflatten(1, (-1, 4)), dim=-1))
