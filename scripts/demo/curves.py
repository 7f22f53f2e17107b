"""Rotations and smooth curves that the motion is made of; keyed angles are in degrees."""

import numpy as np


def turn(axis: int, degrees) -> np.ndarray:
    """(..., 3, 3) rotations about one of the axes 0, 1, 2, of angles (...)."""
    angle = np.radians(np.asarray(degrees, float))
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[..., axis, axis] = 1
    one, two = (axis + 1) % 3, (axis + 2) % 3
    matrix[..., one, one] = matrix[..., two, two] = np.cos(angle)
    matrix[..., two, one], matrix[..., one, two] = np.sin(angle), -np.sin(angle)
    return matrix


def hermite(u, start, end, start_slope, end_slope) -> np.ndarray:
    """Cubic between two values with given slopes, u in 0 … 1."""
    h01 = u * u * (3 - 2 * u)
    return (
        start * (1 - h01) + end * h01 + start_slope * u * (1 - u) ** 2 - end_slope * u * u * (1 - u)
    )


def transposed(matrices: np.ndarray) -> np.ndarray:
    return np.swapaxes(matrices, -1, -2)


def frame(along: np.ndarray, side: np.ndarray) -> np.ndarray:
    """(N, 3, 3) orthonormal columns: `along`, `side` made square to it, and the third."""
    along = along / np.linalg.norm(along, axis=-1, keepdims=True)
    side = side - (side * along).sum(-1, keepdims=True) * along
    side = side / np.linalg.norm(side, axis=-1, keepdims=True)
    return np.stack([along, side, np.cross(along, side)], axis=-1)


def world_rotations(local: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """(T, 24, 3, 3) rotations relative to the parent to rotations in the stage."""
    turned = local.copy()
    for joint in range(1, 24):
        turned[:, joint] = turned[:, parents[joint]] @ local[:, joint]
    return turned


def joint_places(turned, pelvis, rest, parents) -> np.ndarray:
    """(T, 24, 3) joints on the stage."""
    places = np.repeat(pelvis[:, None], 24, axis=1)
    for joint in range(1, 24):
        parent = parents[joint]
        places[:, joint] = places[:, parent] + turned[:, parent] @ (rest[joint] - rest[parent])
    return places


def matrix_to_rotvec(matrix: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotations of less than half a turn to (..., 3) axis-angle, rad."""
    axis = np.stack(
        [
            matrix[..., (i + 2) % 3, (i + 1) % 3] - matrix[..., (i + 1) % 3, (i + 2) % 3]
            for i in range(3)
        ],
        axis=-1,
    )
    sine = np.linalg.norm(axis, axis=-1, keepdims=True) / 2
    cosine = (np.trace(matrix, axis1=-2, axis2=-1)[..., None] - 1) / 2
    angle = np.arctan2(sine, cosine)
    return axis / 2 * np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 1.0)
