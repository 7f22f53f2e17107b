"""Synthetic clothed people as training samples: recorded poses, dressed and drawn on the fly.

python -m regressor.data.people --motion cmu_motion.npz --poses poses.npz
python -m regressor.data.people --poses poses.npz --sheet sheet.png --count 48 --seed 1

The first line reads the recordings once into a small file of poses; the second draws a sheet of
pictures above their label maps. Without poses, people stand in random ones near the rest pose.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import tyro
from torch import Tensor

from regressor import skeletons
from regressor.command import check_output
from regressor.data.poses import PoseOptions, Poses, draw_bodies, load_poses, precompute
from regressor.errors import PosecastError
from regressor.files import replacing
from regressor.images.crops import normalize
from regressor.images.joints import Joints49
from regressor.lifting import device_of
from regressor.smpl.body import Body, chain, load_body
from regressor.smpl.landmarks import landmark_regressor
from rendering.labels import PALETTE
from rendering.people import (
    People,
    PeopleOptions,
    Pictures,
    Turned,
    build_surface,
    render_people,
)


@dataclass
class SyntheticOptions(PoseOptions):
    """How poses and bodies are drawn, and how they look."""

    people: PeopleOptions = field(default_factory=PeopleOptions)


class SyntheticPeople:
    """Draws batches of training samples; the same seed gives the same batch.

    body: the default body or a user's; poses: None for random ones alone; pictures: a folder of
    backgrounds. All is made on `device`.
    """

    def __init__(
        self,
        body: Body | None = None,
        poses: Poses | None = None,
        options: SyntheticOptions | None = None,
        pictures: str | Path | None = None,
        device: torch.device | str = "cpu",
    ):
        self.options = options or SyntheticOptions()
        self.body = (body or load_body()).to(device)
        self.poses, self.device = poses, torch.device(device)
        arrays = {k: self.body.arrays[k] for k in ("v_template", "f", "weights", "J_regressor")}
        self.surface = build_surface(arrays, face_places(self.body)).to(device)
        self.joints49 = Joints49(self.body).to(device)
        try:
            self.background = Pictures(pictures) if pictures else None
        except ValueError as error:
            raise PosecastError(f"The folder of backgrounds is empty: {error}.") from error

    def batch(self, count: int, seed: int) -> dict[str, Tensor]:
        """A batch of training samples (see `as_sample`)."""
        pose, betas, people = self.draw(count, seed)
        return self.as_sample(pose, betas, people)

    def draw(self, count: int, seed: int) -> tuple[Tensor, Tensor, People]:
        """Rotations (B, 24, 3, 3), the first in the camera's axes; betas (B, 10); the pictures.

        The camera is the one that took the crop: a turned one where views are turned.
        """
        generator = torch.Generator().manual_seed(seed)
        pose, betas = draw_bodies(count, generator, self.poses, self.options)
        pose, betas = pose.to(self.device), betas.to(self.device)
        transforms, joints, shaped, joints49 = self._posed(pose, betas)
        people = render_people(
            self.surface, shaped, transforms, joints, joints49, generator,
            self.options.people, self.background,
        )  # fmt: skip
        if isinstance(people.views, Turned):
            pose = people.views.turn_pose(pose)
        return pose, betas, people

    def _posed(self, pose: Tensor, betas: Tensor) -> tuple[Tensor, ...]:
        """Transforms from rest (B, 24, 3, 4), joints (B, 24, 3), shaped vertices, 49 joints."""
        body = self.body
        rest = body.joints_at_rest(betas)
        turned, joints = chain(pose, rest)
        shift = joints - (turned @ rest[..., None])[..., 0]
        shaped = body.v_template + torch.einsum("bk,vck->bvc", betas, body.shapedirs)
        if body.posedirs is not None:
            bent = (pose[:, 1:] - torch.eye(3, device=pose.device)).flatten(1)
            shaped = shaped + torch.einsum("bp,vcp->bvc", bent, body.posedirs)
        transforms = torch.cat([turned, shift[..., None]], dim=-1)
        return transforms, joints, shaped, self.joints49.riding(turned, joints, betas)

    def as_sample(self, pose: Tensor, betas: Tensor, people: People) -> dict[str, Tensor]:
        """The batch as every data set gives it, and what only drawn people know.

        image (B, 3, S, S) normalised; labels (B, S, S) uint8; has_labels, has_smpl (B,); keypoints
        (B, 49, 3) x, y in -1..1 and confidence, 0 out of the frame; joints3d (B, 24, 4) m in J24's
        order, and valid; pose (B, 24, 3, 3); betas (B, 10); gender (B,) -1; camera (B, 3); visible
        (B, 49): what nothing hides; intrinsics (B, 3, 3) of the crop; translation (B, 3) m.
        """
        device, count = pose.device, len(pose)
        turned, joints = chain(pose, self.body.joints_at_rest(betas))
        joints49 = self.joints49.riding(turned, joints, betas)
        seen = people.in_frame[..., None]
        places = (people.points / (self.options.people.size / 2) - 1) * seen
        valid = torch.ones(count, dtype=torch.bool, device=device)
        return {
            "image": normalize(people.image),
            "labels": people.labels,
            "has_labels": valid,
            "keypoints": torch.cat([places, seen.float()], dim=-1),
            "joints3d": torch.cat([joints49[:, 25:], torch.ones_like(joints49[:, 25:, :1])], -1),
            "pose": pose,
            "betas": betas,
            "has_smpl": valid.clone(),
            "gender": torch.full((count,), -1, device=device),
            "camera": people.camera,
            "visible": people.visible,
            "intrinsics": people.views.crop_intrinsics.to(device),
            "translation": people.views.translation.to(device),
        }


def face_places(body: Body) -> dict[str, np.ndarray]:
    """Left eye, mouth corner, nose and left ear of the body at rest, m."""
    template = body.arrays["v_template"]
    coco = landmark_regressor(body.arrays, "coco17") @ template
    media = landmark_regressor(body.arrays, "mediapipe33") @ template
    named = dict(zip(skeletons.COCO17, coco, strict=True))
    return {
        "eye": named["left_eye"],
        "ear": named["left_ear"],
        "nose": named["nose"],
        "mouth": media[skeletons.MEDIAPIPE33.index("left_mouth")],
    }


def contact_sheet(people: Iterator[People], columns: int) -> np.ndarray:
    """(H, W, 3) uint8: pictures, each above its label map."""
    rows = []
    for drawn in people:
        image = (drawn.image.movedim(1, -1).cpu() * 255).byte()
        label = torch.as_tensor(PALETTE)[drawn.labels.cpu().long()]
        rows.append(torch.cat([image, label], 1))
    tiles = torch.cat(rows).numpy()
    missing = -len(tiles) % columns
    tiles = np.concatenate([tiles, np.zeros((missing, *tiles.shape[1:]), np.uint8)])
    return np.concatenate(
        [np.concatenate(list(line), 1) for line in tiles.reshape(-1, columns, *tiles.shape[1:])]
    )


@dataclass
class Options:
    """Options of `people`."""

    poses: Path | None = None
    """Poses to draw from; with --motion, the file to write."""
    motion: Path | None = None
    """The CMU motion set, to make the file of poses from."""
    sheet: Path | None = None
    """The contact sheet to draw, .png."""
    count: int = 48
    """How many people are on it."""
    seed: int = 1
    body: Path | None = None
    """An SMPL file instead of the default body."""
    pictures: Path | None = None
    """A folder of backgrounds."""
    device: str = "cpu"
    columns: int = 12
    draw: SyntheticOptions = field(default_factory=SyntheticOptions)


def run(options: Options) -> None:
    """Makes the file of poses, or draws the sheet, or both."""
    if not (options.sheet or options.motion):
        raise PosecastError("There is nothing to do: give --sheet or --motion, or --help.")
    if options.count < 1 or options.columns < 1:
        raise PosecastError("--count and --columns have to be above 0.")
    if options.sheet is not None:
        check_output(options.sheet, ".png", "a sheet")
    device = device_of(options.device)
    body = load_body(options.body)
    if options.motion:
        if options.poses is None:
            raise PosecastError("Say by --poses where the poses are to be written.")
        print(f"{precompute(options.motion, options.poses, body)} poses in {options.poses}")
    if options.sheet is None:
        return
    from PIL import Image

    poses = load_poses(options.poses) if options.poses else None
    source = SyntheticPeople(body, poses, options.draw, options.pictures, device)
    batches = [min(16, options.count - i) for i in range(0, options.count, 16)]
    drawn = (source.draw(n, options.seed * 1000 + i)[2] for i, n in enumerate(batches))
    sheet = contact_sheet(drawn, options.columns)
    with replacing(options.sheet) as beside:
        Image.fromarray(sheet).save(beside, format="PNG")


def main() -> None:
    options = tyro.cli(Options, prog="python -m regressor.data.people", description=__doc__)
    try:
        run(options)
    except PosecastError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
