"""What a script in Blender says, apart from what Blender itself says."""

import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path


class Console:
    """One line of progress, drawn over on a terminal; plain lines otherwise. Counts the stages.

    It holds a copy of standard output, so that Blender's own messages can be kept out of sight.
    """

    def __init__(self):
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
        self._terminal = self._out.isatty()
        self._last = ""
        self.seconds: dict[str, float] = {}

    def progress(self, stage: str, done: int, total: int | None, left: float | None = None):
        text = f"{stage} {done}/{total}" if total else f"{stage} {done}"
        if self._terminal:
            left_text = f", {left:.0f} s left" if left else ""
            self._out.write(f"\r\x1b[K{text}{left_text}")
        elif stage != self._last:
            self._out.write(f"{stage} …\n")
        self._last = stage
        self._out.flush()

    def clear(self) -> None:
        if self._terminal and self._last:
            self._out.write("\r\x1b[K")
            self._out.flush()
        self._last = ""

    def line(self, text: str) -> None:
        self.clear()
        self._out.write(text + "\n")
        self._out.flush()

    @contextmanager
    def stage(self, name: str):
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


@contextmanager
def silenced(log: Path):
    """Blender's messages go into `log`: they come from C, so the streams themselves are turned."""
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        for number, descriptor in enumerate(kept, 1):
            os.dup2(descriptor, number)
            os.close(descriptor)
