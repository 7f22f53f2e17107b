"""SPIN's 49 joints: which they are, where they lie on a body, and what mirroring makes of them.

0 to 24 are OpenPose's BODY_25, 25 to 48 the 24 joints in which data sets are labelled (J24). On
SMPL they are its own joints, vertices that smplx picks, and nine more by SPIN's
`J_regressor_extra.npy` (SPIN, constants.py). The default body, and an SMPL file without that
regressor, take their landmarks' places instead.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from regressor import skeletons
from regressor.errors import FileFormatError
from regressor.smpl.body import Body
from regressor.smpl.landmarks import carrier, landmark_regressor

OPENPOSE25 = (
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist pelvis "
    "right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear "
    "left_ear left_toe left_small_toe left_heel right_toe right_small_toe right_heel"
).split()
J24 = (
    "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow "
    "right_shoulder left_shoulder left_elbow left_wrist neck_lsp head_top pelvis_mpii thorax "
    "spine_h36m jaw head_h36m nose left_eye right_eye left_ear right_ear"
).split()
LABELLED = slice(25, 49)  # of the 49: those that data sets label and losses weigh

# From J24, and from the 17 joints of SPIN's Human3.6M regressor, to the sets that are evaluated.
J24_TO_J17 = (*range(13), 18, 14, 16, 17)
J24_TO_J14 = J24_TO_J17[:14]
H36M_TO_J17 = (6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10, 0, 7, 9)
H36M_TO_J14 = H36M_TO_J17[:14]

# Each of the 49 among 54: SMPL's 24 joints, 21 vertices (here the first 11), 9 by regression.
_SMPLX_PICKS = (332, 6260, 2800, 4071, 583, 3216, 3226, 3387, 6617, 6624, 6787)
_FIRST_PICK, _FIRST_EXTRA, _SMPL_VERTICES = 24, 45, 6890
JOINTS49 = (
    *(24, 12, 17, 19, 21, 16, 18, 20, 0, 2, 5, 8, 1, 4, 7),
    *(25, 26, 27, 28, 29, 30, 31, 32, 33, 34),
    *(8, 5, 45, 46, 4, 7, 21, 19, 17, 16, 18, 20, 47, 48, 49, 50, 51, 52, 53, 24, 26, 25, 28, 27),
)
# Where a body has what SMPL's files don't say: a landmark set, and the name there.
_LANDMARKS = {
    "nose": ("coco17", "nose"),
    "neck_lsp": ("h36m17", "thorax"),
    "thorax": ("h36m17", "thorax"),
    "head_top": ("h36m17", "head_top"),
    "head_h36m": ("h36m17", "head_top"),
    "pelvis_mpii": ("h36m17", "pelvis"),
    "spine_h36m": ("h36m17", "spine"),
    "jaw": ("h36m17", "nose"),
}
for _side in ("left", "right"):
    _LANDMARKS |= {
        f"{_side}_eye": ("coco17", f"{_side}_eye"),
        f"{_side}_ear": ("coco17", f"{_side}_ear"),
        f"{_side}_toe": ("mediapipe33", f"{_side}_toe"),
        f"{_side}_small_toe": ("mediapipe33", f"{_side}_toe"),
        f"{_side}_heel": ("mediapipe33", f"{_side}_heel"),
        f"{_side}_hip": ("h36m17", f"{_side}_hip"),
    }


def mirrored(names: Sequence[str]) -> list[int]:
    """The order of joints after left and right have changed places."""
    swap = {"left": "right", "right": "left"}
    parts = [name.partition("_") for name in names]
    return [list(names).index(swap.get(side, side) + sep + rest) for side, sep, rest in parts]


SMPL24_FLIP = mirrored(skeletons.SMPL24)
J24_FLIP = mirrored(J24)
J49_FLIP = [*mirrored(OPENPOSE25), *(25 + index for index in J24_FLIP)]


class Joints49(nn.Module):
    """The 49 joints of one body.

    body: the default body or a user's; extra: SPIN's `J_regressor_extra.npy` for SMPL's mesh.
    Raises FileFormatError for an `extra` that is for another mesh.
    """

    def __init__(self, body: Body, extra: str | Path | None = None):
        super().__init__()
        names, device = [*OPENPOSE25, *J24], body.v_template.device
        rows = _read_extra(Path(extra), len(body.v_template)) if extra else None
        regressor = np.stack([_row(body, i, n, rows) for i, n in zip(JOINTS49, names, strict=True)])
        # SMPL's own joints come posed; the others are sums over a few of the vertices.
        self.others = [joint for joint, index in enumerate(JOINTS49) if index >= 24]
        used = np.flatnonzero(regressor[self.others].any(axis=0))
        self.picked: Tensor
        self.regressor: Tensor
        self._constant("picked", torch.as_tensor(used, device=device))
        few = regressor[self.others][:, used]
        self._constant("regressor", torch.as_tensor(few, device=device))
        # And, for those who pose no mesh, each at its offset from the joint that carries it.
        self.carriers = [
            index if index < 24 else carrier(_LANDMARKS[name][1], seen=False)
            for index, name in zip(JOINTS49, names, strict=True)
        ]
        weights = torch.as_tensor(regressor, device=device)
        directions = torch.einsum("jv,vck->jck", weights, body.shapedirs)
        self.offsets: Tensor
        self.directions: Tensor
        self._constant("offsets", weights @ body.v_template - body.rest_joints[self.carriers])
        self._constant("directions", directions - body.joint_shapedirs[self.carriers])

    def _constant(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value, persistent=False)

    def forward(self, vertices: Tensor, joints: Tensor) -> Tensor:
        """Posed vertices (B, V, 3) and SMPL's joints (B, 24, 3) to (B, 49, 3), metres."""
        return self.of_picked(vertices[:, self.picked], joints)

    def of_picked(self, vertices: Tensor, joints: Tensor) -> Tensor:
        """The same from only the vertices (B, N, 3) that `picked` (N,) numbers."""
        found = joints[:, [index if index < 24 else 0 for index in JOINTS49]]
        found[:, self.others] = (self.regressor @ vertices).to(found.dtype)
        return found

    def riding(self, turned: Tensor, joints: Tensor, betas: Tensor) -> Tensor:
        """The same without a mesh, to millimetres: each rides on one joint, at its place at rest.

        turned (B, 24, 3, 3) and joints (B, 24, 3) as `smpl.body.chain` gives them, betas (B, 10).
        """
        offsets = self.offsets + torch.einsum("...k,jck->...jc", betas, self.directions)
        moved = (turned[..., self.carriers, :, :] @ offsets[..., None])[..., 0]
        return joints[..., self.carriers, :] + moved


