"""ConvFormer (Diaz-Arias and Shin, The Visual Computer 2024), rebuilt from the paper alone.

No code and no weights were ever published (arXiv 2304.02147), so this is a reconstruction: each of
the 20 parameter counts that the paper prints for 32 features a joint is met to its last digit, and
no other reading that was tried meets them all; those for 16 and 64 features are missed by 2 %. Not
stated, and chosen here: how the kernels' shares are made to sum to one (softmax, from the plain
average on), an own set of shares for queries, keys and values, where the dropout stands, GELU, the
attention's scale by a head's width, and PyTorch's initialisation. Names are PoseFormer's where the
parts are.

It is a PoseFormer whose queries, keys and values come from convolutions of several sizes, mixed by
learned shares (the paper's dynamic multi-headed convolutional self-attention). In the temporal
blocks the frames are the channels and the convolution slides over the joints' features. The mix is
linear, so it is done on the kernels: one convolution takes the place of nine.

A frame's spatial features don't depend on its window. A whole video is therefore one call, which
computes them once, and the temporal blocks window by window.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regressor.errors import PosecastError
from regressor.lifters.blocks import Block, attend, check_window
from regressor.skeletons import H36M17

WINDOWS_AT_ONCE = 32  # of each sample: memory doesn't grow with the video


class ConvFormer(nn.Module):
    """Keypoints (B, T + n - 1, J, 2), normalised screen coordinates, to joints (B, n, J, 3).

    T is `frames`, n any number of frames from 1 on: output frame i is the pose of input frame
    i + T // 2, relative to the root, in the unit of the training's targets.
    """

    answers = "valid"

    def __init__(
        self,
        frames: int = 243,
        joints: int = len(H36M17),
        dim: int = 32,
        depth: int = 2,
        spatial_depth: int | None = None,
        heads: int = 8,
        mlp_ratio: float = 2.0,
        kernels: Sequence[int] = (7, 7, 7),
        dropout: float = 0.2,
        drop_path: float = 0.2,
        channels: int = 2,
    ):
        """`dim` is for each joint; `depth` counts the temporal blocks, and the spatial ones too
        unless `spatial_depth` does."""
        super().__init__()
        if not kernels or any(size % 2 == 0 for size in kernels):
            raise PosecastError(f"Kernels of {list(kernels)} have no middle: give odd sizes.")
        self.frames, self.joints, self.channels = frames, joints, channels
        width = dim * joints

        def stack(count: int, nodes: int, size: int, frames_are_channels: bool) -> nn.ModuleList:
            blocks = nn.ModuleList()
            for i in range(count):  # from the rate 0 to `drop_path`
                rate = drop_path * i / max(count - 1, 1)
                block = Block(size, heads, int(size * mlp_ratio), rate)
                mixed = nodes if frames_are_channels else size
                block.attn = ConvolutionalAttention(
                    mixed, heads, kernels, dropout, frames_are_channels
                )
                blocks.append(block)
            return blocks

        self.Spatial_pos_embed = nn.Parameter(torch.zeros(1, joints, dim))
        self.Temporal_pos_embed = nn.Parameter(torch.zeros(1, frames, width))
        self.Spatial_patch_to_embedding = nn.Linear(channels, dim)
        spatial = depth if spatial_depth is None else spatial_depth
        self.Spatial_blocks = stack(spatial, joints, dim, frames_are_channels=False)
        self.blocks = stack(depth, frames, width, frames_are_channels=True)
        self.Spatial_norm = nn.LayerNorm(dim, eps=1e-6)
        self.Temporal_norm = nn.LayerNorm(width, eps=1e-6)
        self.weighted_mean = nn.Conv1d(frames, 1, 1)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 3 * joints))

    def forward(self, keypoints: Tensor) -> Tensor:
        """(B, T + n - 1, J, 2) -> (B, n, J, 3)."""
        check_window(self, keypoints[:, : self.frames])  # more frames than a window are welcome
        batch = len(keypoints)
        x = self._each_frame(keypoints.flatten(0, 1)).unflatten(0, (batch, -1))
        windows = x.unfold(1, self.frames, 1).transpose(2, 3)  # a view: (B, n, T, J C)
        parts = [
            self._middle_frame(part.flatten(0, 1)).unflatten(0, (batch, -1))
            for part in windows.split(WINDOWS_AT_ONCE, dim=1)
        ]
        return torch.cat(parts, dim=1)

    def _each_frame(self, x: Tensor) -> Tensor:
        """Frames (N, J, 2) -> their features (N, J C)."""
        x = self.Spatial_patch_to_embedding(x) + self.Spatial_pos_embed
        for block in self.Spatial_blocks:
            x = block(x)
        return self.Spatial_norm(x).flatten(1)

    def _middle_frame(self, x: Tensor) -> Tensor:
        """Windows (N, T, J C) -> the poses in their middle (N, J, 3)."""
        x = x + self.Temporal_pos_embed
        for block in self.blocks:
            x = block(x)
        x = self.weighted_mean(self.head(self.Temporal_norm(x)))
        return x.squeeze(1).unflatten(-1, (self.joints, 3))


def options_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The options of a torch file's network by its shapes; its heads leave no trace."""
    layers = "Spatial_blocks.0.attn.q"
    sizes = {key: value.shape[-1] for key, value in state.items() if key.startswith(layers)}
    depths = [
        len({key.split(".")[1] for key in state if key.startswith(stack)})
        for stack in ("blocks.", "Spatial_blocks.")
    ]
    return {
        "frames": state["Temporal_pos_embed"].shape[1],
        "joints": state["Spatial_pos_embed"].shape[1],
        "dim": state["Spatial_pos_embed"].shape[2],
        "depth": depths[0],
        "spatial_depth": depths[1],
        "kernels": [size for key, size in sorted(sizes.items()) if key.endswith("weight")],
    }


