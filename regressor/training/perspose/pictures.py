"""The pictures of data sets as PersPose learns from them, their cameras known or not.

SPIN's files tell no cameras, and not where people stand. The cameras of Human3.6M are in this
package, those of MPI-INF-3DHP in the set's own `camera.calibration` beside its pictures; where
somebody stands follows from joints and keypoints. 3DPW's own files tell all. The authors' files
(`densepose_*.pt`) aren't read; their boxes are about the true vertices, these about the keypoints,
as `estimate` has them.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import roma
import torch
from torch import Tensor

from regressor.data import threedpw
from regressor.data.images import Records, SampleError, read_image
from regressor.data.lifting_cameras import cameras
from regressor.data.spin import FOLDERS, load_named
from regressor.errors import FileFormatError
from regressor.images import crops
from regressor.images.geometry import estimate_translation
from regressor.images.joints import J24, LABELLED, Joints49
from regressor.images.perspose_losses import LIMBS
from regressor.skeletons import COCO17, H36M17
from regressor.smpl.body import Body, chain
from regressor.training.perspose.augment import Augmentation, crop_of, draw_change, recolour
from regressor.training.perspose.options import Recipe
from regressor.training.perspose.people import nothing
from rendering.perspective import transform

CALIBRATION = "camera.calibration"
FOCAL = 600 / 256  # in sides of the crop: what is assumed of pictures whose camera isn't known
# From J24 to the joints of other sets that the losses read.
_NAMES: list[str] = list(J24)
_TO_3DHP = {H36M17.index(name): _NAMES.index(name) for name in LIMBS} | {
    H36M17.index("pelvis"): _NAMES.index("pelvis_mpii")
}
_TO_COCO = {COCO17.index(name): _NAMES.index(name) for name in LIMBS}


@dataclass
class Seen:
    """One person: intrinsics (3, 3) px, or None; and the part of a sample that tells of them.

    labels: as `samples` has them, in the true camera's axes; coco17 in the picture's px.
    """

    intrinsics: np.ndarray | None
    labels: dict[str, Tensor]


class CameraPictures:
    """A data set as a source of a mixture. see: what is known of a record, by its number."""

    def __init__(
        self,
        records: Records,
        see: Callable[[int], Seen],
        pixels: int,
        turn: bool,
        augmentation: Augmentation,
    ):
        self.records, self.see = records, see
        self.pixels, self.turn, self.augmentation = pixels, turn, augmentation

    def __len__(self) -> int:
        return len(self.records)

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """One sample (`samples`). Raises SampleError where it can't be had."""
        records, change = self.records, draw_change(self.augmentation, rng)
        name, side = str(records.imgname[index]), 200 * float(records.scale[index])
        centre = torch.as_tensor(records.center[index]).double()
        if not (centre.isfinite().all() and np.isfinite(side) and side > 0):
            raise SampleError(f"{records.name}: the box of record {index} ({name}) is no box.")
        image, seen = read_image(records.root / name), self.see(index)
        box = torch.cat([centre - side / 2, torch.tensor([side, side]).double()])
        known = seen.intrinsics is not None
        # A camera whose principal point is the box's middle makes no difference to a crop.
        camera = assumed(centre, side) if seen.intrinsics is None else seen.intrinsics
        turn = self.turn and known
        crop = crop_of(box, torch.as_tensor(camera).double(), self.pixels, turn, change)
        cut = torch.from_numpy(crops.warp(image, crop.matrix.numpy(), self.pixels))
        cut = cut.permute(2, 0, 1).float() / 255
        found = {
            "image": crops.normalize(
                recolour(cut, self.augmentation, rng) if change.coloured else cut
            ),
            "intrinsics": crop.intrinsics.float(),
            "rotation": crop.rotation.float(),
            "encoded": torch.tensor(known),
            "index": torch.tensor(index),
            **BLANK,
            **nothing(),
            **seen.labels,
        }
        found["joints_3dhp"] = found["joints_3dhp"] @ found["rotation"].T
        flat = found["coco17"]
        moved = transform(crop.matrix, flat[:, :2].double()).float().nan_to_num(-1.0)
        found["coco17"] = torch.cat([moved, flat[:, 2:]], dim=1)
        if not all(torch.isfinite(value).all() for value in found.values()):
            raise SampleError(
                f"{records.name}: record {index} ({name}) holds numbers that are not finite."
            )
        return found


BLANK = {
    "pose": torch.eye(3).repeat(24, 1, 1),
    "betas": torch.zeros(10),
    "translation": torch.tensor([0.0, 0.0, 3.0]),
    "has_smpl": torch.tensor(False),
}


def assumed(centre: Tensor, side: float) -> np.ndarray:
    """The camera (3, 3) of a picture that tells none: it looks at the box."""
    x, y = centre.tolist()
    focal = FOCAL * side
    return np.array([[focal, 0, x], [0, focal, y], [0, 0, 1]])


def open_sets(
    data: Path, names: Sequence[str], body: Body, recipe: Recipe, turn: bool
) -> dict[str, CameraPictures]:
    """Data sets of a folder in SPIN's layout, with 3DPW's own folder in it as 3dpw.

    Raises PosecastError that names the first that isn't there.
    """
    found = {}
    for name in names:
        records, see = _READERS[name](data, body)
        found[name] = CameraPictures(records, see, recipe.pixels, turn, recipe.augmentation)
    return found


