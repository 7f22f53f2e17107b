"""Data sets in SPIN's layout, for PersPose's training, and 3DPW's own folder.

SPIN's files tell no cameras, and not where people stand. The cameras of Human3.6M are in this
package, those of MPI-INF-3DHP in the set's own `camera.calibration` beside its pictures; where
somebody stands follows from joints and keypoints. 3DPW's own files tell all, and people's genders;
the other sets' poses are taken for those of the neutral body. Boxes are about the keypoints, as
`estimate` has them.
"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import roma
import torch
from torch import Tensor
from torch.nn.functional import pad

from regressor.data import threedpw
from regressor.data.images import Records, SampleError
from regressor.data.lifting_cameras import cameras
from regressor.data.perspose import height_3dhp
from regressor.data.spin import FOLDERS, load_named
from regressor.errors import FileFormatError
from regressor.images.geometry import estimate_translation
from regressor.images.joints import J24, LABELLED, Joints49
from regressor.images.perspose import BETAS, LIMBS
from regressor.skeletons import COCO17, H36M17
from regressor.smpl.body import Body, chain
from regressor.smpl.genders import ByGender
from regressor.training.perspose.samples import Seen

CALIBRATION = "camera.calibration"
# From J24 to the joints of other sets that the losses read.
_NAMES: list[str] = list(J24)
_TO_3DHP = {H36M17.index(name): _NAMES.index(name) for name in LIMBS} | {
    H36M17.index("pelvis"): _NAMES.index("pelvis_mpii")
}
_TO_COCO = {COCO17.index(name): _NAMES.index(name) for name in LIMBS}


def spin_set(data: Path, name: str, bodies: ByGender) -> tuple[Records, Callable[[int], Seen]]:
    """The data set `name` (a key of READERS) of a folder. Raises PosecastError where it isn't."""
    return READERS[name](data, bodies)


def _person(
    records: Records, index: int, camera: np.ndarray | None, labels: dict[str, Tensor]
) -> Seen:
    centre, side = records.center[index], 200 * float(records.scale[index])
    box = torch.tensor([*(centre - side / 2), side, side]).double()
    return Seen(records.root / str(records.imgname[index]), box, camera, labels)


def _smpl(records: Records, index: int, translation: Tensor) -> dict[str, Tensor]:
    pose = torch.as_tensor(records.pose[index]).float().view(24, 3)
    return {
        "pose": roma.rotvec_to_rotmat(pose),
        "betas": pad(torch.as_tensor(records.betas[index]).float(), (0, BETAS - 10)),
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


def _h36m(data: Path, bodies: ByGender) -> tuple[Records, Callable[[int], Seen]]:
    records, body = load_named(data, "h36m"), bodies.neutral
    joints49 = Joints49(body)
    known = {camera.name: camera.intrinsics for camera in cameras("human36m")["S1"]}

    def see(index: int) -> Seen:
        name = str(records.imgname[index])
        camera = next((k for n, k in known.items() if n in name), None)
        if camera is None:
            raise SampleError(f"{name} doesn't name one of Human3.6M's cameras.")
        labels = _smpl(records, index, torch.zeros(3))
        betas = labels["betas"][:10]
        rest = body.joints_at_rest(betas)
        turned, joints = chain(labels["pose"], rest)
        places = joints49.riding(turned, joints, betas)[LABELLED]
        labels["translation"] = _standing(records, index, places, camera)
        labels["has_smpl"] = torch.tensor(bool(records.has_smpl[index]))
        return _person(records, index, camera, labels)

    return records, see


def _3dhp(data: Path, bodies: ByGender) -> tuple[Records, Callable[[int], Seen]]:
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
        labels = {"joints_3dhp": found, "has_3dhp": torch.tensor(True)}
        labels["height"] = torch.tensor(height_3dhp(name))
        return _person(records, index, camera, labels)

    return records, see


def _coco(data: Path, bodies: ByGender) -> tuple[Records, Callable[[int], Seen]]:
    records = load_named(data, "coco")

    def see(index: int) -> Seen:
        found = torch.zeros(17, 3)
        labelled = torch.as_tensor(records.keypoints[index, LABELLED]).float()
        found[list(_TO_COCO)] = labelled[list(_TO_COCO.values())]
        labels = {"coco17": found, "has_coco": torch.tensor(True)}
        return _person(records, index, None, labels)

    return records, see


def _3dpw(data: Path, bodies: ByGender) -> tuple[Records, Callable[[int], Seen]]:
    root = data / FOLDERS / "3dpw"
    root = root if root.is_dir() else data / "3dpw"
    records = threedpw.load_records(root, "train")
    people = threedpw.load_split(root, "train")
    trans = [_placed(person, getattr(bodies, person.gender)) for person in people]
    chosen = threedpw.places(people)

    def see(index: int) -> Seen:
        person, frame = chosen[index]
        translation = torch.as_tensor(trans[person][frame])
        labels = _smpl(records, index, translation)
        labels["gender"] = torch.tensor(records.gender[index])
        return _person(records, index, people[person].intrinsics, labels)

    return records, see


def _placed(person: threedpw.Person, body: Body) -> np.ndarray:
    """Where somebody stands (N, 3), m, as the translation of their body in the camera's axes."""
    rest = body.joints_at_rest(torch.as_tensor(person.betas).float())
    return person.camera_trans(rest[0].numpy())


READERS = {"h36m": _h36m, "mpi-inf-3dhp": _3dhp, "coco": _coco, "3dpw": _3dpw}


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
