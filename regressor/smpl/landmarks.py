"""Landmarks on a body: where a detector sees its joints, face, hands and feet.

A body file brings regressors from its posed mesh to the landmark sets. Posing a whole video by the
mesh would be slow, so here each landmark rides on one joint, at the offset that it has at rest:
that is how the default body's regressors were made, and they agree within millimetres (a test
says).
"""

import numpy as np
import torch
from torch import Tensor

from regressor import skeletons
from regressor.smpl.body import DEFAULT_BODY, Body, read_arrays

# Our names of the landmark sets, and the arrays that hold their regressors.
REGRESSORS = {
    "h36m17": "J_regressor_h36m",
    "mediapipe33": "J_regressor_mediapipe",
    "coco17": "J_regressor_coco",
}
# The joint that a landmark moves with, where it is not the joint of its own name.
CARRIERS = {
    "spine": "spine1",
    "thorax": "spine3",
    "neck": "spine3",
    "pinky": "wrist",
    "index": "wrist",
    "thumb": "wrist",
    "heel": "ankle",
    "toe": "foot",
    "small_toe": "foot",
}
# A detector's shoulders and hips sit on the trunk, not at the bones' ends.
SEEN_CARRIERS = {"shoulder": "collar", "hip": "pelvis"}


def carrier(name: str, seen: bool) -> int:
    """Index of the joint that a landmark moves with; `seen` for a detector's idea of it."""
    side, _, part = name.partition("_")
    part = part if side in ("left", "right") else name
    joint = CARRIERS.get(part) or (SEEN_CARRIERS.get(part) if seen else None) or part
    for candidate in (f"{side}_{joint}", joint):
        if candidate in skeletons.SMPL24:
            return skeletons.SMPL24.index(candidate)
    return skeletons.SMPL24.index("head")


class RidingLandmarks:
    """The landmarks of one set on one body, each riding on a joint."""

    def __init__(self, body: Body, skeleton: str):
        names = skeletons.JOINTS[skeleton]
        seen = skeleton == "mediapipe33"
        self.carriers = torch.tensor([carrier(name, seen) for name in names])
        regressor = torch.as_tensor(landmark_regressor(body.arrays, skeleton), dtype=torch.float32)
        self.offsets = regressor @ body.v_template - body.rest_joints[self.carriers]
        directions = torch.einsum("jv,vck->jck", regressor, body.shapedirs)
        self.directions = directions - body.joint_shapedirs[self.carriers]

    def __call__(self, turned: Tensor, joints: Tensor, betas: Tensor) -> Tensor:
        """(..., J, 3) from `chain`'s world rotations (..., 24, 3, 3) and joints (..., 24, 3).

        betas (10,) or (..., 10), metres.
        """
        offsets = self.offsets + torch.einsum("...k,jck->...jc", betas, self.directions)
        rotated = turned[..., self.carriers, :, :] @ offsets[..., None]
        return joints[..., self.carriers, :] + rotated[..., 0]


def landmark_regressor(arrays: dict[str, np.ndarray], skeleton: str) -> np.ndarray:
    """(J, V) matrix from vertices to the landmarks of `skeleton` on this body.

    A body without regressors of its own (a user's SMPL file) takes its limb joints from its
    J_regressor, and the points of face, hands and feet from the vertices nearest to where the
    default body has them about the same joint.
    """
    if skeleton == "halpe26":
        rows = dict(zip(skeletons.COCO17, landmark_regressor(arrays, "coco17"), strict=True))
        named = dict(
            zip(skeletons.MEDIAPIPE33, landmark_regressor(arrays, "mediapipe33"), strict=True)
        )
        human = dict(zip(skeletons.H36M17, landmark_regressor(arrays, "h36m17"), strict=True))
        rows |= {k: v for k, v in named.items() if k not in rows}
        rows |= {"head_top": human["head_top"], "neck": human["thorax"], "pelvis": human["pelvis"]}
        rows |= {f"{side}_small_toe": rows[f"{side}_toe"] for side in ("left", "right")}
        return np.stack([rows[name] for name in skeletons.HALPE26])
    own = arrays.get(REGRESSORS[skeleton])
    return own if own is not None else transferred_regressor(arrays, skeleton)


def transferred_regressor(arrays: dict[str, np.ndarray], skeleton: str) -> np.ndarray:
    """(J, V) landmark regressor for a body that brings none, by the default body's."""
    default = read_arrays(DEFAULT_BODY)
    size = np.ptp(arrays["v_template"][:, 1]) / np.ptp(default["v_template"][:, 1])
    source_joints = default["J_regressor"] @ default["v_template"]
    joints = arrays["J_regressor"] @ arrays["v_template"]
    matrix = default[REGRESSORS[skeleton]]
    rows = np.zeros((len(matrix), len(arrays["v_template"])), np.float32)
    for row, point, name in zip(
        rows, matrix @ default["v_template"], skeletons.JOINTS[skeleton], strict=True
    ):
        if name in skeletons.SMPL24:
            row[:] = arrays["J_regressor"][skeletons.SMPL24.index(name)]
            continue
        anchor = np.linalg.norm(source_joints - point, axis=1).argmin()
        place = joints[anchor] + size * (point - source_joints[anchor])
        row[np.linalg.norm(arrays["v_template"] - place, axis=1).argmin()] = 1.0
    return rows
