"""The frame choice of Hourglass Tokenizer (Li et al., CVPR 2024) in MHFormer: see hourglass.py and
mhformer.py.
"""

from torch import Tensor

from regressor.lifters import mhformer
from regressor.lifters.hourglass import TPC, check_layer, take_frame
from regressor.lifters.mhformer import MHFormer

options_of = mhformer.options_of  # `token_num` and `layer_index` leave no trace


class TPCMHFormer(MHFormer):
    """MHFormer whose blocks from SHR block `layer_index` on see `token_num` frames.

    Keypoints (B, T, J, 2) to the window's middle frame (B, 1, J, 3) as MHFormer. A frame is
    described by its three hypotheses side by side.
    """

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
        token_num: int | None = None,
        layer_index: int = 1,
    ):
        """token_num None: a third of the frames, the authors' 117 of 351."""
        super().__init__(frames, joints, dim, depth, heads, mlp_ratio, dropout, drop_path)
        self.layer_index = check_layer(layer_index, depth + 1)  # CHI is a stage, too
        token_num = max(1, frames // 3) if token_num is None else token_num
        self.tpc = TPC(frames, token_num, middle=frames // 2)

    def forward(
        self, keypoints: Tensor, keep: Tensor | None = None, noise: Tensor | None = None
    ) -> Tensor:
        """(B, T, J, 2) -> (B, 1, J, 3): the middle frame of `forward_kept`."""
        return take_frame(*self.forward_kept(keypoints, keep, noise), self.frames // 2)

    def forward_kept(
        self, keypoints: Tensor, keep: Tensor | None = None, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, T, J, 2) -> the kept frames' joints (B, f, J, 3) and their numbers (B, f)."""
        x = self.refine(self.hypotheses(keypoints), last=self.layer_index)
        x, kept = self.tpc.prune(x[:, :, None], keep, noise)
        return self.merge(self.refine(x[:, :, 0], first=self.layer_index)), kept
