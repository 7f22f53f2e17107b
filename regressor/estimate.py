"""A video in, a Motion out: `python -m regressor.estimate VIDEO --output motion.npz`."""

import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import tyro

from regressor import lifters
from regressor.errors import PosecastError
from regressor.progress import Progress

if TYPE_CHECKING:  # torch and mediapipe are imported when the work begins, not for --help
    from regressor.detection import Detections, Track
    from regressor.motion import Motion
    from regressor.smpl import Body
    from regressor.video import Video

Method = tyro.extras.literal_type_from_choices(lifters.names())


@dataclass
class Options:
    """Options of `estimate`."""

    video: Annotated[Path, tyro.conf.Positional]
    """The video of a person (or several)."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("motion.npz")
    """The Motion file to write; with several people, -1, -2, … is added to its name."""
    method: Method = "ktpformer"  # pyright: ignore[reportInvalidTypeForm]
    """The network that lifts keypoints to 3D."""
    weights: Path | None = None
    """Weights for the method: a file of `regressor.train`, or the authors' checkpoint."""
    detector: Literal["mediapipe", "rtmlib"] = "mediapipe"
    """What finds people and their keypoints."""
    detector_models: list[Path] = field(default_factory=list)
    """Model files for rtmlib: the pose model, or the person detector and the pose model."""
    person: str = "largest"
    """largest, all, or a number from 1 (the largest)."""
    person_at: tuple[float, float, float] | None = None
    """Seconds, and x and y in pixels of the picture: the person who is there then."""
    start: float | None = None
    """Seconds into the video to begin at."""
    end: float | None = None
    """Seconds into the video to end at."""
    fps: float | None = None
    """Frames a second to look at; the video's own by default."""
    fov: float | None = None
    """Horizontal field of view of the camera in degrees; else from the file, else assumed."""
    body: Path | None = None
    """An SMPL file of your own (.npz, .pkl); the default body otherwise."""
    gender: Literal["neutral", "male", "female"] = "neutral"
    """What your SMPL file is."""
    betas: Literal["video", "neutral"] = "video"
    """The body's shape: as the video shows it, or the body's own."""
    device: str = "auto"
    """Where the lifter runs: auto, cpu, cuda."""
    smooth: float = 0.04
    """Standard deviation of the smoothing in seconds; 0 turns it off."""
    contacts: bool = True
    """Keep standing feet where they stand."""
    cache: Path | None = None
    """A folder that keeps what was found in videos, for runs with other settings."""
    cache_mb: float = 500
    """What the folder may hold; the oldest goes first."""
    stop_with_parent: bool = False
    """End when standard input does: it is a pipe that the program which started this one holds."""
    progress: Literal["json", "bar", "none"] = "bar"
    """A bar for people, JSON lines for programs."""
    progress_file: Path | None = None
    """A file for the JSON lines, instead of standard output."""
    debug: bool = False
    """Show where an error came from."""


