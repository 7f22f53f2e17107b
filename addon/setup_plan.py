"""What set-up will do: with which Python, from which packages. Without bpy."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from . import environment
from .estimator import EstimatorError

VERSIONS = ("3.11", "3.12")  # mediapipe has wheels for no later one
BASE_VARIABLE = "POSECAST_BASE_PYTHON"
INDEX_VARIABLE = "POSECAST_TORCH_INDEX"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
NVIDIA_INDEX = "https://download.pytorch.org/whl/cu126"  # Windows; Linux has it from PyPI
CPU_SPACE, NVIDIA_SPACE = 3e9, 9e9  # bytes, with what pip unpacks on the way
PIP = ["install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
AGAIN = "press Set Up again"


@dataclass
class Plan:
    """What is installed where; `folder` is the user's."""

    folder: Path
    source: Path  # the estimator's wheel, or a folder with its sources
    constraints: Path | None
    version: str
    torch: str = "AUTO"  # or CPU, NVIDIA
    base: str = ""  # the Python to make it with; if empty, one is looked for


def check_plan(plan: Plan, index: str | None) -> None:
    """Raises EstimatorError for what can't end well, before anything is begun."""
    is_project = plan.source.is_dir() and (plan.source / "pyproject.toml").is_file()
    if not plan.source.is_file() and not is_project:
        raise EstimatorError(
            f"{plan.source} doesn't hold Posecast; name a folder with its repository, "
            "or leave Install from empty."
        )
    needed = CPU_SPACE if index == CPU_INDEX or sys.platform == "darwin" else NVIDIA_SPACE
    existing = next(folder for folder in (plan.folder, *plan.folder.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    made = (plan.folder / environment.FOLDER).exists()
    if free < needed and not made:
        raise EstimatorError(
            f"There are {free / 1e9:.1f} GB free in {existing} and set-up needs up to "
            f"{needed / 1e9:.0f}; make room and {AGAIN}."
        )


def torch_index(choice: str) -> str | None:
    """The package index that torch comes from; None is pip's own."""
    if named := os.environ.get(INDEX_VARIABLE):
        return named
    if choice == "AUTO":
        choice = "NVIDIA" if has_nvidia() else "CPU"
    if sys.platform == "darwin":
        return None
    if choice == "CPU":
        return CPU_INDEX if sys.platform == "linux" else None
    return NVIDIA_INDEX if os.name == "nt" else None


def has_nvidia() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or bool(shutil.which("nvidia-smi"))


def pip_commands(plan: Plan, index: str | None) -> list[tuple[str, list[str]]]:
    """The stages that pip goes through, each with its arguments."""
    constraints = ["--constraint", str(plan.constraints)] if plan.constraints else []
    commands = []
    if index:
        words = [*PIP, *constraints, "--index-url", index, "torch"]
        commands.append(("Installing PyTorch", words))
    commands.append(("Installing the estimator", [*PIP, *constraints, str(plan.source)]))
    if plan.source.is_file():
        # A wheel of the same version as the one that is there would be passed over.
        words = [*PIP, "--no-deps", "--force-reinstall", str(plan.source)]
        commands.append(("Installing this version", words))
    return commands


def candidates(given: str = "") -> list[str]:
    """Programs that may be a Python to make environments with, the likeliest first."""
    if named := given or os.environ.get(BASE_VARIABLE):
        return [named]
    own = Path(sys.prefix) / "bin"  # Blender's, in its own releases
    names = [f"python{version}" for version in VERSIONS]
    places = [own / name for name in (*names, "python.exe")]
    for folder in ("/opt/homebrew/bin", "/usr/local/bin", "/usr/bin"):
        places += [Path(folder) / name for name in names]
    installed = Path(os.environ.get("LOCALAPPDATA", "")) / "Programs/Python"
    places += [installed / name / "python.exe" for name in ("Python311", "Python312")]
    on_path = [shutil.which(name) for name in (*names, "python3", "python")]
    found = [str(place) for place in places if place.is_file()]
    return list(dict.fromkeys([*found, *filter(None, on_path)]))
