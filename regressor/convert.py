"""Results of other tools as Motion files: `python -m regressor.convert FILE --output motion.npz`.

Reads what 4D-Humans (PHALP), WHAM and GVHMR save, AMASS, and Motions.
"""

if __name__ == "__main__":  # Ctrl-C is answered from here on, also while the rest is imported
    from regressor.stopping import Listener

    listener = Listener()

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import tyro

from regressor import command
from regressor.errors import NoPersonError, PosecastError
from regressor.progress import Progress

if TYPE_CHECKING:
    from regressor.motion import Motion
    from regressor.results import Person
    from regressor.smpl import Body

Y_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # turns y up into z up


@dataclass
class Options(command.Reporting):
    """Options of `convert`."""

    file: Annotated[Path, tyro.conf.Positional]
    """A result: 4D-Humans' .pkl, WHAM's .pkl, GVHMR's .pt, AMASS's .npz, or a Motion."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("motion.npz")
    """The Motion file to write; with several people, -1, -2, … is added to its name."""
    person: str = "longest"
    """longest, all, or a number from 1 (who is seen longest)."""
    list: bool = False
    """Say who is in the file, and write nothing."""
    fps: float = 30.0
    """Frames a second of the video, where the file doesn't tell."""
    body: Path | None = None
    """An SMPL file of your own (.npz, .pkl), which the betas fit; the default body otherwise."""
    gender: Literal["neutral", "male", "female"] = "neutral"
    """What your SMPL file is."""


def convert(options: Options, progress: Progress) -> tuple[str, list[Path]]:
    """Writes the Motion files; returns what to tell, and the files."""
    if not (0 < options.fps < float("inf")):
        raise PosecastError(f"--fps {options.fps:g} can't be used: give a number above 0.")
    command.check_output(options.output, ".npz", "a Motion file")
    progress.update("read", 0, 1)
    from regressor.motion import Motion
    from regressor.results import read
    from regressor.smpl import load_body

    found = read(options.file)
    progress.update("read", 1, 1)
    if isinstance(found, Motion):
        told = f"A Motion of {len(found)} frames."
        if not options.list:
            found.save(options.output)
        return told, [] if options.list else [options.output]
    if options.list:
        return listed(found), []
    numbers = chosen(len(found), options.person)
    body = load_body(options.body, options.gender)
    motions = []
    for done, number in enumerate(numbers):
        progress.update("convert", done, len(numbers))
        motion = to_motion(found[number - 1], body, options.body is not None, options.fps)
        motion.person = number
        motions.append(motion)
    progress.update("convert", len(numbers), len(numbers))
    stem, paths = options.output.stem, [options.output]
    if len(motions) > 1:
        paths = [options.output.with_stem(f"{stem}-{motion.person}") for motion in motions]
    for motion, path in zip(motions, paths, strict=True):
        motion.save(path)
    return summary(found[numbers[0] - 1], motions, options), paths


def chosen(count: int, person: str) -> list[int]:
    """The numbers, from 1, that `person` asks for."""
    if person == "all":
        return [*range(1, count + 1)]
    if person in ("longest", "largest"):  # the word that estimate has for the first
        return [1]
    if not person.isdecimal() or int(person) < 1:
        raise PosecastError(f"{person!r} is no choice of person; say longest, all or a number.")
    if int(person) > count:
        has = "1 person" if count == 1 else f"{count} people"
        raise NoPersonError(f"There is no person {person}: the file has {has}.")
    return [int(person)]


def to_motion(person: "Person", body: "Body", has_their_shape: bool, fps: float) -> "Motion":
    """The person on `body`, z up, feet on the floor; in their own shape where the body has it."""
    import torch

    from regressor.motion import Motion
    from regressor.refine import contacts, world
    from regressor.smpl.fit import posed_joints

    fps = person.fps or fps
    betas = torch.zeros(10)
    if has_their_shape:
        betas[: len(person.betas)] = torch.as_tensor(person.betas, dtype=torch.float32)
    rotations = torch.as_tensor(person.poses, dtype=torch.float32).unflatten(1, (24, 3))
    pelvis = torch.as_tensor(person.pelvis, dtype=torch.float32)
    turned, joints = posed_joints(body, rotations, pelvis, betas)
    soles = contacts.SolePoints(body)(turned, joints, betas).numpy().reshape(-1, 4, 3)
    place = world.World(np.eye(3), np.zeros((len(pelvis), 3)))
    if person.axes == "camera":
        # No foot is said to stand: the depth of these tools is too rough to tell a floor's slope.
        nothing = np.zeros(soles.shape[:2], bool)
        place = world.to_world(joints.numpy(), soles, nothing, fps, camera_moves=False)
    elif person.axes == "y up":
        shift = np.zeros((len(pelvis), 3))
        shift[:, 2] = -world.ground((soles @ Y_UP.T)[..., 2].min(axis=1), fps, wandering=False)
        place = world.World(Y_UP, shift)
    first, pelvis = world.apply(place, rotations[:, 0], pelvis)
    rotations = torch.cat([first[:, None], rotations[:, 1:]], dim=1)
    _, joints = posed_joints(body, rotations, pelvis, betas)
    has_camera = person.intrinsics is not None
    return Motion(
        poses=rotations.flatten(1).numpy(),
        trans=(pelvis - body.joints_at_rest(betas)[0]).numpy(),
        betas=betas.numpy(),
        gender=body.gender if has_their_shape else person.gender,
        mocap_framerate=fps,
        frames=person.frames,
        times=person.frames / fps,
        observed=person.observed,
        joints=joints.numpy(),
        camera_intrinsics=person.intrinsics,
        image_size=np.array(person.size) if person.size else None,
        camera_extrinsics=place.extrinsics() if has_camera else None,
        fov_source="assumed" if has_camera else "",
        method=person.tool,
        body=body.name,
    )


def listed(people: "list[Person]") -> str:
    """Who is in a file, in a sentence each."""
    lines = [
        f"Person {i}: {int(person.observed.sum())} frames, from {person.frames[0]} to "
        f"{person.frames[-1]}."
        for i, person in enumerate(people, 1)
    ]
    return " ".join([f"{people[0].tool}, {len(people)} people.", *lines])


def summary(person: "Person", motions: "list[Motion]", options: Options) -> str:
    """What a user wants to know of what was made of it."""
    frames = " and ".join(str(len(motion)) for motion in motions)
    text = f"{person.tool}: {frames} frames at {motions[0].mocap_framerate:g} a second"
    text += "." if person.fps else ", as the file doesn't tell (--fps)."
    if person.axes == "camera":
        text += " The file is as the camera saw it: upright as people mostly are, on a flat floor."
    if options.body is None and person.betas.any():
        text += " On the default body, the file's betas say nothing; name its own with --body."
    return text


def main(listener: "Listener | None" = None) -> None:
    """The command, with `regressor.estimate`'s exit statuses."""
    options = tyro.cli(Options, prog="python -m regressor.convert", description=__doc__)
    reads = [options.file, options.body]
    work = lambda progress: convert(options, progress)  # noqa: E731
    command.run(options, work, listener, reads, [options.output])


if __name__ == "__main__":
    main(listener)
