"""A film of the result: the body over the video beside a second view of it, without a window.

Each view is rendered into pictures in a scene of its own, and Blender's sequencer puts video and
pictures together and encodes them.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import bpy

from . import stage
from .camera import missing_rotation
from .motion_file import Motion

LONG_SIDE_PX = 640  # of one of the two pictures
SUPERSAMPLING = 1.5  # cheaper than Workbench's own smoothing of edges
OVERLAY_OPACITY = 0.85
WORKBENCH, CYCLES = "BLENDER_WORKBENCH", "CYCLES"
CYCLES_SAMPLES = 6

_PROBE = """
import bpy, os, sys
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.camera = bpy.data.objects.new("c", bpy.data.cameras.new("c"))
scene.render.engine = "BLENDER_WORKBENCH"
scene.render.resolution_x = scene.render.resolution_y = 16
status = 1
try:
    status = 0 if "FINISHED" in bpy.ops.render.render() else 1
finally:
    os._exit(status)
"""


def start_probe() -> subprocess.Popen:
    """Starts a Blender that renders one small picture with Workbench.

    Without a graphics driver Blender may end then and there, hence another process. Wait for it and
    give it to `engine`.
    """
    program = bpy.app.binary_path
    if program:
        command = [program, "-b", "--factory-startup", "--python-expr", _PROBE]
    else:  # Blender as a Python module
        command = [sys.executable, "-c", _PROBE]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)


def engine(probe: subprocess.Popen, timeout_s: float = 120.0) -> str:
    """Workbench where it works; otherwise Cycles, which needs no graphics driver but more time."""
    try:
        return WORKBENCH if probe.wait(timeout_s) == 0 else CYCLES
    except subprocess.TimeoutExpired:
        probe.kill()
        return CYCLES


def pane_size(image_size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) px of each of the two pictures: the video's shape, even for the encoder."""
    scale = LONG_SIDE_PX / max(image_size)
    width, height = (max(2, 2 * round(side * scale / 2)) for side in image_size)
    return width, height


def render_preview(
    path: Path,
    scene: bpy.types.Scene,
    bodies: list[tuple],
    motion: Motion,
    video: Path | None,
    clip_start: float,
    folder: Path,
    engine_name: str = WORKBENCH,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Writes `path` (.mp4): all frames of `scene`, its camera's view and one from the side.

    bodies are (armature, mesh) in collections of their own. Pictures go into `folder`. The scenes
    made for it are taken away again. progress gets (pictures rendered, pictures in all).
    """
    frames = range(scene.frame_start, scene.frame_end + 1)
    image_size = motion.camera.image_size if motion.camera else None
    size = pane_size(image_size or (16, 9))
    joints = stage.joint_paths(scene, [armature for armature, _ in bodies], frames)
    made = []
    try:
        overlay = stage.overlay_scene(scene, bodies, transparent=video is not None)
        made.append(overlay)
        side = stage.side_scene(
            scene, bodies, joints, frames, size, shadows=engine_name == WORKBENCH
        )
        made.append(side)
        views = {"overlay": overlay, "side": side}
        for number, (name, view) in enumerate(views.items()):
            _render_pictures(
                view, frames, size, engine_name, folder / name,
                lambda done, number=number: progress(number * len(frames) + done, 2 * len(frames)),
            )  # fmt: skip
        film = _film_scene(
            scene, size, frames, folder, image_size, video, clip_start, _supersampling(engine_name)
        )
        made.append(film)
        film.render.filepath = str(path)
        bpy.ops.render.render(animation=True, scene=film.name)
    finally:
        bpy.context.window.scene = scene
        for view in made:
            stage.remove_scene(view)
    if not path.is_file():
        raise RuntimeError(f"Blender's encoder wrote no {path.name}")


def _render_pictures(view, frames, size, engine_name, folder: Path, progress) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    render = view.render
    render.engine = engine_name
    if engine_name == WORKBENCH:
        view.display.render_aa = "OFF"
        view.display.shading.color_type = "MATERIAL"
    else:
        view.cycles.samples, view.cycles.use_denoising, view.cycles.max_bounces = (
            CYCLES_SAMPLES, False, 2,
        )  # fmt: skip
    scale = _supersampling(engine_name)
    render.resolution_x, render.resolution_y = (round(side * scale) for side in size)
    render.resolution_percentage = 100
    render.use_persistent_data = False
    render.image_settings.file_format = "PNG"
    render.image_settings.color_mode = "RGBA"
    render.image_settings.compression = 0
    # Of a scene that no window shows, Blender renders the same frame again and again.
    bpy.context.window.scene = view
    for done, frame in enumerate(frames, 1):
        view.frame_set(frame)
        render.filepath = str(folder / _picture(frame))
        bpy.ops.render.render(write_still=True, scene=view.name)
        progress(done)


def _supersampling(engine_name: str) -> float:
    return SUPERSAMPLING if engine_name == WORKBENCH else 1.0


def _picture(frame: int) -> str:
    return f"{frame:06d}.png"


def _film_scene(
    scene, size, frames, folder: Path, image_size, video, clip_start, shown_larger
) -> bpy.types.Scene:
    film = stage.new_scene(scene, "Posecast film")
    width, height = size
    film.render.resolution_x, film.render.resolution_y = 2 * width, height
    editor = film.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    if video is not None:
        _add_movie(strips, video, image_size, size, scene, clip_start)
    scale = 1.0 / shown_larger
    for channel, (name, sign) in enumerate((("overlay", -1), ("side", 1)), 2):
        # One strip a picture, for a still picture's strip goes on showing it when given others.
        for frame in frames:
            file = str(folder / name / _picture(frame))
            strip = strips.new_image(f"{name} {frame}", file, channel, frame, fit_method="ORIGINAL")
            strip.frame_final_duration = 1
            strip.transform.scale_x = strip.transform.scale_y = scale
            strip.transform.offset_x = sign * width / 2
            strip.blend_type = "ALPHA_OVER"
            if name == "overlay" and video is not None:
                strip.blend_alpha = OVERLAY_OPACITY
    encode_as_h264(film)
    return film


def _add_movie(
    strips, video: Path, image_size: tuple | None, size, scene, clip_start: float
) -> None:
    rate = scene.render.fps / scene.render.fps_base
    first = 1 - round(clip_start * rate)
    strip = strips.new_movie("video", str(video), 1, first, fit_method="ORIGINAL")
    clip = bpy.data.movieclips.load(str(video))
    shown = tuple(clip.size)
    bpy.data.movieclips.remove(clip)
    turn = missing_rotation(video, shown, image_size)
    strip.transform.rotation = turn
    upright = shown[::-1] if turn and shown != image_size else shown
    strip.transform.scale_x = strip.transform.scale_y = size[0] / upright[0]
    strip.transform.offset_x = -size[0] / 2


def encode_as_h264(film: bpy.types.Scene) -> None:
    settings = film.render.image_settings
    if hasattr(settings, "media_type"):  # from 5.0 on
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    settings.color_mode = "RGB"
    film.render.ffmpeg.format = "MPEG4"
    film.render.ffmpeg.codec = "H264"
    film.render.ffmpeg.constant_rate_factor = "MEDIUM"
    film.render.ffmpeg.ffmpeg_preset = "GOOD"
    film.render.ffmpeg.audio_codec = "NONE"
