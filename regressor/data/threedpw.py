"""3DPW's own files: `sequenceFiles/SPLIT/SEQUENCE.pkl` and `imageFiles/SEQUENCE/image_00000.jpg`.

von Marcard et al., "Recovering Accurate 3D Human Pose in The Wild Using IMUs and a Moving Camera"
(2018). A pickle of Python 2 holds one or two people, whose poses are in the world; the camera
moves. Everything read here is at the pictures' rate; joints, poses and translations are of the body
of the person's gender.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import roma
import torch

from regressor.data.images import Records, gender_codes, no_labels
from regressor.errors import FileFormatError, PosecastError
from regressor.safe_pickle import load_pickle

SPLITS = ("train", "validation", "test")
SEQUENCES, IMAGES = "sequenceFiles", "imageFiles"
FPS = 30.0
MARGIN = 1.2  # of the box about the detected keypoints (SPIN, datasets/preprocess/pw3d.py)
_KEYS = {
    "betas": (None,),
    "poses": ("N", 72),
    "trans": ("N", 3),
    "poses2d": ("N", 3, 18),
    "campose_valid": ("N",),
}
# OpenPose's 18 points among its 25, and among the 24 in which data sets are labelled.
_TO_OPENPOSE25 = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)
_TO_J24 = {8: 2, 9: 1, 10: 0, 11: 3, 12: 4, 13: 5, 2: 8, 3: 7, 4: 6, 5: 9, 6: 10, 7: 11}
_TO_J24 |= {0: 19, 14: 21, 15: 20, 16: 23, 17: 22}


@dataclass
class Person:
    """One person of one sequence, over its N pictures."""

    sequence: str
    number: int  # counted from 0, as in the file
    gender: str  # "male" or "female"
    poses: np.ndarray  # (N, 72) axis-angle, rad; the first three in the world
    betas: np.ndarray  # (10,)
    trans: np.ndarray  # (N, 3) m, SMPL's translation in the world
    joints: np.ndarray | None  # (N, 24, 3) m in the world, where the file has them
    extrinsics: np.ndarray  # (N, 4, 4) world to camera, OpenCV's axes
    intrinsics: np.ndarray  # (3, 3) px
    keypoints: np.ndarray  # (N, 18, 3) px and confidence, OpenPose's; all 0 where too few
    valid: np.ndarray  # (N,) whether the camera fits the picture for this person

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def used(self) -> np.ndarray:
        """(N,) the frames that count, by both protocols: a valid camera, and detected keypoints."""
        return self.valid & (np.abs(self.keypoints).mean((1, 2)) > 0)

    def rotations(self) -> np.ndarray:
        """(N, 24, 3, 3) local rotations, the first in the camera's axes."""
        vectors = torch.as_tensor(self.poses).double().unflatten(1, (24, 3))
        turned = roma.rotvec_to_rotmat(vectors).numpy()
        turned[:, 0] = self.extrinsics[:, :3, :3] @ turned[:, 0]
        return turned

    def camera_poses(self) -> np.ndarray:
        """(N, 72) the same as axis-angle."""
        first = roma.rotmat_to_rotvec(torch.as_tensor(self.rotations()[:, 0])).numpy()
        return np.concatenate([first, self.poses[:, 3:]], axis=1)

    def camera_trans(self, root: np.ndarray) -> np.ndarray:
        """(N, 3) m: SMPL's translation in the camera's axes; root (3,), the pelvis at rest.

        A body turns about its pelvis, which is not where its translation starts.
        """
        turn, shift = self.extrinsics[:, :3, :3], self.extrinsics[:, :3, 3]
        return (turn @ (self.trans + root)[..., None])[..., 0] + shift - root

    def image(self, frame: int) -> str:
        """Name of a frame's picture, below the data set's folder."""
        return f"{IMAGES}/{self.sequence}/image_{frame:05d}.jpg"


def load_split(root: str | Path, split: str = "test", images: bool = False) -> list[Person]:
    """Everybody in one split, by sequence.

    images: the pictures are needed too. Raises PosecastError for a folder that isn't 3DPW's or
    lacks the split, FileFormatError that names a sequence that can't be read.
    """
    if split not in SPLITS:
        raise PosecastError(f"3DPW has no split {split!r}: choose {', '.join(SPLITS)}.")
    root = Path(root)
    folder = root / SEQUENCES / split
    if not (root / SEQUENCES).is_dir():
        raise PosecastError(
            f"{root} is not 3DPW's folder: it has no {SEQUENCES} (unpack sequenceFiles.zip there)."
        )
    files = sorted(folder.glob("*.pkl"))
    if not files:
        have = [name for name in SPLITS if any((root / SEQUENCES / name).glob("*.pkl"))]
        raise PosecastError(
            f"{root} has no {split} split: {folder} holds no sequences"
            + (f"; there is {' and '.join(have)}." if have else ".")
        )
    if images and not (root / IMAGES).is_dir():
        raise PosecastError(f"{root} has no {IMAGES}: unpack imageFiles.zip there.")
    return [person for file in files for person in load_sequence(file)]