class ConvolutionalAttention(nn.Module):
    """Attention over the nodes of (B, N, C), its queries, keys and values made by convolutions.

    frames_are_channels: the N nodes are the convolutions' channels, which slide over the C
    features; otherwise the features are the channels, and they slide over the nodes.
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        kernels: Sequence[int],
        dropout: float,
        frames_are_channels: bool,
    ):
        super().__init__()
        self.heads, self.frames_are_channels = heads, frames_are_channels

        def convolutions() -> nn.ModuleList:
            return nn.ModuleList(
                nn.Conv1d(channels, channels, size, padding=size // 2) for size in kernels
            )

        self.eta_q, self.eta_k, self.eta_v = (
            nn.Parameter(torch.zeros(len(kernels))) for _ in range(3)
        )
        self.q, self.k, self.v = convolutions(), convolutions(), convolutions()
        self.proj = nn.Conv1d(channels, channels, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, axis: int = -2) -> Tensor:
        """(B, N, C) -> (B, N, C); the axis of the nodes is always the second."""
        weight, bias = self.mixed_kernel()
        x = F.conv1d(self._turned(x), weight, bias, padding=weight.shape[2] // 2)
        query, key, value = (
            self._turned(part).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.dropout(x).chunk(3, dim=1)
        )  # each (B, H, N, C/H)
        x = attend(query, key, value).transpose(1, 2).flatten(2)
        return self._turned(self.proj(self._turned(x)))

    def mixed_kernel(self) -> tuple[Tensor, Tensor]:
        """The sum of all kernels by their shares, for queries, keys and values one after another.

        Weights (3 M, M, largest size) and biases (3 M,); small kernels have zeros around them.
        """
        weights, biases = [], []
        for shares, layers in (self.eta_q, self.q), (self.eta_k, self.k), (self.eta_v, self.v):
            kernels = [layer.get_parameter("weight") for layer in layers]
            largest = max(kernel.shape[2] for kernel in kernels)
            margins = [(largest - kernel.shape[2]) // 2 for kernel in kernels]
            padded = [F.pad(k, (m, m)) for k, m in zip(kernels, margins, strict=True)]
            shares = shares.softmax(0)
            weights.append(torch.einsum("i,ioms->oms", shares, torch.stack(padded)))
            biases.append(shares @ torch.stack([layer.get_parameter("bias") for layer in layers]))
        return torch.cat(weights), torch.cat(biases)

    def _turned(self, x: Tensor) -> Tensor:
        """(B, N, C) to (B, channels, positions) of the convolutions, and back."""
        return x if self.frames_are_channels else x.transpose(1, 2)