def _row(body: Body, index: int, name: str, extra: np.ndarray | None) -> np.ndarray:
    """(V,) weights of the vertices that make the joint `name`, which is `index` of the 54."""
    count = len(body.v_template)
    if index < 24:
        return body.J_regressor[index].cpu().numpy()
    if index >= _FIRST_EXTRA and extra is not None:
        return extra[index - _FIRST_EXTRA]
    if index < _FIRST_EXTRA and count == _SMPL_VERTICES:
        return np.eye(1, count, _SMPLX_PICKS[index - _FIRST_PICK], dtype=np.float32)[0]
    skeleton, landmark = _LANDMARKS[name]
    return landmark_regressor(body.arrays, skeleton)[skeletons.JOINTS[skeleton].index(landmark)]


def _read_extra(file: Path, vertices: int) -> np.ndarray:
    try:
        rows = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FileFormatError(
            f"{file} can't be read as a joint regressor: give SPIN's J_regressor_extra.npy."
        ) from error
    if rows.shape != (9, vertices):
        raise FileFormatError(
            f"{file} is for another body: it is {rows.shape} instead of (9, {vertices})."
        )
    return rows.astype(np.float32)


def flip_rotations(rotations: Tensor) -> Tensor:
    """SMPL's rotations (..., 24, 3, 3) of the mirrored body: x turned round, left and right
    swapped."""
    signs = torch.tensor([1.0, -1.0, -1.0], device=rotations.device, dtype=rotations.dtype)
    # A reflection in x turns R into S R S; the signs of S cancel but beside the first row, column.
    return rotations[..., SMPL24_FLIP, :, :] * signs[:, None] * signs


def flip_pose(pose: Tensor) -> Tensor:
    """The same for rotation vectors (..., 72)."""
    signs = torch.tensor([1.0, -1.0, -1.0], device=pose.device, dtype=pose.dtype)
    return (pose.unflatten(-1, (24, 3))[..., SMPL24_FLIP, :] * signs).flatten(-2)


def flip_points(points: Tensor, order: list[int]) -> Tensor:
    """Joints (..., J, 2 or more) of the mirrored picture; x is counted from the middle.

    order: J49_FLIP, J24_FLIP or SMPL24_FLIP. Columns after the coordinates (confidence) stay.
    """
    points = points[..., order, :].clone()
    points[..., 0] = -points[..., 0]
    return points
