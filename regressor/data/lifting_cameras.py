"""The cameras of Human3.6M and HumanEva, and how lifters' data sets project and normalise.

Screen coordinates: x from -1 to 1 over the picture's width, y divided by the width as well, both 0
in the middle. A camera's vector of 9, as VideoPose3D has it (common/h36m_dataset.py): focal
lengths (2) and centre (2) on the screen, radial (3) and tangential (2) distortion; both focal
lengths are divided by the width.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

# Entries of the vector that change their sign in a mirror: centre x and the first tangential.
MIRRORED_ENTRIES = (2, 7)


@dataclass(frozen=True, eq=False)
class PlacedCamera:
    """One camera of a data set, as it stood for one subject."""

    name: str
    width: int  # px
    height: int
    vector: np.ndarray | None  # (9,) float32; None where the intrinsics aren't known
    orientation: np.ndarray  # (4,) unit quaternion (w, x, y, z), camera to world
    position: np.ndarray  # (3,) m in the world

    @property
    def intrinsics(self) -> np.ndarray | None:
        """(3, 3) px, where known; without the distortion."""
        if self.vector is None:
            return None
        focal = self.vector[:2] * (self.width / 2)
        centre = screen_to_pixels(self.vector[2:4], self.width, self.height)
        return np.array([[focal[0], 0, centre[0]], [0, focal[1], centre[1]], [0, 0, 1]], np.float32)

    def see(self, points: np.ndarray) -> np.ndarray:
        """World points (..., 3) m into the camera's axes: x right, y down, z forward."""
        return world_to_camera(points, self.orientation, self.position)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) m in the camera's axes to pixels (..., 2), with all distortion."""
        if self.vector is None:
            raise ValueError(f"the intrinsics of camera {self.name} aren't known")
        return screen_to_pixels(project(points, self.vector), self.width, self.height)


@cache
def cameras(data_set: str) -> dict[str, list[PlacedCamera]]:
    """The cameras of "human36m" or "humaneva" by subject, in the order of the sets' 2D files."""
    stored = json.loads(Path(__file__).with_suffix(".json").read_text())[data_set]
    return {
        subject: [_camera(*pair) for pair in zip(stored["cameras"], places, strict=True)]
        for subject, places in stored["placed"].items()
    }


def _camera(own: dict, place: dict) -> PlacedCamera:
    width, height = own["width"], own["height"]
    vector = None
    if "focal" in own:
        focal = np.array(own["focal"]) * 2 / width
        centre = pixels_to_screen(np.array(own["centre"]), width, height)
        vector = np.concatenate([focal, centre, own["radial"], own["tangential"]])
        vector = vector.astype(np.float32)
    orientation = np.array(place["orientation"], np.float32)
    position = np.array(place["translation_mm"], np.float32) / 1000
    return PlacedCamera(own["name"], width, height, vector, orientation, position)


def pixels_to_screen(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Pixels (..., 2) to screen coordinates (..., 2); a third column is kept as it is."""
    middle = np.array([1, height / width], pixels.dtype)
    screen = pixels[..., :2] * pixels.dtype.type(2 / width) - middle
    return np.concatenate([screen, pixels[..., 2:]], axis=-1)


def screen_to_pixels(screen: np.ndarray, width: int, height: int) -> np.ndarray:
    """Back: screen coordinates (..., 2) to pixels (..., 2)."""
    return (screen + np.array([1, height / width], screen.dtype)) * screen.dtype.type(width / 2)


def rotate(quaternion: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) turned by a unit quaternion (w, x, y, z) (4,)."""
    real, axis = quaternion[0], quaternion[1:]
    across = np.cross(axis, vectors)
    return vectors + 2 * (real * across + np.cross(axis, across))


def world_to_camera(
    points: np.ndarray, orientation: np.ndarray, position: np.ndarray
) -> np.ndarray:
    """World points (..., 3) into the axes of a camera turned (4,) and placed (3,) in the world."""
    return rotate(orientation * np.array([1, -1, -1, -1], orientation.dtype), points - position)


def camera_to_world(
    points: np.ndarray, orientation: np.ndarray, position: np.ndarray
) -> np.ndarray:
    """Back: points (..., 3) in the camera's axes into the world's."""
    return rotate(orientation, points) + position


def project(points: np.ndarray, vector: np.ndarray, distorted: bool = True) -> np.ndarray:
    """Points (..., 3) in the camera's axes to screen coordinates (..., 2); vector (9,).

    Tangents are clamped to -1..1 first, as in VideoPose3D's common/camera.py.
    """
    focal, centre, radial, tangential = np.split(vector, [2, 4, 7])
    tangents = np.clip(points[..., :2] / points[..., 2:], -1, 1)
    if not distorted:
        return focal * tangents + centre
    square = (tangents**2).sum(axis=-1, keepdims=True)
    powers = np.concatenate([square, square**2, square**3], axis=-1)
    factor = 1 + (radial * powers).sum(axis=-1, keepdims=True)
    factor += (tangential * tangents).sum(axis=-1, keepdims=True)
    return focal * (tangents * factor + tangential * square) + centre
