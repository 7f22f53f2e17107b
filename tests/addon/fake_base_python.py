"""Stands for a Python that set-up makes an environment with, and for the one in it.

Called as -u -m MODULE ARGUMENTS; what it does is said by the variable FAKE.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

how = os.environ["FAKE"]
module, *words = sys.argv[sys.argv.index("-m") + 1 :]
with open(os.environ["FAKE_CALLS"], "a") as calls:
    calls.write(json.dumps([module, *words]) + "\n")

if module == "sysconfig":
    print(f'Platform: "any"\nPython version: "{os.environ.get("FAKE_VERSION", "3.11")}"')
elif module == "venv":
    if how == "no venv":
        sys.exit("No module named ensurepip")
    python = Path(words[-1]) / "bin/python"
    python.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(os.environ["FAKE_PROGRAM"], python)
    (python.parents[1] / "pyvenv.cfg").write_text("version = 3.11.7\n")
elif module == "pip" and how == "hangs":
    child = subprocess.Popen(["sleep", "300"])
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("Collecting torch==2.13.0\n  Downloading torch-2.13.0-x.whl (180.4 MB)", flush=True)
    Path(os.environ["FAKE_PIDS"]).write_text(f"{os.getpid()} {child.pid}\n")
    time.sleep(300)
elif module == "pip":
    print("Collecting torch==2.13.0\n  Downloading torch-2.13.0-x.whl (180.4 MB)")
    print("Installing collected packages: a, b", flush=True)
    if how.startswith("pip says "):
        print(how.removeprefix("pip says "))
        sys.exit(1)
elif module == "regressor.check":
    if how == "no check":
        sys.exit("No module named 'tyro'")
    missing = how == "missing"
    findings = [{"state": "missing" if missing else "ok", "text": "mediapipe is there or not."}]
    print("a warning of some library")
    print(json.dumps({"ok": not missing, "findings": findings}))
    sys.exit(int(missing))
