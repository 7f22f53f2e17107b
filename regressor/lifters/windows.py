"""From the keypoints of a whole track to 3D joints, whatever the lifter.

A lifter sees windows of its own length, at the frame rate that it was trained at, in coordinates of
its own kind:

- "screen": the whole picture, x in -1..1 (what the published weights were trained on);
- "centred": a virtual camera is turned onto the person and zoomed, once a window. Where in the
  frame the person is, and how large, then changes nothing; the result is turned back.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from regressor.skeletons import mirror

MIRROR = mirror("h36m17")


@dataclass(frozen=True)
class LifterInput:
    """What a lifter's weights expect: coordinates ("screen" or "centred") and frames a second."""

    coordinates: str = "screen"
    fps: float = 50.0


def to_rays(keypoints: Tensor, intrinsics: Tensor) -> Tensor:
    """Pixels (..., 2) to tangents x/z, y/z (..., 2) of a camera with intrinsics (3, 3)."""
    focal = torch.stack([intrinsics[0, 0], intrinsics[1, 1]])
    return (keypoints - intrinsics[:2, 2]) / focal


def centre(rays: Tensor) -> tuple[Tensor, Tensor]:
    """Turns a virtual camera onto each window: rays (N, T, J, 2) tangents to coordinates of order
    1.

    Returns them (N, T, J, 2) and the rotations (N, 3, 3) from the true to the virtual camera: a
    yaw, then a pitch, so that a level camera stays level. The scale makes the keypoints' root mean
    square distance from each frame's centre 0.5.
    """
    x, y = rays.mean(dim=(1, 2)).unbind(-1)
    yaw, depth = torch.atan2(x, torch.ones_like(x)), torch.sqrt(1 + x * x)
    pitch = torch.atan2(y, depth)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    cos, sin = torch.cos(yaw), torch.sin(yaw)
    about_y = torch.stack([cos, zero, -sin, zero, one, zero, sin, zero, cos], -1).unflatten(
        -1, (3, 3)
    )
    cos, sin = torch.cos(pitch), torch.sin(pitch)
    about_x = torch.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], -1).unflatten(
        -1, (3, 3)
    )
    rotation = about_x @ about_y
    turned = torch.cat([rays, torch.ones_like(rays[..., :1])], -1) @ rotation[:, None].transpose(
        -1, -2
    )
    flat = turned[..., :2] / turned[..., 2:].clamp(min=0.1)
    offsets = flat - flat.mean(dim=2, keepdim=True)
    spread = offsets.square().sum(-1).mean(dim=(1, 2)).sqrt().clamp(min=1e-6)
    return flat * (0.5 / spread)[:, None, None, None], rotation


def resample(values: np.ndarray, times: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Linear interpolation in time: values (T, ...) at times (T,) to (len(at), ...)."""
    if len(times) == 1:
        return np.repeat(values, len(at), axis=0)
    right = np.clip(np.searchsorted(times, at), 1, len(times) - 1)
    span = times[right] - times[right - 1]
    share = np.clip((at - times[right - 1]) / span, 0, 1).reshape(-1, *[1] * (values.ndim - 1))
    return (values[right - 1] * (1 - share) + values[right] * share).astype(values.dtype)


def window_starts(length: int, window: int) -> list[int]:
    """Starts of half-overlapping windows that cover `length` frames (the last ends with them)."""
    last = max(length - window, 0)
    return sorted({*range(0, last, max(window // 2, 1)), last})


def run_windows(network: nn.Module, windows: Tensor, flip: bool = True, batch: int = 32) -> Tensor:
    """Windows (N, T, 17, 2) to joints (N, T, 17, 3); `flip` averages with the mirrored window's."""
    device = next(network.parameters()).device
    sign = torch.tensor([-1.0, 1.0, 1.0], device=device)
    results = []
    for part in windows.to(device).split(batch):
        if not flip:
            results.append(network(part))
            continue
        mirrored = part[:, :, MIRROR] * sign[:2]
        straight, back = network(torch.cat([part, mirrored])).chunk(2)
        results.append(0.5 * (straight + back[:, :, MIRROR] * sign))
    return torch.cat(results).cpu()


@dataclass(frozen=True)
class Picture:
    """The camera of the keypoints: intrinsics (3, 3) and the picture's width, in pixels."""

    intrinsics: np.ndarray
    width: int

    def prepare(self, windows: Tensor, coordinates: str) -> tuple[Tensor, Tensor]:
        """Windows (N, T, 17, 2) in pixels to a lifter's coordinates, and what turned the camera."""
        camera = torch.as_tensor(self.intrinsics, dtype=torch.float32)
        if coordinates == "centred":
            return centre(to_rays(windows, camera))
        return (windows - camera[:2, 2]) * (2.0 / self.width), torch.eye(3).expand(
            len(windows), 3, 3
        )


def lift_even(
    network: nn.Module, coordinates: str, keypoints: Tensor, picture: Picture, flip: bool
) -> Tensor:
    """Keypoints (T, 17, 2) in pixels at the lifter's own rate to joints (T, 17, 3)."""
    window, length = int(network.frames), len(keypoints)  # type: ignore[arg-type]
    before = max(window - length, 0) // 2
    index = (torch.arange(max(length, window)) - before).clamp(0, length - 1)
    starts = window_starts(len(index), window)
    windows = torch.stack([keypoints[index[s : s + window]] for s in starts])
    inputs, rotation = picture.prepare(windows, coordinates)
    joints = run_windows(network, inputs, flip)
    joints = (joints - joints[:, :, :1]) @ rotation[:, None]  # rows by R: back into the true camera
    # A triangle of weights: a frame is seen best from the middle of its window.
    ramp = torch.minimum(torch.arange(1, window + 1), torch.arange(window, 0, -1)).float()
    total, weight = torch.zeros(len(index), 17, 3), torch.zeros(len(index), 1, 1)
    for start, result in zip(starts, joints, strict=True):
        total[start : start + window] += ramp[:, None, None] * result
        weight[start : start + window] += ramp[:, None, None]
    return (total / weight)[before : before + length]


@torch.inference_mode()
def lift(
    network: nn.Module,
    expects: LifterInput,
    keypoints: np.ndarray,
    times: np.ndarray,
    picture: Picture,
    flip: bool = True,
) -> np.ndarray:
    """Keypoints (T, 17, 2) in pixels at times (T,) seconds to joints (T, 17, 3).

    The joints are in metres, relative to the pelvis, in the camera's axes (x right, y down, z
    forward). Windows overlap by half and are blended; a track shorter than a window is extended by
    its first and last frames. A video with more frames a second than the lifter saw is taken as
    several slower ones between each other, so that none of its frames is left out. The track must
    not contain a cut.
    """
    length = len(times)
    rate = (length - 1) / (times[-1] - times[0]) if length > 1 else expects.fps
    phases = max(1, round(rate / expects.fps))
    step = 1.0 / (expects.fps * phases)
    count = int(np.ceil((times[-1] - times[0]) / step)) + 1
    grid = times[0] + step * np.arange(count)
    even = torch.as_tensor(resample(keypoints.astype(np.float32), times, grid))
    joints = torch.empty(count, 17, 3)
    for phase in range(min(phases, count)):
        part = even[phase::phases]
        joints[phase::phases] = lift_even(network, expects.coordinates, part, picture, flip)
    return resample(joints.numpy(), grid, times)
