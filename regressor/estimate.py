"""A video in, a Motion out: `python -m regressor.estimate VIDEO --output motion.npz`."""

if __name__ == "__main__":  # Ctrl-C is answered from here on, also while the rest is imported
    from regressor.stopping import Listener

    listener = Listener()

import math
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from regressor import command, images, methods
from regressor.cache import Cache, key_of
from regressor.cameras import Camera, camera_by_lines, camera_of
from regressor.errors import NoPersonError, PosecastError, VideoError
from regressor.progress import Progress, Stages
from regressor.refine import REFINEMENTS

if TYPE_CHECKING:  # torch and mediapipe are imported when the work begins, not for --help
    from regressor.detection import Detections, Track
    from regressor.refine.uao_track import Refined
    from regressor.smpl.fit import Fit
    from regressor.video import Video

EARLIER = "from an earlier run"
LIMITS = {  # of options that are numbers, both ends included
    "start": (0, math.inf), "end": (0, math.inf), "fps": (0.001, math.inf), "fov": (0, math.inf),
    "smooth": (0, 60), "cache_mb": (0, math.inf),
}  # fmt: skip
Method = tyro.extras.literal_type_from_choices(methods.names())
Refinement = tyro.extras.literal_type_from_choices(REFINEMENTS)


@dataclass
class Options(command.Reporting):
    """Options of `estimate`."""

    video: Annotated[Path, tyro.conf.Positional]
    """The video of a person (or several), a picture, or a folder of pictures."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("motion.npz")
    """The Motion file to write; with several people, -1, -2, … is added to its name, and from a
    folder the picture's name, with its suffix where others would be called alike."""
    method: Method = "ktpformer"  # pyright: ignore[reportInvalidTypeForm]
    """The network that lifts keypoints to 3D, or looks at the pictures (dsr, perspose)."""
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
    fov_by_lines: bool = False
    """Rather than to assume it, guess it by the straight lines in the first picture (of a room, a
    street), where these tell it clearly."""
    body: Path | None = None
    """An SMPL file of your own (.npz, .pkl); the default body otherwise."""
    gender: Literal["neutral", "male", "female"] = "neutral"
    """What your SMPL file is."""
    betas: Literal["video", "neutral"] = "video"
    """The body's shape: as the video shows it, or the body's own."""
    device: str = "auto"
    """Where the lifter runs: auto, cpu, cuda."""
    refine: Refinement | None = None  # pyright: ignore[reportInvalidTypeForm]
    """What makes a lifter's answer better before the body is fitted: uao."""
    smooth: float = 0.04
    """Standard deviation of the smoothing in seconds; 0 turns it off."""
    contacts: bool = True
    """Keep standing feet where they stand."""
    cache: Path | None = None
    """A folder that keeps what was found in videos, for runs with other settings."""
    cache_mb: float = 500
    """What the folder may hold; the oldest goes first."""


def check(options: Options) -> None:
    """Raises PosecastError for what no video could be asked for, before anything slow begins."""
    for name, (least, most) in LIMITS.items():
        value = getattr(options, name)
        if value is None or (math.isfinite(value) and least <= value <= most):
            continue
        span = f"from {least:g} up" if most == math.inf else f"from {least:g} to {most:g}"
        name = name.replace("_", "-")
        raise PosecastError(f"--{name} {value:g} can't be used: give a number {span}.")
    if options.person_at and not all(map(math.isfinite, options.person_at)):
        told = " ".join(f"{value:g}" for value in options.person_at)
        raise PosecastError(f"--person-at {told} can't be used: give three numbers.")
    if options.refine and options.method in images.spellings():
        raise PosecastError(
            f"--refine {options.refine} is for lifters of keypoints, and {options.method} looks at "
            "the pictures: leave it out, or choose another --method."
        )
    command.check_output(options.output, ".npz", "a Motion file")


class Tools:
    """What videos and pictures are looked at with: a body, and the method's network."""

    def __init__(self, options: Options):
        # Only now torch, which takes a second to import.
        from regressor.detection import check_person
        from regressor.images.predict import load_network
        from regressor.lifting import load_lifter
        from regressor.smpl import load_body

        check_person(options.person)
        self.body = load_body(options.body, options.gender)
        load = load_network if options.method in images.spellings() else load_lifter
        self.network = load(options.method, options.weights, options.device)


