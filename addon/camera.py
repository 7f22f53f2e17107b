"""The video's camera in Blender: its field of view, its place, and the video behind the body."""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from .action import CONSTANT, assign_action, ensure_action, write_keys
from .motion_file import Camera, continuous, matrix_to_quaternion
from .pictures import is_picture, stored_turn

SENSOR_MM = 36.0
# OpenCV's camera looks along +z with y down; Blender's looks along -z with y up.
OPENCV_TO_BLENDER = np.diag([1.0, -1.0, -1.0])
STILL = 1e-6
TURNS_VIDEOS = bpy.app.version >= (4, 5)  # as the file says; seen in 4.5, not in 4.2 and 4.3
SAME_RATE = 0.02  # as far may a file's rate be off what its frames' times say


def add_camera(seen: Camera, collection, frames: np.ndarray, camera=None) -> bpy.types.Object:
    """The Motion's camera; keyed at `frames` if it moves. An earlier `camera` is set anew.

    Pixels are taken as square, as the estimator gives them.
    """
    width, height = seen.image_size
    if camera is None:
        camera = bpy.data.objects.new("Video camera", bpy.data.cameras.new("Video camera"))
        collection.objects.link(camera)
    data = camera.data
    data.sensor_fit, data.sensor_width = "HORIZONTAL", SENSOR_MM
    data.lens = float(seen.intrinsics[0, 0]) * SENSOR_MM / width
    data.shift_x = (width / 2 - float(seen.intrinsics[0, 2])) / width
    data.shift_y = (float(seen.intrinsics[1, 2]) - height / 2) / width
    data.clip_start, data.clip_end = 0.05, 1000.0
    camera["posecast_size"] = [width, height]
    camera.animation_data_clear()
    _place(camera, seen.extrinsics, frames)
    return camera


def keep_view(camera: bpy.types.Object, run: bpy.types.Action) -> None:
    """Notes with a run from where it is seen, which another run of the video may see otherwise."""
    data = camera.data
    run["posecast_view"] = [
        data.lens, data.shift_x, data.shift_y, *camera.location, *camera.rotation_quaternion
    ]  # fmt: skip
    run["posecast_offset"] = [each.image_user.frame_offset for each in data.background_images]
    moving = camera.animation_data.action if camera.animation_data is not None else None
    if moving is not None:
        run["posecast_view_action"] = moving  # keeps it in the file, too


def restore_view(camera: bpy.types.Object, run: bpy.types.Action) -> None:
    """Puts the camera where `keep_view` noted it, if it did."""
    if "posecast_view" not in run:
        return
    data, view = camera.data, list(run["posecast_view"])
    data.lens, data.shift_x, data.shift_y = view[:3]
    camera.animation_data_clear()
    camera.location, camera.rotation_quaternion = view[3:6], view[6:]
    if (moving := run.get("posecast_view_action")) is not None:
        assign_action(camera, moving)
    for background, offset in zip(data.background_images, run["posecast_offset"], strict=False):
        background.image_user.frame_offset = offset


def look_through(scene: bpy.types.Scene, camera: bpy.types.Object) -> None:
    """Makes a camera of `add_camera` the scene's, and its video's picture size the scene's."""
    width, height = camera["posecast_size"]
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.resolution_percentage = 100
    scene.render.pixel_aspect_x = scene.render.pixel_aspect_y = 1.0
    scene.camera = camera


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


@dataclass(frozen=True)
class Timing:
    """How a video lies on the timeline: its second `clip_start` at the scene's frame `start`."""

    clip_start: float
    start: int
    scene_fps: float
    video_fps: float  # as Blender counts the video's frames
    last: int  # the last frame of the scene that it is shown at

    def video_frames(self, frames: np.ndarray) -> np.ndarray:
        """(N,) numbers from 1 of the video's frames to be shown at scene frames (N,)."""
        seconds = self.clip_start + (frames - self.start) / self.scene_fps
        return np.maximum(np.round(seconds * self.video_fps).astype(int) + 1, 1)


def add_video(camera, path: str | Path, image_size: tuple, timing: Timing) -> bpy.types.Image:
    """Shows the video behind all that `camera` sees, in step with the timeline.

    Where the scene's rate isn't the video's, the frame to show is keyed for each of the scene's.
    """
    image = bpy.data.images.load(str(path), check_existing=True)
    camera.data.animation_data_clear()
    camera.data.background_images.clear()
    camera.data.show_background_images = True
    background = camera.data.background_images.new()
    background.image = image
    background.alpha, background.display_depth, background.frame_method = 1.0, "BACK", "FIT"
    user = background.image_user
    user.use_auto_refresh = True
    frames = np.arange(timing.start, max(timing.last, timing.start) + 1)
    shown = timing.video_frames(frames)
    # Blender shows the frame (scene frame - start + 1) + offset, the bracket at most the duration.
    offsets = shown - (frames - timing.start + 1)
    user.frame_start, user.frame_offset = timing.start, int(offsets[0])
    user.frame_duration = max(1, image.frame_duration - int(offsets[0]), len(frames))
    if abs(timing.scene_fps / timing.video_fps - 1) > SAME_RATE:
        ensure_action(camera.data, f"{camera.name} video")
        changes = np.flatnonzero(np.diff(offsets, prepend=offsets[0] - 1))
        path_to_offset = "background_images[0].image_user.frame_offset"
        write_keys(camera.data, path_to_offset, frames[changes], offsets[changes], between=CONSTANT)
    background.rotation = missing_rotation(path, tuple(image.size), image_size)
    if tuple(image.size) != tuple(image_size) and background.rotation:
        # It was fitted lying down.
        background.scale = max(image_size) / min(image_size)
    return image


def missing_rotation(path: str | Path, shown: tuple, wanted: tuple | None) -> float:
    """The turn (radians, anticlockwise) that a phone's video or picture needs in this Blender.

    Older ones show a video as it is stored: one in portrait is lying down, which its `shown` size
    tells, and one filmed upside down stands on its head. Pictures are shown as stored by all.
    """
    if is_picture(Path(path)):
        return -np.radians(stored_turn(Path(path)))
    if wanted is None or shown not in (wanted, wanted[::-1]):
        return 0.0
    if shown == wanted:
        upside_down = not TURNS_VIDEOS and _stored_rotation(Path(path)) == 180
        return np.pi if upside_down else 0.0
    return np.pi / 2 if _stored_rotation(Path(path)) == 270 else -np.pi / 2


def _stored_rotation(path: Path) -> int:
    """Degrees clockwise by which an .mp4 or .mov is to be turned, from its track header."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        place = data.find(b"tkhd")
        while place >= 0:
            # The matrix comes after 40 bytes, or 52 in the header's long form; 16.16 fixed point.
            start = place + (44 if data[place + 4] == 0 else 56)
            a, b, _, c, d = struct.unpack_from(">5i", data, start)
            if a == d == 0 and b and c:
                return 90 if b > 0 else 270
            if b == c == 0 and a < 0 and d < 0:
                return 180
            place = data.find(b"tkhd", place + 4)
    return 0
