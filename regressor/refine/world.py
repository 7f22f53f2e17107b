"""From the camera's axes to a world with z up, whose floor the person stands on.

The camera's tilt is not known. People are upright on average: the line from their feet to their
head, over the frames in which they stand, says where up is. Where they walk some way, the floor
that their standing feet lie on corrects it.
"""

from dataclasses import dataclass

import numpy as np
import roma
import torch
from scipy.ndimage import minimum_filter1d
from torch import Tensor

from regressor.refine.smoothing import smooth
from regressor.skeletons import SMPL24

NECK, LEFT_ANKLE, RIGHT_ANKLE, PELVIS = (
    SMPL24.index(name) for name in ("neck", "left_ankle", "right_ankle", "pelvis")
)
LEVEL = np.array([0.0, -1.0, 0.0])  # up, in the axes of a level camera
STANDING = np.cos(np.radians(40))  # a person less upright than this says nothing of up
PATH_M = 1.2  # a path at least this long lets the floor speak
MOST_SLOPE = np.tan(np.radians(12))
MOST_MOVE = 0.25  # of the distance, for the sake of a floor that people share
# Standard deviations: of how somebody leans in one frame (6.3 degrees in mocap, 4.5 over 4 s), of a
# distance, as a share, and of the feet on one floor besides.
LEAN, FARTHER, UNEVEN_M = np.tan(np.radians(6)), 0.07, 0.03


@dataclass
class World:
    """x_world = rotation @ x_camera + shift (T, 3); the shift varies where the camera moves."""

    rotation: np.ndarray
    shift: np.ndarray

    def extrinsics(self) -> np.ndarray:
        """(T, 4, 4) from the world to the camera (OpenCV's axes)."""
        matrices = np.tile(np.eye(4), (len(self.shift), 1, 1))
        matrices[:, :3, :3] = self.rotation.T
        matrices[:, :3, 3] = -self.shift @ self.rotation
        return matrices


def upright(joints: np.ndarray) -> np.ndarray:
    """Unit vector (3,) that points up, in the camera's axes, from joints (T, 24, 3)."""
    feet = 0.5 * (joints[:, LEFT_ANKLE] + joints[:, RIGHT_ANKLE])
    axis = joints[:, NECK] - feet
    axis = axis / np.linalg.norm(axis, axis=1, keepdims=True)
    standing = axis @ LEVEL > STANDING
    # That the camera is level weighs as much as a tenth of the film spent standing.
    total = axis[standing].sum(0) / len(axis) + 0.1 * LEVEL
    return total / np.linalg.norm(total)


def axes(up: np.ndarray) -> np.ndarray:
    """(3, 3) rotation to the world: z along `up`, y away from the camera, x to the right."""
    away = np.array([0.0, 0.0, 1.0]) - up[2] * up
    away = away / np.linalg.norm(away)
    return np.stack([np.cross(away, up), away, up])


def floor_slope(feet: np.ndarray, standing: np.ndarray) -> np.ndarray:
    """(2,) slope of the floor along x and y under standing feet (T, 2, 3), 0 if unknown."""
    points = feet[standing]
    if len(points) < 10:
        return np.zeros(2)
    spread = points[:, :2] - points[:, :2].mean(0)
    _, length, directions = np.linalg.svd(spread, full_matrices=False)
    slope = np.zeros(2)
    for extent, direction in zip(length / np.sqrt(len(points)) * 3.5, directions, strict=True):
        if extent > PATH_M:
            along = spread @ direction
            height = points[:, 2] - points[:, 2].mean()
            slope += direction * np.clip(
                (along @ height) / (along @ along), -MOST_SLOPE, MOST_SLOPE
            )
    return slope


def level_with(up: np.ndarray, feet: np.ndarray) -> np.ndarray:
    """Up (3,), as people's bodies have it, by the feet (N, 3) of N who stand on one floor.

    People far from each other tell the floor's slope better than how each of them leans. Who is
    found too far away is as much too low, by the share of the camera's height.
    """
    rotation = axes(up)
    uneven = np.hypot(UNEVEN_M, FARTHER * (feet @ up).mean())
    away = (feet - feet.mean(axis=0)) @ rotation.T
    flat, height = away[:, :2], away[:, 2]
    lean = len(feet) * (uneven / LEAN) ** 2
    slope = np.linalg.solve(flat.T @ flat + lean * np.eye(2), flat.T @ height)
    found = rotation.T @ np.array([-slope[0], -slope[1], 1.0])
    return found / np.linalg.norm(found)


