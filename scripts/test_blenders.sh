#!/usr/bin/env bash
# Runs the add-on's tests on other versions of Blender, each as a Python module in .venv-bpyVERSION:
#
#   bash scripts/test_blenders.sh 4.2 4.5 [-- arguments for pytest]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh

versions=()
while (($#)) && [[ $1 != -- ]]; do
  versions+=("$1")
  shift
done
shift || true
((${#versions[@]})) || fail "Name versions of bpy, as in: bash scripts/test_blenders.sh 4.2 4.5"

base=$(find_python) || fail "Blender's wheels need Python 3.11; name it in POSECAST_BASE_PYTHON."
status=0
for version in "${versions[@]}"; do
  folder=.venv-bpy$version
  if [[ ! -f $folder/posecast-installed ]]; then
    rm -rf "$folder"
    "$base" -m venv "$folder"
    "$folder/bin/pip" install --quiet "numpy<2" "bpy==$version.*" pytest hypothesis setuptools wheel ||
      fail "bpy $version could not be installed: see pip's message above."
    touch "$folder/posecast-installed"
  fi
  "$folder/bin/python" -m pytest tests/addon "$@" || status=1
done
exit "$status"
