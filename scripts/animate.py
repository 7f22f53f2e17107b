"""The whole job: a video in, an animated body in a .blend out.

    blender -b -P scripts/animate.py -- VIDEO --output out.blend [options]
    python scripts/animate.py VIDEO --output out.blend [options]          (with the bpy wheel)

The estimator (torch, mediapipe) runs in a Python of its own: --python, else POSECAST_PYTHON, else
the repository's .venv. Without VIDEO, --motion is read and no estimator is needed. Exit status:
0 done, 1 an error told in one sentence, 2 wrong usage, 130 Ctrl-C.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from contextlib import nullcontext, suppress
from pathlib import Path

import bpy

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
from console import Console, silenced  # noqa: E402

from addon import body, export, preview  # noqa: E402
from addon.estimator import Estimator, EstimatorError, find_python  # noqa: E402
from addon.motion_file import Motion, MotionFileError, read_motion  # noqa: E402
from addon.scene import VideoError, build  # noqa: E402

POLL_S = 0.1


class JobError(Exception):
    """What this script itself finds wrong, in one sentence."""


TOLD = (
    JobError,
    EstimatorError,
    MotionFileError,
    body.BodyFileError,
    export.ExportError,
    VideoError,
)


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="animate.py", description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("video", nargs="?", type=Path, help="the video; without one, --motion is read")
    add("--output", "-o", type=Path, required=True, help="the .blend to write")
    add("--motion", type=Path, help="where the Motion (.npz) is kept; read if there is no video")
    add("--background", type=Path, help="the video that --motion was made from")
    add("--export", default="", help=f"formats, by commas: {','.join(export.formats())}")
    add("--preview", type=Path, help="film (.mp4) of the body over the video and from the side")
    add("--python", help="the estimator's Python")
    add("--person", help="largest, all, or a number from 1")
    add("--method", help="the network that lifts to 3D")
    add("--fov", type=float, help="the camera's horizontal field of view in degrees")
    add("--body", type=Path, help="an SMPL file (.npz, .pkl) instead of the default body")
    add("--start", type=float, help="seconds into the video to begin at")
    add("--end", type=float, help="seconds into the video to end at")
    add("--fps", type=float, help="frames a second to look at")
    add("--smooth", type=float, help="smoothing in seconds; 0 turns it off")
    add("--device", help="where the estimator computes: auto, cpu, cuda")
    add("--debug", action="store_true", help="show all messages, and where an error came from")
    options = parser.parse_args(argv)
    options.export = [name for name in options.export.lower().split(",") if name]
    if options.video is None and options.motion is None:
        parser.error("give a VIDEO, or a --motion to put on a body")
    for name, suffix in (("output", ".blend"), ("preview", ".mp4"), ("motion", ".npz")):
        path = getattr(options, name)
        if path is not None and path.suffix.lower() != suffix:
            parser.error(f"--{name} {path} has to end in {suffix}")
    for name in ("video", "output", "motion", "background", "preview", "body"):
        path = getattr(options, name)
        setattr(options, name, path and path.expanduser().absolute())
    return options


def run(options: argparse.Namespace, console: Console) -> None:
    """The job from start to end; its files appear at the very end, all of them or none."""
    check_inputs(options)
    made_folder = prepare_folder(options.output.parent)
    folder = Path(tempfile.mkdtemp(prefix=".posecast-", dir=options.output.parent))
    probe = preview.start_probe() if options.preview else None
    done = False
    try:
        motions = obtain_motions(options, folder, console)
        data = body_data(options, folder)
        with silenced(folder / "blender.log") if not options.debug else nullcontext():
            files = make_files(options, motions, data, folder, probe, console)
        publish(files)
        done = True
    finally:
        if probe is not None and probe.poll() is None:
            probe.kill()
        shutil.rmtree(folder, ignore_errors=True)
        if made_folder and not done and not any(options.output.parent.iterdir()):
            options.output.parent.rmdir()
    report(motions, [target for _, target in files], console)


def check_inputs(options: argparse.Namespace) -> None:
    """Says now, not after minutes of work, what can't be read or written."""
    for name in options.export:
        export.check(name)
    for path, what in (
        (options.video, "video"),
        (options.background, "video"),
        (options.body, "body file"),
        (None if options.video else options.motion, "motion file"),
    ):
        if path is not None and not path.is_file():
            raise JobError(f"There is no {what} {path}; check the path.")
    for path in (options.output, options.preview, options.motion if options.video else None):
        if path is not None and path.is_dir():
            raise JobError(f"{path} is a folder; name a file to write.")
        if path is not None and path.parent != options.output.parent:
            check_writable(path.parent)
    if options.video is not None:
        find_python(options.python, ROOT)


def prepare_folder(folder: Path) -> bool:
    """Makes the output's folder if it isn't there; says whether it did."""
    missing = not folder.exists()
    if missing:
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise JobError(
                f"{folder} can't be made ({error.strerror}); choose another output."
            ) from None
    check_writable(folder)
    return missing


def check_writable(folder: Path) -> None:
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise JobError(
            f"Nothing can be written into {folder} ({error.strerror}); choose another output."
        ) from None


