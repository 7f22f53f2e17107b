"""MHFormer (Li et al., CVPR 2022): a window of 2D poses to the 3D pose of its middle frame.

2D keypoints fit many 3D poses, so three hypotheses are carried side by side: they come out of three
encoders in a row that see each coordinate's path through the window (MHG), are refined each by
itself (SHR), and then read each other (CHI).

Parameter names are those of the code that was published with HoT (Li et al., CVPR 2024), whose
checkpoints load strictly. What its weights need is kept: windows of up to 27 frames have a batch
norm and a ReLU behind the embedding, longer ones neither; the encoders have 9 heads whatever
`heads` says, so that the window must be divisible by 9; the MLPs over all three hypotheses are
narrower than their input (`mlp_ratio` is by the width of one); and in CHI a hypothesis reads those
before it as they are already renewed. Dropout stands behind the position tables, and behind the
ReLU.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from regressor.errors import PosecastError
from regressor.lifters.blocks import MLP, Attention, Block, CrossAttention, DropPath, check_window

ENCODER_DEPTH = 4
ENCODER_HEADS = 9
SHORT = 27  # frames, up to which the embedding is normalised


class MHFormer(nn.Module):
    """Keypoints (B, T, J, 2), normalised screen coordinates, to root-relative joints (B, 1, J, 3).

    T must be `frames`, which 9 divides; the pose is that of frame T // 2. The network answers for
    every frame of its window, and is trained on all of them: `forward_kept` gives them. The stages
    of the forward pass are methods, so that a network that prunes frames between two blocks is made
    of them: `hypotheses`, `refine`, `merge`; all but the first take any number of frames. Between
    the stages the three hypotheses stand side by side in the channels (B, T, 3 C).
    """

    answers = "centre"
    channels = 2

    def __init__(
        self,
        frames: int = 351,
        joints: int = 17,
        dim: int = 512,
        depth: int = 2,
        heads: int = 8,
        mlp_ratio: float = 2.0,
        dropout: float = 0.1,
        drop_path: float = 0.2,
    ):
        """`depth` counts the SHR blocks; the CHI block after them is one."""
        super().__init__()
        if frames % ENCODER_HEADS:
            raise PosecastError(
                f"MHFormer can't read windows of {frames} frames: choose a multiple of "
                f"{ENCODER_HEADS}, like 27, 81, 243 or 351."
            )
        self.frames, self.joints = frames, joints
        rows = 2 * joints
        self.norm_1, self.norm_2, self.norm_3 = (nn.LayerNorm(frames) for _ in range(3))
        self.Transformer_encoder_1 = PathEncoder(rows, frames, dropout, drop_path)
        self.Transformer_encoder_2 = PathEncoder(rows, frames, dropout, drop_path)
        self.Transformer_encoder_3 = PathEncoder(rows, frames, dropout, drop_path)
        self.embedding_1 = embedding(rows, dim, frames)
        self.embedding_2 = embedding(rows, dim, frames)
        self.embedding_3 = embedding(rows, dim, frames)
        hidden = int(dim * mlp_ratio)
        self.Transformer_hypothesis = HypothesisTransformer(
            frames, dim, depth, heads, hidden, drop_path
        )
        self.dropout = nn.Dropout(dropout)
        self.regression = nn.Sequential(
            nn.BatchNorm1d(3 * dim), nn.Conv1d(3 * dim, 3 * joints, kernel_size=1)
        )

    def forward(self, keypoints: Tensor) -> Tensor:
        """(B, T, J, 2) -> (B, 1, J, 3), the pose of the middle frame."""
        centre = self.frames // 2
        return self.forward_kept(keypoints)[0][:, centre : centre + 1]

    def forward_kept(
        self, keypoints: Tensor, keep: Tensor | None = None, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, T, J, 2) -> the poses of all frames (B, T, J, 3), and which these are (B, T).

        `keep` (B, f) asks for these frames alone. `noise` is for the networks that choose frames by
        themselves, and changes nothing here.
        """
        joints = self.merge(self.refine(self.hypotheses(keypoints)))
        if keep is None:
            keep = torch.arange(self.frames, device=joints.device).expand(len(joints), -1)
        return joints.take_along_dim(keep[..., None, None], dim=1), keep

    def hypotheses(self, keypoints: Tensor) -> Tensor:
        """(B, T, J, 2) -> (B, T, 3 C): MHG, and the tokens of its three hypotheses."""
        check_window(self, keypoints)
        x = keypoints.flatten(2).transpose(1, 2)  # (B, 2 J, T)
        later = self.Transformer_hypothesis
        streams = []
        for norm, encoder, embed, table in (
            (self.norm_1, self.Transformer_encoder_1, self.embedding_1, later.pos_embed_1),
            (self.norm_2, self.Transformer_encoder_2, self.embedding_2, later.pos_embed_2),
            (self.norm_3, self.Transformer_encoder_3, self.embedding_3, later.pos_embed_3),
        ):
            x = x + encoder(norm(x))
            streams.append(self.dropout(embed(x).transpose(1, 2) + table))
        return torch.cat(streams, dim=-1)

    def refine(self, x: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        """(B, N, 3 C) -> (B, N, 3 C) through the SHR blocks `first` up to, not with, `last`."""
        for block in self.Transformer_hypothesis.SHR_blocks[first:last]:
            x = block(x)
        return x

    def merge(self, x: Tensor) -> Tensor:
        """(B, N, 3 C) -> joints (B, N, J, 3): CHI and the regression head."""
        for block in self.Transformer_hypothesis.CHI_blocks:
            x = block(x)
        x = self.Transformer_hypothesis.norm(x).transpose(1, 2)
        return self.regression(x).transpose(1, 2).unflatten(-1, (self.joints, 3))


def options_of(state: Mapping[str, Tensor]) -> dict[str, int]:
    """The sizes of an authors' checkpoint; its 8 heads leave no trace."""
    frames, dim = state["Transformer_hypothesis.pos_embed_1"].shape[1:]
    shr = "Transformer_hypothesis.SHR_blocks."
    return {
        "frames": frames,
        "joints": state["Transformer_encoder_1.pos_embed"].shape[1] // 2,
        "dim": dim,
        "depth": len({key.split(".")[2] for key in state if key.startswith(shr)}),
        "mlp_ratio": state[f"{shr}0.mlp.fc1.weight"].shape[0] // dim,
    }


def embedding(rows: int, dim: int, frames: int) -> nn.Module:
    """Coordinates (B, 2 J, T) to tokens (B, C, T), normalised where the window is short."""
    linear = nn.Conv1d(rows, dim, kernel_size=1)
    if frames > SHORT:
        return linear
    return nn.Sequential(linear, nn.BatchNorm1d(dim), nn.ReLU(), nn.Dropout(0.25))


class PathEncoder(nn.Module):
    """Transformer whose tokens are the coordinates, each with its path through the window."""

    def __init__(self, rows: int, frames: int, dropout: float, drop_path: float):
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(1, rows, frames))
        self.dropout = nn.Dropout(dropout)
        rates = [drop_path * i / (ENCODER_DEPTH - 1) for i in range(ENCODER_DEPTH)]
        self.blocks = nn.ModuleList(
            Block(frames, ENCODER_HEADS, 2 * frames, rate) for rate in rates
        )
        self.norm = nn.LayerNorm(frames, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2 J, T) -> (B, 2 J, T)."""
        x = self.dropout(x + self.pos_embed)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class HypothesisTransformer(nn.Module):
    """The parts that see hypotheses: their position tables, the SHR blocks, the CHI block."""

    def __init__(
        self, frames: int, dim: int, depth: int, heads: int, hidden: int, drop_path: float
    ):
        super().__init__()
        self.pos_embed_1 = nn.Parameter(torch.zeros(1, frames, dim))
        self.pos_embed_2 = nn.Parameter(torch.zeros(1, frames, dim))
        self.pos_embed_3 = nn.Parameter(torch.zeros(1, frames, dim))
        rates = [drop_path * i / depth for i in range(depth)]  # 0 at first, CHI's is `drop_path`
        self.SHR_blocks = nn.ModuleList(SelfRefinement(dim, heads, hidden, rate) for rate in rates)
        self.CHI_blocks = nn.ModuleList([CrossInteraction(dim, heads, hidden, drop_path)])
        self.norm = nn.LayerNorm(3 * dim, eps=1e-6)


class SelfRefinement(nn.Module):
    """SHR: attention over time within each hypothesis, then one MLP over all three."""

    def __init__(self, dim: int, heads: int, hidden: int, drop_path: float):
        super().__init__()
        self.norm1_1, self.norm1_2, self.norm1_3 = (nn.LayerNorm(dim, eps=1e-6) for _ in range(3))
        self.attn_1, self.attn_2, self.attn_3 = (Attention(dim, heads) for _ in range(3))
        self.norm2 = nn.LayerNorm(3 * dim, eps=1e-6)
        self.mlp = MLP(3 * dim, hidden)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, 3 C) -> (B, N, 3 C)."""
        x1, x2, x3 = x.chunk(3, dim=-1)
        x1 = x1 + self.drop_path(self.attn_1(self.norm1_1(x1)))
        x2 = x2 + self.drop_path(self.attn_2(self.norm1_2(x2)))
        x3 = x3 + self.drop_path(self.attn_3(self.norm1_3(x3)))
        x = torch.cat([x1, x2, x3], dim=-1)
        return x + self.drop_path(self.mlp(self.norm2(x)))


