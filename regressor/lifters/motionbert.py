"""MotionBERT's DSTformer (Zhu et al., ICCV 2023): a clip of 2D poses to as many 3D poses.

Two streams of blocks run beside each other: one looks at the joints of a frame and then at a joint
through time, the other the other way round; at every level a softmax of two weights a token mixes
them. What stands before the pose head, behind a tanh, is the paper's motion representation.

Parameter names are those of the authors' code, so that their checkpoints of 3D pose load strictly:
MotionBERT is dim 512 with mlp_ratio 2, MotionBERT-Lite dim 256 with mlp_ratio 4.

The published weights expect Human3.6M's whole pictures in screen coordinates, or, in the wild, a
square box around the person's whole track brought to -1..1, with the confidence in 0..1. They
answer in that scale too, not in metres. The code's other ways to join the streams (in series, by
their mean) have no published weights and aren't here.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from regressor.errors import PosecastError
from regressor.lifters.blocks import FRAMES, JOINTS, MLP, Attention


class MotionBERT(nn.Module):
    """Keypoints (B, T, J, channels) to joints (B, T, J, 3), T up to `frames`.

    With 3 channels the last is the keypoint's confidence; with 2 there is none. Units are those of
    the training targets. A clip always starts at the first entry of the table of times. The stages
    of `forward` are methods, so that a network that prunes frames between two levels is made of
    them: `embed`, `levels`, `norm`, `represent`, `head`.
    """

    answers = "window"

    def __init__(
        self,
        frames: int = 243,
        joints: int = 17,
        channels: int = 3,
        dim: int = 512,
        depth: int = 5,
        heads: int = 8,
        mlp_ratio: float = 2.0,
        dim_rep: int = 512,
    ):
        """`depth` counts the levels, each a block in both streams; `dim_rep` is the width of the
        representation.
        """
        super().__init__()
        if channels not in (2, 3):
            raise PosecastError(f"channels is 2 or 3 (with the confidence), not {channels}.")
        self.frames, self.joints, self.channels, self.depth = frames, joints, channels, depth
        hidden = int(dim * mlp_ratio)
        self.joints_embed = nn.Linear(channels, dim)
        self.pos_embed = nn.Parameter(torch.empty(1, joints, dim))
        self.temp_embed = nn.Parameter(torch.empty(1, frames, 1, dim))
        self.blocks_st = nn.ModuleList(TwoAxisBlock(dim, heads, hidden, "st") for _ in range(depth))
        self.blocks_ts = nn.ModuleList(TwoAxisBlock(dim, heads, hidden, "ts") for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.pre_logits = nn.Sequential(OrderedDict(fc=nn.Linear(dim, dim_rep)))
        self.head = nn.Linear(dim_rep, 3)
        self.apply(initialise)
        for table in (self.pos_embed, self.temp_embed):
            nn.init.trunc_normal_(table, std=0.02)
        self.ts_attn = nn.ModuleList(stream_weights(dim) for _ in range(depth))

    def forward(self, keypoints: Tensor) -> Tensor:
        """(B, T, J, channels) -> (B, T, J, 3)."""
        return self.head(self.representation(keypoints))

    def representation(self, keypoints: Tensor) -> Tensor:
        """(B, T, J, channels) -> (B, T, J, dim_rep), in -1..1: the paper's E."""
        return self.represent(self.norm(self.levels(self.embed(keypoints))))

    def embed(self, keypoints: Tensor) -> Tensor:
        """(B, T, J, channels) -> tokens (B, T, J, C) that know their joint and their time."""
        _, frames, joints, channels = keypoints.shape
        if frames > self.frames or (joints, channels) != (self.joints, self.channels):
            raise PosecastError(
                f"This MotionBERT reads up to {self.frames} frames of {self.joints} joints with "
                f"{self.channels} numbers each, not {frames} of {joints} with {channels}."
            )
        return self.joints_embed(keypoints) + self.pos_embed + self.temp_embed[:, :frames]

    def levels(self, x: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        """(B, T, J, C) -> (B, T, J, C) through the levels `first` up to, not with, `last`."""
        for level in range(self.depth)[first:last]:
            a, b = self.blocks_st[level](x), self.blocks_ts[level](x)
            first_stream, other = self.ts_attn[level](torch.cat([a, b], -1)).chunk(2, -1)
            x = torch.lerp(b, a, (first_stream - other).sigmoid().to(a))  # a soft-max of two
        return x

    def represent(self, x: Tensor) -> Tensor:
        """(B, T, J, C) -> (B, T, J, dim_rep), in -1..1."""
        return self.pre_logits(x).tanh()


def options_of(state: Mapping[str, Tensor]) -> dict[str, int]:
    """The sizes of an authors' checkpoint; its 8 heads leave no trace."""
    frames, _, dim = state["temp_embed"].shape[1:]
    return {
        "frames": frames,
        "joints": state["pos_embed"].shape[1],
        "channels": state["joints_embed.weight"].shape[1],
        "dim": dim,
        "depth": len({key.split(".")[1] for key in state if key.startswith("blocks_st.")}),
        "mlp_ratio": state["blocks_st.0.mlp_s.fc1.weight"].shape[0] // dim,
        "dim_rep": state["head.weight"].shape[1],
    }


def initialise(module: nn.Module) -> None:
    """The published initial values of a linear layer, for `nn.Module.apply`."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


def stream_weights(dim: int) -> nn.Linear:
    """Tokens of both streams (..., 2 C) to the streams' weights (..., 2): equal ones at first."""
    layer = nn.Linear(2 * dim, 2)
    nn.init.zeros_(layer.weight)
    nn.init.constant_(layer.bias, 0.5)
    return layer


class TwoAxisBlock(nn.Module):
    """Attention and MLP over the joints, and the same over time, in the order of `axes`."""

    def __init__(self, dim: int, heads: int, hidden: int, axes: Literal["st", "ts"]):
        super().__init__()
        self.axes = axes
        self.norm1_s = nn.LayerNorm(dim, eps=1e-6)
        self.attn_s = Attention(dim, heads)
        self.norm2_s = nn.LayerNorm(dim, eps=1e-6)
        self.mlp_s = MLP(dim, hidden)
        self.norm1_t = nn.LayerNorm(dim, eps=1e-6)
        self.attn_t = Attention(dim, heads)
        self.norm2_t = nn.LayerNorm(dim, eps=1e-6)
        self.mlp_t = MLP(dim, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, J, C) -> (B, T, J, C)."""
        for axis in self.axes:
            x = self.over_joints(x) if axis == "s" else self.over_time(x)
        return x

    def over_joints(self, x: Tensor) -> Tensor:
        """(B, T, J, C) -> (B, T, J, C)."""
        x = x + self.attn_s(self.norm1_s(x), JOINTS)
        return x + self.mlp_s(self.norm2_s(x))

    def over_time(self, x: Tensor) -> Tensor:
        """(B, T, J, C) -> (B, T, J, C)."""
        x = x + self.attn_t(self.norm1_t(x), FRAMES)
        return x + self.mlp_t(self.norm2_t(x))
