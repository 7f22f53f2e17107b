"""What the panel shows of videos: length, size and rate, a thumbnail, and the people in a look.

The same of a picture, or of a folder of pictures.

Blender's own reader gives it, so it is there before the estimator is set up. All is read when the
video is chosen, and only looked up while the panel is drawn.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import bpy
import bpy.utils.previews
import numpy as np
from bpy.app.handlers import persistent

from .pictures import is_picture, pictures_in

PICTURE = 512  # pixels a side of the square that holds the picture of people

_infos: dict[str, "VideoInfo | Stills | str"] = {}
_looks: dict[str, "Look"] = {}
_previews = None


@dataclass(frozen=True)
class VideoInfo:
    frames: int
    fps: float
    width: int
    height: int

    def __str__(self) -> str:
        seconds = self.frames / self.fps
        length = f"{seconds:.1f} s" if seconds < 60 else f"{seconds // 60:.0f}:{seconds % 60:02.0f}"
        return f"{length}, {self.frames} frames at {self.fps:.4g}, {self.width} x {self.height}"


@dataclass(frozen=True)
class Stills:
    """So many pictures; the first one's size in pixels, 0 where Blender can't show it."""

    count: int
    width: int
    height: int

    def __str__(self) -> str:
        if self.count > 1:
            return f"{self.count} pictures, a pose each"
        size = f"{self.width} x {self.height}" if self.width else "which Blender can't show"
        return f"A picture, {size}"


@dataclass(frozen=True)
class Look:
    """The people at `time` (s): number -> (x0, y0, x1, y1) px; `icon` shows the picture."""

    time: float
    boxes: dict[int, tuple[float, float, float, float]]
    icon: int

    def point(self, number: int) -> tuple[float, float, float] | None:
        """Seconds and pixels at which the person of this number is seen."""
        if number not in self.boxes:
            return None
        x0, y0, x1, y1 = self.boxes[number]
        return self.time, (x0 + x1) / 2, (y0 + y1) / 2


def absolute(video: str) -> str:
    """The path of the settings' video; "" for none."""
    return bpy.path.abspath(video.strip().strip('"')) if video.strip() else ""


def known(video: str) -> VideoInfo | Stills | str | None:
    """What `read` found of the path: the facts, or a sentence on why there are none."""
    return _infos.get(video)


def look(video: str) -> Look | None:
    return _looks.get(video)


def thumbnail(video: str) -> int:
    """The icon of the video's thumbnail; 0 for none."""
    return _previews[video].icon_id if _previews is not None and video in _previews else 0


def read(video: str) -> VideoInfo | Stills | str | None:
    """Reads the facts of the video at this absolute path and asks for its thumbnail."""
    _looks.pop(video, None)
    _infos.pop(video, None)
    if not video:
        return None
    found = _infos[video] = _read(Path(video))
    if not isinstance(found, str) and _previews is not None:
        if video in _previews:  # the file may be another by now
            del _previews[video]
        first = next(iter(pictures_in(Path(video))), video)
        kind = "MOVIE" if isinstance(found, VideoInfo) else "IMAGE"
        _previews.load(video, str(first), kind)  # made when it is first drawn, in the background
    return found


def _read(path: Path) -> VideoInfo | Stills | str:
    if path.is_dir():
        pictures = pictures_in(path)
        if not pictures:
            return f"{path} is a folder without pictures; name a video or a picture."
        return Stills(len(pictures), *picture_size(pictures[0]))
    if not path.is_file():
        return f"There is no video {path}; check the path."
    if is_picture(path):
        return Stills(1, *picture_size(path))
    try:
        clip = bpy.data.movieclips.load(str(path))
    except RuntimeError:
        return f"{path.name} can't be opened; check that you may read it."
    info = VideoInfo(clip.frame_duration, clip.fps, *clip.size)
    bpy.data.movieclips.remove(clip)
    if clip_is_empty(info):
        return f"{path.name} isn't a video that Blender can read; convert it to H.264."
    return info


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels; 0 where Blender can't show it, or may not."""
    try:
        image = bpy.data.images.load(str(path))
    except RuntimeError:
        return 0, 0
    width, height = image.size
    bpy.data.images.remove(image)
    return width, height


def clip_is_empty(info: VideoInfo) -> bool:
    return min(info.frames, info.width, info.height) <= 0 or not 0 < info.fps < 10000


def keep_look(video: str, picture: Path) -> Look:
    """Keeps what `regressor.look` found: its picture, and the .json beside it."""
    found = json.loads(picture.with_suffix(".json").read_text(encoding="utf-8"))
    boxes = {person["number"]: tuple(person["box"]) for person in found["people"]}
    pixels = _pixels(picture)
    if boxes:
        scale = pixels.shape[1] / found["width"]
        pixels = around(pixels, scale * np.array(list(boxes.values())))
    _looks[video] = Look(float(found["time"]), boxes, _icon(f"look {video}", padded(pixels)))
    return _looks[video]


def _pixels(file: Path) -> np.ndarray:
    """(height, width, 4) of a picture, the top row first."""
    image = bpy.data.images.load(str(file))
    try:
        width, height = image.size
        pixels = np.empty(4 * width * height, np.float32)
        image.pixels.foreach_get(pixels)
    finally:
        bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1]


def around(pixels: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The part of a picture (height, width, 4) that holds all boxes (N, 4) px, as square as can be.

    A sidebar is narrow: of a wide picture people would be small in it.
    """
    axis = int(pixels.shape[1] > pixels.shape[0])  # the longer side's
    longer, shorter = pixels.shape[axis], pixels.shape[1 - axis]
    first, last = boxes[:, 1 - axis].min(), boxes[:, 3 - axis].max()
    length = int(min(longer, max(shorter, 1.1 * (last - first))))
    start = int(np.clip((first + last - length) / 2, 0, longer - length))
    return pixels[:, start : start + length] if axis else pixels[start : start + length]


def padded(pixels: np.ndarray) -> np.ndarray:
    """A picture (height, width, 4) of at most PICTURE pixels in the middle of a clear square."""
    step = -(-max(pixels.shape[:2]) // PICTURE)
    height, width = (side // step for side in pixels.shape[:2])
    blocks = pixels[: height * step, : width * step].reshape(height, step, width, step, 4)
    side = max(height, width)
    square = np.zeros((side, side, 4), np.float32)
    y, x = (side - height) // 2, (side - width) // 2
    square[y : y + height, x : x + width] = blocks.mean(axis=(1, 3))
    return square


def _icon(name: str, square: np.ndarray) -> int:
    """The icon of a square picture; Blender's own of a file would be smaller than the panel."""
    if _previews is None:
        return 0
    if name in _previews:
        del _previews[name]
    preview = _previews.new(name)
    preview.image_size = square.shape[:2]
    preview.image_pixels_float.foreach_set(np.ascontiguousarray(square[::-1]).ravel())
    return preview.icon_id


@persistent
def _after_loading(*_) -> None:
    for scene in bpy.data.scenes:
        read(absolute(scene.posecast.video))


def register() -> None:
    global _previews
    bpy.app.handlers.load_post.append(_after_loading)
    if not bpy.app.background:
        _previews = bpy.utils.previews.new()


def unregister() -> None:
    global _previews
    bpy.app.handlers.load_post.remove(_after_loading)
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
    _previews = None
    _infos.clear()
    _looks.clear()
