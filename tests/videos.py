"""Tiny videos for tests, made with PyAV: each frame's shade says when it is shown."""

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

TICKS = 600  # time base of what is written, in steps per second
# The matrices of a track header that turn the picture clockwise, as a, b, c, d.
TURNS = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


def shade(time: float) -> int:
    """The grey level of a frame shown at `time` seconds (below 4)."""
    return 20 + round(50 * time)


def shown_time(image: np.ndarray) -> float:
    """The time that a frame's middle shade stands for."""
    height, width = image.shape[:2]
    middle = image[height // 3 : -height // 3, width // 3 : -width // 3]
    return (float(middle.mean()) - 20) / 50


def picture(time: float, width: int = 64, height: int = 48) -> np.ndarray:
    """A grey frame with a white corner at the top left, so that turning it shows."""
    image = np.full((height, width, 3), shade(time), np.uint8)
    image[: height // 4, : width // 4] = 255
    return image


def write(
    path: Path,
    times: Sequence[float],
    make: Callable[[float], np.ndarray] = picture,
    tags: dict[str, str] | None = None,
    rate: int = 30,
) -> Path:
    """An .mp4 of frames shown at `times` (seconds), its index at the front."""
    options = {"movflags": "faststart+use_metadata_tags"}
    with av.open(str(path), "w", options=options) as container:
        container.metadata.update(tags or {})
        first = make(times[0])
        stream = container.add_stream("libx264", rate=rate, options={"crf": "10", "bf": "0"})
        stream.width, stream.height = first.shape[1], first.shape[0]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        stream.time_base = Fraction(1, TICKS)
        for time in times:
            frame = av.VideoFrame.from_ndarray(make(time), format="rgb24")
            frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_sound(path: Path, seconds: float = 0.5) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        samples = np.zeros((1, round(16000 * seconds)), np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turn(path: Path, degrees: int) -> None:
    """Write into the track header that the picture is to be turned clockwise, as phones do."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in TURNS[degrees])
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
