"""The film's ground truth: the Motion that was authored, as the camera sees it."""

import numpy as np

from addon.body import default_body_file
from regressor.motion import Motion
from scripts.demo.curves import matrix_to_rotvec, turn
from scripts.demo.stage import BETAS, FPS, SIZE, camera_matrices, projected, to_world


def truth(data, local, pelvis, joints, planted, vertices_at) -> Motion:
    count = len(local)
    intrinsics, extrinsics = camera_matrices()
    local = local.copy()
    local[:, 0] = turn(0, 90) @ local[:, 0]
    with np.load(default_body_file()) as arrays:
        marks = arrays["J_regressor_mediapipe"].astype(float)
    body = slice(0, len(data.template))
    points = np.stack([marks @ vertices_at(frame)[body] for frame in range(count)])
    return Motion(
        poses=matrix_to_rotvec(local).reshape(count, 72),
        trans=to_world(pelvis) - data.rest_joints(BETAS)[0],
        betas=BETAS,
        mocap_framerate=FPS,
        joints=joints,
        keypoints=projected(points),
        confidence=np.ones(points.shape[:2]),
        skeleton="mediapipe33",
        contacts=planted,
        image_size=np.array(SIZE),
        camera_intrinsics=intrinsics,
        camera_extrinsics=np.tile(extrinsics, (count, 1, 1)),
        fov_source="given",
        method="authored",
        video="demo.mp4",
    )
