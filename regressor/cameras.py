"""The camera that took the video: intrinsics from a field of view, given, read or assumed."""

import math

import numpy as np

from regressor.errors import PosecastError


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
