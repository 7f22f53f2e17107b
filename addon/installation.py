"""Makes the estimator's environment, and checks one. Without bpy, and without threads.

Each step is a process of its own in its own group (see estimator.py), looked at from a timer. An
environment that is cut off halfway has no mark: nobody uses it, and the next try goes on with it.
"""

import json
import platform
import re
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from . import environment
from .estimator import Estimator, EstimatorError
from .setup_plan import AGAIN, VERSIONS, Plan, candidates, check_plan, pip_commands, torch_index

PACKAGES = 44  # that pip collects for the versions of constraints.txt, torch for the CPU
Steps = Generator[Estimator, None, None]


@dataclass
class Work:
    """Steps that follow each other; call `poll` now and then, until it says False.

    Afterwards `error` holds one sentence if it failed, and `found` what the check found out.
    """

    log: Path
    stage: str = ""
    detail: str = ""
    fraction: float = 0.0  # steps that are done, and packages found of the step that runs
    error: str = ""
    found: dict | None = None
    stopping: bool = False
    _steps: Steps | None = None
    _run: Estimator | None = None
    _read: int = 0
    _begun: float = 0.0
    _step: float = 0.0
    _packages: set[str] = field(default_factory=set)

    def poll(self) -> bool:
        """Whether there is more to do; begins the next step when one has ended."""
        if self.stopping:
            return self._run is not None and not self._run.stopped()
        if self._run is not None:
            self._look(self._run)
            if self._run.running:
                return True
            self._keep_log(self._run)
        try:
            self._run = next(self._steps) if self._steps else None
        except StopIteration:
            self._run, self.fraction = None, 1.0
        except (EstimatorError, OSError) as error:
            self._run, self.error = None, told(error)
        return self._run is not None

    def stop(self) -> None:
        """Asks the step to end; `poll` says when it has, which takes half a second at most."""
        self.stopping, self.stage, self.detail = True, "Stopping", ""
        if self._run is not None:
            self._run.stop()

    def end(self) -> None:
        """Ends the step and all that it started, and waits for that."""
        if self._run is not None:
            self._run.cancel()
            self._run = None

    def lines(self, count: int) -> list[str]:
        return self._run.log_lines(count) if self._run else last_lines(self.log, count)

    def begin(self, stage: str, number: int, of: int) -> None:
        self.stage, self.detail, self.fraction = stage, "", number / of
        self._read, self._begun, self._step = 0, self.fraction, 1 / of

    def _look(self, run: Estimator) -> None:
        """Reads pip's new lines, to say what it is busy with."""
        with suppress(OSError), run.log.open("rb") as file:
            file.seek(self._read)
            whole = file.read(65536).rpartition(b"\n")[0]
            self._read += len(whole) + 1 if whole else 0
            for line in whole.decode(errors="replace").splitlines():
                self._read_line(line.strip())

    def _read_line(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        if verb in ("Collecting", "Processing"):  # the latter from a folder on this machine
            name = re.split(r"[^\w.]", rest.split(" ")[0].rpartition("/")[2])[0]
            self._packages.add(name.lower())
            found = len(self._packages)
            self.detail = f"{found} packages found"
            self.fraction = self._begun + self._step * min(0.9, 0.9 * found / PACKAGES)
        elif verb == "Downloading":
            file, _, size = rest.partition(" ")
            self.detail = f"Downloading {file.rpartition('/')[2].partition('-')[0]} {size}"
        elif line.startswith("Installing collected packages"):
            self.detail = f"Unpacking {line.count(',') + 1} packages"

    def _keep_log(self, run: Estimator) -> None:
        with suppress(OSError), self.log.open("a", encoding="utf-8") as log:
            log.write(f"--- {self.stage}\n{run.log.read_text(errors='replace')}")


def install(plan: Plan) -> Work:
    """Begins to make the environment in the user's folder, and to check it."""
    work = Work(plan.folder / "set-up.log", "Looking for Python")
    work._steps = _install(work, plan)
    return work


def check(python: Path, folder: Path) -> Work:
    """Begins to ask the Python what it has; `folder` takes the log."""
    work = Work(folder / "check.log")
    folder.mkdir(parents=True, exist_ok=True)
    work.log.unlink(missing_ok=True)
    work._steps = _check(work, python, folder, environment.clone() or folder, 0, 1)
    return work


def _install(work: Work, plan: Plan) -> Steps:
    target = plan.folder / environment.FOLDER
    python = environment.python_in(target)
    index = torch_index(plan.torch)
    commands = pip_commands(plan, index)
    steps = len(commands) + 3
    check_plan(plan, index)
    plan.folder.mkdir(parents=True, exist_ok=True)
    work.log.unlink(missing_ok=True)

    yield from _make(work, plan, target, steps)
    for number, (stage, words) in enumerate(commands, start=2):
        work.begin(stage, number, steps)
        run = Estimator(python, "pip", words, plan.folder, plan.folder)
        yield run
        if not succeeded(run):
            raise EstimatorError(reason(run, plan))
    yield from _check(work, python, plan.folder, plan.folder, steps - 1, steps)
    environment.write_mark(target, source=str(plan.source), version=plan.version)


def _make(work: Work, plan: Plan, target: Path, steps: int) -> Steps:
    """The virtual environment, by the first Python that can make one."""
    seen = []
    for base in candidates(plan.base):
        work.begin("Looking for Python", 0, steps)
        try:
            run = Estimator(Path(base), "sysconfig", [], plan.folder, plan.folder)
        except EstimatorError:
            continue
        yield run
        text = run.log.read_text(errors="replace")
        version = re.search(r'^Python version: "([\d.]+)"', text, re.MULTILINE)
        seen += [version[1]] if version else []
        if not version or version[1] not in VERSIONS:
            continue
        work.begin(f"Making an environment with Python {version[1]}", 1, steps)
        (target / environment.MARK).unlink(missing_ok=True)
        anew = [] if version_of(target) == version[1] else ["--clear"]
        run = Estimator(Path(base), "venv", [*anew, str(target)], plan.folder, plan.folder)
        yield run
        if succeeded(run):
            return
        if "No space left" in run.log.read_text(errors="replace"):
            raise EstimatorError(reason(run, plan))
    raise EstimatorError(no_python(plan.base, seen))


def _check(work: Work, python: Path, folder: Path, root: Path, number: int, steps: int) -> Steps:
    work.begin("Checking", number, steps)
    run = Estimator(python, "regressor.check", ["--json"], folder, root)
    yield run
    lines = run.log.read_text(errors="replace").splitlines()
    for line in reversed(lines):
        with suppress(ValueError):
            work.found = checked(json.loads(line))
            return
    last = lines[-1].strip().rstrip(".") if lines else "it said nothing"
    raise EstimatorError(f"{python} has no working estimator ({last}); {AGAIN}.")


def checked(found: object) -> dict:
    """What regressor.check tells, if that is what it is; raises ValueError."""
    if isinstance(found, dict) and isinstance(found.get("findings"), list):
        return found
    raise ValueError("not what regressor.check tells")


def version_of(target: Path) -> str | None:
    """The Python version, like "3.11", of an environment that may be half-made."""
    with suppress(OSError):
        text = (target / "pyvenv.cfg").read_text(encoding="utf-8")
        if environment.python_in(target).is_file() and (
            found := re.search(r"^version = (\d+\.\d+)", text, re.MULTILINE)
        ):
            return found[1]
    return None


def no_python(given: str, seen: list[str]) -> str:
    wanted = "Python " + " or ".join(VERSIONS)
    if given:
        what = f"is Python {seen[0]}" if seen else "doesn't run"
        if seen and seen[0] in VERSIONS:
            what = "can't make environments (its venv module is missing)"
        return f"{given} {what}; name a {wanted} under Made with, or leave it empty."
    there = f" (there is {', '.join(sorted(set(seen)))})" if seen else ""
    return (
        f"Set-up needs {wanted} with its venv module, and found none{there}; "
        f"install it from python.org or your system's packages, and {AGAIN}."
    )


def succeeded(run: Estimator) -> bool:
    try:
        run.outputs()
    except EstimatorError:
        return False
    return True


NETWORK = re.compile(
    "NewConnectionError|name resolution|Name or service not known|getaddrinfo failed|"
    "nodename nor servname|ConnectTimeoutError|ReadTimeoutError|Max retries exceeded|ProxyError|"
    "Connection refused|Network is unreachable|Connection reset|IncompleteRead"
)


def reason(run: Estimator, plan: Plan) -> str:
    """One sentence on why a step failed, from what it said."""
    text = run.log.read_text(errors="replace")
    if re.search(r"No space left on device|Errno 28|not enough space", text):
        return f"The disk is full; make room for {plan.folder} and {AGAIN}."
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return (
            "The packages can't be downloaded, because this network's certificate isn't trusted; "
            f"name its file in the variable PIP_CERT, restart Blender and {AGAIN}."
        )
    if NETWORK.search(text):
        return f"The packages can't be downloaded; see that the network is there, and {AGAIN}."
    if missing := re.search(r"No matching distribution found for ([^\s(]+)", text):
        return (
            f"There is no package {missing[1]} for this system ({platform.machine()}); choose "
            "another PyTorch build, or name a Python that has the estimator."
        )
    if "Permission denied" in text or "Access is denied" in text:
        return f"{plan.folder} can't be written; see to its permissions, and {AGAIN}."
    errors = [line for line in text.splitlines() if re.match(r"(ERROR|Error|error):", line)]
    last = (errors or text.splitlines() or ["it said nothing"])[-1]
    last = last.partition(": ")[2] if errors else last
    return f"Installing failed: {last.strip().rstrip('.')}; the log has more, then {AGAIN}."


def told(error: Exception) -> str:
    if isinstance(error, OSError):
        place = error.filename or "the user's folder"
        return f"{place} can't be used ({error.strerror}); see to it and {AGAIN}."
    return str(error)


def last_lines(log: Path, count: int) -> list[str]:
    with suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace")[-8000:].splitlines()
        return [line.rstrip() for line in lines if line.strip()][-count:]
    return []
