"""Freed memory stays with the process, so that it isn't fetched page by page again."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import sys
import torch
from regressor.memory import keep_memory

if sys.argv[1] == "keep":
    keep_memory()
torch.set_num_threads(1)
piece = torch.zeros(1 << 18)  # a megabyte, as a network's results are
for turn in range(60):
    if turn == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    results = [piece + n for n in range(8)]
    del results
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library isn't glibc")
def test_pages_are_not_fetched_again():
    calls = [[sys.executable, "-c", PROGRAM, how] for how in ("keep", "as it is")]
    kept, given_back = (
        int(subprocess.run(call, capture_output=True, text=True, check=True).stdout)
        for call in calls
    )
    assert kept < given_back / 4
