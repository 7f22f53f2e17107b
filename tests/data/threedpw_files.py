"""A tiny 3DPW on the default body, laid out and pickled as the real one."""

import pickle
from pathlib import Path

import numpy as np
import roma
import torch

from regressor.smpl import load_body
from tests.data.people_files import picture

WIDTH, HEIGHT = 96, 128
# OpenPose's 18 points as joints of SMPL; the face is at the head.
_POINTS = (15, 12, 17, 19, 21, 16, 18, 20, 2, 5, 8, 1, 4, 7, 15, 15, 15, 15)


def sequence(
    frames: int = 4, genders: str = "mf", seed: int = 0, bodies: dict | None = None
) -> dict:
    """The content of a sequence's pickle: people side by side, a camera that turns.

    bodies by gender, "m" and "f"; the default body if not given.
    """
    rng, default = np.random.default_rng(seed), load_body()
    angles = torch.linspace(0, 0.3, frames)
    turn = roma.rotvec_to_rotmat(torch.stack([0 * angles, angles, 0 * angles], 1)).double().numpy()
    extrinsics = np.tile(np.eye(4), (frames, 1, 1))
    # The world's y points up, and the people face the camera.
    extrinsics[:, :3, :3] = turn @ np.diag([1.0, -1.0, -1.0])
    extrinsics[:, :3, 3] = [0, 0, 4]
    intrinsics = np.array([[120.0, 0, WIDTH / 2], [0, 120, HEIGHT / 2], [0, 0, 1]])
    content: dict = {
        "sequence": "",
        "cam_poses": extrinsics,
        "cam_intrinsics": intrinsics,
        "img_frame_ids": 2 * np.arange(frames),
        "genders": list(genders),
    }
    people: dict[str, list] = {
        key: [] for key in ("poses", "betas", "trans", "jointPositions", "poses2d", "campose_valid")
    }
    for number in range(len(genders)):
        poses = 0.25 * rng.normal(size=(frames, 72))
        betas = np.zeros(10 if number else 300)
        betas[:10] = rng.normal(size=10)
        trans = np.array([0.9 * number - 0.4, 0.0, 0.0]) + 0.01 * rng.normal(size=(frames, 3))
        body = bodies[genders[number]] if bodies else default
        joints = joints_of(body, poses, betas[:10], trans)
        seen = joints @ extrinsics[:, :3, :3].transpose(0, 2, 1) + extrinsics[:, None, :3, 3]
        pixels = seen @ intrinsics.T
        pixels = pixels[..., :2] / pixels[..., 2:]
        points = np.concatenate([pixels[:, _POINTS], np.ones((frames, 18, 1))], axis=2)
        people["poses"].append(poses)
        people["betas"].append(betas)
        people["trans"].append(trans)
        people["jointPositions"].append(joints.reshape(frames, 72))
        people["poses2d"].append(points.transpose(0, 2, 1))
        people["campose_valid"].append(np.ones(frames, np.int64))
    return content | people


def joints_of(body, poses, betas, trans) -> np.ndarray:
    """(N, 24, 3) m in the world."""
    tensors = [torch.as_tensor(array, dtype=torch.float32) for array in (poses, trans)]
    out = body(
        betas=torch.as_tensor(betas, dtype=torch.float32).expand(len(poses), -1),
        global_orient=tensors[0][:, :3],
        body_pose=tensors[0][:, 3:],
        transl=tensors[1],
        return_verts=False,
    )
    return out.joints.double().numpy()


def write(root: Path, name: str, content: dict, split: str = "test") -> Path:
    """A sequence as the real ones are pickled, and its pictures."""
    file = root / "sequenceFiles" / split / f"{name}.pkl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps(content | {"sequence": name}, protocol=2))
    for frame in range(len(content["cam_poses"])):
        picture(root / "imageFiles" / name / f"image_{frame:05d}.jpg", frame, (WIDTH, HEIGHT))
    return file
