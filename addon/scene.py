"""Motions put into a scene: bodies, keyframes, the video's camera, frame rate and range."""

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from . import modes, results
from .action import (
    CONSTANT,
    apply_motion,
    ensure_action,
    frame_numbers,
    scene_rate,
    set_scene_range,
    set_scene_rate,
    write_keys,
)
from .body import BodyData, create_body, mesh_of
from .camera import Timing, add_camera, add_video, keep_view, look_through
from .chosen_body import betas_for, chosen_body
from .motion_file import Motion, read_motion
from .pictures import is_picture
from .shape import reshape
from .shared_world import in_world_of, moved_along
from .video_info import picture_size

FIRST_FRAME = 1
MOST_FPS = 120.0  # a phone's variable rate may be told as thousands
COLLECTION = "Posecast"


class VideoError(Exception):
    """Blender can't show the video; the text is one sentence for the user."""


@dataclass(frozen=True)
class Placing:
    """How results are put into the scene.

    rate "VIDEO": the scene gets the video's rate, range and camera. "SCENE": it keeps its own, and
    the Motion begins at the first frame of its range. betas "VIDEO" or "NEUTRAL". nla: an earlier
    run of the same person goes onto a muted track. x: metres by which all of it is moved along.
    """

    rate: str = "VIDEO"
    betas: str = "VIDEO"
    nla: bool = False
    name: str = "Posecast"
    x: float = 0.0


def add_result(context, files: list[Path], video: Path | None, settings, x: float = 0.0) -> list:
    """Motion files (of one video) as the settings say, on a body each; returns the armatures.

    A person of this video who has this body already gets another action on it. A video that
    Blender can't show is left out, and armature["posecast_note"] says so. The scene is changed
    only once all files are read: raises MotionFileError, BodyFileError, EstimatorError before.
    Poses of a picture leave the scene's rate and range as they are.
    """
    with wait_cursor(context):
        motions = [read_motion(file) for file in files]
        data = chosen_body(context, settings.body)
        stem = (video or files[0]).stem
        still = all(len(motion) == 1 for motion in motions)
        rate = "SCENE" if still else settings.rate
        how = Placing(rate, settings.betas, settings.nla, stem, x)
        note, shown = "", video
        try:
            video_rate(video, motions[0])
        except VideoError as error:
            note, shown = str(error), None
        bodies, _ = place(context.scene, motions, data, shown, how, files, video)
        for armature, _ in bodies:
            armature["posecast_note"] = note
        make_active(context, [armature for armature, _ in bodies])
    return [armature for armature, _ in bodies]


def build(
    scene: bpy.types.Scene, motions: list[Motion], data: BodyData, video: Path | None = None
) -> tuple[list[tuple], float]:
    """The Motions (of one video) on a new body each; sets the scene's rate, range and camera.

    Returns (armature, mesh) of each, and the second of the video that is at frame 1. Raises
    VideoError.
    """
    return place(scene, motions, data, video, Placing())


def place(
    scene: bpy.types.Scene,
    motions: list[Motion],
    data: BodyData,
    video: Path | None,
    how: Placing,
    files: list[Path] | None = None,
    of_video: Path | None = None,
) -> tuple[list[tuple], float]:
    """`build` as `how` says. `files` are the Motions' own, `of_video` what they were made from."""
    movie_fps = video_rate(video, motions[0])
    start = FIRST_FRAME if how.rate == "VIDEO" else scene.frame_start
    if how.rate == "VIDEO":
        set_scene_rate(scene, movie_fps)
    fps = scene_rate(scene)
    clip_start = float(min(motion.times[0] for motion in motions))
    # The person seen for longest tells most of a camera that moves.
    longest = max(range(len(motions)), key=lambda index: len(motions[index]))
    motions = [moved_along(in_world_of(motions[longest], motion), how.x) for motion in motions]
    keyed = [frame_numbers(motion, fps, start, clip_start) for motion in motions]
    collection = _collection(scene)
    bodies = []
    for index, (motion, frames) in enumerate(zip(motions, keyed, strict=True)):
        name = how.name if len(motions) == 1 else f"{how.name} {motion_number(motions, index)}"
        known = results.find_body(scene, of_video, motion.person, data.name)
        if any(known is armature for armature, _ in bodies):
            known = None  # two files that name the same person are two people nevertheless
        armature, mesh = _body(
            known, data, betas_for(data.name, motion, how.betas), name, collection
        )
        if known is not None:
            results.put_aside(armature, how.nla)
        apply_motion(motion, armature, mesh, frames)
        _show_within(armature, mesh, frames, np.concatenate(keyed))
        results.record(armature, motion, files[index] if files else None, of_video or video)
        bodies.append((armature, mesh))
    everything = np.concatenate(keyed)
    if how.rate == "VIDEO":
        set_scene_range(scene, everything)
    seen = motions[longest].camera
    if seen is not None:
        timing = Timing(clip_start, start, fps, movie_fps, int(np.ceil(everything.max())))
        armatures = [armature for armature, _ in bodies]
        camera = _camera(scene, seen, collection, keyed[longest], armatures)
        if video is not None:
            add_video(camera, video, seen.image_size, timing)
        for armature in armatures:
            keep_view(camera, results.active_action(armature))
        if how.rate == "VIDEO" or scene.camera is None:
            look_through(scene, camera)
    scene.frame_set(scene.frame_start if how.rate == "VIDEO" else scene.frame_current)
    return bodies, clip_start


