"""Motion capture as motions to train lifters on: the CMU set, AMASS's .npz, BVH and ASF/AMC.

What has SMPL's rotations is put on a body and seen as a detector sees it; other skeletons are seen
at their joints. Subjects are CMU's numbers where a file is named by its subject and its trial
("07_02.amc", AMASS's "07_02_poses.npz"), else the names of the files' folders.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import roma
import torch

from regressor.data import asf_amc, bvh, mocap
from regressor.data.archives import Tree, keys_of, load_archive
from regressor.data.lifting import Motion17, build_motions
from regressor.data.sequences import LiftingSet
from regressor.errors import FileFormatError, PosecastError, first_few
from regressor.lifters.windows import resample
from regressor.smpl import load_body
from regressor.smpl.body import Body

HELD_OUT = tuple(str(number) for number in mocap.HELD_OUT)
_NO_MOTIONS = ("shape.npz", "neutral_stagei.npz", "male_stagei.npz", "female_stagei.npz")
# From z up (AMASS, some BVH) to y up: x, z, -y.
Z_UP = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32)


@dataclass
class MocapOptions:
    """How motion capture is read."""

    fps: float = 12.5
    """Frames a second of the motions."""
    shapes: int = 4
    """Random bodies that each clip of SMPL's rotations is put on."""
    seed: int = 0
    held_out: tuple[str, ...] = HELD_OUT
    """Subjects of the test split; the others are to train on."""
    body: Path | None = None
    """An SMPL body instead of the default one."""
    metres_per_unit: float | None = None
    """Of BVH files; guessed by the legs where not given."""
    up: str = "y"
    """The axis that points up in BVH files, y or z."""
    amc_fps: float = asf_amc.FPS
    """Frames a second of AMC files, which don't tell it."""

    def __post_init__(self):
        if self.up not in ("y", "z"):
            raise PosecastError(f"--up {self.up} isn't known: choose y or z.")
        for name in ("fps", "amc_fps", "metres_per_unit"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise PosecastError(f"--{name.replace('_', '-')} {value:g} has to be above 0.")


def read(path: Path, split: str, detections: str = "gt", **options) -> LiftingSet:
    """The motions of a file, or of all files in the folder `path`; options: `MocapOptions`."""
    if detections != "gt":
        raise PosecastError(f"Motion capture has no detections {detections!r}.")
    chosen = MocapOptions(**options)
    body = load_body(chosen.body)
    clips: list[mocap.Clip] = []
    motions: list[Motion17] = []
    subjects: set[str] = set()
    for file in _files(path):
        keys = keys_of(file)
        if "rotvec_d" in keys:
            stored = mocap.load_clips(file)
            subjects |= {str(clip.subject) for clip in stored}
            clips += [c for c in stored if _wanted(str(c.subject), split, chosen)]
            continue
        subjects.add(subject_of(file))
        if _wanted(subject_of(file), split, chosen):  # else nothing is read of it
            if file.suffix.lower() == ".npz":
                clips.append(read_amass(file, body))
            else:
                motions.append(_read_skeleton(file, chosen))
    motions += build_motions(clips, body, chosen.shapes, chosen.fps, chosen.seed)
    if not motions:
        raise PosecastError(
            f"{path} has no motion for the {split} split, where {', '.join(chosen.held_out)} are "
            "the subjects held out: name others. Its own are "
            f"{first_few(sorted(subjects)) or 'none'}."
        )
    return LiftingSet("mocap", [], motions=motions)


def _files(path: Path) -> list[Path]:
    """AMASS's shapes of subjects, which lie beside the motions, left out."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    kinds = (".bvh", ".amc", ".npz") if path.is_dir() else (path.suffix.lower(),)
    return [f for f in files if f.suffix.lower() in kinds and f.name not in _NO_MOTIONS]


def _read_skeleton(file: Path, options: MocapOptions) -> Motion17:
    """A BVH or AMC file at the wanted rate, seen at its joints."""
    joints, fps = _skeleton_joints(file, options)
    if not np.isfinite(joints).all():
        raise FileFormatError(f"{file} puts joints where no numbers reach: it is damaged.")
    times = np.arange(len(joints)) / fps
    even = np.arange(0, times[-1] + 1e-6, 1 / options.fps)
    points = torch.as_tensor(resample(joints, times, even))
    return Motion17(points, points, file.stem, subject_of(file))


def subject_of(file: Path) -> str:
    """CMU's number without leading zeros, else the name of the file's folder.

    Other sets number their trials ("rub001/0002_treadmill_norm_poses.npz"): there folders tell.
    """
    number = re.match(r"0*(\d+)_\d+(_|$)", file.stem)
    return number[1] if number else file.parent.name


def _wanted(subject: str, split: str, options: MocapOptions) -> bool:
    return (subject in options.held_out) == (split == "test")


def _skeleton_joints(file: Path, options: MocapOptions) -> tuple[np.ndarray, float]:
    """(T, 17, 3) m, y up, and frames a second of a BVH or AMC file."""
    if file.suffix.lower() == ".bvh":
        recording = bvh.read_bvh(file)
        joints = bvh.to_h36m17(recording, file, options.metres_per_unit)
        return (joints @ Z_UP.T if options.up == "z" else joints), recording.fps
    skeleton = asf_amc.read_asf(skeleton_of(file))
    ends = asf_amc.forward(skeleton, asf_amc.read_amc(file, skeleton))
    return asf_amc.to_h36m17(ends, file), options.amc_fps


def skeleton_of(file: Path) -> Path:
    """The .asf that a motion is for: "07.asf" of "07_02.amc", else the folder's only one."""
    if file.suffix.lower() == ".asf":
        raise FileFormatError(f"{file} is a skeleton without motion: give an .amc beside it.")
    beside = sorted(file.parent.glob("*.asf")) + sorted(file.parent.glob("*.ASF"))
    named = [asf for asf in beside if asf.stem in (file.stem, file.stem.split("_")[0])]
    if named or len(beside) == 1:
        return (named or beside)[0]
    raise FileFormatError(f"{file} has no skeleton beside it: put the subject's .asf there.")


def read_amass(file: Path, body: Body) -> mocap.Clip:
    """One of AMASS's motions (SMPL, SMPL+H or SMPL-X; z up) as a clip for `body` at 50 fps.

    `poses` (T, 66 or more) axis-angle, of which the body's 22 joints are used; `trans` (T, 3) m;
    `mocap_framerate` or `mocap_frame_rate`. Bodies of the two models are so alike at rest that the
    rotations are taken as they are.
    """
    rates = [key for key in ("mocap_framerate", "mocap_frame_rate") if key in keys_of(file)]
    poses, trans, rate = load_archive(file, "poses", "trans", *(rates[:1] or ["mocap_framerate"]))
    fps = Tree(file, rate, "its frame rate").number()
    stored = Tree(file, poses, "poses")
    width = np.shape(poses)[-1] if np.ndim(poses) == 2 else 0
    if width < 66:
        raise stored.wrong(f"has the shape {np.shape(poses)}, not SMPL's")
    vectors = np.zeros((len(poses), 24, 3), np.float32)
    vectors[:, :22] = stored.array(None, width)[:, :66].reshape(-1, 22, 3)
    root = Tree(file, trans, "trans").array(len(poses), 3) + body.rest_joints[0].numpy()
    up = torch.as_tensor(Z_UP)
    turns = roma.rotvec_to_rotmat(torch.as_tensor(vectors))
    turns[:, 0] = up @ turns[:, 0]
    times = np.arange(len(poses)) / fps
    even = np.arange(0, times[-1] + 1e-6, 1 / mocap.FPS)
    rotations = roma.rotmat_to_rotvec(_between(turns, times, even)).numpy()
    rest = body.rest_joints.numpy()
    offsets = rest - rest[[max(parent, 0) for parent in mocap.skeletons.SMPL24_PARENTS]]
    placed = resample(root @ Z_UP.T, times, even)
    return mocap.Clip(file.stem, subject_of(file), rotations, placed, offsets)


def _between(turns: torch.Tensor, times: np.ndarray, at: np.ndarray) -> torch.Tensor:
    """Rotations (T, 24, 3, 3) at other times, along the shortest way."""
    right = np.clip(np.searchsorted(times, at), 1, max(len(times) - 1, 1))
    left = np.minimum(right - 1, len(times) - 1)
    right = np.minimum(right, len(times) - 1)
    span = np.maximum(times[right] - times[left], 1e-9)
    share = torch.as_tensor(np.clip((at - times[left]) / span, 0, 1), dtype=torch.float32)
    first, second = turns[left], turns[right]
    step = roma.rotmat_to_rotvec(first.mT @ second)
    return first @ roma.rotvec_to_rotmat(step * share[:, None, None])
