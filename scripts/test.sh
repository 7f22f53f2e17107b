#!/usr/bin/env bash
# Checks the whole repository: style, types, tests. Makes .venv first if there is none.
#
#   bash scripts/test.sh [arguments for pytest]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh
prepare_environment blender,smpl,train,dev

# Everything is run, so that one call shows all there is to mend.
status=0
"$python" -m ruff check . || status=1
"$python" -m ruff format --check --quiet . || status=1
if command -v node >/dev/null; then
  "$python" -m pyright --pythonpath "$python" --level error || status=1
else
  echo "pyright is left out: it needs Node.js, which is not installed."
fi
"$python" -m pytest "$@" || status=1
exit "$status"
