"""A person's Track to their body by an image network: every frame is cropped and looked at.

The network says how the body is posed and shaped; where it stands is found by the keypoints that
were seen. The video is decoded a second time, so that no pictures need be kept. What the pictures
of a film say is brought together in `films.py`.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import roma
import torch
from torch import Tensor, nn

from regressor import checkpoints, images, skeletons
from regressor.cameras import Camera
from regressor.detection import Track
from regressor.errors import FileFormatError, PosecastError
from regressor.images.crops import SIZE, Convention, crop, to_input, warp
from regressor.images.geometry import estimate_translation
from regressor.images.hmr import HmrOutput, answer, read_mean_parameters
from regressor.images.joints import J24
from regressor.images.located import GIVEN
from regressor.images.perspose import PersPose
from regressor.lifting import device_of
from regressor.progress import Progress
from regressor.read_ahead import read_ahead
from regressor.refine.smoothing import smooth
from regressor.smpl.body import Body, chain
from regressor.smpl.fit import Fit, bridged
from regressor.smpl.landmarks import RidingLandmarks
from regressor.video import Video
from rendering.cameras import crop_to_camera
from rendering.perspective import Crop, plain_crop, turned_crop

BATCH = 16
AHEAD = 2 * BATCH  # crops that are made while the network works
CONFIDENT = 0.3
LEGS = ("hip", "knee", "ankle")
MARGIN = 1.2  # of the box about the keypoints, as the data sets' boxes were made
STEADY_S = 0.1  # a box that trembles makes the body tremble
MEAN_FILE = "smpl_mean_params.npz"
DEFAULT_BODY = "default"


@dataclass
class ImageNetwork:
    """A network on its device, how its crops are cut, and the body whose betas it gives."""

    network: nn.Module
    convention: Convention
    body: str

    def knows(self, body: Body) -> bool:
        """Whether the network's betas mean anything on `body`: all files of SMPL share theirs."""
        return (self.body == DEFAULT_BODY) == (body.name == DEFAULT_BODY)


@dataclass
class Shot:
    """A person in a video or picture, its camera, and the body that the person is to have.

    span: start, end and rate at which the video was looked at; fps: the track's frames a second;
    neutral: whether the body keeps its own shape.
    """

    video: Video
    span: tuple[float | None, float | None, float | None]
    fps: float
    camera: Camera
    track: Track
    body: Body
    neutral: bool = False

    def frames(self) -> Iterator[np.ndarray]:
        """The picture (H, W, 3), 0 .. 255, of each frame of the track.

        Raises PosecastError where the video has fewer.
        """
        first, count, given = int(self.track.frames[0]), len(self.track), 0
        with closing(self.video.frames(*self.span)) as frames:
            for frame in frames:
                if frame.index < first:
                    continue
                yield frame.image
                given += 1
                if given == count:
                    return
        raise PosecastError(
            f"{self.video.path.name} gave {first + given} frames instead of {first + count}: was "
            "it changed meanwhile?"
        )


def load_network(
    method: str, weights: Path | None = None, device: str = "auto", option: str = "--weights"
) -> ImageNetwork:
    """The network `method` with a file of `regressor.train`, an authors' checkpoint, or ours.

    Our files say in their card which `crops` and `body` they were trained with. For an authors'
    file the method's name says which crops; one without a start takes it from MEAN_FILE beside it.
    option: what the command calls `weights`.
    """
    file = weights or images.shipped_weights(method)
    if file is None:
        raise PosecastError(f"{method} comes without weights: name yours with {option}.")
    if file.suffix == ".safetensors":
        network, metadata = checkpoints.load(file)
        if images.method(metadata["name"]) != images.method(method):
            raise PosecastError(f"{file} is for --method {metadata['name']}, not for {method}.")
        card = metadata["card"]
        convention, body = card.get("crops", "dsr"), card.get("body", DEFAULT_BODY)
    else:
        mean = file.with_name(MEAN_FILE)
        start = read_mean_parameters(mean) if mean.is_file() else None
        try:
            network = checkpoints.load_authors(method, file, start)
        except FileFormatError as error:
            if start is None and "init_pose" in str(error):
                raise FileFormatError(f"{error} Lay SPIN's {MEAN_FILE} beside it.") from error
            raise
        convention, body = "spin" if method == "spin" else "dsr", "smpl"
    network = network.to(device_of(device))
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return ImageNetwork(network, convention, body)


