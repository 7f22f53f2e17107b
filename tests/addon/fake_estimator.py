"""Stands for the estimator: what it does is said by the variable FAKE.

Called as the Python of the estimator is: -u -m MODULE ARGUMENTS. It "makes" the file FAKE_MOTION.
"""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

METHODS = {
    "methods": [
        {"name": "ktpformer", "label": "KTPFormer", "description": "Looks at all frames at once"},
        {"name": "plain", "label": "Plain", "description": "Looks at one frame after the other"},
    ],
    "refinements": [],
}


def value(option: str) -> str:
    return sys.argv[sys.argv.index(option) + 1]


def tell(**record) -> None:
    with open(value("--progress-file"), "a") as file:
        file.write(json.dumps(record) + "\n")


def end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)


def write_picture(path: Path, width: int, height: int) -> None:
    """A grey PNG."""
    rows = (b"\0" + b"\x60\x70\x80" * width) * height
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
            file.write(struct.pack(">I", len(data)) + kind + data)
            file.write(struct.pack(">I", zlib.crc32(kind + data)))


def look(output: Path) -> None:
    write_picture(output, 640, 360)
    people = [{"number": n, "box": [100 * n, 50, 100 * n + 80, 300]} for n in (1, 2)]
    told = {"time": 0.5, "frame": 15, "width": 640, "height": 360, "people": people}
    output.with_suffix(".json").write_text(json.dumps(told))
    tell(stage="done", done=1, total=1, message="2 people are seen.", outputs=[str(output)])


def work(output: Path, seconds: float) -> None:
    """Takes its time, with a child of its own and deaf to requests to end."""
    subprocess.Popen(["sleep", "300"])
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for done in range(1, 101):
        time.sleep(seconds / 100)
        left = seconds * (1 - done / 100)
        print(f"frame {done}")
        tell(stage="detect", done=done, total=100, seconds_left=left, message="")
    shutil.copy(os.environ["FAKE_MOTION"], output)
    tell(stage="done", done=1, total=1, message="All seen.", outputs=[str(output)])


def main() -> None:
    module = sys.argv[sys.argv.index("-m") + 1]
    if module == "regressor.methods":
        print(json.dumps(METHODS))
        return
    how, output = os.environ["FAKE"], Path(value("--output"))
    if "--stop-with-parent" in sys.argv and how != "hangs":
        threading.Thread(target=end_with_parent, daemon=True).start()
    if module == "regressor.look":
        look(output)
        return
    if how == "slow":
        work(output, float(os.environ.get("FAKE_SECONDS", "4")))
        return
    tell(stage="detect", done=1, total=2, seconds_left=0.5, message="")
    if how == "good":
        shutil.copy(os.environ["FAKE_MOTION"], output)
        tell(stage="done", done=1, total=1, message="All seen.", output=str(output))
    elif how == "two people":
        outputs = [output.with_stem(f"{output.stem}-{number}") for number in (1, 2)]
        for path in outputs:
            shutil.copy(os.environ["FAKE_MOTION"], path)
        tell(stage="done", done=1, total=1, message="", outputs=[str(path) for path in outputs])
    elif how == "fails":
        tell(stage="error", message="No person was found in the video; film one.")
        sys.exit(1)
    elif how == "crashes":
        raise ModuleNotFoundError("No module named 'torch'")
    elif how == "is killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "hangs":
        child = subprocess.Popen(["sleep", "300"])
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Path(os.environ["FAKE_PIDS"]).write_text(f"{os.getpid()} {child.pid}\n")
        time.sleep(300)


main()
