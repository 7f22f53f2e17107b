"""A lifter over a track as a paper would describe it: float32, one window after the other.

What the batches of `inference.py` are held against, in tests and in the benchmark.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from regressor.lifters.inference import chooses_frames
from regressor.skeletons import mirror

if TYPE_CHECKING:
    from regressor.lifters.windows import Picture


def lift_even(
    network: nn.Module,
    coordinates: str,
    keypoints: Tensor,
    picture: "Picture",
    flip: bool,
    overlap: bool,
) -> Tensor:
    """Keypoints (T, 17, C), x and y in pixels, at the lifter's own rate, to joints (T, 17, 3)."""
    frames, length = int(network.frames), len(keypoints)  # type: ignore[arg-type]
    keypoints = keypoints.to(next(network.parameters()))

    def window(first: int) -> Tensor:
        """(n, 17, 3) from the window that begins at a frame, which may be before the track."""
        index = torch.arange(first, first + frames).clamp(0, length - 1)
        inputs, rotation = picture.prepare(keypoints[index][None], coordinates)
        joints = one_window(network, inputs, flip)
        return ((joints - joints[:, :, :1]) @ rotation[:, None])[0].float().cpu()

    if network.answers != "window":  # one frame for each window
        return torch.cat([window(frame - frames // 2) for frame in range(length)])
    before, last = max(frames - length, 0) // 2, max(length - frames, 0)
    hop = max(frames // 2, 1) if overlap else frames
    ramp = torch.tensor([[[min(frame + 1, frames - frame)]] for frame in range(frames)])
    total, weight = torch.zeros(last + frames, 17, 3), torch.zeros(last + frames, 1, 1)
    for start in [*range(0, last, hop), last]:
        total[start : start + frames] += ramp * window(start - before)
        weight[start : start + frames] += ramp
    return (total / weight)[before : before + length]


def one_window(network: nn.Module, inputs: Tensor, flip: bool) -> Tensor:
    """(1, T, J, C) to (1, n, J, 3), the mirrored window in a second call."""
    if not flip:
        return network(inputs)
    other, sign = mirror("h36m17"), inputs.new_tensor([-1.0, 1.0, 1.0])
    turned = inputs[:, :, other] * sign[: inputs.shape[-1]]
    if chooses_frames(network):
        straight, kept = network.forward_kept(inputs)  # type: ignore[operator]
        back, _ = network.forward_kept(turned, keep=kept)  # type: ignore[operator]
        centre = kept[0].tolist().index(int(network.frames) // 2)  # type: ignore[arg-type]
        straight, back = straight[:, centre, None], back[:, centre, None]
    else:
        straight, back = network(inputs), network(turned)
    return 0.5 * (straight + back[:, :, other] * sign)
