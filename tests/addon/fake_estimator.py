"""Stands for the estimator: what it does is said by the variable FAKE.

Called as the Python of the estimator is: -u -m MODULE ARGUMENTS. It "makes" the file FAKE_MOTION.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path


def value(option: str) -> str:
    return sys.argv[sys.argv.index(option) + 1]


def tell(**record) -> None:
    with open(value("--progress-file"), "a") as file:
        file.write(json.dumps(record) + "\n")


def main() -> None:
    how, output = os.environ["FAKE"], Path(value("--output"))
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
