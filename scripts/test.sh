#!/usr/bin/env bash
# Checks the whole repository: style, types, tests. Makes .venv first if there is none.
#
#   bash scripts/test.sh [arguments for pytest]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh
prepare_environment blender,smpl,dev

"$python" -m ruff check .
"$python" -m ruff format --check .
if command -v node >/dev/null; then
  "$python" -m pyright --pythonpath "$python" --level error
else
  echo "pyright is left out: it needs Node.js, which is not installed."
fi
"$python" -m pytest "$@"
