"""MixSTE (Zhang et al., CVPR 2022): a window of 2D poses to as many 3D poses.

A token is one joint in one frame. Every stage attends over the joints of a frame, then over the
frames of a joint; embeddings of joint and frame are added in the first stage only.

Parameter names are those of the authors' code (class MixSTE2), so that their checkpoints load
strictly. Two things that the paper doesn't say are kept, because the published weights need them:
the norms after the spatial and after the temporal blocks are one module each, used in every stage;
and the norm of the head has an epsilon of 1e-5, the others 1e-6.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from regressor.lifters.blocks import FRAMES, JOINTS, Block, check_window


class MixSTE(nn.Module):
    """Keypoints (B, T, J, 2), normalised screen coordinates, to root-relative joints (B, T, J, 3).

    T must be `frames`: the window length is part of the parameters. The root's own output is not
    forced to zero. Units are those of the training targets (metres for the published weights).
    `embed`, `stages` and `head` are `forward` in parts, for networks that prune frames between two
    stages.
    """

    channels, answers = 2, "window"

    def __init__(
        self,
        frames: int = 243,
        joints: int = 17,
        dim: int = 512,
        depth: int = 8,
        heads: int = 8,
        mlp_ratio: float = 2.0,
        drop_path: float = 0.1,
    ):
        """`depth` counts the stages, each a spatial and a temporal block."""
        super().__init__()
        self.frames, self.joints, self.depth = frames, joints, depth
        hidden = int(dim * mlp_ratio)
        rates = [drop_path * stage / max(depth - 1, 1) for stage in range(depth)]
        self.Spatial_patch_to_embedding = nn.Linear(self.channels, dim)
        self.Spatial_pos_embed = nn.Parameter(torch.zeros(1, joints, dim))
        self.Temporal_pos_embed = nn.Parameter(torch.zeros(1, frames, dim))
        self.STEblocks = nn.ModuleList(Block(dim, heads, hidden, rate) for rate in rates)
        self.TTEblocks = nn.ModuleList(Block(dim, heads, hidden, rate) for rate in rates)
        self.Spatial_norm = nn.LayerNorm(dim, eps=1e-6)
        self.Temporal_norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 3))

    def forward(self, keypoints: Tensor) -> Tensor:
        """(B, T, J, 2) -> (B, T, J, 3)."""
        return self.head(self.stages(self.embed(keypoints)))

    def embed(self, keypoints: Tensor) -> Tensor:
        """(B, T, J, 2) -> tokens (B, T, J, C) that know their joint."""
        check_window(self, keypoints)
        return self.Spatial_patch_to_embedding(keypoints) + self.Spatial_pos_embed

    def stages(self, tokens: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        """(B, T, J, C) -> (B, T, J, C) through the stages `first` up to, not with, `last`."""
        x = tokens
        for stage in range(self.depth)[first:last]:
            x = self.Spatial_norm(self.STEblocks[stage](x, JOINTS))
            if stage == 0:
                x = x + self.Temporal_pos_embed[:, :, None]
            x = self.Temporal_norm(self.TTEblocks[stage](x, FRAMES))
        return x


def options_of(state: Mapping[str, Tensor]) -> dict[str, int]:
    """frames, joints, dim and depth of an authors' checkpoint; its 8 heads leave no trace."""
    frames, dim = state["Temporal_pos_embed"].shape[1:]
    joints = state["Spatial_pos_embed"].shape[1]
    blocks = {key.split(".")[1] for key in state if key.startswith("STEblocks.")}
    return {"frames": frames, "joints": joints, "dim": dim, "depth": len(blocks)}
