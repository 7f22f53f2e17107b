"""SMPL per frame as other tools save it: 4D-Humans (PHALP), WHAM, GVHMR, AMASS.

Each reader gives people in the axes that its tool writes. Which tool wrote a file is told by what
is in it, not by its name. Nothing in a file is ever run.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import roma
import torch
from scipy.spatial.transform import Rotation, Slerp

from regressor.cameras import assumed_fov, intrinsics_from_fov
from regressor.checkpoints import read_checkpoint
from regressor.errors import FileFormatError
from regressor.motion import Motion, read_arrays
from regressor.safe_pickle import load_pickle

# Where the pelvis of the published mean bodies lies in their own axes, metres.
SMPL_PELVIS = np.array([-0.002, -0.223, 0.028])
SMPLX_PELVIS = np.array([0.003, -0.351, 0.012])
HIPS_TO_PELVIS = np.array([0.001, 0.086, 0.016])  # from the middle of SMPL's hips
# 4D-Humans' camera: its focal length in pixels, and the side of the square that a frame becomes.
PHALP_FOCAL_PX, PHALP_SIDE_PX = 5000.0, 256.0
KNOWN = "4D-Humans (PHALP), WHAM, GVHMR, AMASS or Posecast"


@dataclass
class Person:
    """One person of a result: poses (T, 72) axis-angle, pelvis (T, 3) m, betas (10,).

    frames (T,) consecutive, `observed` False where they were filled in. axes: what `poses` and
    `pelvis` are in; "camera" is OpenCV's. rest: the pelvis of the tool's body at rest. A camera
    (intrinsics (3, 3), size in pixels) where the tool's is known.
    """

    tool: str
    poses: np.ndarray
    pelvis: np.ndarray
    betas: np.ndarray
    axes: Literal["camera", "y up", "z up"]
    frames: np.ndarray
    observed: np.ndarray
    fps: float | None = None
    gender: str = "neutral"
    intrinsics: np.ndarray | None = None
    size: tuple[int, int] | None = None


def read(file: Path) -> list[Person] | Motion:
    """The people in a file, who is seen longest first; a Motion where it is one of Posecast's.

    Raises FileFormatError for a file of none of the tools.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        names = []
    content: Any
    if any(name.endswith(".npy") for name in names):
        return Motion.load(file) if "version" in read_arrays(file) else [amass(file)]
    content = read_checkpoint(file) if names else load_pickle(file)
    try:
        people = [person for person in _people(content) if len(person.poses)]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise FileFormatError(
            f"{file} is not as its tool writes it ({type(error).__name__}: {error}): give a file "
            f"of {KNOWN}."
        ) from error
    if not people:
        raise FileFormatError(f"{file} holds no person's motion: give a file of {KNOWN}.")
    return sorted(people, key=lambda person: -int(person.observed.sum()))


def _people(content: Any) -> list[Person]:
    if not isinstance(content, Mapping):
        return []
    if isinstance(content.get("smpl_params_global"), Mapping):
        return [gvhmr(content["smpl_params_global"])]
    values = [value for value in content.values() if isinstance(value, Mapping)]
    if any("smpl" in value for value in values):
        return phalp(content)
    return [wham(value) for value in values if {"pose_world", "trans_world"} <= value.keys()]


