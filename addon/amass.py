"""A body's movement back as an .npz with AMASS's keys, edits in Blender included. Without bpy."""

import os
from pathlib import Path

import numpy as np

from .body_axes import from_blender
from .motion_file import continuous, matrix_to_quaternion
from .skeleton import PARENTS


def to_amass(
    bones: np.ndarray, rest: np.ndarray, betas: np.ndarray, fps: float, body: str
) -> dict[str, np.ndarray]:
    """The file's arrays of a body made here.

    bones (T, 24, 4, 4): each joint's bone in the world, whose axes are SMPL's in the rest pose;
    rest (24, 3) m: the joints of the rest pose in Blender's axes; betas (10,) of `body`.
    """
    turns = bones[..., :3, :3] / np.linalg.norm(bones[..., :3, :3], axis=-2, keepdims=True)
    parents = np.array(PARENTS)
    local = turns.copy()
    local[:, 1:] = np.swapaxes(turns[:, parents[1:]], -1, -2) @ turns[:, 1:]
    quaternions = continuous(matrix_to_quaternion(local))
    joints = bones[..., :3, 3]
    return {
        "poses": quaternion_to_rotvec(quaternions).reshape(len(bones), -1),
        "trans": joints[:, 0] - from_blender(rest[0]),
        "betas": np.asarray(betas, np.float64),
        "gender": np.array("neutral"),
        "mocap_framerate": np.array(float(fps)),
        "body": np.array(body),
        "joints": joints,
    }


def quaternion_to_rotvec(quaternions: np.ndarray) -> np.ndarray:
    """(..., 4) unit quaternions, w first, to (..., 3) axis-angle of at most half a turn."""
    quaternions = np.where(quaternions[..., :1] < 0, -quaternions, quaternions)
    sine = np.linalg.norm(quaternions[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, quaternions[..., :1])
    return quaternions[..., 1:] * np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 2.0)


def save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes the .npz, whole or not at all."""
    part = path.with_name(f".{path.stem}.part.npz")
    try:
        np.savez_compressed(part, **arrays)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
