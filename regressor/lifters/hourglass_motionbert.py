"""Hourglass Tokenizer (Li et al., CVPR 2024) on MotionBERT: see hourglass.py and motionbert.py.

The authors published this network without weights or a recipe.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from regressor.lifters import motionbert
from regressor.lifters.blocks import check_window
from regressor.lifters.hourglass import TPC, TRA, check_layer
from regressor.lifters.motionbert import MotionBERT, initialise


class HoTMotionBERT(MotionBERT):
    """MotionBERT whose levels from `layer_index` on see `token_num` frames; it answers for all.

    Keypoints (B, T, J, channels) to joints (B, T, J, 3) as MotionBERT, but T must be `frames`. The
    default sizes are the authors': those of MotionBERT-Lite.
    """

    def __init__(
        self,
        frames: int = 243,
        joints: int = 17,
        channels: int = 3,
        dim: int = 256,
        depth: int = 5,
        heads: int = 8,
        mlp_ratio: float = 4.0,
        dim_rep: int = 512,
        token_num: int | None = None,
        layer_index: int = 1,
    ):
        """token_num None: a third of the frames."""
        super().__init__(frames, joints, channels, dim, depth, heads, mlp_ratio, dim_rep)
        self.layer_index = check_layer(layer_index, depth)
        self.tpc = TPC(frames, max(1, frames // 3) if token_num is None else token_num)
        self.pos_embed_token = nn.Parameter(torch.zeros(1, self.tpc.token_num, dim))
        self.x_token = nn.Parameter(torch.zeros(1, frames, dim))
        self.cross_attention = TRA(dim, heads).apply(initialise)

    def forward(
        self, keypoints: Tensor, keep: Tensor | None = None, noise: Tensor | None = None
    ) -> Tensor:
        """(B, T, J, channels) -> (B, T, J, 3); `keep` (B, f) gives the frames, else TPC."""
        return self.head(self.representation(keypoints, keep, noise))

    def representation(
        self, keypoints: Tensor, keep: Tensor | None = None, noise: Tensor | None = None
    ) -> Tensor:
        """(B, T, J, channels) -> (B, T, J, dim_rep), in -1..1."""
        check_window(self, keypoints)
        x = self.levels(self.embed(keypoints), last=self.layer_index)
        x, _ = self.tpc.prune(x, keep, noise)
        x = self.norm(self.levels(x + self.pos_embed_token[:, :, None], first=self.layer_index))
        return self.represent(self.cross_attention.recover(self.x_token, x))


def options_of(state: Mapping[str, Tensor]) -> dict[str, int]:
    """The sizes of a checkpoint; its 8 heads and `layer_index` leave no trace."""
    return {**motionbert.options_of(state), "token_num": state["pos_embed_token"].shape[1]}
