"""Pictures, and folders of them, where a video might be. Without bpy."""

import struct
from pathlib import Path

# As the estimator takes them; not every Blender shows the last three.
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".heic", ".heif")
_ORIENTATION = 0x0112  # EXIF's tag
_TURNS = {3: 180, 6: 90, 8: 270}  # its values without a mirror
_HEADER = 1 << 16  # bytes, within which a JPEG has its EXIF


def is_picture(path: Path) -> bool:
    """Whether a file is named as a picture."""
    return path.suffix.lower() in SUFFIXES


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder by their names; none where it can't be looked into."""
    try:
        return sorted(path for path in folder.iterdir() if is_picture(path))
    except OSError:
        return []


def stored_turn(path: Path) -> int:
    """Degrees clockwise by which a JPEG is to be turned, as its EXIF says; Blender leaves it lying.

    0 where nothing is said.
    """
    with path.open("rb") as file:
        data = file.read(_HEADER)
    start = data.find(b"Exif\0\0") + 6
    order = {b"II": "<", b"MM": ">"}.get(data[start : start + 2])
    if start < 6 or order is None:
        return 0
    try:
        (first,) = struct.unpack_from(f"{order}I", data, start + 4)
        (count,) = struct.unpack_from(f"{order}H", data, start + first)
        for entry in range(start + first + 2, start + first + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", data, entry)
            if tag == _ORIENTATION:
                return _TURNS.get(value, 0)
    except struct.error:
        pass  # cut off
    return 0
