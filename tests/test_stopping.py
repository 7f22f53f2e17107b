"""A command ends at once, whatever it is at, with a sentence and nothing half-written."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests import estimator

# A command that computes without coming back to Python, having begun to write; and its child.
BUSY = """
import subprocess, sys
from regressor.stopping import Listener
listener = Listener()
from regressor.files import replacing
from regressor.progress import Progress
listener.progress = Progress("json")
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
child = subprocess.Popen(sleep, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
{more}
with replacing("out.npz") as partial:
    partial.write_text("half")
    print(child.pid, flush=True)
    {work}
"""
COMPUTE = "import torch; torch.set_num_threads(1); a = torch.rand(7000, 7000); a @ a @ a @ a"
SLEEP = "import time; time.sleep(60)"


def start(folder, work, more="", **options):
    return subprocess.Popen(
        [sys.executable, "-c", BUSY.format(work=work, more=more)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(estimator.ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:  # a child that nobody waited for is dead as well
        return file.read().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("work", [COMPUTE, SLEEP])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals(tmp_path, work, number, status):
    process = start(tmp_path, work)
    child = int(process.stdout.readline())
    time.sleep(1.0)  # until it computes
    assert (tmp_path / f".out.{process.pid}.partial.npz").exists()
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    os.kill(child, signal.SIGKILL)
    assert process.returncode == status
    assert err == "Stopped; nothing was written.\n" and '"stage": "error"' in out
    assert list(tmp_path.iterdir()) == []


def test_what_was_finished_before_is_told(tmp_path):
    done = 'with replacing("{0}.npz", told={1}) as a: a.write_text("whole")'
    more = "\n".join(done.format(*one) for one in [("a", True), ("b", True), ("kept", False)])
    process = start(tmp_path, SLEEP, more)
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    os.kill(child, signal.SIGKILL)
    assert err == "Stopped; 2 finished files stay.\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz", "kept.npz"]


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="asks Linux who is alive")
@pytest.mark.parametrize("work", [COMPUTE, SLEEP])
def test_the_whole_group_ends_with_the_parent(tmp_path, work):
    process = start(tmp_path, work, more="listener.end_with_parent()")
    child = int(process.stdout.readline())
    time.sleep(1.0)
    assert process.poll() is None and is_alive(child)
    process.stdin.close()
    assert process.wait(timeout=10) == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(child) and list(tmp_path.iterdir()) == []
    assert "is gone" in process.stdout.read()


def test_a_reader_who_reads_no_more_does_not_keep_it(tmp_path):
    fill = "import threading; threading.Thread(target=lambda: print('x' * 10**6), daemon=True)"
    process = start(tmp_path, f"{fill}.start(); {SLEEP}")
    process.stdout.readline()
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 130
    process.stdout.close(), process.stderr.close()


@pytest.mark.parametrize("after_s", [0.1, 0.2, 0.4])
def test_control_c_while_libraries_are_imported(tmp_path, after_s):
    process = estimator.start(tmp_path / "at", estimator.DEMO)
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    done = estimator.finish(process, tmp_path / "at")
    # Before Python has come to the command at all, it is Python that answers.
    assert done.status == 130 or (after_s < 0.3 and done.status == -signal.SIGINT)
    assert done.status != 130 or done.err == "Stopped; nothing was written.\n"


def test_estimate_ends_with_its_parent(tmp_path):
    words = [estimator.DEMO, "--progress", "json", "--stop-with-parent"]
    process = estimator.start(
        tmp_path / "at", *words, stdin=subprocess.PIPE, start_new_session=True
    )
    assert '"stage": "detect"' in process.stdout.readline()
    process.stdin.close()
    assert process.wait(timeout=10) == -signal.SIGKILL
    assert '"stage": "error"' in process.stdout.read().splitlines()[-1]
    assert list((tmp_path / "at").iterdir()) == []