class Stages:
    """Seconds that each stage took, in the order in which they began."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

    def __str__(self) -> str:
        return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items())


@dataclass
class Camera:
    """Intrinsics (3, 3) in pixels, the field of view in degrees, and where that is from."""

    intrinsics: np.ndarray
    fov_deg: float
    source: Literal["given", "metadata", "assumed"]


def camera_of(options: Options, video: "Video") -> Camera:
    """The camera as given on the command line, else as the file tells, else as assumed."""
    from regressor.cameras import assumed_fov, intrinsics_from_fov

    width, height = video.info.width, video.info.height
    if options.fov is not None:
        fov, source = options.fov, "given"
    elif video.info.fov_deg is not None:
        fov, source = video.info.fov_deg, "metadata"
    else:
        fov, source = assumed_fov(width, height), "assumed"
    return Camera(intrinsics_from_fov(fov, width, height), fov, source)


def load_lifter(options: Options):
    """The network on its device, and what it expects as input."""
    import torch

    from regressor import checkpoints
    from regressor.lifters.windows import LifterInput

    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise PosecastError(f"There is no device {device!r} here: use --device cpu.") from error
    file = options.weights or lifters.shipped_weights(options.method)
    if file is None:
        raise PosecastError(f"{options.method} comes without weights: name yours with --weights.")
    if options.weights is None or file.suffix == ".safetensors":
        network, metadata = checkpoints.load(file)
        card = metadata["card"]
        if not {"coordinates", "fps"} <= card.keys():
            raise PosecastError(
                f"{file} doesn't say what keypoints its network was trained on: give a lifter that "
                "`regressor.train` made."
            )
        return network.to(device), LifterInput(card["coordinates"], card["fps"])
    return checkpoints.load_authors(options.method, file).to(device), LifterInput("screen", 50.0)


def detector_options(options: Options) -> dict[str, Path]:
    """What a detector needs besides its name. Raises PosecastError where model files lack."""
    models = options.detector_models
    if options.detector != "rtmlib":
        return {}
    if not 1 <= len(models) <= 2:
        raise PosecastError(
            "rtmlib runs models of your own: name the pose model, or the person detector and the "
            "pose model, with --detector-models."
        )
    return dict(zip(("pose_model", "detector_model"), reversed(models), strict=False))


def detect_people(options: Options, video: "Video", progress: Progress) -> "Detections":
    from regressor import detection

    detector = detection.create(options.detector, **detector_options(options))
    try:
        return detection.detect(
            video,
            detector,
            start=options.start,
            end=options.end,
            fps=options.fps,
            progress=progress,
        )
    finally:
        detector.close()


def motion_of(
    track: "Track",
    person: int,
    detections: "Detections",
    camera: Camera,
    body: "Body",
    lifter: tuple,
    options: Options,
    progress: Progress,
    stages: Stages,
) -> "Motion":
    """One person's Motion from their Track."""
    import torch

    from regressor.lifters.windows import Picture, lift
    from regressor.motion import Motion
    from regressor.refine import contacts, world
    from regressor.refine.smoothing import smooth_path, smooth_rotations
    from regressor.skeletons import to_h36m17
    from regressor.smpl.fit import fit, posed_joints

    fps, moves = detections.fps, detections.camera_moves
    network, expects = lifter
    with stages.time("lift"):
        progress.update("lift", 0, 1)
        points = to_h36m17(track.skeleton) @ track.keypoints
        picture = Picture(camera.intrinsics, detections.width)
        lifted = lift(network, expects, points, track.times, picture)
        progress.update("lift", 1, 1)
    with stages.time("fit"):
        found = fit(
            body,
            lifted,
            track.keypoints,
            track.confidence,
            track.skeleton,
            track.boxes,
            camera.intrinsics,
            fps,
            report=lambda done, total: progress.update("fit", done, total),
        )
    with stages.time("refine"):
        progress.update("refine", 0, 1)
        rotations = smooth_rotations(found.rotations, options.smooth, fps)
        pelvis = torch.as_tensor(smooth_path(found.pelvis.numpy(), options.smooth, fps))
        turned, joints = posed_joints(body, rotations, pelvis, found.betas)
        ends = contacts.SolePoints(body)(turned, joints, found.betas).numpy()
        up = world.upright(joints.numpy())
        standing = contacts.detect(ends, up, fps).max(axis=2)
        lowest = np.take_along_axis(ends, (ends @ up).argmin(axis=2)[..., None, None], 2)[:, :, 0]
        place = world.to_world(joints.numpy(), lowest, standing, fps, moves)
        first, pelvis = world.apply(place, rotations[:, 0], pelvis)
        rotations = torch.cat([first[:, None], rotations[:, 1:]], dim=1)
        if options.contacts:
            before = pelvis
            rotations, pelvis, standing = contacts.plant(
                body, rotations, pelvis, found.betas, fps, in_place=moves
            )
            # The floor is now where the feet are; the camera goes along, so that it sees them as
            # before.
            place = world.shifted(place, (pelvis - before).numpy(), fps, moves)
        _, joints = posed_joints(body, rotations, pelvis, found.betas)
        rest = body.joints_at_rest(found.betas)[0]
        progress.update("refine", 1, 1)
    return Motion(
        poses=rotations.flatten(1).numpy(),
        trans=(pelvis - rest).numpy(),
        betas=found.betas.numpy(),
        gender=body.gender,
        mocap_framerate=fps,
        frames=track.frames,
        times=track.times,
        observed=track.observed,
        joints=joints.numpy(),
        keypoints=track.keypoints,
        confidence=track.confidence,
        skeleton=track.skeleton,
        contacts=standing,
        image_size=np.array([detections.width, detections.height]),
        camera_intrinsics=camera.intrinsics,
        camera_extrinsics=place.extrinsics(),
        camera_moves=moves,
        fov_source=camera.source,
        method=options.method,
        body=body.name,
        video=options.video.name,
        person=person,
    )