def boxes_of(track: Track, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Square boxes about the whole person: centre (T, 2) and side (T,), px.

    About keypoints that the detector only guesses as well: of people whose legs are hidden or out
    of the picture, a box of the rest shows networks somebody small, or crouching.
    """
    few = (track.confidence > CONFIDENT).sum(axis=1, keepdims=True) < 4
    low = np.where(few, track.boxes[:, :2], track.keypoints.min(axis=1))
    high = np.where(few, track.boxes[:, 2:], track.keypoints.max(axis=1))
    side = MARGIN * np.maximum(high - low, 8).max(axis=1)
    return smooth((low + high) / 2, STEADY_S, fps), np.maximum(smooth(side, STEADY_S, fps), 8)


def square_boxes(centre: np.ndarray, side: np.ndarray) -> Tensor:
    """Centres (T, 2) and sides (T,) px to boxes (T, 4) = (x, y, width, height)."""
    sides = np.stack([side, side], axis=1)
    return torch.as_tensor(np.concatenate([centre - sides / 2, sides], axis=1)).double()


def cameras_of(network: nn.Module, boxes: Tensor, intrinsics: np.ndarray, size: int = SIZE) -> Crop:
    """Cameras of crops of boxes (T, 4), turned to each person where the network wants it.

    intrinsics (3, 3) or (T, 3, 3): of the whole picture; size: the crops' side, px.
    """
    cut = turned_crop if getattr(network, "rotation", False) else plain_crop
    return cut(boxes, torch.as_tensor(intrinsics).double().expand(len(boxes), 3, 3), size)


def turned_back(output: HmrOutput, crops: Crop, rest: Tensor) -> tuple[HmrOutput, Tensor]:
    """What a network says of crops, in the true camera's axes; where its camera has the pelvis.

    rest (T or 1, 24, 3) m: the body's joints; the pelvis (T, 3) m.
    """
    back = crops.rotation.float().transpose(1, 2)
    first = back @ output.rotmat[:, 0]
    rotmat = torch.cat([first[:, None], output.rotmat[:, 1:]], dim=1)
    # SMPL's translation is not its pelvis.
    pelvis = crop_to_camera(output.cam, crops.intrinsics.float(), SIZE) + rest[:, 0]
    return output._replace(rotmat=rotmat), (back @ pelvis[..., None])[..., 0]


def crops_of(
    shot: Shot, boxes: tuple[np.ndarray, np.ndarray], convention: Convention
) -> Iterator[np.ndarray]:
    """The person's crop (224, 224, 3), 0 .. 255, of each frame."""
    for image, centre, side in zip(shot.frames(), *boxes, strict=True):
        yield crop(image, centre, side / 200, convention=convention)


def cuts_of(shot: Shot, crops: Crop, size: int) -> Iterator[np.ndarray]:
    """The same (size, size, 3) by each frame's homography."""
    for image, matrix in zip(shot.frames(), crops.matrix.numpy(), strict=True):
        yield warp(image, matrix, size)


def given_by(network: nn.Module, track: Track, crops: Crop, size: int) -> Tensor | None:
    """The track's keypoints (T, 24, 3) in crops of `size` px, x, y in -1..1, 1 where they are sure,
    for a network that takes them.

    Legs are given where the detector only guesses them, too: small networks guess worse.
    """
    if not getattr(network, "takes_keypoints", False):
        return None
    names = skeletons.JOINTS[track.skeleton]
    picked = [names.index(name) for name in skeletons.COCO17]
    points = torch.as_tensor(track.keypoints[:, picked]).double()
    points = torch.cat([points, torch.ones_like(points[..., :1])], dim=-1) @ crops.matrix.mT
    places = 2 / size * points[..., :2] / points[..., 2:] - 1
    legs = np.array([name.endswith(LEGS) for name in skeletons.COCO17])
    sure = track.confidence[:, picked] > CONFIDENT
    sure = torch.as_tensor(sure | (legs & track.observed[:, None]))
    sure &= (places.abs() < 1).all(dim=-1)
    given = torch.zeros(len(track), len(J24), 3)
    given[:, GIVEN] = torch.cat([places, sure[..., None]], dim=-1).float()
    return given


def shape_over(track: Track, betas: Tensor) -> Tensor:
    """The median (10,) of betas (T, 10) over the frames in which the person was seen."""
    seen = torch.as_tensor(track.observed)
    return betas[seen if seen.any() else slice(None)].median(dim=0).values


@torch.inference_mode()
def predict(
    network: nn.Module,
    crops: Iterator[np.ndarray],
    intrinsics: Tensor,
    progress: Progress,
    given: Tensor | None = None,
) -> Any:
    """What the network sees in crops (S, S, 3), 0 .. 255, of intrinsics (T, 3, 3); on the CPU.

    given (T, 24, 3): keypoints, for a network that takes them.
    """
    device, total = next(network.parameters()).device, len(intrinsics)
    found = []
    with closing(read_ahead(crops, AHEAD)) as ready:
        while some := list(islice(ready, BATCH)):
            done = BATCH * len(found)
            inputs = to_input(torch.from_numpy(np.stack(some)).to(device))
            batch = {
                "image": inputs.contiguous(memory_format=torch.channels_last),
                "intrinsics": intrinsics[done : done + len(some)].float().to(device),
            }
            if given is not None:
                batch["given"] = given[done : done + len(some)].to(device)
            output = answer(network, batch)
            found.append(type(output)(*(part.cpu() for part in output)))
            progress.update("lift", done + len(some), total)
    return type(found[0])(*map(torch.cat, zip(*found, strict=True)))


def place(shot: Shot, output: HmrOutput, betas: Tensor, guess: Tensor) -> Tensor:
    """The pelvis (T, 3) m that brings the body's landmarks onto the keypoints.

    guess (T, 3): the pelvis as the network's camera has it, for a person without keypoints.
    """
    body, track, intrinsics = shot.body, shot.track, shot.camera.intrinsics
    turned, joints = chain(output.rotmat, body.joints_at_rest(betas))
    landmarks = RidingLandmarks(body, track.skeleton)(turned, joints - joints[:, :1], betas)
    keypoints, confidence = torch.as_tensor(track.keypoints), torch.as_tensor(track.confidence)
    centre, focal = torch.as_tensor(intrinsics[:2, 2]), float(intrinsics[0, 0])
    found = estimate_translation(landmarks, keypoints, confidence, focal, centre)
    # A body seen from before the camera, or by too few points, is where it was just before.
    known = ((confidence > CONFIDENT).sum(dim=1) >= 6) & (found[:, 2] > 0.3)
    return bridged(found, known) if known.any() else guess


def fit_by_network(shot: Shot, found: ImageNetwork, progress: Progress) -> Fit:
    """The body in the camera's axes, as each picture by itself shows it.

    The shape is the median over the frames in which the person was seen; the body's own if the shot
    wants it, or if the network knows another body's shapes.
    """
    if isinstance(found.network, PersPose):
        from regressor.images.towards import fit_towards  # which takes much from here

        return fit_towards(shot, found, progress)
    track, body, network = shot.track, shot.body, found.network
    progress.update("lift", 0, len(track))
    boxes = boxes_of(track, shot.fps)
    crops = cameras_of(network, square_boxes(*boxes), shot.camera.intrinsics)
    if getattr(network, "by_camera", False):
        pictures = cuts_of(shot, crops, SIZE)
    else:
        pictures = crops_of(shot, boxes, found.convention)
    given = given_by(network, track, crops, SIZE)
    output = predict(network, pictures, crops.intrinsics, progress, given)
    knows = not shot.neutral and found.knows(body)
    betas = shape_over(track, output.betas) if knows else torch.zeros(10)
    output, guess = turned_back(output, crops, body.joints_at_rest(betas)[None])
    pelvis = place(shot, output, betas, guess)
    return Fit(roma.rotmat_to_rotvec(output.rotmat), pelvis, betas)
