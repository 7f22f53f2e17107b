"""Video files as a stream of upright RGB frames at a constant rate.

Rotation comes from the display matrix that phones write, time from each frame's presentation time
(never from counting), and the number of frames from decoding them. Decoding runs ahead in a thread
of its own, so that it overlaps with whatever is done with the frames.
"""

import errno
import math
import os
import statistics
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.stream import Disposition

from regressor.errors import VideoError
from regressor.read_ahead import read_ahead

FALLBACK_FPS = 30.0
# Above this, a container's rate is its clock rather than its frames' (browser recordings say 1000).
HIGHEST_FPS = 480.0
FRAMES_AHEAD = 6
# Tags that hold the focal length as on 35 mm film, whose frame is 36 mm wide.
FOCAL_LENGTH_TAGS = (
    "com.apple.quicktime.camera.focal_length.35mm_equivalent",
    "focal_length_35mm_equivalent",
    "FocalLengthIn35mmFormat",
    "FocalLengthIn35mmFilm",
)
FILM_WIDTH_MM = 36.0


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before it is decoded.

    width, height are those of the upright picture with square pixels; rotation is by how many
    degrees, counter-clockwise, the stored picture is turned to stand upright; fov_deg is the
    horizontal field of view where the file's tags tell it.
    """

    path: Path
    width: int
    height: int
    fps: float
    duration_s: float | None
    frames_estimate: int | None
    rotation: int
    fov_deg: float | None


@dataclass(frozen=True)
class VideoFrame:
    """One upright picture: image (H, W, 3) uint8 RGB, contiguous; time in seconds of the video."""

    index: int
    time: float
    image: np.ndarray


def open_video(path: str | os.PathLike) -> "Video":
    """Open a video for reading.

    Raises VideoError when the file is missing, unreadable, empty, a picture, without pictures, or
    holds no frame that can be decoded.
    """
    return Video(Path(path))


class Video:
    """An opened video; `frames` may be called several times, each starts from the beginning."""

    def __init__(self, path: Path):
        self.path = path
        self.warning: str | None = None
        _check_file(path)
        with _open(path) as container:
            stream = _video_stream(container, path)
            self.info = _read_info(container, stream, path)

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, *_exc: object) -> None:
        """Nothing stays open: the file is opened for as long as frames are read."""

    def frames(
        self, start: float | None = None, end: float | None = None, fps: float | None = None
    ) -> Generator[VideoFrame, None, None]:
        """Frames from `start` to `end` (seconds) on a grid of `fps` (the video's own by default).

        The frame nearest in time stands for each grid point, so that variable rates and other
        rates keep their speed. Frames count from 0. Afterwards `warning` says, in one sentence,
        what was wrong with the file, if anything. Raises VideoError for an impossible range.
        """
        rate = fps or self.info.fps
        first = max(0.0, start or 0.0)
        if not (math.isfinite(rate) and 0 < rate <= HIGHEST_FPS):
            raise VideoError(f"A rate of {rate:g} frames per second can't be used; give 1 to 240.")
        if end is not None and end <= first:
            raise VideoError(f"The end ({end:g} s) must lie after the start ({first:g} s).")
        self.warning = None
        return read_ahead(self._resampled(first, end, rate), FRAMES_AHEAD)

    def _resampled(self, first: float, end: float | None, rate: float) -> Iterator[VideoFrame]:
        """The frame nearest to each time first + k / rate (runs in the decoding thread)."""
        native = 1.0 / self.info.fps
        index, last_time = 0, 0.0
        held: tuple[float, av.VideoFrame] | None = None
        picture = _Picture(self.info)
        for time, frame in self._decoded(first - native):
            last_time = time
            while held is not None and (wanted := first + index / rate) <= 0.5 * (held[0] + time):
                if end is not None and wanted >= end - 1e-9:
                    return
                yield VideoFrame(index, wanted, picture(held[1]))
                index += 1
            held = (time, frame)
        # The last frame stays on for its own duration.
        shown_until = last_time + native - 0.5 * min(native, 1.0 / rate)
        while held is not None and (wanted := first + index / rate) <= shown_until:
            if end is not None and wanted >= end - 1e-9:
                return
            yield VideoFrame(index, wanted, picture(held[1]))
            index += 1
        if index == 0:
            raise VideoError(f"{self.path.name} has nothing to show at {first:g} s; begin earlier.")
        self._warn_if_cut_off(last_time + native, index)

    def _decoded(self, from_time: float) -> Iterator[tuple[float, av.VideoFrame]]:
        """Every frame from `from_time` on with its time from the first frame, in seconds."""
        with _open(self.path) as container:
            stream = _video_stream(container, self.path)
            stream.thread_type = "AUTO"
            if from_time > 2.0 and not self._seek(container, stream, from_time):
                container.seek(0)
            broken = 0
            count = 0
            for packet in _packets(container, stream):
                if packet is None:
                    broken += 1
                    continue
                try:
                    frames = packet.decode()
                except FFmpegError:
                    broken += 1
                    continue
                for frame in frames:
                    time = _frame_time(frame, stream, count / self.info.fps)
                    count += 1
                    if time >= from_time - 1e-6:
                        yield time, frame
            if broken:
                self.warning = (
                    f"{self.path.name} is damaged or cut off: {broken} of its packets could not "
                    f"be decoded; what could be was used."
                )

    def _seek(self, container: Any, stream: av.VideoStream, time: float) -> bool:
        """Go to a key frame before `time`; False where the file's index can't be trusted."""
        if stream.time_base is None:
            return False
        try:
            offset = int(time / stream.time_base) + (stream.start_time or 0)
            container.seek(offset, stream=stream)
            for packet in container.demux(stream):
                if packet.pts is not None:
                    reached = float((packet.pts - (stream.start_time or 0)) * stream.time_base)
                    container.seek(offset, stream=stream)
                    return reached <= time
        except FFmpegError:
            pass
        return False

    def _warn_if_cut_off(self, seen_s: float, count: int) -> None:
        duration = self.info.duration_s
        if self.warning is not None or not duration:
            return
        slack = max(min(0.5, duration / 4), 0.03 * duration)  # a last frame may be shown for long
        if seen_s < duration - slack:
            self.warning = (
                f"{self.path.name} ends early: {count} frames ({seen_s:.1f} s of "
                f"{duration:.1f} s) could be decoded, and were used."
            )


class _Picture:
    """Decoded frames to upright RGB arrays with square pixels."""

    def __init__(self, info: VideoInfo):
        self._turns = info.rotation // 90
        size = (info.width, info.height)
        self._width, self._height = size if self._turns % 2 == 0 else size[::-1]
        self._last: tuple[av.VideoFrame, np.ndarray] | None = None

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        if self._last is None or self._last[0] is not frame:
            image = frame.to_ndarray(format="rgb24", width=self._width, height=self._height)
            self._last = (frame, np.ascontiguousarray(np.rot90(image, self._turns)))
        return self._last[1]


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise VideoError(f"{path} is a folder; give a video file.")
    try:
        with open(path, "rb") as file:
            empty = not file.read(1)
    except OSError as error:
        reason = {errno.ENOENT: "doesn't exist", errno.EACCES: "may not be read by this user"}
        text = reason.get(error.errno or 0, f"can't be read ({error.strerror})")
        raise VideoError(f"{path} {text}; give the path of a video file.") from error
    if empty:
        raise VideoError(f"{path.name} is an empty file; copy or download the video again.")


def _open(path: Path) -> Any:
    try:
        return av.open(str(path), metadata_errors="replace")
    except (FFmpegError, ValueError) as error:
        raise VideoError(
            f"{path.name} can't be read as a video: it is another kind of file, or was cut off."
        ) from error


def _video_stream(container: Any, path: Path) -> av.VideoStream:
    name = container.format.name
    if name.endswith("_pipe") or name == "image2":
        raise VideoError(
            f"{path.name} is a picture of a kind that isn't read here: give a JPEG, a PNG or a "
            "video (one frame will do)."
        )
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise VideoError(f"{path.name} holds no pictures, only sound or data; give a video file.")


def _packets(container: Any, stream: av.VideoStream) -> Iterator[av.Packet | None]:
    """Packets as they come; None for where the file breaks off."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except FFmpegError:
            yield None
            return
        yield packet


def _frame_time(frame: av.VideoFrame, stream: av.VideoStream, counted: float) -> float:
    """Seconds from the stream's beginning; by counting only where frames carry no time."""
    if frame.pts is None or frame.time_base is None:
        return counted
    return float((frame.pts - (stream.start_time or 0)) * frame.time_base)


def _read_info(container: Any, stream: av.VideoStream, path: Path) -> VideoInfo:
    fps = _frame_rate(path, stream)
    duration = None
    if stream.duration and stream.time_base:
        duration = float(stream.duration * stream.time_base)
    elif container.duration:
        duration = container.duration / av.time_base
    frame = _first_frame(container, stream, path)
    rotation = round(frame.rotation / 90) * 90 % 360
    ratio = stream.sample_aspect_ratio
    width, height = round(frame.width * float(ratio or 1)), frame.height
    if rotation % 180:
        width, height = height, width
    return VideoInfo(
        path=path,
        width=width,
        height=height,
        fps=fps,
        duration_s=duration,
        frames_estimate=stream.frames or (round(duration * fps) if duration else None),
        rotation=rotation,
        fov_deg=_field_of_view({**container.metadata, **stream.metadata}, width, height),
    )


def _first_frame(container: Any, stream: av.VideoStream, path: Path) -> av.VideoFrame:
    for packet in _packets(container, stream):
        try:
            for frame in packet.decode() if packet is not None else ():
                return frame
        except FFmpegError:
            continue
    raise VideoError(f"{path.name} holds no frame that can be decoded; it is damaged or cut off.")


def _frame_rate(path: Path, stream: av.VideoStream) -> float:
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    if 0 < rate <= HIGHEST_FPS:
        return rate
    with _open(path) as container:
        stream = _video_stream(container, path)
        times = []
        for packet in _packets(container, stream):
            if packet is not None and packet.pts is not None and packet.time_base is not None:
                times.append(float(packet.pts * packet.time_base))
            if len(times) == 120:
                break
    steps = [b - a for a, b in zip(sorted(times), sorted(times)[1:], strict=False) if b > a]
    rate = 1.0 / statistics.median(steps) if steps else FALLBACK_FPS
    return min(rate, HIGHEST_FPS)


def _field_of_view(tags: dict[str, str], width: int, height: int) -> float | None:
    """Horizontal field of view in degrees from a 35 mm-equivalent focal length.

    Film's 36 mm lie along the longer side, which in portrait is the height.
    """
    for tag in FOCAL_LENGTH_TAGS:
        try:
            focal_mm = float(tags.get(tag, ""))
        except ValueError:
            continue
        if 5 <= focal_mm <= 2000:
            focal_px = focal_mm / FILM_WIDTH_MM * max(width, height)
            return math.degrees(2 * math.atan(0.5 * width / focal_px))
    return None