def estimate(options: Options, progress: Progress, stages: Stages) -> list[Path]:
    """Runs the whole job and writes the Motion files; returns their paths."""
    with stages.time("start"):
        from regressor.video import open_video

        check_numbers(options)
        check_output(options.output)
        video = open_video(options.video)
        camera = camera_of(options, video)
        # Only now torch and mediapipe, which take seconds to import.
        from regressor.detection import check_person, select
        from regressor.smpl import load_body

        check_person(options.person)
        body = load_body(options.body, options.gender)
        lifter = load_lifter(options)
    with video, stages.time("detect"):
        detections = detect_people(options, video, progress)
    tracks = select(detections.tracks, options.person)
    motions = []
    for track in tracks:
        number = 1 + next(i for i, other in enumerate(detections.tracks) if other is track)
        motions.append(
            motion_of(track, number, detections, camera, body, lifter, options, progress, stages)
        )
    paths = [
        options.output
        if len(motions) == 1
        else options.output.with_stem(f"{options.output.stem}-{motion.person}")
        for motion in motions
    ]
    for motion, path in zip(motions, paths, strict=True):
        motion.save(path)
    told = summary(detections, tracks, camera, video.warning, stages)
    progress.done(told, paths)
    if options.progress == "bar":
        print(f"{told}\nWrote {', '.join(str(path) for path in paths)}.")
    return paths


def check_numbers(options: Options) -> None:
    """Raises PosecastError for numbers that no video could be asked for."""
    for name in ("start", "end", "fps", "fov", "smooth"):
        value = getattr(options, name)
        if value is None or (math.isfinite(value) and value >= 0 and (value or name != "fps")):
            continue
        least = "above 0" if name == "fps" else "from 0 up"
        raise PosecastError(f"--{name} {value:g} can't be used: give a number {least}.")


def check_inputs(options: Options) -> None:
    """Keeps what is written from taking the place of what is read."""
    read = [options.video, options.body, options.weights, *options.detector_models]
    for written in (options.output, options.progress_file):
        for file in read:
            if not (file and written):
                continue
            # os.path's answer is no, not an error, for a name that no file can have.
            if os.path.exists(file) and os.path.exists(written) and file.samefile(written):
                raise PosecastError(f"{written} would be overwritten: it is read, so name another.")


def check_output(output: Path) -> None:
    """Says now, not after minutes of work, that the output can't be written; leaves nothing."""
    if output.suffix != ".npz":
        raise PosecastError(f"{output} can't be the output: a Motion file ends in .npz.")
    try:
        if output.is_dir():
            raise PosecastError(f"{output} can't be the output: it is a folder.")
        folder = next(folder for folder in output.absolute().parents if folder.exists())
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise PosecastError(
            f"{output} can't be written ({error.strerror}): choose another place."
        ) from error


def summary(
    detections: "Detections",
    tracks: list["Track"],
    camera: Camera,
    warning: str | None,
    stages: Stages,
) -> str:
    """What a user wants to know of a run, in a few sentences."""
    count = detections.frame_count
    covered = ", ".join(f"{track.coverage(count):.0%}" for track in tracks)
    who = "the person is" if len(tracks) == 1 else f"the {len(tracks)} people are"
    text = f"{count} frames at {detections.fps:g} a second; {who} seen in {covered} of them."
    text += f" Field of view {camera.fov_deg:.0f} degrees ({camera.source})."
    if detections.camera_moves:
        text += " The camera moves, so the person stays in place."
    if detections.cuts:
        text += f" Cuts: {len(detections.cuts)}; a person is not followed across one."
    if warning:
        text += f" {warning}"
    return f"{text} Seconds: {stages}."


def main() -> None:
    """The command: exit status 0, 1 for an error that is told in one sentence, 130 for Ctrl-C."""
    options = tyro.cli(Options, prog="python -m regressor.estimate", description=__doc__)
    stages = Stages()
    progress = None
    try:
        check_inputs(options)
        progress = Progress(options.progress, options.progress_file)
        estimate(options, progress, stages)
    except PosecastError as error:
        end(progress, str(error), 1, options.debug)
    except MemoryError:
        end(
            progress,
            "There isn't enough memory: use --start and --end, or --fps.",
            1,
            options.debug,
        )
    except KeyboardInterrupt:
        end(progress, "Stopped; nothing was written.", 130, debug=False)
    except Exception as error:
        told = " ".join(str(error).split())  # torch tells its errors in paragraphs
        sentence = f"Something went wrong in Posecast itself ({type(error).__name__}: {told}); "
        end(progress, sentence + "run it again with --debug to see where.", 1, options.debug)


def end(progress: Progress | None, sentence: str, status: int, debug: bool) -> None:
    """Tells the sentence everywhere that it is waited for, and exits."""
    if progress is not None:
        with suppress(PosecastError, OSError):  # a second error would hide the first
            progress.fail(sentence)
            progress.close()
    if debug:
        raise  # this is called while the error is being handled
    print(sentence, file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
