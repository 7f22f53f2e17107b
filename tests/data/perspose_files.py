"""Tiny data sets as PersPose's authors lay them out: files of joblib, pictures beside them."""

from pathlib import Path

import numpy as np
import roma
import torch

from regressor.data.perspose import SETS
from regressor.smpl import load_body
from tests import joblib_files
from tests.data.people_files import picture

WIDTH, HEIGHT = 96, 64
CAMERA = np.array([[70.0, 0, 50], [0, 72, 30], [0, 0, 1]])
# Of each set: the pictures' names and the gender of its people.
NAMES = {
    "h36m": ("s_01_act_02_ca_01/s_01_act_02_ca_01_{:06d}.jpg", "neutral"),
    "3dpw": ("imageFiles/walk_00/image_{:05d}.jpg", "female"),
    "bedlam": ("20221019_3/png/seq_000000/seq_000000_{:04d}.png", "neutral"),
    "bedlam-val": ("20221020_1/png/seq_000001/seq_000001_{:04d}.png", "neutral"),
    "mpi-inf-3dhp": ("S3/Seq1/images/S3_Seq1_V0/img_S3_Seq1_V0_{:06d}.jpg", ""),
    "coco": ("{:012d}.jpg", ""),
}


def content(name: str, count: int = 4, seed: int = 0) -> dict:
    """What a set's file holds: people left and right of the middle, facing the camera."""
    rng = np.random.default_rng(seed)
    pattern, gender = NAMES[name]
    theta = 0.2 * rng.normal(size=(count, 24, 3))
    theta[:, 0] = [np.pi, 0, 0.1]
    beta = rng.normal(size=(count, 11 if name.startswith("bedlam") else 10))
    place = np.array([0.0, 0.0, 4.0]) + rng.uniform(-1, 1, (count, 3))
    points = points_of(theta, beta, place)
    pixels = points @ CAMERA.T
    pixels = pixels[..., :2] / pixels[..., 2:]
    low, high = (np.clip(side, 0, [WIDTH, HEIGHT]) for side in (pixels.min(1), pixels.max(1)))
    found = {
        "id": np.arange(count),
        "video_name": np.array(["a"] * count),
        "frame_idx": np.arange(count),
        "file_name": np.array([pattern.format(i) for i in range(count)]),
        "image_wh": np.tile([WIDTH, HEIGHT], (count, 1)),
        "bbox": np.concatenate([low, high - low], axis=1),
    }
    if name == "coco":
        seen = np.concatenate([pixels[:, :17], np.full((count, 17, 1), 2.0)], axis=2)
        return found | {"coco_kp17": seen.reshape(count, 51)}
    found["cam_intrinsics"] = np.tile(CAMERA, (count, 1, 1))
    if name == "mpi-inf-3dhp":
        return found | {"3dhp_j17": points[:, :17]}
    return found | {
        "gender": np.array([gender] * count),
        "smpl_theta": theta.reshape(count, 72) if name.startswith("bedlam") else theta,
        "smpl_beta": beta,
        "smpl_transl": place,
        "vis": rng.uniform(size=(count, 6890)) > 0.5,
        "smpl_mask": np.array([b"abc"] * count),
    }


def points_of(theta: np.ndarray, beta: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The default body's joints and vertices (N, 24 + V, 3) m."""
    turns, betas, moved = (torch.as_tensor(x).float() for x in (theta.reshape(-1, 72), beta, place))
    found = load_body()(betas[:, :10], turns[:, :3], turns[:, 3:], moved)
    assert found.vertices is not None
    return torch.cat([found.joints, found.vertices], dim=1).double().numpy()


def rotations_of(theta: np.ndarray) -> torch.Tensor:
    """(N, 24, 3, 3)."""
    return roma.rotvec_to_rotmat(torch.as_tensor(theta).float().view(-1, 24, 3))


def write(data: Path, name: str, pictures: bool = True, compress: str = "", **changes) -> dict:
    """Writes a set's file, and its pictures. changes: other arrays; None leaves a key out."""
    made = {k: v for k, v in {**content(name), **changes}.items() if v is not None}
    file = data / SETS[name].file
    file.parent.mkdir(parents=True, exist_ok=True)
    joblib_files.dump(made, file, compress)
    for index, one in enumerate(made.get("file_name", []) if pictures else []):
        picture(data / SETS[name].pictures / str(one), index, (WIDTH, HEIGHT))
    return made