def obtain_motions(options: argparse.Namespace, folder: Path, console: Console) -> list[Motion]:
    """The Motions that the estimator makes of the video, or the one that was given."""
    if options.video is None:
        return [read_motion(options.motion)]
    names = ("person", "method", "fov", "body", "start", "end", "fps", "smooth", "device")
    wanted = {name: getattr(options, name) for name in names}
    target = options.motion or folder / "motion.npz"
    python = find_python(options.python, ROOT)
    with console.stage("estimate"):
        job = Estimator.estimate(python, options.video, target, wanted, folder, ROOT)
        try:
            while job.running:
                show_progress(job, console)
                time.sleep(POLL_S)
            show_progress(job, console)
        finally:
            job.cancel()
        files = job.outputs() or [target]
    message = job.records[-1].get("message") if job.records else ""
    if message:
        console.line(message)
    return [read_motion(file) for file in files]


def show_progress(job: Estimator, console: Console) -> None:
    for record in job.poll()[-1:]:
        if record.get("stage") not in ("done", "error"):
            console.progress(
                record.get("stage", ""),
                record.get("done", 0),
                record.get("total"),
                record.get("seconds_left"),
            )


def body_data(options: argparse.Namespace, folder: Path) -> body.BodyData:
    """The body; a pickle is turned into plain arrays by the estimator's Python first."""
    file = options.body or body.default_body_file()
    if file.suffix.lower() == ".pkl":
        plain = folder / "body.npz"
        words = [str(file), "--output", str(plain)]
        python = find_python(options.python, ROOT)
        job = Estimator(python, "regressor.smpl.convert", words, folder, ROOT)
        try:
            job.outputs()
        finally:
            job.cancel()
        file = plain
    return body.read_body(file)


def make_files(options, motions, data, folder: Path, probe, console: Console) -> list[tuple]:
    """Makes everything in `folder`; pairs of (file made, where it belongs)."""
    video = options.video or options.background
    with console.stage("build"):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        scene = bpy.context.scene
        bodies, clip_start = build(scene, motions, data, video)
    files = []
    for name in options.export:
        with console.stage(f"export {name}"):
            console.progress(f"export {name}", 0, 1)
            written = export.export(name, bodies, folder / options.output.stem, scene)
            files += [(file, options.output.with_name(file.name)) for file in written]
    with console.stage("save"):
        made = folder / options.output.name
        save(made, options.output.parent)
        files.append((made, options.output))
    if options.preview:
        with console.stage("preview"):
            made = folder / "preview.mp4"
            preview.render_preview(
                made, scene, bodies, motions[0], video, clip_start, folder,
                preview.engine(probe), lambda n, total: console.progress("preview", n, total),
            )  # fmt: skip
        files.append((made, options.preview))
    return files


def save(made: Path, final_folder: Path) -> None:
    """Saves the .blend, its video named as seen from `final_folder`, where it goes afterwards."""
    absolute = {image: image.filepath for image in bpy.data.images if image.source == "MOVIE"}
    for image, path in absolute.items():
        with suppress(ValueError):  # another drive
            image.filepath = "//" + os.path.relpath(bpy.path.abspath(path), final_folder)
    bpy.ops.wm.save_as_mainfile(
        filepath=str(made), compress=True, relative_remap=False, check_existing=False
    )
    for image, path in absolute.items():
        image.filepath = path


def publish(files: list[tuple]) -> None:
    """Puts finished files in place: beside first (it may be another disk), then all renamed."""
    parts = [(target.with_name(f".{target.name}.part"), target) for _, target in files]
    try:
        for (made, _), (part, _) in zip(files, parts, strict=True):
            shutil.move(made, part)
        for part, target in parts:
            part.replace(target)
    except OSError as error:
        for part, _ in parts:
            part.unlink(missing_ok=True)
        raise JobError(
            f"The result can't be written ({error}); make room or choose another output."
        ) from error


def report(motions: list[Motion], files: list[Path], console: Console) -> None:
    for motion in motions:
        seen = 100 * motion.observed.mean()
        console.line(
            f"{len(motion)} frames at {motion.fps:g} a second, {seen:.0f} % of them observed"
        )
    times = ", ".join(f"{name} {seconds:.1f}" for name, seconds in console.seconds.items())
    console.line(f"Seconds: {times}; in all {sum(console.seconds.values()):.1f}")
    console.line("Written: " + ", ".join(str(file) for file in files))


def interrupted(*_) -> None:
    raise KeyboardInterrupt


def main() -> int:
    own = Path(sys.argv[0]).name == Path(__file__).name
    argv = sys.argv[1:] if own else sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    options = arguments(argv)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    console = Console()
    try:
        run(options, console)
    except KeyboardInterrupt:
        return fail(console, "Stopped; no file was written.", 130)
    except TOLD as error:
        if options.debug:
            traceback.print_exc()
        return fail(console, str(error), 1)
    except Exception as error:
        if options.debug:
            traceback.print_exc()
            return 1
        kind = type(error).__name__
        reason = str(error).strip().splitlines()[-1:] or [kind]
        return fail(
            console, f"This went wrong in Blender: {reason[0]} ({kind}); --debug shows where.", 1
        )
    return 0


def fail(console: Console, sentence: str, status: int) -> int:
    console.clear()
    print(sentence, file=sys.stderr)
    return status


def leave(status: int) -> None:
    """Ends the process here: Blender as a module may hang or crash while Python shuts down."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    try:
        status = main()
    except SystemExit as wrong_usage:
        status = wrong_usage.code if isinstance(wrong_usage.code, int) else 2
    # With a window, the result stays there to be looked at.
    if bpy.app.background or status:
        leave(status)
