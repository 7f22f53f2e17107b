"""Pictures as videos of one frame, and folders of them.

The picture is turned upright as its EXIF says before anything is measured in it, and the camera's
field of view is read from EXIF where it is told.
"""

import importlib
import importlib.util
import math
import re
import warnings
from collections.abc import Generator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from regressor.errors import VideoError
from regressor.video import FALLBACK_FPS, Video, VideoFrame, VideoInfo, open_video

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".heic", ".heif")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")
FILM_DIAGONAL_MM = math.hypot(36, 24)
UNITS_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # of EXIF's FocalPlaneResolutionUnit
LEAST_PX, MOST_NARROW = 64, 20  # a side, and the longer by the shorter: somebody might be seen
LIKELY_FOV_DEG = (5.0, 160.0)
SAME_SHAPE = 0.03  # of the longer side by the shorter: so much is rounding


def open_source(path: Path) -> Video:
    """A picture, or else a video; raises VideoError where it is neither."""
    named = path.suffix.lower() in SUFFIXES and path.is_file()
    return Still(path) if named or is_still(path) else open_video(path)


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of their names. Raises VideoError without any.

    Hidden files are left out: a Mac lays one, which is no picture, beside each on a foreign disk.
    """
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and path.name[0] != "." and not path.is_dir()
    )
    if not found:
        raise VideoError(
            f"{folder} is a folder without pictures ({', '.join(SUFFIXES)}): give a video, a "
            "picture or a folder of pictures."
        )
    return found


def names_of(pictures: list[Path]) -> list[str]:
    """What to call what is made of each picture: its stem, with the suffix where others have it.

    No two are the same, nor one that of another with a person's number (photo-1 of photo).
    """
    stems = [picture.stem for picture in pictures]
    whole = [f"{picture.stem}-{picture.suffix[1:]}" for picture in pictures]
    names = stems.copy()
    while clashing := [
        i for i, name in enumerate(names) if name == stems[i] and taken(name, names)
    ]:
        for i in clashing:
            names[i] = whole[i]
    return names


def taken(name: str, names: list[str]) -> bool:
    """Whether a name is there twice, or another one is it but for a number behind."""
    return names.count(name) > 1 or re.sub(r"-\d+$", "", name) in set(names) - {name}


def is_still(path: Path) -> bool:
    """Whether a file is a picture, by its first bytes and not by its name."""
    try:
        if is_heic(path):
            return True
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=FORMATS):
            return True
    except Image.DecompressionBombError:
        return True
    except (UnidentifiedImageError, OSError, ValueError):
        return False


def is_heic(path: Path) -> bool:
    with open(path, "rb") as file:
        start = file.read(12)
    return start[4:8] == b"ftyp" and start[8:12] in HEIC_BRANDS


class Still(Video):
    """One upright picture that plays as a video of one frame."""

    def __init__(self, path: Path):
        self.path, self.warning = path, None
        self._image, fov = read_upright(path)
        height, width = self._image.shape[:2]
        if min(height, width) < max(LEAST_PX, max(height, width) / MOST_NARROW):
            raise VideoError(
                f"{path.name} has {width} x {height} pixels, too few or too narrow for a person: "
                "give a larger picture."
            )
        self.info = VideoInfo(path, width, height, FALLBACK_FPS, None, 1, 0, fov)

    def frames(
        self, start: float | None = None, end: float | None = None, fps: float | None = None
    ) -> Generator[VideoFrame, None, None]:
        """The picture. Raises VideoError for a part of it in time."""
        if (start, end, fps) != (None, None, None):
            raise VideoError(f"{self.path.name} is a picture: leave out --start, --end and --fps.")
        return (VideoFrame(0, 0.0, image) for image in [self._image])


def read_upright(path: Path) -> tuple[np.ndarray, float | None]:
    """A picture (H, W, 3) uint8 RGB, upright, and its horizontal field of view in degrees or None.

    Raises VideoError for a picture that can't be read.
    """
    formats = FORMATS
    if is_heic(path):
        if not importlib.util.find_spec("pillow_heif"):
            raise VideoError(
                f"{path.name} is an HEIC picture, which isn't read without pillow-heif: pip "
                "install pillow-heif, or save it as a JPEG."
            )
        importlib.import_module("pillow_heif").register_heif_opener()
        formats = ("HEIF",)
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=formats) as image:
            upright = in_8_bits(ImageOps.exif_transpose(image)).convert("RGB")
            fov = field_of_view(image.getexif(), image.size, upright.width)
    except Image.DecompressionBombError as error:
        raise VideoError(
            f"{path.name} has too many pixels: make it smaller than 100 million."
        ) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise VideoError(
            f"{path.name} can't be read as a picture: it is damaged or cut off."
        ) from error
    return np.array(upright), fov


def in_8_bits(image: Image.Image) -> Image.Image:
    """A grey picture of more bits, which Pillow would cut off at 255, with its brightest as white.

    Pillow gives colours in 8 bits whatever the file has.
    """
    if not (image.mode.startswith("I;16") or image.mode in ("I", "F")):
        return image
    pixels = np.nan_to_num(np.asarray(image, np.float32), posinf=0).clip(0)
    return Image.fromarray((pixels * (255 / max(pixels.max(), 1e-9))).round().astype(np.uint8))


def field_of_view(exif: Image.Exif, stored: tuple[int, int], upright_width: int) -> float | None:
    """Horizontal field of view in degrees, None where EXIF doesn't tell a likely one.

    stored: width and height of the picture as it lies in the file, px; upright_width: after it was
    turned. From the focal length as on 35 mm film, which compares diagonals (CIPA DCG-001), so that
    it is the same however the camera is held; or from the true one and the sensor's resolution.
    A picture of another shape than was taken is a part of it: of how much isn't told.
    """
    tags = exif.get_ifd(ExifTags.IFD.Exif)
    base = ExifTags.Base
    taken = number(tags, base.ExifImageWidth), number(tags, base.ExifImageHeight)
    if all(taken) and abs(slenderness(taken) / slenderness(stored) - 1) > SAME_SHAPE:
        return None
    film_mm = number(tags, base.FocalLengthIn35mmFilm)
    focal_px = film_mm / FILM_DIAGONAL_MM * math.hypot(*stored)
    focal_px = focal_px or sensor_focal(tags, taken, stored)
    if not focal_px:
        return None
    fov = math.degrees(2 * math.atan(0.5 * upright_width / focal_px))
    return fov if LIKELY_FOV_DEG[0] <= fov <= LIKELY_FOV_DEG[1] else None


def slenderness(size: tuple[float, float]) -> float:
    """The longer side by the shorter: turning a picture doesn't change it."""
    return max(size) / min(size)


def sensor_focal(tags: dict, taken: tuple[float, float], stored: tuple[int, int]) -> float:
    """The focal length in px of the stored picture, by the sensor's pixels; 0 if not told.

    taken, stored: width and height, px, as it was taken (0 where unknown) and now.
    """
    unit_mm = UNITS_MM.get(int(number(tags, ExifTags.Base.FocalPlaneResolutionUnit)) or 2, 0.0)
    per_unit = number(tags, ExifTags.Base.FocalPlaneXResolution)
    if not (unit_mm and taken[0]):
        return 0.0
    # It may have been turned since: the longer sides are the same.
    shrunk = max(stored) / max(taken) if taken[1] else stored[0] / taken[0]
    return number(tags, ExifTags.Base.FocalLength) * per_unit / unit_mm * shrunk


def number(tags: dict, tag: int) -> float:
    """A tag's value; 0 where there is none, or none that is finite and above 0."""
    try:
        value = float(tags.get(tag, 0))
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return value if math.isfinite(value) and value > 0 else 0.0
