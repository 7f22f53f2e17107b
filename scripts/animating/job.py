"""One video, or one Motion, made into files."""

import shutil
import tempfile
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

import bpy
from console import Console, silenced

from addon import body, export, preview
from addon.estimator import Estimator, find_python, repository_root
from addon.motion_file import Motion, read_motion
from addon.results import active_action
from addon.scene import Placing, place
from animating.character import append_character, check_character, retarget, split_target
from animating.files import JobError, prepare_folder, publish, remove_empty, save
from animating.options import Job

POLL_S = 0.1
ESTIMATOR_OPTIONS = ("person", "method", "fov", "body", "start", "end", "fps", "smooth", "device")


def run(job: Job, options, console: Console) -> dict:
    """Makes all files of a job, which appear at the very end, all of them or none.

    Returns what is told of it: files, people, seconds.
    """
    console.seconds.clear()
    check_inputs(job, options)
    made_folders = prepare_folders(job)
    folder = Path(tempfile.mkdtemp(prefix=".posecast-", dir=job.output.parent))
    probe = preview.start_probe() if job.preview else None
    try:
        motion_files = obtain_motions(job, options, folder, console)
        motions = [read_motion(file) for file in motion_files]
        data = body_data(options, folder)
        with silenced(folder / "blender.log") if not options.debug else nullcontext():
            files = make_files(job, options, motions, motion_files, data, folder, probe, console)
        if job.video and job.motion:
            files += [(file, job.motion.with_name(file.name)) for file in motion_files]
        publish(files)
    finally:
        if probe is not None and probe.poll() is None:
            probe.kill()
        shutil.rmtree(folder, ignore_errors=True)
        remove_empty(made_folders)
    return {
        "video": str(job.video or options.background or ""),
        "files": [str(target) for _, target in files],
        "people": [told(motion) for motion in motions],
        "seconds": {name: round(seconds, 3) for name, seconds in console.seconds.items()},
    }


def told(motion: Motion) -> dict:
    coverage = round(float(motion.observed.mean()), 4)
    return {"person": motion.person, "frames": len(motion), "fps": motion.fps, "coverage": coverage}


def check_inputs(job: Job, options) -> None:
    """Says now, not after minutes of work, what can't be read or written."""
    for name in options.export:
        export.check(name)
    if job.video is not None and job.video.is_dir():
        raise JobError(
            f"{job.video} is a folder: name the videos or pictures in it, each of which becomes a "
            ".blend; the panel in Blender puts a folder's pictures side by side."
        )
    for path, what in (
        (job.video, "video"),
        (options.background, "video"),
        (options.body, "body file"),
        (None if job.video else job.motion, "motion file"),
    ):
        if path is not None and not path.is_file():
            raise JobError(f"There is no {what} {path}; check the path.")
    amass = job.output.with_suffix(".npz") if "amass" in options.export else None
    if amass is not None and amass in (job.motion, job.video):
        raise JobError(f"--motion and the export to amass both are {amass}; name another --motion.")
    for path in targets(job):
        if path.is_dir():
            raise JobError(f"{path} is a folder; name a file to write.")
    if options.target is not None:
        check_character(options.target, options.map)
    if job.video is not None:
        find_python(options.python, repository_root())


def targets(job: Job) -> list[Path]:
    """What is written besides the exports."""
    paths = (job.output, job.preview, job.motion if job.video else None)
    return [path for path in paths if path is not None]


def prepare_folders(job: Job) -> list[Path]:
    """Makes the folders that are written into; returns those that weren't there, inmost first."""
    made = []
    try:
        for folder in {path.parent for path in targets(job)}:
            made = prepare_folder(folder) + made
    except JobError:
        remove_empty(made)
        raise
    return made


