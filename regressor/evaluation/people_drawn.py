"""Whom `evaluate people` measures on: drawn people of other seeds than any training's."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from regressor.data.mixture import seed_of
from regressor.data.people import SyntheticOptions, SyntheticPeople, load_poses
from regressor.errors import PosecastError
from regressor.evaluation.options import Kind, PeopleEvaluation
from regressor.images.crops import normalize, warp_batch
from regressor.smpl.body import Body
from regressor.training.data import PLAIN
from regressor.training.perspose.people import drawn, places_of, wide_people
from rendering.people import TurnedViews
from rendering.perspective import plain_crop, turned_crop

BATCH = 16
HELD_OUT_SEED = 20211011  # keeps these people apart from any that a training draws


class Crowd(Protocol):
    """People and what is true of them, always the same ones in the same order.

    A batch has image (B, 3, S, S) normalised and its camera: intrinsics (B, 3, 3) px, rotation
    (B, 3, 3) from the axes of pose (B, 24, 3, 3) and translation (B, 3) m to its own; betas
    (B, 10); and where that is told, the people's places (B,), by the names of `places_of`.
    """

    count: int

    def batches(self) -> Iterator[dict[str, Tensor]]: ...


class CroppedPeople:
    """`count` people as `train dsr` draws them: in crops at once, whose cameras' axes count."""

    def __init__(self, people: SyntheticPeople, count: int, seed: int = 1):
        self.people, self.count, self.seed = people, count, seed

    def batches(self) -> Iterator[dict[str, Tensor]]:
        for some, seed in _draws(self.count, self.seed):
            batch = self.people.batch(some, seed)
            yield {**batch, "rotation": torch.eye(3).expand(some, 3, 3)}


class FramedPeople:
    """`count` people as `train perspose` draws them: in frames, from which crops are cut.

    pixels: side of the crops; turn: whether their camera turns to the person.
    """

    def __init__(self, people: SyntheticPeople, count: int, seed: int, pixels: int, turn: bool):
        self.people, self.count, self.seed = people, count, seed
        self.pixels, self.cut = pixels, turned_crop if turn else plain_crop

    def batches(self) -> Iterator[dict[str, Tensor]]:
        for some, seed in _draws(self.count, self.seed):
            kept = drawn(self.people, some, seed)
            crop = self.cut(kept["box"].double(), kept["intrinsics"].double(), self.pixels)
            image = warp_batch(kept["image"].movedim(-1, 1), crop.matrix, self.pixels) / 255
            seen = {name: kept[name].numpy() for name in ("frame", "box", "intrinsics")}
            yield {
                "image": normalize(image),
                "intrinsics": crop.intrinsics.float(),
                "rotation": crop.rotation.float(),
                **{name: kept[name] for name in ("pose", "betas", "translation")},
                **{name: torch.as_tensor(values) for name, values in places_of(seen).items()},
            }


def _draws(count: int, seed: int) -> Iterator[tuple[int, int]]:
    """How many people to draw at once, and by which seed."""
    for number, start in enumerate(range(0, count, BATCH)):
        yield min(BATCH, count - start), seed_of(HELD_OUT_SEED, seed, number)


def gather(
    options: PeopleEvaluation,
    kind: Kind,
    body: Body,
    turn: bool,
    device: torch.device | str = "cpu",
) -> Crowd:
    """The people of an evaluation; the same ones whether cameras turn to them or not.

    body: theirs alone, moved to where they are drawn: `device`, or the CPU if they are wide. Raises
    PosecastError where the file of poses has none for them.
    """
    poses = load_poses(options.poses).split(validation=True) if options.poses else None
    if poses is not None and not len(poses.rotations):
        raise PosecastError(f"{options.poses} has no pose of the subjects that are held out.")
    count, seed, pixels = options.count, options.seed, options.pixels
    if kind == "wide":
        return FramedPeople(wide_people(pixels, body, poses), count, seed, pixels, turn)
    drawing = PLAIN if kind == "plain" else SyntheticOptions()
    view = drawing.people.view
    view = TurnedViews(**vars(view)) if turn else view
    drawing = replace(drawing, people=replace(drawing.people, size=pixels, view=view))
    return CroppedPeople(SyntheticPeople(body, poses, drawing, device=device), count, seed)