class CrossInteraction(nn.Module):
    """CHI: each hypothesis in turn takes in the two others, then one MLP over all three."""

    def __init__(self, dim: int, heads: int, hidden: int, drop_path: float):
        super().__init__()
        # norm3_kq is for attention k's query, key and value, in this order.
        self.norm3_11, self.norm3_12, self.norm3_13 = (nn.LayerNorm(dim, eps=1e-6) for _ in "qkv")
        self.norm3_21, self.norm3_22, self.norm3_23 = (nn.LayerNorm(dim, eps=1e-6) for _ in "qkv")
        self.norm3_31, self.norm3_32, self.norm3_33 = (nn.LayerNorm(dim, eps=1e-6) for _ in "qkv")
        self.attn_1, self.attn_2, self.attn_3 = (CrossAttention(dim, heads) for _ in range(3))
        self.norm2 = nn.LayerNorm(3 * dim, eps=1e-6)
        self.mlp = MLP(3 * dim, hidden)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, 3 C) -> (B, N, 3 C)."""
        x1, x2, x3 = x.chunk(3, dim=-1)
        seen = self.attn_1(self.norm3_11(x2), self.norm3_12(x3), self.norm3_13(x1))
        x1 = x1 + self.drop_path(seen)
        seen = self.attn_2(self.norm3_21(x1), self.norm3_22(x3), self.norm3_23(x2))
        x2 = x2 + self.drop_path(seen)
        seen = self.attn_3(self.norm3_31(x1), self.norm3_32(x2), self.norm3_33(x3))
        x3 = x3 + self.drop_path(seen)
        x = torch.cat([x1, x2, x3], dim=-1)
        return x + self.drop_path(self.mlp(self.norm2(x)))
