"""Builds the extension for Blender, dist/posecast-VERSION.zip:

    python scripts/build_addon.py [--output FOLDER]

It holds the add-on, the default body, and the estimator as a wheel with the versions it is tested
with, from which set-up installs exactly the estimator that matches. Nothing is downloaded but what
building a wheel may need (setuptools, where this Python has none that is new enough). The same
sources give the same bytes. Blender's own check is run where there is bpy or a `blender`.
"""

import argparse
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BODY = ROOT / "regressor/smpl/data/default_body.npz"
SOURCES = ("regressor", "rendering", "addon")
FILES = ("pyproject.toml", "README.md", "LICENSE")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
DATE = (1980, 1, 1, 0, 0, 0)
SETUPTOOLS = 77  # as pyproject.toml asks


class BuildError(Exception):
    """What stands in the way, in one sentence."""


def build(output: Path) -> Path:
    """Writes the extension into the folder `output` and returns its path."""
    version = checked_version()
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        staged = Path(name) / "posecast"
        shutil.copytree(ROOT / "addon", staged, ignore=LEFT_OUT)
        (staged / "data").mkdir()
        shutil.copy(BODY, staged / "data")
        (staged / "estimator").mkdir()
        shutil.copy(ROOT / "constraints.txt", staged / "estimator")
        shutil.copy(build_wheel(Path(name)), staged / "estimator")
        made = Path(name) / f"posecast-{version}.zip"
        write_zip(staged, made)
        validate(made)
        part = output / f"{made.name}.part"
        shutil.copy(made, part)
        part.replace(output / made.name)
    return output / made.name


def checked_version() -> str:
    """The version that pyproject.toml and the manifest agree on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    manifest = tomllib.loads((ROOT / "addon/blender_manifest.toml").read_text())["version"]
    if project != manifest:
        raise BuildError(
            f"pyproject.toml says version {project} and addon/blender_manifest.toml {manifest}: "
            "make them one."
        )
    return project


def build_wheel(folder: Path) -> Path:
    """The estimator's wheel, from a copy of its sources, where no earlier build left anything."""
    sources = folder / "sources"
    for name in SOURCES:
        shutil.copytree(ROOT / name, sources / name, ignore=LEFT_OUT)
    for name in FILES:
        shutil.copy(ROOT / name, sources)
    words = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder)]
    if has_setuptools():
        words.append("--no-build-isolation")
    date = {"SOURCE_DATE_EPOCH": "315532800"}  # 1980, where zip's dates begin
    done = run([sys.executable, *words, str(sources)], os.environ | date)
    wheels = list(folder.glob("posecast-*.whl"))
    if done.returncode or len(wheels) != 1:
        raise BuildError(f"The estimator's wheel can't be built: {last_line(done)}")
    return wheels[0]


def has_setuptools() -> bool:
    try:
        return int(importlib.metadata.version("setuptools").split(".")[0]) >= SETUPTOOLS
    except importlib.metadata.PackageNotFoundError:
        return False


def write_zip(folder: Path, path: Path) -> None:
    """All files of the folder, in order and without their dates."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())


def validate(path: Path) -> None:
    """Runs Blender's own check of extensions; raises BuildError with what it says."""
    command = validator()
    if command is None:
        print("Not checked: there is neither bpy nor a program `blender` here.", file=sys.stderr)
        return
    done = run([*command, str(path)], dict(os.environ))
    if done.returncode:
        raise BuildError(f"Blender doesn't accept {path.name}: {' '.join(done.stdout.split())}")


def validator() -> list[str] | None:
    if importlib.util.find_spec("bpy"):
        ask = "import bpy, os; print(bpy.utils.system_resource('SCRIPTS'), flush=True); os._exit(0)"
        scripts = Path(run([sys.executable, "-c", ask], dict(os.environ)).stdout.splitlines()[-1])
        tool = scripts / "addons_core/bl_pkg/cli/blender_ext.py"
        tags = scripts / "modules/_bpy_internal/extensions/tags.py"
        return [sys.executable, str(tool), "validate", "--valid-tags", str(tags)]
    blender = shutil.which("blender")
    return [blender, "--command", "extension", "validate"] if blender else None


def run(command: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def last_line(done: subprocess.CompletedProcess) -> str:
    return (done.stdout.strip().splitlines() or ["no reason was given"])[-1]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0].rstrip(":"))
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="folder for the zip")
    try:
        made = build(parser.parse_args().output)
    except (BuildError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{made} ({made.stat().st_size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
