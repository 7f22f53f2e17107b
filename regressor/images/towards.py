"""A person's Track to their body by PersPose, whose crops are cut with the camera turned to them.

What the network says is in the turned camera's axes; here it comes back to the true one's, where
other people and other frames are.
"""

from collections.abc import Callable

import roma
import torch
from torch import Tensor

from regressor.images.perspose import PersPoseOutput
from regressor.images.predict import (
    ImageNetwork,
    Shot,
    boxes_of,
    cameras_of,
    cuts_of,
    given_by,
    predict,
    shape_over,
    square_boxes,
)
from regressor.progress import Progress
from regressor.smpl.analytic_ik import fit_skeleton, search_first_beta, world_rotations
from regressor.smpl.body import local_rotations
from regressor.smpl.fit import Fit, bridged
from rendering.perspective import to_camera


def placed(output: PersPoseOutput) -> Tensor:
    """SMPL's joints (N, 24, 3) m where they stand in the crop's camera."""
    return output.joints[:, :24] + output.root[:, None]


def betas_of(
    output: PersPoseOutput, joints_at_rest: Callable[[Tensor], Tensor], first_beta: float = 1.0
) -> Tensor:
    """Shapes (N, 10), the first found by the joints; Posecast's bodies know no eleventh.

    first_beta: how much of what is found is believed (`PersPose`); 0 searches for nothing.
    """
    own = output.betas[:, :10]
    if not first_beta:
        return own
    return own.lerp(search_first_beta(placed(output), own, joints_at_rest), first_beta)


def bodies_of(output: PersPoseOutput, rest: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor]:
    """SMPL's rotations (N, 24, 3, 3) and the pelvis (N, 3) m in the true camera's axes.

    rest: the body's joints (24, 3) or (N, 24, 3) at rest; rotation (N, 3, 3): that of the crops.
    """
    joints, rotation = placed(output), rotation.float()
    skeleton = fit_skeleton(rest, joints, own_direction=True)
    world = world_rotations(rest.expand_as(joints), skeleton, output.twists[:, :24], output.leaves)
    local = local_rotations(world)
    first = rotation.transpose(1, 2) @ local[:, 0]
    pelvis = to_camera(skeleton.joints[:, :1], rotation)[:, 0]
    return torch.cat([first[:, None], local[:, 1:]], dim=1), pelvis


def fit_towards(shot: Shot, found: ImageNetwork, progress: Progress) -> Fit:
    """As `predict.fit_by_network`, but the body stands where the network sees it by the camera."""
    track, body = shot.track, shot.body
    progress.update("lift", 0, len(track))
    boxes = square_boxes(*boxes_of(track, shot.fps))
    pixels = int(found.network.pixels)  # pyright: ignore[reportArgumentType]
    crops = cameras_of(found.network, boxes, shot.camera.intrinsics, pixels)
    pictures = cuts_of(shot, crops, pixels)
    given = given_by(found.network, track, crops, pixels)
    output = predict(found.network, pictures, crops.intrinsics, progress, given)
    betas = torch.zeros(10)
    if not shot.neutral and found.knows(body):
        believed = float(found.network.first_beta)  # pyright: ignore[reportArgumentType]
        betas = shape_over(track, betas_of(output, body.joints_at_rest, believed))
    rotations, pelvis = bodies_of(output, body.joints_at_rest(betas), crops.rotation)
    return Fit(
        roma.rotmat_to_rotvec(rotations), bridged(pelvis, torch.as_tensor(track.observed)), betas
    )
