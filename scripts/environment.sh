# Sourced by the other scripts, from the repository's root: makes .venv and keeps it up to date.
#
#   prepare_environment EXTRAS     EXTRAS as in pyproject.toml: blender,smpl,dev,…
#
# Afterwards $python is the environment's Python. Nothing is installed when nothing changed.
# POSECAST_BASE_PYTHON names the Python to make the environment with, and POSECAST_TORCH_INDEX the
# package index that torch shall come from (to choose a build for another GPU or for the CPU).

# Libraries of the system that mediapipe and Blender load, and Debian's packages that hold them.
system_libraries="
  libGL.so.1 libgl1          libEGL.so.1 libegl1          libglib-2.0.so.0 libglib2.0-0
  libX11.so.6 libx11-6       libXext.so.6 libxext6        libXi.so.6 libxi6
  libSM.so.6 libsm6          libXfixes.so.3 libxfixes3    libXrender.so.1 libxrender1
  libgomp.so.1 libgomp1      libXxf86vm.so.1 libxxf86vm1  libxkbcommon.so.0 libxkbcommon0
"

fail() { echo "$*" >&2; exit 1; }

prepare_environment() {
  local wanted=$1 mark=.venv/posecast-installed
  ensure_system_libraries
  python=$PWD/.venv/bin/python
  local had="" state
  [[ -f $mark ]] && had=$(sed -n 2p "$mark")
  # What was installed for another script stays.
  wanted=$(tr ',' '\n' <<<"$wanted,$had" | sort -u | sed '/^$/d' | paste -sd,)
  state=$(cat pyproject.toml constraints.txt | cksum)
  if [[ -f $mark && -x $python && $(cat "$mark") == "$state"$'\n'"$wanted" ]]; then
    return
  fi
  [[ -x $python ]] || make_environment
  echo "Installing posecast[$wanted] into .venv …" >&2
  if [[ -n ${POSECAST_TORCH_INDEX:-} ]]; then
    "$python" -m pip install --quiet -c constraints.txt torch --index-url "$POSECAST_TORCH_INDEX" ||
      fail "torch could not be installed from POSECAST_TORCH_INDEX: see pip's message above."
  fi
  "$python" -m pip install --quiet -c constraints.txt --editable ".[$wanted]" ||
    fail "The installation failed: see pip's message above; run this again to go on."
  printf '%s\n%s\n' "$state" "$wanted" >"$mark"
}

make_environment() {
  local base
  base=$(find_python) || fail "Posecast needs Python 3.11 or 3.12 (3.11 for Blender as a module):" \
    "install it, or name it in POSECAST_BASE_PYTHON."
  echo "Making .venv with $("$base" --version) …" >&2
  rm -rf .venv
  "$base" -m venv .venv >&2 && return
  rm -rf .venv
  fail "$base can't make environments: install its venv module (on Debian: apt-get install python3-venv)."
}

# 3.11 first, for Blender's wheels; mediapipe has none for 3.13.
find_python() {
  local candidate
  for candidate in "${POSECAST_BASE_PYTHON:-}" python3.11 python3 python3.12 python; do
    [[ -n $candidate ]] || continue
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' \
      2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

ensure_system_libraries() {
  [[ $(uname) == Linux ]] || return 0
  local known packages=() library package
  known=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null) || return 0
  while read -r library package; do
    [[ $known == *"$library "* ]] || packages+=("$package")
  done < <(xargs -n 2 <<<"$system_libraries")
  ((${#packages[@]})) || return 0
  if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    echo "Installing ${packages[*]} …" >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
      --no-install-recommends "${packages[@]}"; } >/dev/null && return
  fi
  fail "Libraries of the system are missing: install them (sudo apt-get install ${packages[*]})."
}
