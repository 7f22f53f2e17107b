"""What is judged: bodies for the frames of 3DPW's people, here by a network over their boxes."""

from collections.abc import Iterator, Sized
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from regressor.data.images import LabelledImages, Records, SampleError, no_labels
from regressor.data.tally import Tally
from regressor.data.threedpw import Person, extract, places
from regressor.errors import PosecastError
from regressor.images.hmr import HmrOutput
from regressor.images.predict import DEFAULT_BODY, ImageNetwork
from regressor.progress import Progress
from rendering.cameras import crop_to_full

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


def by_network(
    network: ImageNetwork,
    people: list[Person],
    root: Path,
    workers: int,
    progress: Progress,
    tally: Tally,
) -> list[Prediction | None]:
    """The network's prediction for each person; tally counts pictures that can't be read."""
    arrays, chosen = extract(people), places(people)
    records = Records(
        name="3dpw",
        root=root,
        imgname=arrays["imgname"],
        center=arrays["center"],
        scale=arrays["scale"],
        **no_labels(len(chosen)),
    )
    images = LabelledImages(records, network.convention)
    loader = DataLoader(Crops(images, tally), BATCH, num_workers=workers, collate_fn=collate)
    found, read = _run(network, loader, len(chosen), progress)
    kept = np.flatnonzero(read)
    chosen, centre, side = chosen[kept], arrays["center"][kept], 200 * arrays["scale"][kept]
    return [
        _of_person(person, chosen[mine, 1], found, mine, centre[mine], side[mine], network)
        if (mine := chosen[:, 0] == number).any()
        else None
        for number, person in enumerate(people)
    ]


@torch.inference_mode()
def _run(
    network: ImageNetwork, loader: DataLoader, total: int, progress: Progress
) -> tuple[HmrOutput, np.ndarray]:
    """What the network sees in the crops that could be read, and which those are (N,)."""
    device = next(network.network.parameters()).device
    outputs: list[HmrOutput] = []
    reads: list[np.ndarray] = []
    for crops, read in loader:
        if len(crops):
            output = network.network(crops.to(device))
            outputs.append(HmrOutput(*(part.cpu() for part in output)))
        reads.append(read.numpy())
        progress.update("predict", sum(map(len, reads)), total)
    if not outputs:
        raise PosecastError("None of the set's pictures can be read: is imageFiles complete?")
    return HmrOutput(*(torch.cat(parts) for parts in zip(*outputs, strict=True))), np.concatenate(
        reads
    )


def _of_person(
    person: Person,
    frames: np.ndarray,
    found: HmrOutput,
    mine: np.ndarray,
    centre: np.ndarray,
    side: np.ndarray,
    network: ImageNetwork,
) -> Prediction:
    keep = torch.as_tensor(mine)
    trans = crop_to_full(
        found.cam[keep],
        torch.as_tensor(centre).float(),
        torch.as_tensor(side).float(),
        torch.tensor(float(person.intrinsics[0, 0])),
        round(2 * person.intrinsics[0, 2]),
        round(2 * person.intrinsics[1, 2]),
    )
    return Prediction(
        frames,
        found.rotmat[keep].double().numpy(),
        found.betas[keep].double().numpy(),
        trans.double().numpy(),
        person.intrinsics,
        "default" if network.body == DEFAULT_BODY else "smpl",
    )


def each(
    people: list[Person], predictions: list[Prediction | None]
) -> Iterator[tuple[Person, Prediction | None]]:
    """People and their predictions, of these the frames that count."""
    for person, found in zip(people, predictions, strict=True):
        if found is not None:
            found = found.part(person.used[found.frames])
        yield person, found