class Job:
    """One run: the video or picture, what it is looked at with, and what is kept of it."""

    def __init__(
        self, options: Options, progress: Progress, stages: Stages, tools: Tools | None = None
    ):
        from regressor.stills import open_source

        check(options)
        self.options, self.progress, self.stages = options, progress, stages
        self.video = open_source(options.video)
        self.camera = camera_of(options.fov, self.video.info)
        if options.fov_by_lines and self.camera.source == "assumed":
            with closing(self.video.frames(options.start, options.end, options.fps)) as frames:
                first = next(frames, None)
            self.camera = camera_by_lines(self.camera, first.image) if first else self.camera
        self.cache = Cache(options.cache, options.cache_mb) if options.cache else None
        self.remarks: list[str | None] = []
        self.refined: list[Refined] = []
        tools = tools or Tools(options)
        self.body, self.network = tools.body, tools.network

    def detections(self) -> "Detections":
        """All that is seen in the video, from an earlier run where that is kept."""
        key = self.key("detections")
        if self.cache and (kept := self.cache.detections(key)):
            found, warning = kept
            message = f"detections {EARLIER}"
            self.progress.update("detect", found.frame_count, found.frame_count, message)
            self.remarks += [f"Detections {EARLIER}.", warning]
            return found
        found = detect_people(self.options, self.video, self.progress)
        if self.cache:
            self.cache.keep_detections(key, found, self.video.warning)
        self.remarks.append(self.video.warning)
        return found

    def fit(self, track: "Track", number: int, detections: "Detections") -> "Fit":
        """The person's body in the camera's axes, from an earlier run where that is kept."""
        from regressor.images.films import over_time
        from regressor.images.predict import ImageNetwork, Shot, fit_by_network
        from regressor.reconstruct import lift_and_fit

        key = self.key("fit", number=number)
        if self.cache and (found := self.cache.fit(key)):
            self.progress.update("lift", 1, 1, EARLIER)
            self.progress.update("fit", 1, 1, f"fit {EARLIER}")
            return found
        neutral = self.options.betas == "neutral"
        if isinstance(self.network, ImageNetwork):
            span = (self.options.start, self.options.end, self.options.fps)
            about = (self.camera, track, self.body, neutral)
            shot = Shot(self.video, span, detections.fps, *about)
            with self.stages.time("lift"):
                seen = fit_by_network(shot, self.network, self.progress)
            with self.stages.time("fit"):
                found = over_time(shot, seen, self.progress)
        else:
            seen = (track, detections, self.camera, self.body)
            how = (self.network, neutral, self.progress, self.stages, self.options.refine)
            found, refined = lift_and_fit(*seen, *how)
            if refined:
                self.refined.append(refined)
                self.progress.note(f"Person {number}: {refined}")
        if self.cache:
            self.cache.keep_fit(key, found)
        return found

    def key(self, kind: str, **more: object) -> str:
        """The name under which the cache keeps a result of these options."""
        if self.cache is None:
            return ""
        options = self.options
        names = ["video", "start", "end", "fps", "detector"]
        if options.detector == "rtmlib":
            names.append("detector_models")
        if kind == "fit":
            from regressor.smpl.body import DEFAULT_BODY

            names += ["method", "gender", "betas", "refine"]
            more["body"] = options.body or DEFAULT_BODY
            more["weights"] = options.weights or methods.shipped_weights(options.method)
            more["camera"] = self.camera.intrinsics
        return key_of(kind, **{name: getattr(options, name) for name in names}, **more)


def detect_people(options: Options, video: "Video", progress: Progress) -> "Detections":
    from regressor import detection

    models = detection.models_of(options.detector, options.detector_models)
    detector = detection.create(options.detector, **models)
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


def estimate(
    options: Options, progress: Progress, stages: Stages | None = None
) -> tuple[str, list[Path]]:
    """Runs the whole job and writes the Motion files; returns what to tell of it, and the files."""
    stages = stages or Stages()
    if options.video.is_dir():
        return estimate_folder(options, progress, stages)
    with stages.time("start"):
        job = Job(options, progress, stages)
    return run(job)


