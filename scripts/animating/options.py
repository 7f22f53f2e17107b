"""The command line of animate.py, made into one job for each video."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from addon import export

PATHS = {"output": ".blend", "preview": ".mp4", "motion": ".npz"}


@dataclass(frozen=True)
class Job:
    """What is made of one video, or of one Motion where `video` is None."""

    video: Path | None
    output: Path
    motion: Path | None
    preview: Path | None


def arguments(argv: list[str], description: str) -> argparse.Namespace:
    """The options, with their `jobs`; ends the program where they are wrong."""
    parser = argparse.ArgumentParser(prog="animate.py", description=description)
    add = parser.add_argument
    add("video", nargs="*", type=Path, help="the videos; without one, --motion is read")
    add("--output", "-o", type=Path, required=True,
        help="the .blend to write, or a folder that takes one for each video")  # fmt: skip
    add("--motion", type=Path,
        help="where the Motion (.npz) is kept, a folder for several videos; read if there is "
        "no video")  # fmt: skip
    add("--background", type=Path, help="the video that --motion was made from")
    add("--export", default="", help=f"formats, by commas: {','.join(export.formats())}")
    add("--export-what", choices=("body", "character"),
        help="whose animation is exported; the character's if there is a --target")  # fmt: skip
    add("--preview", type=Path, help="film (.mp4) of the body over the video and from the side")
    add("--json", action="store_true",
        help="say what came out as JSON, the last line of standard output")  # fmt: skip
    add("--debug", action="store_true", help="show all messages, and where an error came from")
    _add_estimator(parser.add_argument_group("estimate").add_argument)
    _add_target(parser.add_argument_group("your own character").add_argument)
    options = parser.parse_args(argv)
    options.export = [name for name in options.export.lower().split(",") if name]
    if options.target is None:
        for name in ("map", "no_feet", "tolerance_mm"):
            if getattr(options, name):
                parser.error(f"--{name.replace('_', '-')} needs a --target to put the motion on")
    if options.export_what is None:
        options.export_what = "body" if options.target is None else "character"
    elif options.export_what == "character" and options.target is None:
        parser.error("--export-what character needs a --target")
    for name in ("output", "motion", "background", "preview", "body"):
        path = getattr(options, name)
        setattr(options, name, path and path.expanduser().absolute())
    options.jobs = _jobs(options, parser)
    return options


def _add_estimator(add) -> None:
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


def _add_target(add) -> None:
    add("--target", metavar="FILE.blend[:ARMATURE]",
        help="the character that moves too; it is taken into the output")  # fmt: skip
    add("--map", default="",
        help="which bone follows which joint: a preset's name, a .json file, or auto, which is "
        "the default")  # fmt: skip
    add("--no-feet", action="store_true", help="don't keep standing feet where they stand")
    add("--tolerance-mm", type=float,
        help="leave out keys as long as no joint moves by more than this")  # fmt: skip


def _jobs(options: argparse.Namespace, parser: argparse.ArgumentParser) -> list[Job]:
    """One for each video; where they write is theirs alone."""
    if not options.video and options.motion is None:
        parser.error("give a VIDEO, or a --motion to put on a body")
    videos = [video.expanduser().absolute() for video in options.video]
    for name, suffix in PATHS.items():
        path = getattr(options, name)
        if path is None or path.suffix.lower() == suffix:
            continue
        folder = path.is_dir() or not path.suffix
        if not folder or (name == "motion" and not videos):
            parser.error(f"--{name} {path} has to end in {suffix}")
    if len(videos) > 1:
        for name, suffix in PATHS.items():
            path = getattr(options, name)
            if path is not None and path.suffix.lower() == suffix and not path.is_dir():
                parser.error(f"--{name} has to be a folder for several videos; {path} is one file")
        stems = [video.stem for video in videos]
        if twice := {stem for stem in stems if stems.count(stem) > 1}:
            parser.error(f"two videos are called {min(twice)}; give them different names")
    if not videos:
        output = file_in(options.output, ".blend", options.motion.stem)
        return [Job(None, output, options.motion, _place(options.preview, ".mp4", output.stem))]
    return [
        Job(
            video,
            file_in(options.output, ".blend", video.stem),
            _place(options.motion, ".npz", video.stem),
            _place(options.preview, ".mp4", video.stem),
        )
        for video in videos
    ]


def file_in(path: Path, suffix: str, stem: str) -> Path:
    """`path` itself if it is a file's, else the file of this stem in it."""
    return path if path.suffix.lower() == suffix else path / f"{stem}{suffix}"


def _place(path: Path | None, suffix: str, stem: str) -> Path | None:
    return path and file_in(path, suffix, stem)