def video_rate(video: Path | None, motion: Motion) -> float:
    """Frames per second for the scene: the video's, so that Blender shows it in step.

    The Motion's own where they are as good as equal, or there is no video. Raises VideoError.
    """
    if video is None:
        return motion.fps
    if is_picture(video):
        if not min(picture_size(video)):
            raise VideoError(f"Blender can't show the picture {video.name}; save it as a JPEG.")
        return motion.fps
    try:
        clip = bpy.data.movieclips.load(str(video))
    except RuntimeError:
        raise VideoError(f"There is no video {video} any more; put it back there.") from None
    rate, readable = clip.fps, clip.frame_duration > 0 and min(clip.size) > 0
    bpy.data.movieclips.remove(clip)
    if not readable:
        raise VideoError(f"Blender can't read the video {video.name}; convert it to H.264.")
    same = abs(rate / motion.fps - 1) < 0.02
    return motion.fps if same or not 1 <= rate <= MOST_FPS else rate


def motion_number(motions: list[Motion], index: int) -> int:
    """The person's own number; the place in the list where persons aren't told apart."""
    persons = [motion.person for motion in motions]
    return persons[index] if len(set(persons)) == len(persons) else index + 1


@contextmanager
def wait_cursor(context):
    """The cursor says that Blender is busy."""
    window = None if bpy.app.background else context.window
    if window is not None:
        window.cursor_modal_set("WAIT")
    try:
        yield
    finally:
        if window is not None:
            window.cursor_modal_restore()


def _collection(scene: bpy.types.Scene) -> bpy.types.Collection:
    """The collection that holds all results of a scene."""
    for child in scene.collection.children:
        if child.get("posecast") and not (child.library or child.override_library):
            return child
    made = bpy.data.collections.new(COLLECTION)
    made["posecast"] = True
    scene.collection.children.link(made)
    return made


def _body(known, data: BodyData, betas: np.ndarray, name: str, collection) -> tuple:
    if known is None:
        return create_body(data, betas, name, collection)
    reshape(known, betas)
    return known, mesh_of(known)


def _show_within(armature, mesh, frames: np.ndarray, everybodys: np.ndarray) -> None:
    """Keys a body of several so that it is seen within its own frames only."""
    first, after = int(np.floor(frames.min())), int(np.floor(frames.max())) + 1
    late, early = first > np.floor(everybodys.min()), after <= np.floor(everybodys.max())
    if mesh is not None:
        mesh.animation_data_clear()
        mesh.hide_viewport = mesh.hide_render = False
    if not (late or early):
        return
    times = np.array([first - 1, first, after], float)
    hidden = np.array([late, False, early], float)
    write_keys(armature, "hide_viewport", times, hidden, between=CONSTANT)
    if mesh is not None:
        ensure_action(mesh, f"{armature.name} visibility")
        write_keys(mesh, "hide_viewport", times, hidden, between=CONSTANT)
        write_keys(mesh, "hide_render", times, hidden, between=CONSTANT)


def _camera(scene, seen, collection, frames: np.ndarray, armatures: list):
    """The camera of these bodies' video: theirs from an earlier run, or a new one."""
    earlier = (results.camera_of(scene, armature) for armature in armatures)
    camera = add_camera(seen, collection, frames, next(filter(None, earlier), None))
    if "posecast_camera" not in camera:
        camera["posecast_camera"] = armatures[0]["posecast_id"]
    for armature in armatures:
        armature["posecast_camera"] = camera["posecast_camera"]
    return camera


def make_active(context, armatures: list) -> None:
    """Selects the bodies; where their collections were unticked, they are ticked again."""
    layer = context.view_layer
    modes.leave()
    for armature in armatures:
        if armature.name not in layer.objects:
            modes.include(armature, layer.layer_collection)
    for item in layer.objects:
        item.select_set(item in armatures)
    layer.objects.active = armatures[0]
