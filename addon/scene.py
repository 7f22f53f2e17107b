"""Motions put into a scene: bodies, keyframes, the video's camera, frame rate and range."""

from pathlib import Path

import bpy
import numpy as np

from .action import apply_motion, frame_numbers, set_scene_range, set_scene_rate
from .body import BodyData, create_body
from .camera import add_camera, add_video
from .motion_file import Motion

FIRST_FRAME = 1
MOST_FPS = 120.0  # a phone's variable rate may be told as thousands


class VideoError(Exception):
    """Blender can't show the video; the text is one sentence for the user."""


def video_rate(video: Path | None, motion: Motion) -> float:
    """Frames per second for the scene: the video's, so that Blender shows it in step.

    The Motion's own where they are as good as equal, or there is no video. Raises VideoError.
    """
    if video is None:
        return motion.fps
    clip = bpy.data.movieclips.load(str(video))
    rate, readable = clip.fps, clip.frame_duration > 0 and min(clip.size) > 0
    bpy.data.movieclips.remove(clip)
    if not readable:
        raise VideoError(f"Blender can't read the video {video.name}; convert it to H.264.")
    same = abs(rate / motion.fps - 1) < 0.02
    return motion.fps if same or not 1 <= rate <= MOST_FPS else rate


def build(
    scene: bpy.types.Scene, motions: list[Motion], data: BodyData, video: Path | None = None
) -> tuple[list[tuple], float]:
    """The Motions (of one video) on a body each; sets the scene's rate and range.

    Returns (armature, mesh) of each, and the second of the video that is at frame 1.
    """
    fps = video_rate(video, motions[0])
    set_scene_rate(scene, fps)
    clip_start = float(min(motion.times[0] for motion in motions))
    bodies, keyed = [], []
    for number, motion in enumerate(motions, 1):
        name = "Posecast" if len(motions) == 1 else f"Posecast {number}"
        armature, mesh = create_body(data, motion.betas, name, scene.collection)
        frames = frame_numbers(motion, fps, FIRST_FRAME, clip_start)
        apply_motion(motion, armature, mesh, frames)
        bodies.append((armature, mesh))
        keyed.append(frames)
    set_scene_range(scene, np.concatenate(keyed))
    # The person seen for longest tells most of a camera that moves.
    longest = max(range(len(motions)), key=lambda index: len(motions[index]))
    seen = motions[longest].camera
    if seen is not None:
        item = add_camera(seen, scene, scene.collection, keyed[longest])
        if video is not None:
            add_video(item, video, seen.image_size, clip_start, fps)
    scene.frame_set(scene.frame_start)
    return bodies, clip_start
