"""What the folders may import, and what the repository promises about its own files."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "mediapipe", "scipy", "cv2", "jax", "trimesh", "smplx")


def tracked(pattern: str) -> list[Path]:
    """The repository's files that match, without what was built beside them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", pattern],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("the repository is not a git work tree")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def imported(file: Path) -> set[str]:
    """The packages that a file imports, anywhere in it; its own ones where it says `from .`."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0] if not node.level else "")
    return found


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("addon", {"torch", "regressor", "rendering", "scipy", "roma", "mediapipe", "av", "smplx"}),
        ("regressor", {"bpy", "addon", "anny"}),
        ("rendering", {"regressor", "addon", "bpy"}),
    ],
)
def test_folders_import_only_what_they_may(folder, forbidden):
    files = tracked(f"{folder}/*.py")
    assert files
    wrong = {str(file.relative_to(ROOT)): imported(file) & forbidden for file in files}
    assert {file: names for file, names in wrong.items() if names} == {}


def test_only_one_place_reads_pickles():
    readers = [
        str(file.relative_to(ROOT))
        for file in tracked("*.py")
        if file.relative_to(ROOT).parts[0] != "tests"
        and {"pickle", "joblib", "dill", "marshal", "shelve"} & imported(file)
    ]
    assert readers == ["regressor/safe_pickle.py"]


def test_nothing_is_loaded_or_run_blindly():
    """No calls that would run what a file or a text says."""
    wrong = []
    for file in tracked("*.py"):
        for node in ast.walk(ast.parse(file.read_text(), str(file))):
            if not isinstance(node, ast.Call) or file.relative_to(ROOT).parts[0] == "tests":
                continue
            asked = {
                k.arg: k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)
            }
            blind = asked.get("allow_pickle") or asked.get("shell") is True
            blind = blind or asked.get("weights_only") is False
            if blind or (isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec")):
                wrong.append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert wrong == []


def test_files_are_small_enough_to_ship():
    sizes = {file: file.stat().st_size / 1e6 for file in tracked("*")}
    assert {file: size for file, size in sizes.items() if size > 16} == {}
    body = ROOT / "regressor" / "smpl" / "data" / "default_body.npz"
    assert body.stat().st_size < 6e6


def test_tested_versions_fit_what_the_package_asks_for():
    from packaging.requirements import Requirement
    from packaging.version import Version

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    extras = project["optional-dependencies"].values()
    for text in [*project["dependencies"], *(text for extra in extras for text in extra)]:
        wanted = Requirement(text)
        assert Version(pinned[wanted.name]) in wanted.specifier, text


def test_a_built_package_holds_its_data():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    for package, patterns in settings["package-data"].items():
        folder = ROOT / package.replace(".", "/")
        for pattern in patterns:
            assert list(folder.glob(pattern)), f"{package}: {pattern}"


def test_default_install_is_free_for_paid_work():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert not [text for text in project["dependencies"] if text.startswith(("smplx", "bpy"))]


@pytest.mark.parametrize(
    "module", [f"regressor.{n}" for n in ("estimate", "methods", "look", "convert")]
)
def test_help_comes_without_the_heavy_libraries(module):
    program = f"""
import runpy, sys
sys.argv = [{module!r}, "--help"]
try:
    runpy.run_module({module!r}, run_name="__main__")
except SystemExit as stop:
    assert not stop.code, stop.code
print("loaded:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("loaded: []\n")


@pytest.mark.parametrize("script", ["test.sh", "quickstart.sh", "environment.sh"])
def test_scripts_are_correct_bash(script):
    subprocess.run(["bash", "-n", str(ROOT / "scripts" / script)], check=True)


def test_quickstart_answers_a_missing_video_in_a_sentence(tmp_path):
    command = ["bash", str(ROOT / "scripts" / "quickstart.sh"), "no such film.mp4"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "There is no video no such film.mp4.\n")


def environment(folder: Path, commands: str, **variables: str) -> subprocess.CompletedProcess:
    """Runs `commands` in a copy of the scripts; the system's libraries aren't looked at."""
    (folder / "scripts").mkdir(exist_ok=True)
    for name in ("scripts/environment.sh", "pyproject.toml", "constraints.txt"):
        (folder / name).write_text((ROOT / name).read_text())
    program = f"source scripts/environment.sh; ensure_system_libraries() {{ :; }}; {commands}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", program],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def fake_python(tmp_path):
    """A Python whose environments only write down what pip is asked for."""
    folder = tmp_path / "a clone"
    folder.mkdir()
    fake = folder / "fake-python"
    fake.write_text(
        "#!/bin/bash\n"
        'if [[ "$*" == "-m venv .venv" ]]; then\n'
        '  mkdir -p .venv/bin; cp "$0" .venv/bin/python\n'
        'elif [[ "$*" == "-m pip"* ]]; then echo "$*" >>pip.log\n'
        'elif [[ "$1" == scripts/* ]]; then printf "%s|" "$@" >>calls.log; echo >>calls.log\n'
        "fi\n"
    )
    fake.chmod(0o755)
    return folder


