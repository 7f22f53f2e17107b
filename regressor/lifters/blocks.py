"""What the transformers among the lifters share: attention, MLP, stochastic depth, a block.

The parameters have timm's names (`attn.qkv`, `attn.proj`, `mlp.fc1`, …; `linear_q` and so on where
queries and keys differ), as in the authors' files.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regressor.errors import PosecastError

FRAMES, JOINTS = 1, 2  # axes of tokens (B, T, J, C)
SHORT = 64  # frames or joints


def check_window(network: nn.Module, keypoints: Tensor) -> None:
    """Raises PosecastError unless keypoints (B, T, J, C) are windows of the network's own size."""
    name, (frames, joints, channels) = type(network).__name__, keypoints.shape[1:]
    known = keypoints_of(network)
    if (frames, joints) != (network.frames, known):
        raise PosecastError(
            f"This {name} reads windows of {network.frames} frames and {known} joints, "
            f"not of {frames} and {joints}."
        )
    if channels != network.channels:
        raise PosecastError(
            f"This {name} reads {network.channels} numbers for each keypoint, not {channels}."
        )


def keypoints_of(network: nn.Module) -> int:
    """How many keypoints a lifter reads: few read others than those of their joints."""
    return int(getattr(network, "keypoints", network.joints))  # pyright: ignore[reportArgumentType]


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of queries (..., N, C) over keys and values (..., M, C) -> (..., N, C).

    On a processor torch's fused call is slower than the two products for short sequences, and
    tenfold in bfloat16 where gradients are wanted; a soft-max in bfloat16 takes up to four times as
    long as one in float32.
    """
    slow = key.shape[-2] <= SHORT or (query.requires_grad and query.dtype == torch.bfloat16)
    if query.device.type != "cpu" or not slow:
        # Its fast kernels take one axis of sequences, beside that of the heads.
        q, k, v = (x.flatten(0, -4) for x in (query, key, value))
        return F.scaled_dot_product_attention(q, k, v).unflatten(0, query.shape[:-3])
    q, k, v = (x.flatten(0, -3) for x in (query, key, value))
    scores = torch.baddbmm(q.new_zeros(1), q, k.mT, beta=0, alpha=q.shape[-1] ** -0.5)
    exact = torch.promote_types(scores.dtype, torch.float32)
    return (scores.softmax(-1, dtype=exact).to(v.dtype) @ v).view_as(query)


class Attention(nn.Module):
    """Multi-head self-attention of tokens (B, ..., C)."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = _checked(heads, dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, axis: int = -2) -> Tensor:
        """(B, ..., C) -> (B, ..., C), over the nodes of one axis, each of the others by itself."""
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        nodes = axis % x.dim()
        query, key, value = qkv.movedim((-3, nodes), (0, -2))  # each (B, ..., H, N, C/H)
        x = attend(query, key, value)
        return self.proj(x.movedim(-2, nodes).flatten(-2))


class CrossAttention(nn.Module):
    """Multi-head attention whose queries, keys and values are given apart."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = _checked(heads, dim)
        self.linear_q = nn.Linear(dim, dim)
        self.linear_k = nn.Linear(dim, dim)
        self.linear_v = nn.Linear(dim, dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(B or 1, N, C), (B, M, C) and (B, M, C) -> (B, N, C)."""
        layers = (self.linear_q, query), (self.linear_k, key), (self.linear_v, value)
        split = [layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer, x in layers]
        split[0] = split[0].expand(len(key), -1, -1, -1)  # each (B, H, N or M, C/H)
        x = attend(*split)
        return self.proj(x.transpose(1, 2).flatten(2))


def _checked(heads: int, dim: int) -> int:
    if dim % heads:
        raise PosecastError(f"dim {dim} can't be split among {heads} heads: choose a multiple.")
    return heads


class MLP(nn.Module):
    """Two layers with the exact GELU between them."""

    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        return self.fc2(F.gelu(self.fc1(x)))


class DropPath(nn.Module):
    """In training, leaves a residual branch out for a random share of the sequences."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor, axis: int = -2) -> Tensor:
        """(B, ..., C) -> (B, ..., C); each sequence along an axis stays, scaled up so that the mean
        does, or not."""
        if not self.training or self.rate == 0:
            return x
        keep, shape = 1 - self.rate, list(x.shape)
        shape[axis] = shape[-1] = 1
        return x * x.new_empty(shape).bernoulli_(keep).div_(keep)


class Block(nn.Module):
    """Attention and MLP, each behind a norm and beside a residual path."""

    def __init__(self, dim: int, heads: int, hidden: int, drop_path: float):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = MLP(dim, hidden)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, axis: int = -2) -> Tensor:
        """(B, ..., C) -> (B, ..., C), with attention over one axis."""
        x = x + self.drop_path(self.attn(self.norm1(x), axis), axis)
        return x + self.drop_path(self.mlp(self.norm2(x)), axis)
