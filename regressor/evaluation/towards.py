"""PersPose's bodies for the frames of 3DPW's people, the camera turned to each of them.

The boxes are those about the 2D detections, as other networks get them; the authors' own tables
are of boxes about the true vertices. The camera is the set's.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from regressor.data.images import SampleError, read_image
from regressor.data.tally import Tally
from regressor.data.threedpw import Person, extract, places
from regressor.errors import PosecastError
from regressor.evaluation.bodies import Bodies
from regressor.evaluation.predictions import BATCH, Crops, Prediction, collate
from regressor.images.crops import normalize
from regressor.images.perspose import PersPoseOutput
from regressor.images.predict import DEFAULT_BODY, ImageNetwork
from regressor.images.towards import betas_of, bodies_of, cut, square_boxes
from regressor.progress import Progress
from rendering.perspective import turned_crop


class _Turned:
    """Pictures (3, pixels, pixels) by homographies (N, 3, 3); SampleError where there is none."""

    def __init__(self, root: Path, names: np.ndarray, matrices: Tensor, pixels: int):
        self.root, self.names, self.matrices, self.pixels = root, names, matrices, pixels

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        if not self.matrices[number].isfinite().all():
            raise SampleError(f"The box of the person in {self.names[number]} is no box.")
        image = read_image(self.root / str(self.names[number]))
        return {"image": normalize(cut(image, self.matrices[number], self.pixels) / 255)}


def by_turning(
    network: ImageNetwork,
    people: list[Person],
    bodies: Bodies,
    root: Path,
    workers: int,
    progress: Progress,
    tally: Tally,
) -> list[Prediction | None]:
    """As `predictions.by_network`; bodies: whose bones the joints are told of."""
    body = bodies.get("neutral", default=network.body == DEFAULT_BODY)
    arrays, chosen = extract(people), places(people)
    boxes = square_boxes(arrays["center"], 200 * arrays["scale"])
    cameras = np.array([people[i].intrinsics for i, _ in chosen], np.float64).reshape(-1, 3, 3)
    pixels = int(network.network.pixels)  # pyright: ignore[reportArgumentType]
    crops = turned_crop(boxes, torch.as_tensor(cameras), pixels)
    pictures = Crops(_Turned(root, arrays["imgname"], crops.matrix, pixels), tally)
    loader = DataLoader(pictures, BATCH, num_workers=workers, collate_fn=collate)
    output, read = _look(network, loader, crops.intrinsics.float(), progress)
    betas = betas_of(output, body.joints_at_rest)
    rest = body.joints_at_rest(betas)
    rotations, pelvis = bodies_of(output, rest, crops.rotation[read])
    trans, chosen = (pelvis - rest[:, 0]).double().numpy(), chosen[read.numpy()]
    family = "default" if network.body == DEFAULT_BODY else "smpl"
    found: list[Prediction | None] = []
    for number, person in enumerate(people):
        mine = chosen[:, 0] == number
        content = rotations[mine].double().numpy(), betas[mine].double().numpy(), trans[mine]
        one = Prediction(chosen[mine, 1], *content, person.intrinsics, family)
        found.append(one if mine.any() else None)
    return found


@torch.inference_mode()
def _look(
    network: ImageNetwork, loader: DataLoader, intrinsics: Tensor, progress: Progress
) -> tuple[PersPoseOutput, Tensor]:
    """What the network sees in the crops that could be read, and which those are (N,)."""
    device, outputs, reads = next(network.network.parameters()).device, [], []
    for crops, read in loader:
        start = sum(map(len, reads))
        cameras = intrinsics[start : start + len(read)][read]
        reads.append(read)
        if len(crops):
            output = network.network(crops.to(device), cameras.to(device))
            outputs.append(PersPoseOutput(*(part.cpu() for part in output)))
        progress.update("predict", start + len(read), len(intrinsics))
    if not outputs:
        raise PosecastError("None of the set's pictures can be read: is imageFiles complete?")
    joined = (torch.cat(parts) for parts in zip(*outputs, strict=True))
    return PersPoseOutput(*joined), torch.cat(reads)
