#!/usr/bin/env bash
# From a video to an animated body: motion.npz, animated.blend and preview.mp4 in the folder out/.
#
#   bash scripts/quickstart.sh [VIDEO]     the demo clip when no video is given
#
# Makes .venv first if there is none. On the demo clip, whose true motion is known, it ends with the
# error in millimetres.
set -euo pipefail
video=${1:-}
[[ -z $video || -f $video ]] || { echo "There is no video $video." >&2; exit 1; }
[[ -z $video ]] || video=$(realpath "$video")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh
prepare_environment blender

if "$python" -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("bpy"))'; then
  animate=("$python" scripts/animate.py)
elif command -v blender >/dev/null; then
  animate=(blender -b --python-exit-code 1 -P scripts/animate.py --)
else
  fail "Neither Blender nor its Python module is here: install Blender 4.2 or later, or use Python 3.11."
fi
"${animate[@]}" "${video:-demo/demo.mp4}" --output out/animated.blend --motion out/motion.npz \
  --preview out/preview.mp4
if [[ -z $video ]]; then
  "$python" scripts/compare_motion.py out/motion.npz demo/demo_truth.npz
fi
echo "Written: out/motion.npz, out/animated.blend, out/preview.mp4"