def load_sequence(file: str | Path) -> list[Person]:
    """The people of one sequence. Raises FileFormatError for another file."""
    content = load_pickle(file)
    wanted = (*_KEYS, "cam_poses", "cam_intrinsics", "genders")
    missing = [key for key in wanted if not isinstance(content, dict) or key not in content]
    if missing:
        raise FileFormatError(
            f"{file} is no sequence of 3DPW: it has no {' and no '.join(missing)}."
        )
    try:
        count = len(content["poses"])
        return [_person(content, number, Path(file).stem) for number in range(count)]
    except (ValueError, TypeError, IndexError) as error:
        raise FileFormatError(f"{file} is no sequence of 3DPW: {error}.") from error


def _person(content: dict[str, Any], number: int, sequence: str) -> Person:
    frames = len(content["cam_poses"])
    own = {key: _checked(key, content[key][number], frames, shape) for key, shape in _KEYS.items()}
    joints = content.get("jointPositions")
    gender = content["genders"][number]
    gender = gender.decode() if isinstance(gender, bytes) else str(gender)
    if gender not in ("m", "f"):
        raise ValueError(f"the gender of person {number} is {gender!r}")
    return Person(
        sequence=sequence,
        number=number,
        gender={"m": "male", "f": "female"}[gender],
        poses=own["poses"],
        betas=own["betas"][:10],  # often 300, of which only the first ten aren't zero
        trans=own["trans"],
        joints=None
        if joints is None
        else _checked("jointPositions", joints[number], frames, ("N", 72)).reshape(-1, 24, 3),
        extrinsics=_checked("cam_poses", content["cam_poses"], frames, ("N", 4, 4)),
        intrinsics=_checked("cam_intrinsics", content["cam_intrinsics"], frames, (3, 3)),
        keypoints=own["poses2d"].transpose(0, 2, 1),
        valid=own["campose_valid"].astype(bool),
    )


def _checked(name: str, value: Any, frames: int, shape: tuple) -> np.ndarray:
    array = np.asarray(value, np.float64)
    expected = tuple(frames if n == "N" else n for n in shape)
    fits = len(array.shape) == len(expected) and all(
        n is None or n == m for n, m in zip(expected, array.shape, strict=True)
    )
    if not fits or (name == "betas" and len(array) < 10):
        raise ValueError(f"{name} has the shape {array.shape} instead of {expected}")
    return array


def box_of(keypoints: np.ndarray) -> tuple[np.ndarray, float]:
    """The middle (2,) px and scale (side / 200 px) of the box about detected keypoints (J, 3)."""
    seen = keypoints[keypoints[:, 2] > 0, :2]
    low, high = seen.min(axis=0), seen.max(axis=0)
    return (low + high) / 2, MARGIN * float((high - low).max()) / 200


def places(people: list[Person]) -> np.ndarray:
    """(M, 2) person and frame of everything that counts, in the order of `extract`."""
    pairs = [(i, n) for i, person in enumerate(people) for n in np.flatnonzero(person.used)]
    return np.array(pairs, np.int64).reshape(-1, 2)


def extract(people: list[Person]) -> dict[str, np.ndarray]:
    """The frames that count in SPIN's layout: imgname, center, scale, pose, shape, gender.

    As SPIN's preprocessing does, which would end at a valid frame without keypoints; here such
    frames don't count.
    """
    chosen = places(people)
    boxes = [box_of(people[i].keypoints[n]) for i, n in chosen]
    poses = [person.camera_poses()[person.used] for person in people]
    return {
        "imgname": np.array([people[i].image(n) for i, n in chosen], dtype=str),
        "center": np.array([centre for centre, _ in boxes]).reshape(-1, 2),
        "scale": np.array([scale for _, scale in boxes]),
        "pose": np.concatenate([np.zeros((0, 72)), *poses]),
        "shape": np.array([people[i].betas for i, _ in chosen]).reshape(-1, 10),
        "gender": np.array([people[i].gender[0] for i, _ in chosen], dtype=str),
    }


def load_records(root: str | Path, split: str = "train") -> Records:
    """A split as training records: poses and shapes of gendered bodies, and the 2D detections.

    The detections fill OpenPose's points, and those of the labelled 24 that mean the same.
    """
    people = load_split(root, split, images=True)
    arrays, chosen = extract(people), places(people)
    if not len(chosen):
        raise FileFormatError(f"No frame of 3DPW's {split} split in {root} can be used.")
    filled, count = no_labels(len(chosen)), len(chosen)
    detected = np.array([people[i].keypoints[n] for i, n in chosen])
    filled["keypoints"][:, _TO_OPENPOSE25] = detected
    for source, joint in _TO_J24.items():
        filled["keypoints"][:, 25 + joint] = detected[:, source]
    filled |= {
        "pose": arrays["pose"].astype(np.float32),
        "betas": arrays["shape"].astype(np.float32),
        "has_smpl": np.ones(count, bool),
        "gender": gender_codes(arrays["gender"]),
    }
    return Records(
        "3dpw", Path(root), arrays["imgname"], arrays["center"], arrays["scale"], **filled
    )