@pytest.mark.parametrize("video", ["a film.mp4", None])
def test_quickstart_runs_the_whole_job(fake_python, video):
    """From another folder, on a film and on the demo clip, with spaces in the paths."""
    (fake_python / "scripts").mkdir()
    for name in ("scripts/environment.sh", "scripts/quickstart.sh", "pyproject.toml"):
        (fake_python / name).write_text((ROOT / name).read_text())
    (fake_python / "constraints.txt").write_text("")
    elsewhere = fake_python / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a film.mp4").write_text("")
    command = ["bash", str(fake_python / "scripts" / "quickstart.sh"), *([video] if video else [])]
    variables = {"PATH": "/usr/bin:/bin", "POSECAST_BASE_PYTHON": str(fake_python / "fake-python")}
    subprocess.run(command, cwd=elsewhere, env=variables, capture_output=True, check=True)
    film = str(elsewhere / video) if video else "demo/demo.mp4"
    animate = f"scripts/animate.py|{film}|--output|out/animated.blend|--motion|out/motion.npz"
    calls = (fake_python / "calls.log").read_text().splitlines()
    assert calls[0] == animate + "|--preview|out/preview.mp4|"
    compared = "scripts/compare_motion.py|out/motion.npz|demo/demo_truth.npz|"
    assert calls[1:] == ([] if video else [compared])


def installations(folder: Path) -> list[str]:
    """What pip was asked to install in `folder`."""
    return (folder / "pip.log").read_text().splitlines()


def test_nothing_is_installed_twice(fake_python):
    python = str(fake_python / "fake-python")
    for _ in range(2):
        done = environment(fake_python, "prepare_environment blender", POSECAST_BASE_PYTHON=python)
        assert done.returncode == 0, done.stderr
    assert len(installations(fake_python)) == 1
    assert installations(fake_python)[0].endswith("--editable .[blender]")


def test_extras_add_up_and_changes_install_again(fake_python):
    python = str(fake_python / "fake-python")
    for extras in ("blender", "dev,smpl", "blender", "dev"):
        environment(fake_python, f"prepare_environment {extras}", POSECAST_BASE_PYTHON=python)
    assert [line.split(".[")[1] for line in installations(fake_python)] == [
        "blender]",
        "blender,dev,smpl]",
    ]
    commands = "echo '# changed' >>constraints.txt; prepare_environment blender"
    environment(fake_python, commands, POSECAST_BASE_PYTHON=python)
    assert len(installations(fake_python)) == 3


def test_torch_comes_from_the_index_that_is_named(fake_python):
    python = str(fake_python / "fake-python")
    variables = {"POSECAST_BASE_PYTHON": python, "POSECAST_TORCH_INDEX": "https://wheels.example"}
    environment(fake_python, "prepare_environment blender", **variables)
    assert installations(fake_python)[0].endswith("torch --index-url https://wheels.example")


def test_a_missing_python_is_answered_in_a_sentence(tmp_path):
    done = environment(tmp_path, "PATH=/nowhere; make_environment")
    assert done.returncode == 1
    assert (
        done.stderr.startswith("Posecast needs Python 3.11 or 3.12")
        and done.stderr.count("\n") == 1
    )


def test_missing_system_libraries_are_named(tmp_path):
    commands = (
        "unset -f ensure_system_libraries; source scripts/environment.sh; id() { echo 1000; }; "
        "ldconfig() { echo 'libGL.so.1 (libc6) libEGL.so.1 (libc6)'; }; ensure_system_libraries"
    )
    done = environment(tmp_path, commands)
    assert done.returncode == 1
    assert done.stderr.startswith("Libraries of the system are missing: install them (sudo apt-get")
    assert " libglib2.0-0 " in done.stderr and " libgl1 " not in done.stderr