def obtain_motions(job: Job, options, folder: Path, console: Console) -> list[Path]:
    """The Motion files that the estimator makes of the video, or the one that was given."""
    if job.video is None:
        return [job.motion] if job.motion else []
    wanted = {name: getattr(options, name) for name in ESTIMATOR_OPTIONS}
    own = folder / "estimate"  # exports may have the same names
    own.mkdir()
    target = own / (job.motion.name if job.motion else "motion.npz")
    python = find_python(options.python, repository_root())
    with console.stage("estimate"):
        run = Estimator.estimate(python, job.video, target, wanted, folder, repository_root())
        try:
            while run.running:
                show_progress(run, console)
                time.sleep(POLL_S)
            show_progress(run, console)
        finally:
            run.cancel()
        files = run.outputs() or [target]
    message = run.records[-1].get("message") if run.records else ""
    if message:
        console.line(message)
    return files


def show_progress(run: Estimator, console: Console) -> None:
    for record in run.poll()[-1:]:
        if record.get("stage") not in ("done", "error"):
            console.progress(
                record.get("stage", ""),
                record.get("done", 0),
                record.get("total"),
                record.get("seconds_left"),
            )


def body_data(options, folder: Path) -> body.BodyData:
    """The body; a pickle is turned into plain arrays by the estimator's Python first."""
    file = options.body or body.default_body_file()
    if file.suffix.lower() == ".pkl":
        plain = folder / "body.npz"
        words = [str(file), "--output", str(plain)]
        python = find_python(options.python, repository_root())
        run = Estimator(python, "regressor.smpl.convert", words, folder, repository_root())
        try:
            run.outputs()
        finally:
            run.cancel()
        file = plain
    return body.read_body(file)


def make_files(
    job: Job, options, motions, motion_files, data, folder: Path, probe, console
) -> list[tuple]:
    """Makes everything in `folder`; pairs of (file made, where it belongs)."""
    video = job.video or options.background
    with console.stage("build"):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        scene = bpy.context.scene
        bodies, clip_start = place(scene, motions, data, video, Placing(), motion_files)
    character = moved_character(options, bodies, scene, console) if options.target else None
    files = []
    for name in options.export:
        with console.stage(f"export {name}"):
            console.progress(f"export {name}", 0, 1)
            of_body = character is None or options.export_what == "body" or name == "amass"
            items = bodies if of_body else [(character, *export.meshes_of(character))]
            written = export.export(name, items, folder / job.output.stem, scene)
            files += [(file, job.output.with_name(file.name)) for file in written]
    name_motions(job, [armature for armature, _ in bodies])
    with console.stage("save"), hidden(bodies if character is not None else []):
        made = folder / job.output.name
        save(made, job.output.parent)
        files.append((made, job.output))
    if job.preview:
        with console.stage("preview"):
            made = folder / "preview.mp4"
            preview.render_preview(
                made, scene, bodies, motions[0], video, clip_start, folder,
                preview.engine(probe), lambda n, total: console.progress("preview", n, total),
            )  # fmt: skip
        files.append((made, job.preview))
    return files


def moved_character(options, bodies: list[tuple], scene, console: Console) -> bpy.types.Object:
    """The character of --target in the scene, moved as the first body moves."""
    with console.stage("retarget"):
        console.progress("retarget", 0, 1)
        collection = bpy.data.collections.new("Character")
        scene.collection.children.link(collection)
        character = append_character(*split_target(options.target), collection)
        retarget(bodies[0][0], character, options)
        scene.frame_set(scene.frame_start)
    return character


def name_motions(job: Job, armatures: list[bpy.types.Object]) -> None:
    """The .blend names the Motion files where they will lie; those that aren't kept it doesn't."""
    for armature in armatures:
        for item in filter(None, (armature, active_action(armature))):
            made = Path(item["posecast_motion"])
            kept = job.motion.with_name(made.name) if job.motion else ""
            item["posecast_motion"] = str(kept)


@contextmanager
def hidden(bodies: list[tuple]):
    """The bodies are out of the character's way, by the eye of their collections."""
    collections = {own for armature, _ in bodies for own in armature.users_collection}
    for collection in collections:
        collection.hide_viewport = collection.hide_render = True
    yield
    for collection in collections:
        collection.hide_viewport = collection.hide_render = False
    bpy.context.view_layer.update()
