"""A bone's own channels: rotations as Blender keys them in each rotation mode. Without bpy."""

import numpy as np

from ..motion_file import continuous, matrix_to_quaternion

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


def to_quaternions(channels: np.ndarray, mode: str) -> np.ndarray:
    """(4, T), w first, of what from_matrices gives, or of what Blender draws between such keys."""
    if mode == "QUATERNION":
        return _unit(channels.T)
    if mode == "AXIS_ANGLE":
        half = channels[:, 0] / 2
        return np.concatenate([np.cos(half)[None], np.sin(half) * _unit(channels[:, 1:].T)])
    result = np.zeros((4, len(channels)))
    result[0] = 1
    for name in mode:  # the first axis turns first, so that it stands at the right
        own = np.zeros((4, len(channels)))
        half = channels[:, "XYZ".index(name)] / 2
        own[0], own[1 + "XYZ".index(name)] = np.cos(half), np.sin(half)
        result = multiply(own, result)
    return result


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.sqrt((rows * rows).sum(0)), 1e-9)


def multiply(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(4, T) products of quaternions, w first, by rows: for long arrays by far the fastest."""
    a, b, c, d = one
    w, x, y, z = other
    return np.stack(
        [
            a * w - b * x - c * y - d * z,
            a * x + b * w + c * z - d * y,
            a * y - b * z + c * w + d * x,
            a * z + b * y - c * x + d * w,
        ]
    )


def turn(quaternions: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """(3, T): the vector (3,) turned by unit quaternions (4, T)."""
    w, (x, y, z) = quaternions[0], quaternions[1:]
    i, j, k = vector
    a, b, c = 2 * (y * k - z * j), 2 * (z * i - x * k), 2 * (x * j - y * i)
    return np.stack(
        [i + w * a + y * c - z * b, j + w * b + z * a - x * c, k + w * c + x * b - y * a]
    )


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