def ground(heights: np.ndarray, fps: float, wandering: bool) -> np.ndarray:
    """(T,) height of the floor under soles at `heights` (T,): one number, or one that follows.

    Robust: the floor lies where the lowest soles of most seconds lie, not at one low outlier. It
    follows slowly (`wandering`) where the camera moves and the height itself drifts.
    """
    lowest = minimum_filter1d(heights, max(1, round(0.5 * fps)), mode="nearest")
    if not wandering:
        return np.full(len(heights), np.median(lowest))
    return smooth(lowest, 0.7, fps)


def to_world(
    joints: np.ndarray,
    soles: np.ndarray,
    standing: np.ndarray,
    fps: float,
    camera_moves: bool,
    up: np.ndarray | None = None,
) -> World:
    """The world of a track: joints (T, 24, 3) and soles (T, 2, 3) in the camera's axes.

    standing (T, 2): which foot bears (a first guess). Where the camera moves, the person's path
    through the world isn't known: they stay in place, and the camera moves about them. `up` (3,) in
    the camera's axes, where it is known, is taken as it is.
    """
    rotation = axes(upright(joints) if up is None else up)
    if not camera_moves and up is None:
        slope = floor_slope(soles @ rotation.T, standing)
        normal = np.array([-slope[0], -slope[1], 1.0])
        rotation = axes(rotation.T @ (normal / np.linalg.norm(normal)))
    placed, feet = joints @ rotation.T, soles @ rotation.T
    floor = ground(feet[..., 2].min(axis=1), fps, camera_moves)
    path = placed[:, PELVIS, :2]
    start = smooth(path, 0.6, fps) if camera_moves else np.broadcast_to(path[:1], path.shape)
    shift = -np.concatenate([start, floor[:, None]], axis=1)
    return World(rotation, shift)


def view_of(extrinsics: np.ndarray) -> tuple[np.ndarray, float]:
    """Up (3,) in the axes of a camera (4, 4), and how high it stands over the floor in m."""
    centre = -extrinsics[:3, :3].T @ extrinsics[:3, 3]
    return extrinsics[:3, 2], float(centre[2])


def onto_floor(world: World, pelvis: np.ndarray, height: float) -> np.ndarray:
    """(T, 3) m by which a person is to be moved, in the camera's axes, to stand on another's floor.

    pelvis (T, 3) in the camera's axes; height: the camera's over that floor. A distance is less
    certain than a size: the person goes along the rays to the floor under them, so that their feet
    stay where they are seen.
    """
    factor = np.clip(height / max(world.shift[0, 2], 0.1), 1 - MOST_MOVE, 1 + MOST_MOVE) - 1
    under = pelvis @ world.rotation.T
    under[:, 2] = -world.shift[:, 2]
    return factor * under @ world.rotation


def shifted(world: World, moved: np.ndarray, fps: float, camera_moves: bool) -> World:
    """The world with the camera moved along with a person who was moved by (T, 3).

    By one vector for a camera that stands still; slowly for one that moves anyway.
    """
    moved = smooth(moved, 0.3, fps) if camera_moves else np.median(moved, axis=0)
    return World(world.rotation, world.shift + moved)


def apply(world: World, rotations: Tensor, pelvis: Tensor) -> tuple[Tensor, Tensor]:
    """Global rotation vectors (T, 3) and pelvis (T, 3) from the camera's axes into the world."""
    turn = torch.as_tensor(world.rotation, dtype=torch.float32)
    matrices = turn @ roma.rotvec_to_rotmat(rotations)
    moved = pelvis @ turn.T + torch.as_tensor(world.shift, dtype=torch.float32)
    return roma.rotmat_to_rotvec(matrices), moved
