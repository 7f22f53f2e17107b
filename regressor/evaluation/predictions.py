"""What is judged: bodies of people in pictures, here by a network over their boxes."""

from collections.abc import Iterator, Sized
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from regressor.data.images import LabelledImages, Records, SampleError, no_labels, read_image
from regressor.data.tally import Tally
from regressor.data.threedpw import Person, extract, places
from regressor.errors import PosecastError
from regressor.evaluation.bodies import Bodies
from regressor.images.crops import SIZE, to_input, warp
from regressor.images.hmr import answer
from regressor.images.perspose import PersPose
from regressor.images.predict import (
    DEFAULT_BODY,
    ImageNetwork,
    cameras_of,
    square_boxes,
    turned_back,
)
from regressor.images.towards import betas_of, bodies_of
from regressor.progress import Progress
from regressor.smpl.body import Body
from rendering.perspective import Crop

BATCH = 32


@dataclass
class Prediction:
    """A body for some frames of one of the set's people, in the camera's axes.

    frames (M,) ascending; rotations (M, 24, 3, 3) local, betas (M, 10); trans (M, 3) m and
    intrinsics (3, 3) px say where it is drawn, and count in no error. body: "default" or "smpl".
    """

    frames: np.ndarray
    rotations: np.ndarray
    betas: np.ndarray
    trans: np.ndarray
    intrinsics: np.ndarray
    body: str
    gender: str = "neutral"

    def part(self, kept: np.ndarray) -> "Prediction":
        """Some of the frames."""
        names = ("frames", "rotations", "betas", "trans")
        return replace(self, **{name: getattr(self, name)[kept] for name in names})


class Samples(Sized, Protocol):
    """Samples by number, with their `image` (3, S, S); SampleError where one can't be had."""

    def __getitem__(self, index: int, /) -> dict[str, Tensor]: ...


class Crops(Dataset):
    """The `image` of each sample that can be read; None for the others."""

    def __init__(self, images: Samples, tally: Tally):
        self.images, self.tally = images, tally

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, number: int) -> Tensor | None:
        try:
            return self.images[number]["image"]
        except SampleError as trouble:
            self.tally.add("unreadable", f"{trouble} Its frame has no prediction.")
            return None


def collate(crops: list[Tensor | None]) -> tuple[Tensor, Tensor]:
    """The crops that could be read (M, 3, S, S), and which those are (N,)."""
    read = torch.tensor([crop is not None for crop in crops])
    found = [crop for crop in crops if crop is not None]
    return (torch.stack(found) if found else torch.zeros(0, 3, 1, 1)), read


class Cuts:
    """Pictures (3, pixels, pixels) by homographies (N, 3, 3); SampleError where there is none."""

    def __init__(self, root: Path, names: np.ndarray, matrices: Tensor, pixels: int):
        self.root, self.names, self.matrices, self.pixels = root, names, matrices, pixels

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        if not self.matrices[number].isfinite().all():
            raise SampleError(f"The box of the person in {self.names[number]} is no box.")
        image = read_image(self.root / str(self.names[number]))
        return {"image": to_input(warp(image, self.matrices[number].numpy(), self.pixels))}


@dataclass
class Boxed:
    """N people in pictures below `root`: whom to look at, and the cameras that took them.

    names (N,) of the pictures; centre (N, 2) px and scale (N,), the side / 200 px, of the boxes;
    cameras (N, 3, 3) px.
    """

    root: Path
    names: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    cameras: np.ndarray


class Found(NamedTuple):
    """Of the people whose pictures could be read, `read` (N,): rotations (M, 24, 3, 3), betas
    (M, 10), SMPL's translation (M, 3) m, in the true camera's axes."""

    rotations: Tensor
    betas: Tensor
    trans: Tensor
    read: Tensor


