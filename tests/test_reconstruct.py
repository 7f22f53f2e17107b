"""People of one picture in one world."""

import numpy as np
import pytest
import roma
import torch

from regressor.cameras import Camera, intrinsics_from_fov
from regressor.detection import Detections, Track
from regressor.reconstruct import feet_seen, refine, shared_up
from regressor.skeletons import COCO17
from regressor.smpl import load_body
from regressor.smpl.fit import Fit

ANKLES = [COCO17.index("left_ankle"), COCO17.index("right_ankle")]
CAMERA = Camera(intrinsics_from_fov(60.0, 640, 480), 60.0, "given")


def track(ankles: float) -> Track:
    confidence = np.ones((1, 17))
    confidence[:, ANKLES] = ankles
    return Track(
        frames=np.arange(1), times=np.zeros(1), boxes=np.array([[100.0, 100, 200, 300]]),
        keypoints=np.full((1, 17, 2), 150.0), confidence=confidence,
        observed=np.ones(1, bool), skeleton="coco17",
    )  # fmt: skip


def standing_at(x: float, y: float, z: float) -> Fit:
    """Upright before a level camera, their pelvis there."""
    rotations = torch.zeros(1, 24, 3)
    rotations[:, 0] = roma.rotmat_to_rotvec(torch.diag(torch.tensor([1.0, -1.0, -1.0])))
    return Fit(rotations, torch.tensor([[x, y, z]]), torch.zeros(10))


@pytest.mark.parametrize("ankles", [(1.0, 1.0), (1.0, 0.1), (0.1, 1.0)])
def test_only_people_whose_feet_are_seen_are_put_on_one_floor(ankles):
    body, tracks = load_body(), [track(sure) for sure in ankles]
    found = Detections(tracks, 1, 30.0, np.zeros(1), 640, 480, [], False, np.zeros((1, 2)))
    fits = [standing_at(-1, 0.3, 3), standing_at(1, 0.9, 3)]  # one sits lower, or is nearer
    level, motions = shared_up(fits, body, found), []
    for fit, one in zip(fits, tracks, strict=True):
        other = motions[0] if motions else None
        motions.append(refine(fit, one, found, CAMERA, body, 0.04, True, other, level))
    first, second = (motion.camera_extrinsics[0] for motion in motions)
    centres = [-view[:3, :3].T @ view[:3, 3] for view in (first, second)]
    assert np.allclose(first[:3, :3], second[:3, :3], atol=1e-5)
    assert centres[0][2] == pytest.approx(centres[1][2], abs=0.03)
    seen = second[:3, :3] @ motions[1].joints[0, 0] + second[:3, 3]
    moved = np.linalg.norm(seen - fits[1].pelvis[0].numpy())
    feet = motions[1].joints[0, [10, 11], 2].min()
    if min(ankles) == 1:
        assert moved > 0.3 and abs(feet) < 0.15
    else:
        assert moved < 0.05 and feet < -0.4
    assert [feet_seen(one) for one in tracks] == [sure == 1 for sure in ankles]
