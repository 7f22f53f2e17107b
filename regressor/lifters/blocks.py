"""What the transformers among the lifters share: attention, MLP, stochastic depth, a block.

The parameters have timm's names (`attn.qkv`, `attn.proj`, `mlp.fc1`, …), as in the authors' files.
"""

import torch.nn.functional as F
from torch import Tensor, nn


def swap_axes(x: Tensor, batch: int) -> Tensor:
    """(B N, M, C) -> (B M, N, C)."""
    return x.unflatten(0, (batch, -1)).transpose(1, 2).flatten(0, 1)


class Attention(nn.Module):
    """Multi-head self-attention over the nodes of (B, N, C)."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1))  # (B, N, 3, H, C/H)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each (B, H, N, C/H)
        x = F.scaled_dot_product_attention(query, key, value)
        return self.proj(x.transpose(1, 2).flatten(2))


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
    """In training, leaves a residual branch out for a random share of the samples."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) -> (B, ...), the samples that stay scaled up so that the mean stays."""
        if not self.training or self.rate == 0:
            return x
        keep = 1 - self.rate
        mask = x.new_empty(len(x), *[1] * (x.ndim - 1)).bernoulli_(keep)
        return x * mask.div_(keep)


class Block(nn.Module):
    """Attention and MLP, each behind a norm and beside a residual path."""

    def __init__(self, dim: int, heads: int, hidden: int, drop_path: float):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = MLP(dim, hidden)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))
