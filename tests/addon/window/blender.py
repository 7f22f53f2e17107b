"""A Blender with its window on a virtual screen, for tests that look at it from outside."""

import json
import os
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SIZE = "1400x1060"
PROGRAM = "POSECAST_BLENDER"  # this variable, else `blender` on the PATH
ZIP = "POSECAST_ZIP"  # this variable names a built extension; without it the sources are linked
PICTURES = "POSECAST_PICTURES"  # this variable names a folder for the pictures
EXTENSION = "extensions/user_default/posecast"


def program() -> str:
    """The Blender to test; skips where there is none, or no screen for it."""
    found = shutil.which(os.environ.get(PROGRAM, "blender"))
    if found is None:
        pytest.skip(f"there is no Blender here ({PROGRAM} names one)")
    for tool in ("Xvfb", "import", "xdotool"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} isn't installed")
    return found


class Screen:
    """An X server that picks a free number by itself."""

    def __init__(self):
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", "1", "-screen", "0", f"{SIZE}x24", "-ac", "+extension", "GLX"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._server.stdout is not None
        self.name = f":{self._server.stdout.readline().strip()}"

    def run(self, *words: str) -> None:
        subprocess.run(words, env=os.environ | {"DISPLAY": self.name}, check=False, timeout=60)

    def close(self) -> None:
        self._server.terminate()
        self._server.wait(timeout=20)


class Window:
    """Blender running drive.py's `story` in `folder`; answers what the story asks for."""

    def __init__(self, screen: Screen, folder: Path, story: str, **variables: str):
        self.screen, self.folder = screen, folder
        folder.mkdir(exist_ok=True)
        install(folder / "user")
        own = {
            "DISPLAY": screen.name,
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "BLENDER_USER_RESOURCES": str(folder / "user"),
        }
        words = ["--factory-startup", "--window-geometry", "0", "0", *SIZE.split("x"), "-noaudio"]
        drive = str(Path(__file__).with_name("drive.py"))
        with (folder / "blender.log").open("wb") as log:
            self.process = subprocess.Popen(
                [program(), *words, "-P", drive, "--", story, str(folder)],
                cwd=ROOT, env=os.environ | own | variables, stdout=log, stderr=log,
            )  # fmt: skip

    def answer_until(self, condition, seconds: float) -> None:
        """Takes the pictures and presses the keys that the story asks for, until `condition`."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log()
            for ask in self.folder.glob("ask-*"):
                what, _, name = ask.name.removeprefix("ask-").partition("-")
                if what == "picture":
                    folder = Path(os.environ.get(PICTURES, self.folder))
                    self.screen.run("import", "-window", "root", str(folder / f"{name}.png"))
                else:
                    self.screen.run("xdotool", "mousemove", "500", "500", "key", name)
                ask.unlink()
            time.sleep(0.02)

    def report(self, seconds: float = 300) -> dict:
        """What the story wrote when it came to its end."""
        file = self.folder / "report.json"
        self.answer_until(lambda: file.is_file() or self.process.poll() is not None, seconds)
        assert file.is_file(), self.log()
        return json.loads(file.read_text())

    def log(self) -> str:
        return (self.folder / "blender.log").read_text(errors="replace")[-4000:]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=20)


def install(user: Path) -> None:
    """Puts the extension where Blender keeps installed ones."""
    target = user / EXTENSION
    shutil.rmtree(user, ignore_errors=True)
    target.parent.mkdir(parents=True)
    if ZIP in os.environ:
        with zipfile.ZipFile(os.environ[ZIP]) as archive:
            archive.extractall(target)
    else:
        target.symlink_to(ROOT / "addon")


def members(group: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found
