"""Motion capture on SMPL's joints, put on a body.

The file is the CMU set's .npz (24 joints in SMPL's order, y up, 50 fps), coded as frame-to-frame
differences. The data used in this project was obtained from mocap.cs.cmu.edu. The database was
created with funding from NSF EIA-0196217.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import roma
import torch

from regressor import skeletons
from regressor.errors import FileFormatError
from regressor.smpl.body import Body, chain, local_rotations
from regressor.smpl.landmarks import RidingLandmarks
from regressor.smpl.start import smallest_rotation

FPS = 50.0
# Subjects held out for validation, as the set's own notes propose: never split by clip.
HELD_OUT = (2, 7, 17, 55, 127)
# The child whose direction defines how a joint's bone lies at rest; joints without one are left.
BONE_END = {
    "left_hip": "left_knee",
    "right_hip": "right_knee",
    "left_knee": "left_ankle",
    "right_knee": "right_ankle",
    "left_shoulder": "left_elbow",
    "right_shoulder": "right_elbow",
    "left_elbow": "left_wrist",
    "right_elbow": "right_wrist",
}


@dataclass
class Clip:
    """One recording: rotations (T, 24, 3) axis-angle, joint 0 in the world; root (T, 3) metres."""

    name: str
    subject: int | str  # CMU's number, or another set's name
    rotations: np.ndarray
    root: np.ndarray
    rest_offset: np.ndarray


def load_clips(file: Path) -> list[Clip]:
    """All clips of the set. Raises FileFormatError when the file is another one."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            steps = np.cumsum(stored["rotvec_d"], axis=1, dtype=np.int16).T
            rotations = steps.reshape(-1, 24, 3) * np.float32(stored["rotvec_unit"])
            root, offset = stored["root_pos"], stored["clip_offset"]
            names, subjects = stored["clip_name"], stored["clip_subject"]
            rest = stored["rest_offset"]
    except (OSError, EOFError, KeyError, ValueError, BadZipFile, zlib.error) as error:
        raise FileFormatError(f"{file} is not the CMU motion set (cmu_motion.npz).") from error
    return [
        Clip(str(names[i]), int(subjects[i]), rotations[a:b], root[a:b], rest[i])
        for i, (a, b) in enumerate(zip(offset[:-1], offset[1:], strict=True))
    ]


def rest_alignment(body: Body, rest_offset: np.ndarray) -> torch.Tensor:
    """(24, 3, 3): the smallest rotations that lay the body's rest bones along the recording's."""
    names = skeletons.SMPL24
    rotations = torch.eye(3).repeat(24, 1, 1)
    rest = body.rest_joints
    for joint, end in BONE_END.items():
        i, child = names.index(joint), names.index(end)
        own = torch.nn.functional.normalize(rest[child] - rest[i], dim=0)
        theirs = torch.nn.functional.normalize(torch.as_tensor(rest_offset[child]), dim=0)
        rotations[i] = smallest_rotation(own, theirs)
    return rotations


def pose_body(clip: Clip, body: Body, step: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """World rotations (T, 24, 3, 3) of the body's joints and its root (T, 3), y up.

    Every bone of the body points where the recording's does (A-pose legs and all).
    """
    local = roma.rotvec_to_rotmat(torch.as_tensor(clip.rotations[::step]))
    world, _ = chain(local, torch.zeros(24, 3))
    world = world @ rest_alignment(body, clip.rest_offset)
    # The legs' lengths differ: the root's height follows them.
    ratio = leg_length(body.rest_joints) / leg_length(joints_of(clip.rest_offset))
    root = torch.as_tensor(clip.root[::step], dtype=torch.float32) * ratio
    return world, root


def joints_of(offsets: np.ndarray) -> torch.Tensor:
    """(24, 3) joints at rest from the bones' vectors (24, 3)."""
    joints = [torch.zeros(3)]
    for i, parent in enumerate(skeletons.SMPL24_PARENTS[1:], start=1):
        joints.append(joints[parent] + torch.as_tensor(offsets[i], dtype=torch.float32))
    return torch.stack(joints)


def leg_length(joints: torch.Tensor) -> float:
    """Hip to knee to ankle of the left leg, metres."""
    hip, knee, ankle = (
        joints[skeletons.SMPL24.index(f"left_{name}")] for name in ("hip", "knee", "ankle")
    )
    return float((knee - hip).norm() + (ankle - knee).norm())


def landmarks(
    world: torch.Tensor, root: torch.Tensor, body: Body, betas: torch.Tensor, skeleton: str
) -> torch.Tensor:
    """(T, J, 3) landmarks of `skeleton` on the body in this motion, betas (10,)."""
    _, joints = chain(local_rotations(world), body.joints_at_rest(betas))
    return RidingLandmarks(body, skeleton)(world, joints + root[:, None], betas)
