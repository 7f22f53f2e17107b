"""Rendering the pictures, only where the person is, and the film from them."""

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from scripts.demo.room import add_light, add_room
from scripts.demo.stage import CAMERA, FOV_DEG, FPS, PITCH_DEG, SECONDS, SIZE, to_world


def add_camera(scene: bpy.types.Scene) -> None:
    data = bpy.data.cameras.new("Camera")
    data.sensor_fit, data.angle = "HORIZONTAL", np.radians(FOV_DEG)
    camera = bpy.data.objects.new("Camera", data)
    camera.location = to_world(CAMERA)
    camera.rotation_euler = (np.radians(90 - PITCH_DEG), 0, 0)
    scene.collection.objects.link(camera)
    scene.camera = camera


def can_denoise() -> bool:
    """Some distributions build Blender without the denoiser."""
    import _cycles  # exists only inside Blender

    return _cycles.with_openimagedenoise


def set_up(samples: int) -> bpy.types.Scene:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    render = scene.render
    render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = samples, can_denoise()
    scene.cycles.max_bounces, scene.cycles.diffuse_bounces = 2, 1
    scene.cycles.use_adaptive_sampling = False
    if can_denoise():
        scene.cycles.denoising_quality = "BALANCED"
    render.use_persistent_data = True
    render.resolution_x, render.resolution_y = SIZE
    render.fps = FPS
    scene.frame_start, scene.frame_end = 0, round(SECONDS * FPS) - 1
    scene.view_settings.look = "AgX - Medium High Contrast"
    scene.world = bpy.data.worlds.new("World")
    scene.world.use_nodes = True
    sky = scene.world.node_tree.nodes["Background"].inputs
    sky["Color"].default_value, sky["Strength"].default_value = (0.85, 0.93, 1.0, 1), 0.55
    add_camera(scene)
    add_room()
    add_light("key", (-2.6, -3.2, 3.6), (0, 0.4, 0.8), 1.8, 260, (1.0, 0.93, 0.84))
    add_light("fill", (3.5, -2.5, 2.6), (0, 0.5, 1.0), 2.5, 70, (0.85, 0.93, 1.0))
    return scene


@dataclass(frozen=True)
class Region:
    """Pixels x0 … x1, y0 … y1 of the picture, y upwards as Blender counts."""

    x0: int
    y0: int
    x1: int
    y1: int

    @staticmethod
    def around(points_px: np.ndarray) -> "Region":
        """A margin around points (N, 2; y down) that holds the shadow too."""
        low = np.floor(points_px.min(axis=0)).astype(int) - [30, 24]
        high = np.ceil(points_px.max(axis=0)).astype(int) + [100, 24]
        low, high = low.clip(0), np.minimum(high, SIZE)
        return Region(int(low[0]), int(SIZE[1] - high[1]), int(high[0]), int(SIZE[1] - low[1]))

    def limit(self, render) -> None:
        render.use_border = render.use_crop_to_border = True
        # Blender cuts to whole pixels: a quarter of one keeps it from falling to the next below.
        render.border_min_x, render.border_max_x = (
            (self.x0 + 0.25) / SIZE[0],
            (self.x1 + 0.25) / SIZE[0],
        )
        render.border_min_y, render.border_max_y = (
            (self.y0 + 0.25) / SIZE[1],
            (self.y1 + 0.25) / SIZE[1],
        )

    def paste(self, plate: np.ndarray, part: np.ndarray) -> np.ndarray:
        """The picture (H, W, 4) with `part` in this region, fading out over its rim."""
        fades = []
        for low, high, size in ((self.y0, self.y1, SIZE[1]), (self.x0, self.x1, SIZE[0])):
            at = np.arange(low, high)
            fade = np.minimum(at - low if low else 99, high - 1 - at if high < size else 99) / 24
            fades.append(np.clip(fade, 0, 1))
        share = (fades[0][:, None] * fades[1][None, :])[..., None]
        whole = plate.copy()
        window = whole[self.y0 : self.y1, self.x0 : self.x1]
        window[:] = window * (1 - share) + part * share
        return whole


def read_picture(file: Path) -> np.ndarray:
    """(H, W, 4) of 0 … 1 as stored, the lowest row first."""
    image = bpy.data.images.load(str(file))
    values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(values)
    values = values.reshape(image.size[1], image.size[0], 4)
    bpy.data.images.remove(image)
    return values


def write_picture(file: Path, values: np.ndarray) -> None:
    image = bpy.data.images.new("frame", values.shape[1], values.shape[0])
    image.pixels.foreach_set(np.ascontiguousarray(values, np.float32).ravel())
    image.filepath_raw, image.file_format = str(file), "PNG"
    image.save()
    bpy.data.images.remove(image)


def render_frames(person, posed, frames, folder: Path, samples: int) -> None:
    """Pictures frame_0000.png … in `folder`; those that are there already are kept.

    The empty room is rendered once, and of each frame only the region around the person.
    posed(frame) gives vertices (V, 3) in the world and in the picture (V, 2).
    """
    scene = bpy.context.scene
    render = scene.render
    render.image_settings.file_format = "PNG"
    room = folder / "room.png"
    if not room.exists():
        person.hide_render, scene.cycles.samples = True, 4 * samples
        render.filepath = str(room)
        bpy.ops.render.render(write_still=True)
        person.hide_render, scene.cycles.samples = False, samples
    plate = read_picture(room)
    for frame in frames:
        file = folder / f"frame_{frame:04d}.png"
        if file.exists():
            continue
        vertices, pixels = posed(frame)
        person.data.vertices.foreach_set("co", vertices.astype(np.float32).ravel())
        person.data.update()
        region = Region.around(pixels)
        region.limit(render)
        render.filepath = str(folder / "part.png")
        bpy.ops.render.render(write_still=True)
        write_picture(file, region.paste(plate, read_picture(folder / "part.png")))


def encode(folder: Path, count: int, film: Path) -> None:
    """The pictures in `folder` as H.264, their colours unchanged."""
    scene = bpy.data.scenes.new("Film")
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.fps = FPS
    scene.frame_start, scene.frame_end = 1, count
    scene.view_settings.view_transform = "Standard"
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strip = strips.new_image("frames", str(folder / "frame_0000.png"), 1, 1)
    for frame in range(1, count):
        strip.elements.append(f"frame_{frame:04d}.png")
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # 5.0 and later
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    movie = scene.render.ffmpeg
    movie.format, movie.codec = "MPEG4", "H264"
    movie.constant_rate_factor, movie.ffmpeg_preset, movie.gopsize = "HIGH", "BEST", 60
    scene.render.filepath = str(film)
    bpy.ops.render.render(animation=True, scene=scene.name)