def find_bodies(
    network: ImageNetwork, people: Boxed, body: Body, workers: int, progress: Progress, tally: Tally
) -> Found:
    """What an image network says of people; tally counts pictures that can't be read.

    body: whose bones turn where a camera turns, and PersPose's joints are told of. PersPose is
    given the boxes that others are; the authors' tables are of boxes about the true vertices.
    """
    turning = isinstance(network.network, PersPose)
    pixels = int(network.network.pixels) if turning else SIZE  # pyright: ignore[reportArgumentType]
    boxes = square_boxes(people.centre, 200 * people.scale)
    crops = cameras_of(network.network, boxes, people.cameras, pixels)
    if turning or getattr(network.network, "by_camera", False):
        images = Cuts(people.root, people.names, crops.matrix, pixels)
    else:
        count = len(people.names)
        places = (people.root, people.names, people.centre, people.scale)
        images = LabelledImages(Records("people", *places, **no_labels(count)), network.convention)
    output, read = look(network, Crops(images, tally), workers, crops.intrinsics, progress)
    crops = Crop(*(part[read] for part in crops))
    return Found(*bodies_seen(network.network, output, crops, body), read)


def bodies_seen(
    network: nn.Module, output: Any, crops: Crop, body: Body
) -> tuple[Tensor, Tensor, Tensor]:
    """What an image network said of crops, in the true camera's axes.

    crops: their cameras, for weak perspective of crops of SIZE. Rotations (N, 24, 3, 3), betas
    (N, 10) and SMPL's translation (N, 3) m.
    """
    if isinstance(network, PersPose):
        betas = betas_of(output, body.joints_at_rest, network.first_beta)
        rest = body.joints_at_rest(betas)
        rotations, pelvis = bodies_of(output, rest, crops.rotation)
    else:
        betas, rest = output.betas, body.joints_at_rest(output.betas)
        output, pelvis = turned_back(output, crops, rest)
        rotations = output.rotmat
    return rotations, betas, pelvis - rest[:, 0]


def by_network(
    network: ImageNetwork,
    people: list[Person],
    bodies: Bodies,
    root: Path,
    workers: int,
    progress: Progress,
    tally: Tally,
) -> list[Prediction | None]:
    """The network's prediction for each of 3DPW's people; the rest as `find_bodies`."""
    arrays, chosen = extract(people), places(people)
    cameras = np.array([people[i].intrinsics for i, _ in chosen], np.float64).reshape(-1, 3, 3)
    boxed = Boxed(root, arrays["imgname"], arrays["center"], arrays["scale"], cameras)
    body = bodies.get("neutral", default=network.body == DEFAULT_BODY)
    seen = find_bodies(network, boxed, body, workers, progress, tally)
    chosen = chosen[seen.read.numpy()]
    family = "default" if network.body == DEFAULT_BODY else "smpl"
    turns, shapes, moves = (part.double().numpy() for part in seen[:3])
    found: list[Prediction | None] = []
    for number, person in enumerate(people):
        mine = chosen[:, 0] == number
        one = Prediction(
            chosen[mine, 1], turns[mine], shapes[mine], moves[mine], person.intrinsics, family
        )
        found.append(one if mine.any() else None)
    return found


@torch.inference_mode()
def look(
    network: ImageNetwork, crops: Crops, workers: int, intrinsics: Tensor, progress: Progress
) -> tuple[Any, Tensor]:
    """What the network sees in the crops that could be read, and which those are (N,).

    intrinsics (N, 3, 3): of the crops.
    """
    device, outputs, reads = next(network.network.parameters()).device, [], []
    for some, read in DataLoader(crops, BATCH, num_workers=workers, collate_fn=collate):
        start = sum(map(len, reads))
        reads.append(read)
        if len(some):
            cameras = intrinsics[start : start + len(read)][read].float().to(device)
            batch = {"image": some.to(device), "intrinsics": cameras}
            output = answer(network.network, batch)
            outputs.append(type(output)(*(part.cpu() for part in output)))
        progress.update("predict", start + len(read), len(intrinsics))
    if not outputs:
        raise PosecastError("None of the set's pictures can be read: is its folder complete?")
    return type(outputs[0])(*map(torch.cat, zip(*outputs, strict=True))), torch.cat(reads)


def each(
    people: list[Person], predictions: list[Prediction | None]
) -> Iterator[tuple[Person, Prediction | None]]:
    """People and their predictions, of these the frames that count."""
    for person, found in zip(people, predictions, strict=True):
        if found is not None:
            found = found.part(person.used[found.frames])
        yield person, found