def estimate_folder(options: Options, progress: Progress, stages: Stages) -> tuple[str, list[Path]]:
    """Every picture of a folder, each with its own camera; a bad one doesn't stop the others.

    The progress is how many pictures are done. Where none gave a Motion, it raises what was wrong
    with the first, and with those of which the same is to be said.
    """
    from regressor.stills import names_of, pictures_in

    check(options)
    pictures = pictures_in(options.video)
    with stages.time("start"):
        tools = Tools(options)
    written: list[Path] = []
    cameras: list[str] = []
    errors: list[tuple[Path, PosecastError]] = []
    for done, (picture, name) in enumerate(zip(pictures, names_of(pictures), strict=True)):
        progress.update("pictures", done, len(pictures), picture.name)
        output = options.output.with_stem(f"{options.output.stem}-{name}")
        try:
            command.keep_apart([options.body, options.weights], [output])
            one = replace(options, video=picture, output=output)
            job = Job(one, Progress(), stages, tools)
            written += run(job)[1]
        except (VideoError, NoPersonError) as error:
            errors.append((picture, error))
        else:
            cameras.append(job.camera.source)
    progress.update("pictures", len(pictures), len(pictures))
    wrong = sentences(errors)
    if not written:
        raise PosecastError(wrong[0]) from errors[0][1]
    sources = ", ".join(f"{source} {cameras.count(source)}" for source in sorted(set(cameras)))
    text = f"{len(written)} Motion files from {len(cameras)} of {len(pictures)} pictures."
    text = f"{text} Fields of view: {sources}."
    return " ".join([text, *wrong, f"Seconds: {stages}."]), written


def sentences(errors: list[tuple[Path, PosecastError]]) -> list[str]:
    """What was wrong with pictures, the same of several once, each with their names."""
    about: dict[str, list[str]] = {}
    for picture, error in errors:
        about.setdefault(str(error), []).append(picture.name)
    return [
        told if names[0] in told else f"{', '.join(names)}: {told}" for told, names in about.items()
    ]


def run(job: Job) -> tuple[str, list[Path]]:
    """One video or picture; as `estimate`."""
    from regressor.detection import person_at, select
    from regressor.reconstruct import refine, shared_up
    from regressor.refine.uao_track import told_of
    from regressor.stills import Still

    options, progress, stages = job.options, job.progress, job.stages
    with job.video, stages.time("detect"):
        found = job.detections()
    if options.person_at:
        tracks = person_at(found.tracks, *options.person_at)
    else:
        tracks = select(found.tracks, options.person)
    numbers = [1 + next(i for i, o in enumerate(found.tracks) if o is track) for track in tracks]
    fits = [job.fit(track, number, found) for track, number in zip(tracks, numbers, strict=True)]
    level, motions = shared_up(fits, job.body, found), []
    for track, number, fitted in zip(tracks, numbers, fits, strict=True):
        with stages.time("refine"):
            progress.update("refine", 0, 1)
            wanted = options.smooth, options.contacts
            first = motions[0] if motions else None
            motion = refine(fitted, track, found, job.camera, job.body, *wanted, first, level)
            progress.update("refine", 1, 1)
        motion.method, motion.video, motion.person = options.method, options.video.name, number
        motions.append(motion)
    paths = [
        options.output
        if len(motions) == 1
        else options.output.with_stem(f"{options.output.stem}-{motion.person}")
        for motion in motions
    ]
    for motion, path in zip(motions, paths, strict=True):
        motion.save(path)
    remarks = job.remarks + [job.cache.warning if job.cache else None]
    if job.refined:
        remarks.append(told_of(job.refined))
    still = isinstance(job.video, Still)
    return summary(found, tracks, job.camera, remarks, stages, still), paths


def summary(
    detections: "Detections",
    tracks: list["Track"],
    camera: Camera,
    remarks: list[str | None],
    stages: Stages,
    still: bool,
) -> str:
    """What a user wants to know of a run, in a few sentences; still: it was of a picture."""
    count = detections.frame_count
    covered = ", ".join(f"{track.coverage(count):.0%}" for track in tracks)
    who = "the person is" if len(tracks) == 1 else f"the {len(tracks)} people are"
    text = f"{count} frames at {detections.fps:g} a second; {who} seen in {covered} of them."
    if still:
        text = f"{len(tracks)} of {len(detections.tracks)} people seen in the picture."
    text += f" Field of view {camera.fov_deg:.0f} degrees ({camera.source})."
    if detections.camera_moves:
        text += " The camera moves, so the person stays in place."
    if detections.cuts:
        text += f" Cuts: {len(detections.cuts)}; a person is not followed across one."
    return " ".join([text, *filter(None, remarks), f"Seconds: {stages}."])


def main(listener: "Listener | None" = None) -> None:
    """The command: exit status 0, 1 for an error that is told in one sentence, 130 for Ctrl-C."""
    options = tyro.cli(Options, prog="python -m regressor.estimate", description=__doc__)
    reads = [options.video, options.body, options.weights, *options.detector_models]
    command.run(
        options, lambda progress: estimate(options, progress), listener, reads, [options.output]
    )


if __name__ == "__main__":
    main(listener)
