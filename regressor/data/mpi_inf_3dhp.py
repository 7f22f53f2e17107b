"""MPI-INF-3DHP in the archives that lifters are trained from (P-STMO's conversion).

data_train_3dhp.npz: `data`, "S1 Seq1" -> [camera -> {data_2d (F, 17, 2) px, data_3d (F, 17, 3) mm},
fps]. data_test_3dhp.npz: `data`, "TS1" -> {data_2d, data_3d, valid (F,)}. Mehta et al., "Monocular
3D Human Pose Estimation In The Wild" (2017). 3D is the set's universal skeleton in each camera's
axes; networks of this set answer in millimetres, relative to joint 14.
"""

from pathlib import Path

import numpy as np

from regressor import skeletons
from regressor.data.archives import Tree, load_archive
from regressor.data.sequences import LiftingSequence, LiftingSet
from regressor.errors import FileFormatError, PosecastError

FILES = {"train": "data_train_3dhp.npz", "test": "data_test_3dhp.npz"}
SKELETON = "mpi_inf_3dhp17"
# The 17 joints among the 28 of the set's own annotations.
KEPT = (7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6)
TRAIN_SIZE = (2048, 2048)  # px, also that of TS1 to TS4
OUTDOOR_SIZE = (1920, 1080)
OUTDOOR = ("TS5", "TS6")
TEST_FPS = 25.0  # the archive doesn't tell


def read(path: Path, split: str, detections: str = "gt") -> LiftingSet:
    """The split whose archive lies in the folder `path`, or is the file `path` or beside it.

    The 2D is the set's own. Only frames that the archive calls valid count in the test.
    """
    if detections != "gt":
        raise PosecastError(f"MPI-INF-3DHP has no detections {detections!r}: its 2D is gt alone.")
    file = path / FILES[split] if path.is_dir() else path
    if path.name in FILES.values():  # of whichever split
        file = path.with_name(FILES[split])
    data = Tree(file, *load_archive(file, "data"))
    names = [name for name, _ in data.items()]
    if any(name.startswith("TS") != (split == "test") for name in names):
        raise FileFormatError(f"{file} is not the archive of the {split} split ({FILES[split]}).")
    read_one = _test_sequence if split == "test" else _train_sequences
    sequences = [sequence for name in names for sequence in read_one(name, data.at(name))]
    root = skeletons.MPI_INF_3DHP17.index("pelvis")
    return LiftingSet("MPI-INF-3DHP", sequences, SKELETON, SKELETON, root, unit="mm")


def _train_sequences(name: str, stored: Tree) -> list[LiftingSequence]:
    """One a camera; `name` is "S1 Seq1"."""
    fps = stored.at(1).number()
    return [
        _sequence(f"{name} camera {camera}", name, views, fps, TRAIN_SIZE)
        for camera, views in stored.at(0).items()
    ]


def _test_sequence(name: str, stored: Tree) -> list[LiftingSequence]:
    size = OUTDOOR_SIZE if name in OUTDOOR else TRAIN_SIZE
    sequence = _sequence(name, name, stored, TEST_FPS, size)
    valid = np.asarray(stored.at("valid").content)
    sequence.valid = Tree(stored.file, valid.ravel(), f"{name} valid").array(len(sequence)) > 0
    return [sequence]


def _sequence(
    name: str, recorded: str, stored: Tree, fps: float, size: tuple[int, int]
) -> LiftingSequence:
    joints = stored.at("data_3d").array(None, 17, 3) / 1000
    subject, _, action = recorded.partition(" ")
    return LiftingSequence(
        name=name,
        subject=subject,
        action=action or subject,  # test scores are told by sequence
        keypoints=stored.at("data_2d").array(len(joints), 17, 2),
        joints=joints,
        fps=fps,
        width=size[0],
        height=size[1],
    )
