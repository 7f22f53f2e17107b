"""KTPFormer (Peng et al., CVPR 2024): a window of 2D poses to as many 3D poses.

Transformer blocks look in turn at the joints of one frame and at one joint through time, as in
MixSTE; the first block of each kind starts from prior knowledge, a graph convolution over the
skeleton (KPA) and two over the chain of frames (TPA).

Parameter names are those of the authors' code, so that their checkpoints load strictly. Three
things that their code does and the paper doesn't say are kept, because the published weights need
them: the first norm of the first pair and the norm of the head have an epsilon of 1e-5, the others
1e-6; the adjacency is divided by the degree before, not after, it is made symmetric; and the norms
after the spatial and after the temporal blocks are one module each, used at every depth.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from regressor.errors import PosecastError
from regressor.lifters.blocks import FRAMES, JOINTS, MLP, Attention, Block, check_window
from regressor.skeletons import H36M17_PARENTS


class KTPFormer(nn.Module):
    """Keypoints (B, T, J, 2), normalised screen coordinates, to root-relative joints (B, T, J, 3).

    T must be `frames`: the window length is part of the parameters. The root's own output is not
    forced to zero. Units are those of the training targets (metres for the published weights).
    """

    channels, answers = 2, "window"

    def __init__(
        self,
        frames: int = 243,
        joints: int = 17,
        dim: int = 512,
        depth: int = 7,
        heads: int = 8,
        mlp_ratio: float = 2.0,
        drop_path: float = 0.1,
        parents: Sequence[int] = H36M17_PARENTS,
    ):
        """`depth` counts the pairs of blocks after the first; `parents` is -1 at the root."""
        super().__init__()
        if len(parents) != joints:
            raise PosecastError(
                f"The skeleton lists {len(parents)} parents for {joints} joints: give one for each."
            )
        self.frames, self.joints = frames, joints
        hidden = int(dim * mlp_ratio)
        chain = range(-1, frames - 1)
        self.kpattention = FirstBlock(SpatialPriorAttention(parents, dim, heads), dim, hidden)
        self.tpattention = FirstBlock(TemporalPriorAttention(chain, dim, heads), dim, hidden)
        # The first pair has the rate 0, the last one `drop_path`.
        rates = [drop_path * (i + 1) / depth for i in range(depth)]
        self.STEblocks = nn.ModuleList(Block(dim, heads, hidden, rate) for rate in rates)
        self.TTEblocks = nn.ModuleList(Block(dim, heads, hidden, rate) for rate in rates)
        self.Spatial_norm = nn.LayerNorm(dim, eps=1e-6)
        self.Temporal_norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 3))

    def forward(self, keypoints: Tensor) -> Tensor:
        """(B, T, J, 2) -> (B, T, J, 3)."""
        check_window(self, keypoints)
        x = keypoints
        spatial = [self.kpattention, *self.STEblocks]
        temporal = [self.tpattention, *self.TTEblocks]
        for over_joints, over_time in zip(spatial, temporal, strict=True):
            x = self.Spatial_norm(over_joints(x, JOINTS))
            x = self.Temporal_norm(over_time(x, FRAMES))
        return self.head(x)


def options_of(state: Mapping[str, Tensor]) -> dict[str, int]:
    """frames, joints, dim and depth of an authors' checkpoint; its 8 heads leave no trace."""
    frames, dim = state["tpattention.attn.Temporal_pos_embed"].shape[1:]
    joints = state["kpattention.attn.Spatial_pos_embed"].shape[1]
    blocks = {key.split(".")[1] for key in state if key.startswith("STEblocks.")}
    return {"frames": frames, "joints": joints, "dim": dim, "depth": len(blocks)}


class FirstBlock(nn.Module):
    """The first block over joints or over time: attention with prior knowledge, then the MLP."""

    def __init__(self, attention: nn.Module, dim: int, hidden: int):
        super().__init__()
        self.attn = attention
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = MLP(dim, hidden)

    def forward(self, x: Tensor, axis: int) -> Tensor:
        """(B, T, J, 2 or C) -> (B, T, J, C), with attention over one axis."""
        x = self.attn(x, axis)
        return x + self.mlp(self.norm2(x))


