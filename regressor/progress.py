"""Progress of long work: a bar for people, JSON lines for programs, or nothing."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TextIO

from regressor.errors import PosecastError

Mode = Literal["json", "bar", "none"]
MODES: tuple[Mode, ...] = ("json", "bar", "none")
UPDATES_PER_SECOND = 10
RATE_MEMORY_S = 5.0  # how long past speed counts in the time that is left
BAR_WIDTH = 24


class Progress:
    """Tells how far a job is.

    mode "json" writes one JSON object a line to `file`, or to `stream` (standard output) without
    one; "bar" draws a line on `stream` (standard error), and still writes JSON when a `file` is
    given; "none" is silent. `update` may be called from any thread, as often as one likes.
    Raises PosecastError when `file` can't be written, or when a pipe has lost its reader.
    """

    def __init__(
        self,
        mode: Mode = "none",
        file: str | Path | None = None,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        if mode not in MODES:
            raise PosecastError(f"There is no progress mode {mode!r}; choose json, bar or none.")
        self._bar = _Bar(stream or sys.stderr) if mode == "bar" else None
        self._file = _open_file(file) if file is not None and mode != "none" else None
        self._lines = self._file or ((stream or sys.stdout) if mode == "json" else None)
        self._clock = clock
        self._lock = threading.Lock()
        self._rate = _Rate()
        self._stage = ""
        self._written_at = -1.0
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def update(self, stage: str, done: int, total: int | None, message: str = "") -> None:
        """`done` of `total` (None when unknown) in `stage` is finished."""
        with self._lock:
            now = self._clock()
            new_stage = stage != self._stage
            if new_stage:
                self._stage, self._rate = stage, _Rate()
            self._rate.add(now, done)
            due = now - self._written_at >= 1.0 / UPDATES_PER_SECOND
            if new_stage or due or (total is not None and done >= total):
                self._written_at = now
                self._write(stage, done, total, self._rate.seconds_left(done, total), message)

    def note(self, text: str) -> None:
        """A line on standard error for who wants to know more: the log of a program that reads."""
        with self._lock:
            if self._bar:
                self._bar.finish()
            if self._bar or self._lines:
                print(text, file=sys.stderr)

    def done(self, message: str, outputs: Sequence[str | Path] = ()) -> None:
        """The last word of a job that went well; `outputs` are the files it made."""
        self._end("done", message, {"outputs": [str(output) for output in outputs]})

    def fail(self, message: str) -> None:
        """The last word of a job that failed, in one sentence."""
        self._end("error", message, {})

    @property
    def ended(self) -> bool:
        """Whether the last word is said."""
        return self._ended

    def close(self) -> None:
        """Finish the bar's line and close the file; more than once does no harm."""
        with self._lock:
            if self._bar:
                self._bar.finish()
            if self._file:
                self._file.close()
                self._lines = self._file = None

    def _end(self, stage: str, message: str, more: dict[str, list[str]]) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended = True
            self._line(stage=stage, done=1, total=1, seconds_left=0.0, message=message, **more)
            if self._bar:
                self._bar.finish()

    def _write(
        self, stage: str, done: int, total: int | None, left: float | None, message: str
    ) -> None:
        seconds = None if left is None else round(left, 1)
        self._line(stage=stage, done=done, total=total, seconds_left=seconds, message=message)
        if self._bar:
            self._bar.draw(stage, done, total, left, message)

    def _line(self, **fields: str | int | float | list[str] | None) -> None:
        if self._lines is None:
            return
        try:
            self._lines.write(json.dumps(fields) + "\n")
            self._lines.flush()
        except OSError as error:
            self._lines = None
            raise PosecastError(
                f"The progress can't be written any more ({error.strerror}), so the work stopped."
            ) from error


class Stages:
    """Seconds that each stage took, in the order in which they began."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

    def __str__(self) -> str:
        return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items())


class _Rate:
    """Steps per second, in which the last seconds count most."""

    def __init__(self) -> None:
        self._last: tuple[float, int] | None = None
        self._steps = 0.0
        self._seconds = 0.0

    def add(self, now: float, done: int) -> None:
        if self._last is not None and now > self._last[0]:
            seconds = now - self._last[0]
            keep = 0.5 ** (seconds / RATE_MEMORY_S)
            self._steps = keep * self._steps + (done - self._last[1])
            self._seconds = keep * self._seconds + seconds
        elif self._last is not None:
            return
        self._last = (now, done)

    def seconds_left(self, done: int, total: int | None) -> float | None:
        if total is None or self._steps <= 0:
            return None
        return max(0.0, (total - done) * self._seconds / self._steps)


class _Bar:
    """One line that is drawn over; where there is no terminal, one line when a stage ends."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._terminal = stream.isatty()
        self._stage = ""
        self._open = False

    def draw(
        self, stage: str, done: int, total: int | None, left: float | None, message: str
    ) -> None:
        if stage != self._stage:
            self.finish()
            self._stage = stage
        complete = total is not None and done >= total
        text = _bar_text(stage, done, total, left, message)
        if self._terminal:
            self._stream.write(f"\r\x1b[K{text}")
            self._open = True
        elif complete:
            self._stream.write(text + "\n")
        self._stream.flush()

    def finish(self) -> None:
        if self._open:
            self._stream.write("\n")
            self._stream.flush()
            self._open = False


def _bar_text(stage: str, done: int, total: int | None, left: float | None, message: str) -> str:
    if not total:
        return f"{stage:<10} {done}  {message}".rstrip()
    full = round(BAR_WIDTH * min(1.0, done / total))
    time_left = "" if left is None or done >= total else f"  {left:.0f} s left"
    bar = "#" * full + "." * (BAR_WIDTH - full)
    return f"{stage:<10} [{bar}] {done}/{total}{time_left}  {message}".rstrip()


def _open_file(file: str | Path) -> TextIO:
    try:
        return open(file, "w", encoding="utf-8")
    except OSError as error:
        raise PosecastError(
            f"The progress file {file} can't be written ({error.strerror}); name another one."
        ) from error
