"""The video's camera in Blender: its field of view, its place, and the video behind the body."""

import mmap
import struct
from pathlib import Path

import bpy
import numpy as np

from .action import ensure_action, write_keys
from .motion_file import Camera, continuous, matrix_to_quaternion

SENSOR_MM = 36.0
# OpenCV's camera looks along +z with y down; Blender's looks along -z with y up.
OPENCV_TO_BLENDER = np.diag([1.0, -1.0, -1.0])
STILL = 1e-6


def add_camera(seen: Camera, scene: bpy.types.Scene, collection, frames: np.ndarray):
    """The Motion's camera, as the scene's camera and picture size; keyed at `frames` if it moves.

    Pixels are taken as square, as the estimator gives them.
    """
    width, height = seen.image_size
    data = bpy.data.cameras.new("Video camera")
    camera = bpy.data.objects.new("Video camera", data)
    collection.objects.link(camera)
    data.sensor_fit, data.sensor_width = "HORIZONTAL", SENSOR_MM
    data.lens = float(seen.intrinsics[0, 0]) * SENSOR_MM / width
    data.shift_x = (width / 2 - float(seen.intrinsics[0, 2])) / width
    data.shift_y = (float(seen.intrinsics[1, 2]) - height / 2) / width
    data.clip_start, data.clip_end = 0.05, 1000.0
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.resolution_percentage = 100
    scene.render.pixel_aspect_x = scene.render.pixel_aspect_y = 1.0
    scene.camera = camera
    _place(camera, seen.extrinsics, frames)
    return camera


def _place(camera: bpy.types.Object, extrinsics: np.ndarray, frames: np.ndarray) -> None:
    world_to_camera = extrinsics[:, :3, :3]
    centres = -np.einsum("tji,tj->ti", world_to_camera, extrinsics[:, :3, 3])
    turns = world_to_camera.transpose(0, 2, 1) @ OPENCV_TO_BLENDER
    quaternions = continuous(matrix_to_quaternion(turns))
    camera.rotation_mode = "QUATERNION"
    camera.location, camera.rotation_quaternion = centres[0], quaternions[0]
    if np.ptp(extrinsics, axis=0).max() > STILL:
        ensure_action(camera, camera.name)
        write_keys(camera, "location", frames, centres)
        write_keys(camera, "rotation_quaternion", frames, quaternions)


def add_video(camera, path: str | Path, image_size: tuple, clip_start: float, scene_fps: float):
    """Shows the video behind all that `camera` sees, its `clip_start` (s) at frame 1."""
    image = bpy.data.images.load(str(path))
    camera.data.show_background_images = True
    background = camera.data.background_images.new()
    background.image = image
    background.alpha, background.display_depth, background.frame_method = 1.0, "BACK", "FIT"
    user = background.image_user
    user.frame_start, user.frame_offset = 1, round(clip_start * scene_fps)
    user.frame_duration = max(1, image.frame_duration - user.frame_offset)
    user.use_auto_refresh = True
    background.rotation = missing_rotation(path, tuple(image.size), image_size)
    if background.rotation:
        # It was fitted lying down.
        background.scale = max(image_size) / min(image_size)
    return image


def missing_rotation(path: str | Path, shown: tuple, wanted: tuple | None) -> float:
    """The turn (radians, anticlockwise) that a phone's video still needs in this Blender.

    Blender before 4.5 or so shows a portrait video lying down, which its `shown` size tells.
    """
    if wanted is None or shown == wanted or shown != wanted[::-1]:
        return 0.0
    return np.pi / 2 if _stored_rotation(Path(path)) == 270 else -np.pi / 2


def _stored_rotation(path: Path) -> int:
    """Degrees clockwise by which an .mp4 or .mov is to be turned, from its track header."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        place = data.find(b"tkhd")
        while place >= 0:
            # The matrix comes after 40 bytes, or 52 in the header's long form; 16.16 fixed point.
            start = place + (44 if data[place + 4] == 0 else 56)
            a, b, _, c, d = struct.unpack_from(">5i", data, start)
            if (a, b, c, d) != (0, 0, 0, 0) and a == d == 0 and b:
                return 90 if b > 0 else 270
            place = data.find(b"tkhd", place + 4)
    return 0
