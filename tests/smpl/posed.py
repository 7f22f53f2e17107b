"""Bodies and poses for the tests of the body model, its landmarks and its fit."""

import numpy as np
import roma
import torch
from torch import Tensor

from regressor.skeletons import SMPL24
from regressor.smpl.body import DEFAULT_BODY, FIELDS, Body, chain, read_arrays


def smpl_like(seed: int = 0) -> dict[str, np.ndarray]:
    """What a user's SMPL file holds: 6,890 of the default body's vertices, pose correctives.

    It has no landmark regressors of its own, as SMPL's files have none.
    """
    rng = np.random.default_rng(seed)
    whole = read_arrays(DEFAULT_BODY)
    kept = np.sort(rng.permutation(len(whole["v_template"]))[:6890])
    place = np.full(len(whole["v_template"]), -1)
    place[kept] = np.arange(len(kept))
    faces = place[whole["f"].astype(np.int64)]
    arrays = {name: whole[name][kept] for name in ("v_template", "shapedirs", "weights")}
    arrays["J_regressor"] = regressor_of(
        whole["J_regressor"] @ whole["v_template"], arrays["v_template"]
    )
    arrays["f"] = faces[(faces >= 0).all(1)].astype(np.uint32)
    arrays["kintree_table"] = whole["kintree_table"]
    arrays["posedirs"] = rng.normal(0, 0.01, (len(kept), 3, 207)).astype(np.float32)
    assert set(arrays) >= set(FIELDS)
    return arrays


def regressor_of(joints: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """(24, V) small weights of near vertices that sum to 1 and give `joints` (24, 3)."""
    rows = np.zeros((len(joints), len(vertices)), np.float32)
    for row, joint in zip(rows, joints.astype(float), strict=True):
        near = np.argsort(np.linalg.norm(vertices - joint, axis=1))[:40]
        matrix = np.concatenate([vertices[near].T, np.ones((1, 40))])
        row[near] = np.linalg.lstsq(matrix, np.append(joint, 1.0), rcond=None)[0]
    return rows


def random_poses(count: int, seed: int = 0) -> Tensor:
    """(count, 24, 3) axis-angle: limbs anywhere that human joints let them, turned at random."""
    rng = np.random.default_rng(seed)
    poses = rng.normal(0, 0.08, (count, 24, 3))
    poses[:, 0, 1] = rng.uniform(-np.pi, np.pi, count)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        poses[:, SMPL24.index(f"{side}_knee")] = 0
        poses[:, SMPL24.index(f"{side}_knee"), 0] = rng.uniform(0.1, 1.6, count)
        poses[:, SMPL24.index(f"{side}_hip"), 0] = rng.uniform(-1.3, 0.2, count)
        poses[:, SMPL24.index(f"{side}_elbow")] = 0
        poses[:, SMPL24.index(f"{side}_elbow"), 1] = -sign * rng.uniform(0.1, 1.6, count)
        poses[:, SMPL24.index(f"{side}_shoulder"), 2] = -sign * rng.uniform(-0.3, 1.2, count)
        for part in ("foot", "hand"):
            poses[:, SMPL24.index(f"{side}_{part}")] = 0
    return torch.as_tensor(poses, dtype=torch.float32)


def swinging(frames: int, fps: float = 25.0, seed: int = 0) -> Tensor:
    """(frames, 24, 3) axis-angle: somebody who moves steadily between three random poses."""
    keys = roma.rotvec_to_unitquat(random_poses(3, seed))
    keys[:, 0] = roma.rotvec_to_unitquat(torch.tensor([0.0, 0.5, 0.0]))
    first, second, third = keys
    share = 0.5 - 0.5 * torch.cos(torch.arange(frames) / fps * 2.5)
    there = roma.unitquat_slerp(first, second, share)
    back = roma.unitquat_slerp(first, third, 0.5 * share.flip(0))
    mixed = roma.quat_product(
        there, roma.quat_product(roma.quat_conjugation(first.expand_as(back)), back)
    )
    return roma.unitquat_to_rotvec(torch.nn.functional.normalize(mixed, dim=-1))


def pose(body: Body, poses: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
    """World rotations (T, 24, 3, 3) and joints (T, 24, 3) of axis-angle (T, 24, 3), betas (10,)."""
    return chain(roma.rotvec_to_rotmat(poses), body.joints_at_rest(betas))