class SpatialPriorAttention(Attention):
    """Embeds 2D joints by a graph convolution over the skeleton (KPA), then attends over them."""

    def __init__(self, parents: Sequence[int], dim: int, heads: int):
        super().__init__(dim, heads)
        self.kpa = GraphLayer(parents, 2, dim)
        self.Spatial_pos_embed = nn.Parameter(torch.zeros(1, len(parents), dim))
        self.norm1 = nn.LayerNorm(dim)

    def forward(self, x: Tensor, axis: int = JOINTS) -> Tensor:
        """(B, T, J, 2) -> (B, T, J, C)."""
        x = self.kpa(x) + self.Spatial_pos_embed
        return x + super().forward(self.norm1(x), axis)


class TemporalPriorAttention(Attention):
    """Adds two graph convolutions over the chain of frames (TPA), then attends over the frames."""

    def __init__(self, chain: Sequence[int], dim: int, heads: int):
        super().__init__(dim, heads)
        self.tpa = TemporalPrior(chain, dim)
        self.Temporal_pos_embed = nn.Parameter(torch.zeros(1, len(chain), dim))
        self.norm1 = nn.LayerNorm(dim)

    def forward(self, x: Tensor, axis: int = FRAMES) -> Tensor:
        """(B, T, J, C) -> (B, T, J, C)."""
        x = self.tpa(x.transpose(1, 2)) + self.Temporal_pos_embed  # (B, J, T, C)
        x = x.transpose(1, 2)
        return x + super().forward(self.norm1(x), axis)


class TemporalPrior(nn.Module):
    """Two graph convolutions over the chain of frames, beside a residual path (TPA)."""

    def __init__(self, chain: Sequence[int], dim: int):
        super().__init__()
        self.gconv1 = GraphLayer(chain, dim, dim)
        self.gconv2 = GraphLayer(chain, dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(..., T, C) -> (..., T, C)."""
        return x + self.gconv2(self.gconv1(x))


class GraphLayer(nn.Module):
    """Graph convolution, batch norm over channels, ReLU."""

    def __init__(self, parents: Sequence[int], channels_in: int, channels_out: int):
        super().__init__()
        self.gconv = GraphConvolution(parents, channels_in, channels_out)
        self.bn = nn.BatchNorm1d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """(..., N, Cin) -> (..., N, Cout)."""
        x = self.gconv(x)
        # (B N, C) has the same statistics as (B, C, N) and needs no transposed copy.
        return F.relu(self.bn(x.flatten(0, -2))).view_as(x)


class GraphConvolution(nn.Module):
    """Modulated graph convolution: one weight for a node itself, another for its neighbours.

    The adjacency is a constant plus a learned part, made symmetric; M weighs every node's channels.
    """

    adjacency: Tensor

    def __init__(self, parents: Sequence[int], channels_in: int, channels_out: int):
        super().__init__()
        nodes = len(parents)
        self.W = nn.Parameter(torch.empty(2, channels_in, channels_out))
        self.M = nn.Parameter(torch.ones(nodes, channels_out))
        self.adj2 = nn.Parameter(torch.full((nodes, nodes), 1e-6))
        self.bias = nn.Parameter(torch.empty(channels_out))
        nn.init.xavier_uniform_(self.W, gain=1.414)
        nn.init.uniform_(self.bias, -(channels_out**-0.5), channels_out**-0.5)
        self.register_buffer("adjacency", adjacency_from_parents(parents), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., N, Cin) -> (..., N, Cout)."""
        adjacency = self.adjacency + self.adj2
        adjacency = (adjacency + adjacency.T) / 2
        own = adjacency.diagonal()
        neighbours = adjacency - own.diag()
        x_own, x_neighbours = (x @ torch.cat((*self.W,), dim=1)).chunk(2, dim=-1)
        return own[:, None] * self.M * x_own + neighbours @ (self.M * x_neighbours) + self.bias


def adjacency_from_parents(parents: Sequence[int]) -> Tensor:
    """(N, N): 1 on the diagonal, 1 / degree(i) where j is i's parent or child."""
    adjacency = torch.zeros(len(parents), len(parents))
    for child, parent in enumerate(parents):
        if parent >= 0:
            adjacency[child, parent] = adjacency[parent, child] = 1
    degree = adjacency.sum(1, keepdim=True).clamp(min=1)
    return (adjacency / degree).fill_diagonal_(1)
