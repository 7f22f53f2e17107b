"""The one job of the estimator that may run. Blender's timer sees to it; no callback waits.

A timer rather than a modal operator: it outlives the window that it was started in, Blender goes on
saving by itself, and whichever tool the user has in hand is not disturbed. Without a window there
are no timers, and the job is waited for.
"""

import atexit
import shutil
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from . import screen
from .estimator import Estimator, EstimatorError
from .operators.base import TOLD, unforeseen
from .screen import busy, redraw, say, show, tell

TICK_S = 0.1
STOPPING_TICK_S = 0.02
LOG_LINES = 8
STAGES = {
    "start": "Starting",
    "detect": "Finding people",
    "lift": "Lifting to 3D",
    "fit": "Fitting the body",
    "refine": "Smoothing and planting the feet",
    "look": "Looking for people",
    "pictures": "Looking at the pictures",
}
LOADING = "Putting it into the scene"
CANCELLED = "Cancelled; nothing was changed."


class JobError(EstimatorError):
    """A job that was waited for failed; the panel says so already."""


@dataclass
class Job:
    """`finish` gets the files that were made and what the estimator said; returns the last word.

    `clear` is called when there is nothing to finish, because of a failure or a cancel; the log is
    in `last_log` by then.
    """

    run: Estimator
    finish: Callable[[list[Path], str], str]
    clear: Callable[[], None]
    last_log: Path
    stopping: bool = False
    loading: bool = False


_job: Job | None = None
_log: list[str] = []
_log_file: Path | None = None


def current() -> Job | None:
    return _job


def log_lines() -> list[str]:
    """The last lines of the log, as they were at the last tick."""
    return _log


def log_file() -> Path | None:
    """The log of the job that runs or ran last."""
    return _log_file if _log_file is not None and _log_file.is_file() else None


def start(job: Job) -> None:
    """Sees to `job` from now on. In background it returns when all is done, or raises JobError."""
    global _job, _log_file
    _job, _log_file = job, job.run.log
    _log.clear()
    say("Posecast is at work; Esc cancels")
    show(state="RUNNING", stage=STAGES["start"], fraction=-1.0, seconds_left=-1.0, message="")
    if bpy.app.background:
        _wait(job)
    else:
        bpy.app.timers.register(_tick, first_interval=TICK_S, persistent=True)


def cancel() -> None:
    """Asks the job to end; the timer sees that it does, within half a second."""
    if _job is not None and not _job.stopping:
        _job.stopping = True
        _job.run.stop()
        show(stage="Stopping", fraction=-1.0, seconds_left=-1.0)


def end_now(*_) -> None:
    """Ends the job and waits for that, because Blender quits or opens another file."""
    global _job
    if _job is not None:
        job, _job = _job, None
        job.run.cancel()
        job.clear()


def refuse(message: str) -> None:
    """Says why no job was started; the log of an earlier one has nothing to do with it."""
    global _log_file
    _log_file = None
    tell("FAILED", message)


def _tick() -> float | None:
    if _job is None:
        return None
    _attempt(_job)
    if _job is None:
        return None
    return STOPPING_TICK_S if _job.stopping else TICK_S


def _attempt(job: Job) -> Exception | None:
    """One step; the error that ended the job, if any."""
    try:
        _step(job)
    except TOLD as error:
        _over(job, "FAILED", str(error))
        return error
    except Exception as error:
        traceback.print_exc()
        _over(job, "FAILED", unforeseen(error))
        return error
    return None


def _step(job: Job) -> None:
    if job.stopping:
        if job.run.stopped():
            _over(job, "IDLE", CANCELLED)
        return
    _show_progress(job)
    if job.run.running:
        return
    files = job.run.outputs()
    if busy():
        show(stage="Done; waits for the tool in use", fraction=-1.0, seconds_left=-1.0)
    elif not job.loading:
        job.loading = True  # the panel is drawn once more before that takes its time
        show(stage=LOADING, fraction=-1.0, seconds_left=-1.0)
    else:
        _finish(job, files)


def _finish(job: Job, files: list[Path]) -> None:
    global _job
    _keep_log(job)
    said = next(
        (str(r.get("message", "")) for r in job.run.records if r.get("stage") == "done"), ""
    )
    job.run.cancel()  # whatever it may have left running
    message = job.finish(files, said)
    _job = None
    tell("DONE", message)


def _over(job: Job, state: str, message: str) -> None:
    global _job
    _job = None
    job.run.cancel()
    job.run.note(f"{time.strftime('%H:%M:%S')} {message}")
    _keep_log(job)
    job.clear()
    tell(state, message)


def _keep_log(job: Job) -> None:
    global _log_file
    _log[:] = job.run.log_lines(LOG_LINES)
    with suppress(OSError):
        shutil.copyfile(job.run.log, job.last_log)
        _log_file = job.last_log


def _show_progress(job: Job) -> None:
    shown = bpy.context.window_manager.posecast
    told = [r for r in job.run.poll() if r.get("stage") not in ("done", "error")]
    if told:
        words = _words(told[-1])
        if (stage := str(words["stage"])) != shown.stage:
            say(f"Posecast: {stage} (Esc cancels)")
            if (begun := stage.partition(",")[0]) != shown.stage.partition(",")[0]:
                job.run.note(f"{time.strftime('%H:%M:%S')} {begun}")
        show(**words)
    if shown.show_log and (lines := job.run.log_lines(LOG_LINES)) != _log:
        _log[:] = lines
        redraw()


def _words(record: dict) -> dict[str, str | float]:
    """A progress record of the estimator's as the panel shows it."""
    stage, done, total = str(record.get("stage", "")), record.get("done"), record.get("total")
    left = record.get("seconds_left")
    fraction = done / total if done is not None and total else -1.0
    text = STAGES.get(stage, stage.capitalize())
    if stage == "detect" and total and total > 1:
        text += f", frame {done} of {total}"
    elif stage == "pictures" and done is not None and total:
        text += f", {min(done + 1, total)} of {total}"
    return {
        "stage": text,
        "fraction": float(fraction),
        "seconds_left": -1.0 if left is None else float(left),
    }


def _wait(job: Job) -> None:
    """Sees the job through without a window, with its stages on the console."""
    last = ""
    try:
        while _job is job:
            error = _attempt(job)
            if error is not None:
                raise JobError(bpy.context.window_manager.posecast.message) from error
            stage = bpy.context.window_manager.posecast.stage.partition(",")[0]
            if _job is job and stage != last:
                last = stage
                print(f"Posecast: {stage}", flush=True)
            time.sleep(TICK_S)
    finally:
        if _job is job:
            end_now()
            show(state="IDLE", message=CANCELLED)


@persistent
def _before_loading(*_) -> None:
    end_now()


def register() -> None:
    bpy.app.handlers.load_pre.append(_before_loading)
    atexit.register(end_now)


def unregister() -> None:
    end_now()
    atexit.unregister(end_now)
    bpy.app.handlers.load_pre.remove(_before_loading)
    screen.unregister()
    if not bpy.app.background and bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