def _smpl(records: Records, index: int, translation: Tensor) -> dict[str, Tensor]:
    pose = torch.as_tensor(records.pose[index]).float().view(24, 3)
    return {
        "pose": roma.rotvec_to_rotmat(pose),
        "betas": torch.as_tensor(records.betas[index]).float(),
        "translation": translation.float(),
        "has_smpl": torch.tensor(True),
    }


def _standing(records: Records, index: int, joints: Tensor, camera: np.ndarray) -> Tensor:
    """Where joints (24, 3) m, in J24's order, stand (3,) by the keypoints of a record."""
    seen = torch.as_tensor(records.keypoints[index, LABELLED])[None]
    known = seen[..., 2] * torch.as_tensor(records.joints3d[index, :, 3])[None].clamp(0, 1)
    if int((known > 0).sum()) < 4:
        raise SampleError(
            f"{records.name}: record {index} has too few keypoints to tell where somebody stands."
        )
    centre, focal = torch.as_tensor(camera[:2, 2]), float(camera[0, 0] + camera[1, 1]) / 2
    return estimate_translation(joints[None], seen[..., :2], known, focal, centre)[0]


def _h36m(data: Path, body: Body) -> tuple[Records, Callable[[int], Seen]]:
    records, joints49 = load_named(data, "h36m"), Joints49(body)
    known = {camera.name: camera.intrinsics for camera in cameras("human36m")["S1"]}

    def see(index: int) -> Seen:
        name = str(records.imgname[index])
        camera = next((k for n, k in known.items() if n in name), None)
        if camera is None:
            raise SampleError(f"{name} doesn't name one of Human3.6M's cameras.")
        labels = _smpl(records, index, torch.zeros(3))
        rest = body.joints_at_rest(labels["betas"])
        turned, joints = chain(labels["pose"], rest)
        places = joints49.riding(turned, joints, labels["betas"])[LABELLED]
        labels["translation"] = _standing(records, index, places, camera)
        labels["has_smpl"] = torch.tensor(bool(records.has_smpl[index]))
        return Seen(camera, labels)

    return records, see


def _3dhp(data: Path, body: Body) -> tuple[Records, Callable[[int], Seen]]:
    records = load_named(data, "mpi-inf-3dhp")

    def see(index: int) -> Seen:
        name = str(records.imgname[index])
        place = re.search(r"(S\d+/Seq\d+)/.*?video_(\d+)", name)
        if place is None:
            raise SampleError(f"{name} doesn't name a subject, sequence and video of MPI-INF-3DHP.")
        calibrated = calibration(records.root / place[1] / CALIBRATION)
        if int(place[2]) not in calibrated:
            raise FileFormatError(f"{place[1]}/{CALIBRATION} has no camera {place[2]}.")
        camera = calibrated[int(place[2])]
        joints = torch.as_tensor(records.joints3d[index, :, :3]).float()
        placed = joints + _standing(records, index, joints, camera)
        found = torch.zeros(17, 3)
        found[list(_TO_3DHP)] = placed[list(_TO_3DHP.values())]
        return Seen(camera, {"joints_3dhp": found, "has_3dhp": torch.tensor(True)})

    return records, see


def _coco(data: Path, body: Body) -> tuple[Records, Callable[[int], Seen]]:
    records = load_named(data, "coco")

    def see(index: int) -> Seen:
        found = torch.zeros(17, 3)
        labelled = torch.as_tensor(records.keypoints[index, LABELLED]).float()
        found[list(_TO_COCO)] = labelled[list(_TO_COCO.values())]
        return Seen(None, {"coco17": found, "has_coco": torch.tensor(True)})

    return records, see


def _3dpw(data: Path, body: Body) -> tuple[Records, Callable[[int], Seen]]:
    root = data / FOLDERS / "3dpw"
    root = root if root.is_dir() else data / "3dpw"
    records = threedpw.load_records(root, "train")
    people = threedpw.load_split(root, "train")
    rest = [body.joints_at_rest(torch.as_tensor(p.betas).float())[0].numpy() for p in people]
    trans = [person.camera_trans(pelvis) for person, pelvis in zip(people, rest, strict=True)]
    chosen = threedpw.places(people)

    def see(index: int) -> Seen:
        person, frame = chosen[index]
        translation = torch.as_tensor(trans[person][frame])
        return Seen(people[person].intrinsics, _smpl(records, index, translation))

    return records, see


_READERS = {"h36m": _h36m, "mpi-inf-3dhp": _3dhp, "coco": _coco, "3dpw": _3dpw}


@cache
def calibration(file: Path) -> dict[int, np.ndarray]:
    """Intrinsics (3, 3) px of MPI-INF-3DHP's cameras, by number.

    Raises FileFormatError for another file.
    """
    try:
        text = file.read_text()
        found = re.findall(r"^name\s+(\d+).*?^\s*intrinsic\s+([^\n]+)", text, re.M | re.S)
        read = {int(number): np.array(row.split(), float) for number, row in found}
        cameras = {number: row.reshape(4, 4)[:3, :3] for number, row in read.items()}
    except OSError as error:
        raise FileFormatError(
            f"{file} can't be read: it comes with MPI-INF-3DHP and tells its cameras."
        ) from error
    except ValueError as error:
        raise FileFormatError(f"{file} is no calibration of MPI-INF-3DHP's cameras.") from error
    if not cameras:
        raise FileFormatError(f"{file} is no calibration of MPI-INF-3DHP's cameras.")
    return cameras
