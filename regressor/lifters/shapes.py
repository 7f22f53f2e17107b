"""The window that a lifter reads: whether keypoints fit it, and the filters that cover it."""

from torch import Tensor

from regressor.errors import PosecastError


def check_keypoints(
    keypoints: Tensor, frames: int, joints: int, channels: int = 2, longer: bool = False
) -> None:
    """Raises PosecastError where keypoints (B, T, J, C) aren't (B, frames, joints, channels).

    `longer`: more frames than that are welcome.
    """
    if keypoints.ndim == 4:
        fits = keypoints.shape[1] >= frames if longer else keypoints.shape[1] == frames
        if fits and keypoints.shape[2:] == (joints, channels):
            return
    raise PosecastError(
        f"This network reads (batch, {frames}{' or more' * longer}, {joints}, {channels}): frames, "
        f"joints and numbers a joint; the keypoints given are {tuple(keypoints.shape)}."
    )


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
