"""Starts the estimator, reads its progress, ends it. Without bpy, and without threads.

The estimator is a program of its own in its own Python (torch, mediapipe …). It writes JSON lines
into a file, which is read from where the last reading ended; so it works from a timer in Blender
and from a loop outside it, and an estimator that dies takes nothing with it. Its standard input is
a pipe held by this process: when it closes, however this process ended, the estimator ends too.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

PYTHON_VARIABLE = "POSECAST_PYTHON"
# What Blender sets for its own Python, and what would lead another one astray.
_UNWANTED = ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "PYTHONSTARTUP", "VIRTUAL_ENV")
_GRACE_S = 0.3  # between the request to end and the end
_LOG_TAIL = 8000  # bytes of the log that are read for its last lines


class EstimatorError(Exception):
    """The estimator is missing or failed; the text is one sentence for the user."""


def repository_root() -> Path:
    """The folder that holds addon/ and, in a clone, regressor/ and .venv."""
    return Path(__file__).resolve().parents[1]


def find_python(given: str | Path | None = None, root: Path | None = None) -> Path:
    """The estimator's Python: the given one, else POSECAST_PYTHON's, else the .venv in `root`."""
    root = root or repository_root()
    named = given or os.environ.get(PYTHON_VARIABLE)
    if named:
        found = shutil.which(str(Path(named).expanduser()))
        if found is None:
            source = "--python" if given else PYTHON_VARIABLE
            raise EstimatorError(
                f"There is no program {named}, which {source} names as the estimator's Python; "
                f"{_how_to_make_one(root)}."
            )
        return Path(found).absolute()
    for place in (root / ".venv/bin/python", root / ".venv/Scripts/python.exe"):
        if place.is_file():
            return place
    raise EstimatorError(f"The estimator isn't installed yet; {_how_to_make_one(root)}.")


def _how_to_make_one(root: Path) -> str:
    return (
        f"run `bash scripts/quickstart.sh` in {root}, or `python3.11 -m venv .venv` "
        "and `.venv/bin/pip install -e .` there, or name another Python by --python or "
        f"{PYTHON_VARIABLE}"
    )


def environment(root: Path) -> dict[str, str]:
    """The environment for the estimator's Python: the user's own, and a clone's `root` importable.

    Where the add-on is installed there is no clone; its estimator is installed in its Python.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    clone = {"PYTHONPATH": str(root)} if _is_clone(root) else {}
    return kept | clone | {"PYTHONNOUSERSITE": "1", "PYTHONUNBUFFERED": "1"}


def _is_clone(root: Path) -> bool:
    return (root / "regressor").is_dir()


def options_to_arguments(options: dict[str, object]) -> list[str]:
    """{"fov": 60.0, "contacts": False, "smooth": None} to ["--fov", "60.0", "--no-contacts"].

    Several values follow one name; what is None is left to the estimator.
    """
    words = []
    for name, value in options.items():
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no-{name}")
        elif isinstance(value, list | tuple):
            words += [f"--{name}", *map(str, value)] if value else []
        elif value is not None:
            words += [f"--{name}", str(value)]
    return words


