"""MotionBERT's mesh regressor (Zhu et al., ICCV 2023): a clip of 2D poses to SMPL.

Two small branches read the motion representation of `motionbert.py`: one gives each frame its
rotations, the other the clip one shape, both as differences from mean parameters. SPIN's iterations
are not repeated, in the published code neither (its number of iterations is read by nobody).

Parameter names are those of the authors' code; the SMPL model that their checkpoints hold besides
is left out. The network has another answer than the lifters have, so it isn't in their table; its
rotations and betas are what `regressor.smpl`'s bodies take.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from regressor.images.hmr import MEAN_PARAMETERS, rot6d_to_rotmat, standing
from regressor.lifters.motionbert import MotionBERT


class MeshOutput(NamedTuple):
    """SMPL through a clip.

    rotmat (B, T, 24, 3, 3): rotations relative to the parent, the first in the camera's axes (x
    right, y down, z forward); betas (B, T, 10), the same for every frame.
    """

    rotmat: Tensor
    betas: Tensor


class MotionBERTMesh(nn.Module):
    """Keypoints (B, T, J, 3), x, y and confidence, to MeshOutput; T up to the backbone's `frames`.

    The authors' weights are for clips normalised as for 3D pose, and for MotionBERT's default
    sizes.
    """

    def __init__(
        self, backbone: MotionBERT | None = None, hidden: int = 1024, dropout: float = 0.1
    ):
        """backbone: one that is trained already, to fine-tune; None makes a new one."""
        super().__init__()
        self.backbone = MotionBERT() if backbone is None else backbone
        width = self.backbone.joints * self.backbone.head.in_features
        self.head = MeshHead(width, hidden, dropout)

    def forward(self, keypoints: Tensor) -> MeshOutput:
        """(B, T, J, 3) -> MeshOutput."""
        return self.head(self.backbone.representation(keypoints).flatten(2))

    def published(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """An authors' file without the SMPL model in it."""
        return {name: v for name, v in state.items() if not name.startswith("head.smpl.")}


class MeshHead(nn.Module):
    """The representation of each frame (B, T, J dim_rep) to MeshOutput."""

    def __init__(self, width: int, hidden: int, dropout: float):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.fc1 = nn.Linear(width, hidden)
        self.bn1 = nn.BatchNorm1d(hidden)
        self.head_pose = nn.Linear(hidden, MEAN_PARAMETERS["pose"])
        self.fc2 = nn.Linear(width, hidden)
        self.bn2 = nn.BatchNorm1d(hidden)
        self.head_shape = nn.Linear(hidden, MEAN_PARAMETERS["shape"])
        for layer in (self.head_pose, self.head_shape):
            nn.init.xavier_uniform_(layer.weight, gain=0.01)
        self.init_pose: Tensor
        self.init_shape: Tensor
        for name in ("pose", "shape"):
            self.register_buffer(f"init_{name}", standing()[name][None])

    def forward(self, x: Tensor) -> MeshOutput:
        """(B, T, J dim_rep) -> MeshOutput."""
        batch, frames, _ = x.shape
        each = self.bn1(self.fc1(self.dropout(x)).flatten(0, 1)).relu()  # (B T, hidden)
        pose = self.init_pose + self.head_pose(each)
        clip = self.bn2(self.fc2(self.dropout(x.mean(dim=1)))).relu()  # (B, hidden)
        shape = self.init_shape + self.head_shape(clip)
        # In half precision the columns would not be of length one.
        rotmat = rot6d_to_rotmat(pose.float().unflatten(-1, (24, 6)))
        betas = shape.float()[:, None].expand(-1, frames, -1)
        return MeshOutput(rotmat.unflatten(0, (batch, frames)), betas)
