"""VideoPose3D (Pavllo et al., CVPR 2019): temporal convolutions, the baseline that all compare to.

The receptive field is the product of the filters' widths, so each of its frames is read once. A
whole video is lifted with dilated convolutions, which share what neighbouring windows have in
common; one window needs only every third step and takes strides instead, with the same parameters
and the same result (section 3 and figure 8 of the paper). Parameter names are those of the authors'
code. Their causal form is not built: it needs frames from one side only, this project has both.
"""

from collections.abc import Mapping
from math import prod

import torch.nn.functional as F
from torch import Tensor, nn

from regressor.errors import PosecastError
from regressor.lifters.blocks import check_window


class VideoPose3D(nn.Module):
    """Keypoints (B, T + n - 1, K, 2), normalised screen coordinates, to joints (B, n, J, 3).

    T is `frames`, n any number of frames from 1 on: output frame i is the pose of input frame
    i + (T - 1) / 2, relative to the root, in the unit of the training's targets (metres in the
    published weights).
    """

    answers = "valid"

    def __init__(
        self,
        frames: int = 243,
        joints: int = 17,
        dim: int = 1024,
        dropout: float = 0.25,
        channels: int = 2,
        keypoints: int | None = None,
    ):
        """`frames` is odd: its prime factors are the filters' widths (243 is 3 3 3 3 3).

        keypoints: K, how many it reads, where these are not as many as the joints (the authors'
        weights of HumanEva read COCO's 17 and answer with 15).
        """
        super().__init__()
        self.frames, self.joints, self.channels = frames, joints, channels
        self.keypoints = keypoints or joints
        self.widths = filter_widths(frames)
        self.dropout = nn.Dropout(dropout)
        first, *others = self.widths
        self.expand_conv = nn.Conv1d(channels * self.keypoints, dim, first, bias=False)
        self.expand_bn = nn.BatchNorm1d(dim)
        sizes = [size for width in others for size in (width, 1)]
        self.layers_conv = nn.ModuleList(nn.Conv1d(dim, dim, size, bias=False) for size in sizes)
        self.layers_bn = nn.ModuleList(nn.BatchNorm1d(dim) for _ in sizes)
        self.shrink = nn.Conv1d(dim, 3 * joints, 1)

    def forward(self, keypoints: Tensor) -> Tensor:
        """(B, T + n - 1, K, 2) -> (B, n, J, 3)."""
        check_window(self, keypoints[:, : self.frames])  # more frames than a window are welcome
        one_window = keypoints.shape[1] == self.frames
        x = keypoints.flatten(2).transpose(1, 2)  # (B, 2K, T)
        first, *others = self.widths
        x = F.conv1d(x, self.expand_conv.weight, stride=first if one_window else 1)
        x = self._activate(x, self.expand_bn)
        reach = first  # how many input frames apart the frames are that a filter takes together
        for i, width in enumerate(others):
            stride, dilation = (width, 1) if one_window else (1, reach)
            margin = dilation * (width // 2)
            kept = x[..., margin : x.shape[2] - margin : stride]
            weight = self.layers_conv[2 * i].get_parameter("weight")
            x = F.conv1d(x, weight, stride=stride, dilation=dilation)
            x = self._activate(x, self.layers_bn[2 * i])
            x = self.layers_conv[2 * i + 1](x)
            x = kept + self._activate(x, self.layers_bn[2 * i + 1])
            reach *= width
        return self.shrink(x).transpose(1, 2).unflatten(-1, (self.joints, 3))

    def _activate(self, x: Tensor, norm: nn.Module) -> Tensor:
        return self.dropout(F.relu(norm(x)))


def options_of(state: Mapping[str, Tensor]) -> dict[str, int]:
    """frames, joints, dim and channels of an authors' checkpoint, by its shapes.

    Inputs that are not as many for every joint are two for each of other `keypoints`.
    """
    convs = [v for k, v in state.items() if k.startswith(("expand_conv.", "layers_conv."))]
    joints, inputs = state["shrink.weight"].shape[0] // 3, state["expand_conv.weight"].shape[1]
    channels = 2 if inputs % joints else inputs // joints
    options = {
        "frames": prod(conv.shape[2] for conv in convs),
        "joints": joints,
        "dim": state["shrink.weight"].shape[1],
        "channels": channels,
    }
    return options | ({"keypoints": inputs // channels} if inputs % joints else {})


def filter_widths(frames: int) -> list[int]:
    """The prime factors of an odd number of frames, the small ones first."""
    if frames < 3 or frames % 2 == 0:
        raise PosecastError(
            f"A window of {frames} frames can't be read by filters with a middle: choose an odd "
            "number from 3 on, such as 27, 81 or 243."
        )
    widths, rest, factor = [], frames, 3
    while rest > 1:
        while rest % factor == 0:
            widths.append(factor)
            rest //= factor
        factor += 2
    return widths
