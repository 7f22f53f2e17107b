"""People of one video in one world. Without bpy.

Each Motion's world begins under its own person; what they share is the camera that saw them.
"""

from dataclasses import replace

import numpy as np

from .amass import quaternion_to_rotvec
from .motion_file import Motion, matrix_to_quaternion, quaternion_to_matrix, rotvec_to_quaternion

SAME = 1e-5


def in_world_of(reference: Motion, other: Motion) -> Motion:
    """`other` where the camera of `reference` sees it, upright and as high above its floor as ever.

    The two estimates of where the camera looks differ by a little tilt, which would lift feet off
    the floor or sink them: only the heading and the place on the floor are taken over.
    """
    if other is reference or reference.camera is None or other.camera is None:
        return other
    nearest = np.abs(reference.times[None] - other.times[:, None]).argmin(1)
    seen_from = np.linalg.inv(reference.camera.extrinsics[nearest])
    change = seen_from @ other.camera.extrinsics  # (T, 4, 4)
    if np.abs(change - np.eye(4)).max() < SAME:
        return other
    place = other.trans if other.joints is None else other.joints[:, 0]
    moved = np.einsum("tij,tj->ti", change[:, :3, :3], place) + change[:, :3, 3]
    shift = (moved - place) * (1, 1, 0)
    heading = np.arctan2(change[:, 1, 0], change[:, 0, 0])
    half = np.zeros((len(other), 4))
    half[:, 0], half[:, 3] = np.cos(heading / 2), np.sin(heading / 2)
    turn = quaternion_to_matrix(half)
    root = quaternion_to_matrix(rotvec_to_quaternion(other.poses[:, :3]))
    poses = other.poses.copy()
    poses[:, :3] = quaternion_to_rotvec(matrix_to_quaternion(turn @ root))
    joints = other.joints
    if joints is not None:
        joints = np.einsum("tij,tkj->tki", turn, joints - joints[:, :1])
        joints = joints + (place + shift)[:, None]
    return replace(other, poses=poses, trans=other.trans + shift, joints=joints)


def moved_along(motion: Motion, x: float) -> Motion:
    """The Motion and its camera `x` metres further along the world's x axis."""
    if x == 0:
        return motion
    way, back = np.array([x, 0.0, 0.0]), np.eye(4)
    back[0, 3] = -x
    camera, joints = motion.camera, motion.joints
    if camera is not None:
        camera = replace(camera, extrinsics=camera.extrinsics @ back)
    if joints is not None:
        joints = joints + way
    return replace(motion, trans=motion.trans + way, joints=joints, camera=camera)