class Estimator:
    """One run of a command of the regressor's, in a process group of its own.

    `folder` takes its log and its progress file. Call `poll` now and then; once `running` is False,
    `outputs` gives the files that it wrote, or raises EstimatorError with the reason.
    """

    def __init__(self, python: Path, module: str, arguments: list[str], folder: Path, root=None):
        self.root = root or repository_root()
        self.log = folder / f"{module}.log"
        self.progress_file = folder / f"{module}.jsonl"
        self.records: list[dict] = []
        self._read = 0
        self._notes: list[str] = []
        self._kill_at: float | None = None
        self.log.write_bytes(b"")
        with self.log.open("ab") as log:
            try:
                self._process = subprocess.Popen(
                    [str(python), "-u", "-m", module, *arguments],
                    cwd=self.root if _is_clone(self.root) else folder,
                    env=environment(self.root),
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    **_own_group(),
                )
            except OSError as error:
                raise EstimatorError(
                    f"The estimator's Python {python} doesn't start ({error.strerror}); "
                    f"{_how_to_make_one(self.root)}."
                ) from error

    @classmethod
    def estimate(
        cls, python: Path, video: Path, output: Path, options: dict, folder: Path, root=None
    ):
        """Starts `regressor.estimate`, whose working folder is another one: absolute paths."""
        return cls.on_video("regressor.estimate", python, video, output, options, folder, root)

    @classmethod
    def on_video(
        cls, module, python: Path, video: Path, output: Path, options: dict, folder: Path, root=None
    ):
        """Starts a command that makes `output` of a video and tells its progress."""
        progress = (folder / f"{module}.jsonl").absolute()
        words = [str(Path(video).absolute()), "--output", str(Path(output).absolute())]
        words += ["--progress", "json", "--progress-file", str(progress), "--stop-with-parent"]
        return cls(python, module, words + options_to_arguments(options), folder, root)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def poll(self) -> list[dict]:
        """The progress records that are new since the last call; a line half-written waits."""
        if not self.progress_file.is_file():
            return []
        with self.progress_file.open("rb") as file:
            file.seek(self._read)
            whole = file.read().rpartition(b"\n")[0]
        self._read += len(whole) + 1 if whole else 0
        new = [record for line in whole.splitlines() if (record := _record(line)) is not None]
        self.records += new
        return new

    def outputs(self) -> list[Path]:
        """The files that a finished run wrote."""
        status = self._process.wait()
        self.poll()
        if status != 0:
            raise EstimatorError(self._failure())
        done = [record for record in self.records if record.get("stage") == "done"]
        if not done:
            return []
        named = done[-1].get("outputs") or [done[-1].get("output")]
        return [Path(name) for name in named if name]

    def note(self, line: str) -> None:
        """Adds a line to the log, between those of the estimator's own."""
        self._notes.append(line)
        with suppress(OSError), self.log.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def log_lines(self, count: int, own: bool = True) -> list[str]:
        """The last lines of the log, with the notes or without; its end alone is read."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - _LOG_TAIL))
                text = file.read().decode(errors="replace")
        except OSError:
            return []
        lines = [line.rstrip() for line in text.splitlines() if line.strip()]
        return [line for line in lines if own or line not in self._notes][-count:]

    def stop(self) -> None:
        """Asks the process and all that it started to end, and doesn't wait; see `stopped`."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + _GRACE_S
            _end(self._process, signal.SIGTERM)
            self._let_go()

    def stopped(self) -> bool:
        """Whether all have ended after `stop`; those that don't in time are killed by this call."""
        late = self._kill_at is not None and time.monotonic() >= self._kill_at
        if self.running and not late:
            return False
        # Also what a process that is gone may have left behind in its group.
        _end(self._process, getattr(signal, "SIGKILL", signal.SIGTERM))
        return not self.running

    def cancel(self) -> None:
        """Ends the process and all that it started, and waits for that: half a second at most."""
        if self.running:
            self.stop()
        while not self.stopped():
            time.sleep(0.02)
        self._let_go()

    def _let_go(self) -> None:
        """Closes the pipe, which ends the estimator even while this process is kept busy."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _failure(self) -> str:
        for record in reversed(self.records):
            if record.get("stage") == "error" and record.get("message"):
                return str(record["message"])
        status = self._process.returncode
        if status < 0:
            return (
                f"The estimator was ended by {signal.Signals(-status).name} before it was done; "
                "start it again, with less other work if memory ran out."
            )
        last = next(reversed(self.log_lines(1, own=False)), "it said nothing").strip()
        hint = f"; {_how_to_make_one(self.root)}" if "No module named" in last else ""
        return f"The estimator stopped with status {status}: {last.rstrip('.')}{hint}."


def _record(line: bytes) -> dict | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _own_group() -> dict:
    """Popen's options for a group of its own, so that Ctrl-C here isn't also sent there."""
    if os.name == "nt":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        return {"creationflags": flags}
    return {"start_new_session": True}


def _end(process: subprocess.Popen, number: int) -> None:
    try:
        if os.name == "nt":
            process.terminate()
        else:
            os.killpg(process.pid, number)
    except ProcessLookupError:
        pass
