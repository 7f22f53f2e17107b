"""What every data set for lifters becomes, and one call that reads any of them.

Human3.6M (also in MotionBERT's file), MPI-INF-3DHP and HumanEva in the archives that lifters are
trained from, and 3DPW, come with cameras: sequences of 2D keypoints and 3D joints in the camera's
axes. Motion capture comes without: motions, which `data.lifting.Sampler` shows to random cameras.
"""

import importlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from regressor import skeletons
from regressor.data.archives import keys_of
from regressor.data.chunks import subset_of
from regressor.errors import FileFormatError, PosecastError

if TYPE_CHECKING:
    from regressor.data.lifting import Motion17

SPLITS = ("train", "test")


@dataclass
class LiftingSequence:
    """One person through one camera; T frames, J joints, K keypoints (J where not said else)."""

    name: str
    subject: str
    action: str  # as scores are grouped: "Walking", not "Walking 1"
    keypoints: np.ndarray  # (T, K, 2 or 3) px and, where there is one, confidence; float32
    joints: np.ndarray  # (T, J, 3) m, absolute: x right, y down, z forward of the camera; float32
    fps: float
    width: int  # px
    height: int
    intrinsics: np.ndarray | None = None  # (3, 3) px, where known
    valid: np.ndarray | None = None  # (T,) the frames that count; None: all
    camera: np.ndarray | None = None  # (9,) Human3.6M's vector (`lifting_cameras`), where known
    # (T,) metres of half the picture's width at the root's depth, where networks answer in that
    scale: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.joints)

    def part(self, frames: slice) -> "LiftingSequence":
        """Some of its frames; a step makes the frame rate that much lower."""
        return replace(
            self, keypoints=self.keypoints[frames], joints=self.joints[frames],
            valid=None if self.valid is None else self.valid[frames],
            scale=None if self.scale is None else self.scale[frames],
            fps=self.fps / (frames.step or 1),
        )  # fmt: skip

    def valid_parts(self) -> list["LiftingSequence"]:
        """Its runs of frames that count: what lies between may be wrong."""
        if self.valid is None or self.valid.all():
            return [self]
        steps = np.diff(np.concatenate([[0], np.asarray(self.valid, np.int8), [0]]))
        return [
            replace(self.part(slice(first, end)), valid=None)
            for first, end in zip(*(np.flatnonzero(steps == sign) for sign in (1, -1)), strict=True)
        ]


@dataclass
class LiftingSet:
    """One split of a data set: sequences, or motions where it has no cameras."""

    name: str
    sequences: list[LiftingSequence]
    skeleton: str = "h36m17"  # of the joints: a name in `skeletons.JOINTS`
    keypoint_skeleton: str = "h36m17"  # of the keypoints; detectors may have their own
    root: int = 0  # the joint that targets are relative to
    # What published networks of this set answer in; here all is in metres, but what "picture" is to
    # be learned from: half widths of it (`data.h36m_motionbert`).
    unit: str = "m"
    motions: list["Motion17"] = field(default_factory=list)  # of mocap; then no sequences

    @property
    def left(self) -> list[int]:
        """The left side's joints; they change places with those of `right`, in order."""
        return skeletons.side("left", self.skeleton)

    @property
    def right(self) -> list[int]:
        return skeletons.side("right", self.skeleton)

    @property
    def keypoint_left(self) -> list[int]:
        """The same for the keypoints, whose lists differ from the joints' (COCO's, say)."""
        return skeletons.side("left", self.keypoint_skeleton)

    @property
    def keypoint_right(self) -> list[int]:
        return skeletons.side("right", self.keypoint_skeleton)

    def thinned(self, share: float | None = None, every: int | None = None) -> "LiftingSet":
        """A share of each recording (`chunks.subset_of`), and one of every so many frames."""
        sequences = [
            one.part(subset_of(len(one), share or 1, every or 1)) for one in self.sequences
        ]
        motions = []
        for motion in self.motions:
            kept = subset_of(len(motion.seen), share or 1, every or 1)
            motions.append(replace(motion, seen=motion.seen[kept], joints=motion.joints[kept]))
        return replace(
            self, sequences=[one for one in sequences if len(one)],
            motions=[one for one in motions if len(one.seen)],
        )  # fmt: skip


# A folder is known by what lies in it; the first that fits counts.
_FOLDERS = {
    "threedpw_lifting": ("sequenceFiles",),
    "h36m": ("data_3d_h36m.npz",),
    "humaneva": ("data_3d_humaneva15.npz",),
    "h36m_motionbert": ("h36m_sh_conf_cam_source_final.pkl",),
    "mpi_inf_3dhp": ("data_train_3dhp.npz", "data_test_3dhp.npz"),
    "mocap_files": ("cmu_motion.npz", "**/*.bvh", "**/*.amc", "**/*.npz"),
}


def read_set(
    path: str | Path, split: str = "train", detections: str = "gt", **options
) -> LiftingSet:
    """The data set at `path`, whichever it is: a folder or one of its files.

    split: "train" or "test", the set's official one. detections: "gt" for projected joints, else
    the name in data_2d_h36m_NAME.npz (or of HumanEva's), "openpose" for 3DPW's own; mocap has none.
    Further options are the reader's own (`regressor/data/<set>.py`). Raises PosecastError for
    a split or detections that aren't there, FileFormatError for files that aren't what they should
    be.
    """
    if split not in SPLITS:
        raise PosecastError(f"There is no split {split!r}: choose {' or '.join(SPLITS)}.")
    module = importlib.import_module(f"regressor.data.{recognise(Path(path))}")
    found: LiftingSet = module.read(Path(path), split, detections, **options)
    if not found.sequences and not found.motions:
        raise PosecastError(f"{path} holds nothing for the {split} split.")
    return found


def recognise(path: Path) -> str:
    """The module that reads `path`. Raises FileFormatError where none does."""
    if path.is_dir():
        for module, patterns in _FOLDERS.items():
            if any(next(path.glob(pattern), None) for pattern in patterns):
                return module
    elif path.suffix.lower() in (".bvh", ".amc", ".asf"):
        return "mocap_files"
    elif path.is_file() and path.suffix == ".pkl":
        return "h36m_motionbert"
    elif path.is_file():
        keys = keys_of(path)
        if "positions_3d" in keys:
            return "humaneva" if "humaneva" in path.name else "h36m"
        if keys == {"data"}:
            return "mpi_inf_3dhp"
        if "rotvec_d" in keys or "poses" in keys:
            return "mocap_files"
    else:
        raise FileFormatError(f"{path} can't be read: there is no such file or folder.")
    raise FileFormatError(
        f"{path} is no data set that lifters can use: give the folder of data_3d_h36m.npz, of "
        "MPI-INF-3DHP's, HumanEva's or 3DPW's files, or motion capture (.bvh, .amc, AMASS's .npz)."
    )
