"""Runs the tests of addon/ inside Blender, with the pytest of another Python's site-packages:

blender -b -P tests/addon/run_in_blender.py -- SITE_PACKAGES [arguments for pytest]
"""

import os
import sys
from pathlib import Path

site_packages, *words = sys.argv[sys.argv.index("--") + 1 :]
sys.path.append(site_packages)  # after Blender's own, whose NumPy is the right one here
sys.path.insert(0, str(Path(__file__).parents[2]))

import pytest  # noqa: E402

status = pytest.main([str(Path(__file__).parent), "-p", "no:cacheprovider", *words])
sys.stdout.flush()
os._exit(status)
