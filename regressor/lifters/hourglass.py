"""Hourglass Tokenizer (HoT; Li et al., CVPR 2024): lifters that think about some frames only.

After the first stages the token pruning cluster (TPC) keeps the frames that stand for a window, the
other stages see these alone, and the token recovering attention (TRA) answers for all frames again
("window"); or the centre frame is kept by force and TRA left out ("centre"). Both are pieces for
any lifter whose stages can be run in parts; here they are put into MixSTE.

Where paper and code differ, the code is followed: the cluster has two nearest neighbours, of which
a frame is its own first one; distances are divided by the root of the descriptors' width before
they are squared; and a little noise is added to the densities. That noise matters: two frames that
are each other's nearest have the same density, and which of them counts as the denser decides what
is kept. It is drawn anew in training, as the authors do always; in evaluation it is the same for
every window and run, so that results repeat (theirs don't). It can be given, too.

The middle frame is number T // 2 as for every lifter here, the authors' (T - 1) // 2 for the odd
windows that they publish. TRA's queries are the same for all joints and are computed once.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from regressor.errors import PosecastError
from regressor.lifters import mixste
from regressor.lifters.blocks import CrossAttention
from regressor.lifters.mixste import MixSTE


class TPC(nn.Module):
    """Token pruning cluster: which `token_num` of a window's `frames` to keep.

    A frame is kept where many frames are near it and no better such frame is: by the product of
    its density and its distance to the nearest denser frame (density peaks). It has no parameters.
    """

    noise: Tensor

    def __init__(self, frames: int, token_num: int, middle: int | None = None):
        """A frame number `middle` is always among those kept."""
        super().__init__()
        if not 1 <= token_num <= frames:
            raise PosecastError(
                f"token_num {token_num} can't be kept of {frames} frames: choose 1 to {frames}."
            )
        self.token_num, self.middle = token_num, middle
        seeded = torch.Generator().manual_seed(0)
        noise = torch.rand(1, frames, generator=seeded, device="cpu")
        self.register_buffer("noise", noise, persistent=False)

    @torch.no_grad()
    def forward(self, descriptors: Tensor, noise: Tensor | None = None) -> Tensor:
        """Descriptors (B, T, D) to the frames' numbers (B, f), long, in the order of time.

        `noise` (B or 1, T) in 0..1 decides between frames of the same density.
        """
        if noise is None:
            noise = torch.rand_like(descriptors[..., 0]) if self.training else self.noise
        distance = distances(descriptors)
        density = densities(distance, noise)
        score = density * separations(distance, density)
        if self.middle is not None:
            score[:, self.middle] = torch.inf
        best = score.argsort(dim=1, descending=True, stable=True)[:, : self.token_num]
        return best.sort(dim=1).values

    def prune(
        self, tokens: Tensor, keep: Tensor | None = None, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Tokens (B, T, J, C) to those of the kept frames (B, f, J, C), and their numbers (B, f).

        A frame is described by the mean of its joints; `keep` gives the numbers without a choice.
        """
        if keep is not None:
            return take_frames(tokens, keep), keep
        exact = torch.promote_types(tokens.dtype, torch.float32)
        kept: Tensor = self(tokens.mean(2, dtype=exact), noise)
        return take_frames(tokens, kept), kept


def distances(descriptors: Tensor) -> Tensor:
    """(B, T, D) -> (B, T, T), float64: between frames that are alike float32 is rounding only.

    By way of a matrix product, torch's own choice, d_ij and d_ji would differ, and so the densities
    of two frames that are each other's nearest.
    """
    x = descriptors.double()
    return torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist") / x.shape[-1] ** 0.5


def densities(distance: Tensor, noise: Tensor) -> Tensor:
    """(B, T, T) -> (B, T): near 1 where another frame is near; `noise` (B or 1, T) breaks ties."""
    neighbours = min(2, distance.shape[-1])  # the frame itself and the nearest other one
    nearest = distance.topk(neighbours, largest=False).values
    return torch.exp(-nearest.square().mean(-1)) + 1e-6 * noise


def separations(distance: Tensor, density: Tensor) -> Tensor:
    """(B, T, T), (B, T) -> (B, T): how far each frame is from the nearest denser one.

    For the densest it is the largest distance in the window.
    """
    denser = density[:, None, :] > density[:, :, None]  # (B, T, T): whether j is denser than i
    farthest = distance.amax(dim=(1, 2), keepdim=True)
    return torch.where(denser, distance, farthest).amin(dim=2)


class TRA(CrossAttention):
    """Token recovering attention: a learned query for each frame asks the kept ones.

    It doesn't know which frames were kept, except by what their tokens say.
    """

    def recover(self, queries: Tensor, kept: Tensor) -> Tensor:
        """Queries (1, T, C) and kept tokens (B, f, J, C) to tokens (B, T, J, C)."""
        x = kept.transpose(1, 2).flatten(0, 1)  # (B J, f, C)
        x = queries + self(queries, x, x)
        return x.unflatten(0, (len(kept), -1)).transpose(1, 2)


