"""The one set-up or check that may run. Blender's timer sees to it; no callback waits."""

import atexit
import time
from pathlib import Path

import bpy

from .estimator import EstimatorError
from .installation import Work

TICK_S = 0.1
_work: Work | None = None
_last: Work | None = None
_message = ""


def current() -> Work | None:
    """What is being set up or checked."""
    return _work


def last() -> tuple[Work | None, str]:
    """What was set up or checked last, and one sentence on how it went."""
    return _last, _message


def log() -> Path | None:
    return _last.log if _last else None


def lines(count: int) -> list[str]:
    return _last.lines(count) if _last else []


def begin(work: Work) -> str | None:
    """Sees to `work` from now on; without a window it returns, or raises, when all is done."""
    global _work, _message
    _work, _message = work, ""
    if not bpy.app.background:
        bpy.app.timers.register(_tick, first_interval=0.0, persistent=True)
        return None
    try:
        while work.poll():
            time.sleep(TICK_S)
        said = finish(work)
    finally:
        end_now()
    if work.error:
        raise EstimatorError(said)
    return said


def finish(work: Work) -> str:
    """Keeps the last word on `work`, and says it."""
    global _work, _last, _message
    missing = [f["text"] for f in (work.found or {}).get("findings", []) if f["state"] == "missing"]
    if work.stopping:
        _message = "Cancelled; Set Up goes on from here."
    elif work.error or missing:
        _message = work.error or missing[0]
    else:
        _message = "The estimator is ready."
    _work, _last = None, work
    return _message


def _tick() -> float | None:
    work = _work
    if work is None:
        return None
    try:
        more = work.poll()
    except Exception as error:
        work.error, more = f"Set-up went wrong ({error}); press Set Up again.", False
        work.end()
    if not more:
        finish(work)
    redraw()
    return TICK_S if more else None


def cancel() -> None:
    """Asks what runs to end; the timer sees that it does, within half a second."""
    if _work is not None:
        _work.stop()
        redraw()


def redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("PREFERENCES", "VIEW_3D"):
                area.tag_redraw()


def end_now() -> None:
    """Ends what runs, because the add-on is turned off or Blender quits."""
    global _work
    if _work is not None:
        _work.end()
        _work = None


def register() -> None:
    atexit.register(end_now)


def unregister() -> None:
    end_now()
    atexit.unregister(end_now)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
