"""A bone's own channels: rotations as Blender keys them in each rotation mode. Without bpy."""

import numpy as np

from ..motion_file import continuous, matrix_to_quaternion, quaternion_to_matrix

PATHS = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}


def path_of(mode: str) -> str:
    return PATHS.get(mode, "rotation_euler")


def from_matrices(rotations: np.ndarray, mode: str) -> np.ndarray:
    """(T, 3, 3) to (T, 4) or, in an Euler mode, (T, 3) rad, without jumps from frame to frame."""
    if mode == "QUATERNION":
        return continuous(_from_rest(matrix_to_quaternion(rotations)))
    if mode == "AXIS_ANGLE":
        return _axis_angle(continuous(_from_rest(matrix_to_quaternion(rotations))))
    return _euler(rotations, mode)


def to_matrices(channels: np.ndarray, mode: str) -> np.ndarray:
    """(T, 3, 3) of what from_matrices gives, or of what Blender draws between such keys."""
    if mode == "QUATERNION":
        size = np.maximum(np.linalg.norm(channels, axis=-1, keepdims=True), 1e-9)
        return quaternion_to_matrix(channels / size)
    if mode == "AXIS_ANGLE":
        axis = channels[:, 1:]
        axis = axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-9)
        half = channels[:, :1] / 2
        return quaternion_to_matrix(np.concatenate([np.cos(half), np.sin(half) * axis], axis=1))
    result = np.eye(3)
    for name in mode:  # the first axis turns first, so that it stands at the right
        axis = "XYZ".index(name)
        result = _about(channels[:, axis], axis) @ result
    return result


def _from_rest(quaternions: np.ndarray) -> np.ndarray:
    """The first one in the hemisphere of no rotation."""
    return quaternions if quaternions[0, 0] >= 0 else -quaternions


def _axis_angle(quaternions: np.ndarray) -> np.ndarray:
    """Angle first; an axis flips only together with its angle."""
    axis = quaternions[:, 1:]
    size = np.linalg.norm(axis, axis=1)
    angle = 2 * np.arctan2(size, quaternions[:, 0])
    turning = np.flatnonzero(size > 1e-6)
    if len(turning) == 0:
        return np.tile([0.0, 0.0, 1.0, 0.0], (len(quaternions), 1))
    nearest = turning[np.clip(np.searchsorted(turning, np.arange(len(size))), 0, len(turning) - 1)]
    unit = axis[nearest] / size[nearest, None]
    flips = np.cumprod(np.concatenate([[1.0], np.where((unit[1:] * unit[:-1]).sum(1) < 0, -1, 1)]))
    angle = np.unwrap(angle * flips)
    return np.concatenate([angle[:, None], unit * flips[:, None]], axis=1)


def _about(angle: np.ndarray, axis: int) -> np.ndarray:
    """(T, 3, 3) rotations by angle (T,) about x, y or z."""
    result = np.zeros((*angle.shape, 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    result[..., axis, axis] = 1
    result[..., i, i] = result[..., j, j] = np.cos(angle)
    result[..., j, i], result[..., i, j] = np.sin(angle), -np.sin(angle)
    return result


def _euler(rotations: np.ndarray, order: str) -> np.ndarray:
    """(T, 3) rad in the order that Blender names, each frame's the nearest to the one before."""
    i, j, k = ("XYZ".index(name) for name in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    # R = R_k R_j R_i; R[k, i] is -sign * sin(angle_j).
    middle = np.arcsin(np.clip(-sign * rotations[:, k, i], -1, 1))
    first = np.arctan2(sign * rotations[:, k, j], rotations[:, k, k])
    last = np.arctan2(sign * rotations[:, j, i], rotations[:, i, i])
    locked = np.cos(middle) < 1e-6
    other = np.arctan2(-sign * rotations[:, j, k], rotations[:, j, j])
    first = np.where(locked, other, first)
    last = np.where(locked, 0.0, last)
    one = np.stack([first, middle, last], axis=1)
    two = np.stack([first + np.pi, np.pi - middle, last + np.pi], axis=1)
    chosen = np.empty_like(one)
    previous = np.zeros(3)
    full = 2 * np.pi
    for frame, pair in enumerate(np.stack([one, two], axis=1)):
        near = pair + full * np.round((previous - pair) / full)
        previous = near[np.argmin(np.abs(near - previous).sum(1))]
        chosen[frame] = previous
    result = np.empty_like(chosen)
    result[:, [i, j, k]] = chosen
    return result