def take_frames(x: Tensor, kept: Tensor) -> Tensor:
    """(B, T, ...) and the frames' numbers (B, f) -> (B, f, ...)."""
    return x[torch.arange(len(x), device=x.device)[:, None], kept]


def take_frame(joints: Tensor, kept: Tensor, frame: int) -> Tensor:
    """Frame number `frame` (B, 1, J, 3) out of the kept ones (B, f, J, 3), numbered (B, f)."""
    return take_frames(joints, (kept == frame).int().argmax(1, keepdim=True))


def check_layer(layer_index: int, stages: int) -> int:
    """`layer_index`, the first stage that sees the kept frames only.

    Raises PosecastError where no stage comes before or after the choice.
    """
    if not 1 <= layer_index < stages:
        raise PosecastError(
            f"The frames are chosen between two stages: layer_index {layer_index} must be from 1 "
            f"to {stages - 1}, with {stages} stages (depth at least 2)."
        )
    return layer_index


class HoTMixSTE(MixSTE):
    """MixSTE whose stages from `layer_index` on see `token_num` frames; it answers for all.

    Keypoints (B, T, J, 2) to joints (B, T, J, 3) as MixSTE. The defaults are the authors' share of
    frames and stages: 81 of 243 frames from stage 3 of 8 on.
    """

    def __init__(
        self,
        frames: int = 243,
        joints: int = 17,
        dim: int = 512,
        depth: int = 8,
        heads: int = 8,
        mlp_ratio: float = 2.0,
        drop_path: float = 0.1,
        token_num: int | None = None,
        layer_index: int | None = None,
    ):
        """None: a third of the frames; three eighths of the stages see all."""
        super().__init__(frames, joints, dim, depth, heads, mlp_ratio, drop_path)
        layer_index = max(1, 3 * depth // 8) if layer_index is None else layer_index
        self.layer_index = check_layer(layer_index, depth)
        self.tpc = TPC(frames, max(1, frames // 3) if token_num is None else token_num)
        self.pos_embed_token = nn.Parameter(torch.zeros(1, self.tpc.token_num, dim))
        self.x_token = nn.Parameter(torch.zeros(1, frames, dim))
        self.cross_attention = TRA(dim, heads)

    def forward(
        self, keypoints: Tensor, keep: Tensor | None = None, noise: Tensor | None = None
    ) -> Tensor:
        """(B, T, J, 2) -> (B, T, J, 3); `keep` (B, f) gives the frames, else TPC with `noise`."""
        x = self.stages(self.embed(keypoints), last=self.layer_index)
        x, _ = self.tpc.prune(x, keep, noise)
        x = self.stages(x + self.pos_embed_token[:, :, None], first=self.layer_index)
        return self.head(self.cross_attention.recover(self.x_token, x))


class TPCMixSTE(MixSTE):
    """MixSTE whose last stages see `token_num` frames; it answers for the window's middle.

    The defaults are the authors': 61 of 243 frames in the last of 8 stages.
    """

    answers = "centre"

    def __init__(
        self,
        frames: int = 243,
        joints: int = 17,
        dim: int = 512,
        depth: int = 8,
        heads: int = 8,
        mlp_ratio: float = 2.0,
        drop_path: float = 0.1,
        token_num: int | None = None,
        layer_index: int | None = None,
    ):
        """None: a quarter of the frames, rounded; the last stage."""
        super().__init__(frames, joints, dim, depth, heads, mlp_ratio, drop_path)
        self.layer_index = check_layer(depth - 1 if layer_index is None else layer_index, depth)
        token_num = max(1, round(frames / 4)) if token_num is None else token_num
        self.tpc = TPC(frames, token_num, middle=frames // 2)

    def forward(
        self, keypoints: Tensor, keep: Tensor | None = None, noise: Tensor | None = None
    ) -> Tensor:
        """(B, T, J, 2) -> (B, 1, J, 3): the middle frame of `forward_kept`."""
        return take_frame(*self.forward_kept(keypoints, keep, noise), self.frames // 2)

    def forward_kept(
        self, keypoints: Tensor, keep: Tensor | None = None, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, T, J, 2) -> the kept frames' joints (B, f, J, 3) and their numbers (B, f).

        `keep` gives the numbers: a mirrored window is to be averaged with the plain one's frames.
        """
        x = self.stages(self.embed(keypoints), last=self.layer_index)
        x, kept = self.tpc.prune(x, keep, noise)
        return self.head(self.stages(x, first=self.layer_index)), kept


def options_of(state: Mapping[str, Tensor]) -> dict[str, int]:
    """The sizes of an authors' checkpoint; `layer_index` and heads leave no trace, nor does
    `token_num` without TRA: they are taken for the authors'.
    """
    options = mixste.options_of(state)
    if "pos_embed_token" in state:
        options["token_num"] = state["pos_embed_token"].shape[1]
    return options