def phalp(frames: Mapping) -> list[Person]:
    """4D-Humans: for each frame the people tracked in it, in the camera's axes.

    Its focal length is that of no camera, and puts people many times too far away. Here they stand
    as far as a focal length of the picture's diagonal would have it, which looks the same.
    """
    seen: dict[int, dict[int, tuple]] = {}
    size = (0, 0)
    for count, frame in enumerate(frames.values()):
        ids, ages = frame["tid"], frame.get("tracked_time", [])
        for i, (number, smpl) in enumerate(zip(ids, frame["smpl"], strict=False)):
            if i < len(ages) and ages[i] > 0:  # not seen here, but carried on from before
                continue
            height, width = (int(n) for n in frame["size"][i])
            size = (width, height)
            turns = np.concatenate(
                [np.reshape(smpl[name], (-1, 3, 3)) for name in ("global_orient", "body_pose")]
            )
            camera = np.asarray(frame["camera"][i], np.float64).reshape(3)
            betas = np.ravel(smpl["betas"])[:10]
            track = seen.setdefault(int(number), {})
            track[int(frame.get("time", count))] = (turns, camera, betas)
    if not seen:
        return []
    intrinsics = intrinsics_from_fov(assumed_fov(*size), *size)
    nearer = intrinsics[0, 0] / (PHALP_FOCAL_PX / PHALP_SIDE_PX * max(size))
    people = []
    for track in seen.values():
        numbers = sorted(track)
        turns, cameras, betas = (np.stack([track[n][k] for n in numbers]) for k in range(3))
        rotvecs = roma.rotmat_to_rotvec(torch.as_tensor(turns, dtype=torch.float64)).numpy()
        pelvis = (cameras + SMPL_PELVIS) * [1, 1, nearer]
        person = _person("4D-Humans", rotvecs.reshape(-1, 72), pelvis, betas, "camera", numbers)
        person.intrinsics, person.size = intrinsics, size
        people.append(person)
    return people


def wham(result: Mapping) -> Person:
    """One person of WHAM, in its world with y up; its path is that of the middle of the hips."""
    poses = np.asarray(result["pose_world"], np.float64).reshape(-1, 72)
    upright = Rotation.from_rotvec(poses[:, :3]).apply(HIPS_TO_PELVIS)
    pelvis = np.asarray(result["trans_world"], np.float64).reshape(-1, 3) + upright
    frames = result.get("frame_ids", np.arange(len(poses)))
    return _person("WHAM", poses, pelvis, result["betas"], "y up", frames)


def gvhmr(parameters: Mapping) -> Person:
    """The person of GVHMR, an SMPL-X body in a world with y up."""
    arrays = {name: np.asarray(value, np.float64) for name, value in parameters.items()}
    turns = [arrays["global_orient"].reshape(-1, 3), arrays["body_pose"].reshape(-1, 63)]
    poses = np.pad(np.concatenate(turns, axis=1), ((0, 0), (0, 6)))
    pelvis = arrays["transl"].reshape(-1, 3) + SMPLX_PELVIS
    return _person("GVHMR", poses, pelvis, np.zeros(10), "y up", np.arange(len(poses)))


def amass(file: Path) -> Person:
    """A file of AMASS, of SMPL, SMPL-H or SMPL-X (whose betas speak of another body)."""
    whole = read_arrays(file).get("poses", np.zeros(0))
    motion, is_smplx = Motion.load(file), whole.ndim == 2 and whole.shape[1] == 165
    pelvis = motion.trans + (SMPLX_PELVIS if is_smplx else SMPL_PELVIS)
    betas = np.zeros(10) if is_smplx else motion.betas
    person = _person("AMASS", motion.poses, pelvis, betas, "z up", np.arange(len(motion)))
    person.fps, person.gender = motion.mocap_framerate, motion.gender
    return person


def _person(tool: str, poses, pelvis, betas, axes, frames) -> Person:
    """A Person whose frames without a pose are filled in between those around them."""
    known = np.asarray(frames, np.int64).ravel()
    if not len(poses) == len(pelvis) == len(known):
        raise ValueError(f"{len(poses)} poses, {len(pelvis)} places and {len(known)} frames")
    if not (np.isfinite(poses).all() and np.isfinite(pelvis).all()):
        raise ValueError("it holds numbers that are not finite")
    betas = np.asarray(betas, np.float64).reshape(-1, np.shape(betas)[-1]).mean(axis=0)[:10]
    wanted = np.arange(known[0], known[-1] + 1) if len(known) else known
    if len(wanted) > len(known):
        joints = poses.reshape(-1, 24, 3).transpose(1, 0, 2)
        turned = [Slerp(known, Rotation.from_rotvec(joint))(wanted).as_rotvec() for joint in joints]
        poses = np.stack(turned, axis=1).reshape(-1, 72)
        pelvis = np.stack([np.interp(wanted, known, axis) for axis in pelvis.T], axis=1)
    observed = np.isin(wanted, known)
    return Person(tool, poses, pelvis, betas, axes, wanted, observed)
