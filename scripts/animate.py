"""The whole job: a video in, an animated body in a .blend out.

    blender -b -P scripts/animate.py -- VIDEO --output out.blend [options]
    python scripts/animate.py VIDEO --output out.blend [options]          (with the bpy wheel)

Several videos become a .blend each in the folder --output. With --target character.blend:Armature
the character moves too. The estimator (torch, mediapipe) runs in a Python of its own: --python,
else POSECAST_PYTHON, else the repository's .venv. Without VIDEO, --motion is read and no estimator
is needed. Exit status: 0 done, 1 an error told in one sentence, 2 wrong usage, 130 Ctrl-C.
"""

import json
import os
import signal
import sys
import traceback
from pathlib import Path

import bpy

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
from animating.files import JobError  # noqa: E402
from animating.job import run  # noqa: E402
from animating.options import arguments  # noqa: E402
from console import Console  # noqa: E402

from addon.operators.base import TOLD  # noqa: E402


def main() -> int:
    own = Path(sys.argv[0]).name == Path(__file__).name
    argv = sys.argv[1:] if own else sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    options = arguments(argv, (__doc__ or "").split("\n")[0])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    answer = Answer() if options.json else None
    console = Console()
    results, errors = [], []
    try:
        for job in options.jobs:
            if len(options.jobs) > 1:
                console.line(f"{job.video}:")
            try:
                results.append(run(job, options, console))
                report(results[-1], console)
            except Exception as error:
                sentence = told(error, options.debug)
                errors.append({"video": str(job.video or ""), "error": sentence})
                console.clear()
                print(sentence, file=sys.stderr)
        status = 1 if errors else 0
    except KeyboardInterrupt:
        sentence, status = "Stopped; no file was written.", 130
        if results:
            sentence = f"Stopped; {len(results)} of {len(options.jobs)} videos are done."
        errors.append({"video": "", "error": sentence})
        console.clear()
        print(sentence, file=sys.stderr)
    if answer is not None:
        answer.give({"results": results, "errors": errors})
    return status


def told(error: Exception, debug: bool) -> str:
    """One sentence for what went wrong."""
    if debug:
        traceback.print_exception(error)
    if isinstance(error, (JobError, *TOLD)):
        return str(error)
    kind = type(error).__name__
    reason = str(error).strip().splitlines()[-1:] or [kind]
    return f"This went wrong in Blender: {reason[0]} ({kind}); --debug shows where."


def report(result: dict, console: Console) -> None:
    for person in result["people"]:
        frames, rate, seen = person["frames"], person["fps"], 100 * person["coverage"]
        console.line(f"{frames} frames at {rate:g} a second, {seen:.0f} % of them observed")
    seconds = result["seconds"]
    times = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
    console.line(f"Seconds: {times}; in all {sum(seconds.values()):.1f}")
    console.line("Written: " + ", ".join(result["files"]))


class Answer:
    """Keeps standard output for the answer: whatever else is said goes to standard error."""

    def __init__(self):
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def give(self, answer: dict) -> None:
        self._out.write(json.dumps(answer) + "\n")
        self._out.flush()


def interrupted(*_) -> None:
    raise KeyboardInterrupt


def leave(status: int) -> None:
    """Ends the process here: Blender as a module may hang or crash while Python shuts down."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    try:
        status = main()
    except SystemExit as wrong_usage:
        status = wrong_usage.code if isinstance(wrong_usage.code, int) else 2
    # With a window, the result stays there to be looked at.
    if bpy.app.background or status:
        leave(status)
