"""The camera that took the video: intrinsics from a field of view, given, read or assumed."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from regressor.errors import PosecastError

if TYPE_CHECKING:
    from regressor.video import VideoInfo


@dataclass
class Camera:
    """Intrinsics (3, 3) in pixels, the field of view in degrees, and where that is from."""

    intrinsics: np.ndarray
    fov_deg: float
    source: Literal["given", "metadata", "lines", "assumed"]


def camera_of(fov_deg: float | None, video: "VideoInfo") -> Camera:
    """The camera of a given field of view, else as the file tells, else as assumed."""
    width, height = video.width, video.height
    if fov_deg is not None:
        fov, source = fov_deg, "given"
    elif video.fov_deg is not None:
        fov, source = video.fov_deg, "metadata"
    else:
        fov, source = assumed_fov(width, height), "assumed"
    return Camera(intrinsics_from_fov(fov, width, height), fov, source)


def camera_by_lines(assumed: Camera, image: np.ndarray) -> Camera:
    """The camera that lines in a picture (H, W, 3) uint8 tell of; the assumed one if none do."""
    from regressor.straight_lines import fov_by_lines

    fov = fov_by_lines(image)
    if fov is None:
        return assumed
    return Camera(intrinsics_from_fov(fov, image.shape[1], image.shape[0]), fov, "lines")


def intrinsics_from_fov(fov_deg: float, width: int, height: int) -> np.ndarray:
    """(3, 3) pixels, from the horizontal field of view in degrees; the centre is the picture's."""
    if not 5 <= fov_deg <= 160:
        raise PosecastError(f"A field of view of {fov_deg:g} degrees is none: give 5 to 160.")
    focal = 0.5 * width / math.tan(math.radians(fov_deg) / 2)
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])


def assumed_fov(width: int, height: int) -> float:
    """Horizontal field of view in degrees when nothing is known: the focal length is the diagonal.

    The field's usual guess (47 degrees for 16:9); between a phone's and a camcorder's.
    """
    return math.degrees(2 * math.atan(0.5 * width / math.hypot(width, height)))
