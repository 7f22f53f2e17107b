"""From the keypoints of a whole track to 3D joints, whatever the lifter.

A lifter sees windows of its own length, at the frame rate that it was trained at, in coordinates of
its own kind:

- "screen": the whole picture, x in -1..1 (what the published weights were trained on);
- "centred": a virtual camera is turned onto the person and zoomed, once a window. Where in the
  frame the person is, and how large, then changes nothing; the result is turned back.

What a window gives is the network's `answers`: "window", all its frames; "centre", its middle frame
(number `frames // 2`); "valid", a convolution without padding, as many frames as it is longer than
`frames - 1`. `inference.py` runs the windows of all three in batches, `plain.py` one by one.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from regressor.lifters import inference, plain
from regressor.skeletons import H36M17_PARENTS, mirror

MIRROR = mirror("h36m17")
BONES_M = 4.143  # the lengths of the default body's bones between these joints, added up


@dataclass(frozen=True)
class LifterInput:
    """What a lifter's weights expect: coordinates ("screen" or "centred"), frames a second, and
    whether they were trained with a detector's confidence (else a third channel is all ones).

    metric: they answer in metres; else in the picture's units, as MotionBERT's do.
    """

    coordinates: str = "screen"
    fps: float = 50.0
    confidence: bool = False
    metric: bool = True


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


def even_grid(times: np.ndarray, fps: float) -> tuple[np.ndarray, int]:
    """Evenly spaced times (n,) over those of a track, and how many lifters' videos they hold.

    They are at the lifter's `fps`, or at the multiple of it that leaves no frame of the track out.
    """
    length = len(times)
    rate = (length - 1) / (times[-1] - times[0]) if length > 1 else fps
    phases = max(1, round(rate / fps))
    step = 1.0 / (fps * phases)
    return times[0] + step * np.arange(int(np.ceil((times[-1] - times[0]) / step)) + 1), phases


def with_confidence(
    network: nn.Module,
    expects: LifterInput,
    keypoints: np.ndarray,
    confidence: np.ndarray | None,
) -> np.ndarray:
    """Keypoints (T, 17, 2), with confidence (T, 17) as a third channel if the network reads one."""
    if network.channels != 3:
        return keypoints
    if confidence is None or not expects.confidence:
        confidence = np.ones(keypoints.shape[:2])
    return np.concatenate([keypoints, confidence[..., None]], axis=-1)


@dataclass(frozen=True)
class Picture:
    """The camera of the keypoints: intrinsics (3, 3) and the picture's width, in pixels."""

    intrinsics: np.ndarray
    width: int

    def prepare(self, windows: Tensor, coordinates: str) -> tuple[Tensor, Tensor]:
        """Windows (N, T, 17, 2 or 3) in pixels to a lifter's coordinates, and what turned the
        camera.

        A third channel, the confidence, stays as it is.
        """
        keypoints, confidence = windows[..., :2], windows[..., 2:]
        camera = torch.as_tensor(self.intrinsics).to(windows)
        if coordinates == "centred":
            keypoints, rotation = centre(to_rays(keypoints, camera))
        else:
            keypoints = (keypoints - camera[:2, 2]) * (2.0 / self.width)
            rotation = torch.eye(3).to(windows).expand(len(windows), 3, 3)
        return torch.cat([keypoints, confidence], -1), rotation


@torch.inference_mode()
def lift(
    network: nn.Module,
    expects: LifterInput,
    keypoints: np.ndarray,
    times: np.ndarray,
    picture: Picture,
    flip: bool = True,
    *,
    confidence: np.ndarray | None = None,
    overlap: bool = True,
    precision: inference.Precision = "auto",
    one_by_one: bool = False,
) -> np.ndarray:
    """Keypoints (T, 17, 2) in pixels at times (T,) seconds to joints (T, 17, 3).

    The joints are in metres, relative to the pelvis, in the camera's axes (x right, y down, z
    forward). Where the network answers for whole windows, they overlap by half and are blended, or
    (`overlap=False`) follow each other as in most papers; a track's first and last frames are
    repeated as far as the network sees. A video with more frames a second than the lifter saw is
    taken as several slower ones between each other, so that none of its frames is left out. The
    track must not contain a cut.

    flip: average with what the mirrored person gets. confidence (T, 17) in 0 … 1: a detector's, for
    networks that were trained with one. precision: see `inference.in_half`. one_by_one: the plain
    path of `plain.py`, in float32.
    """
    keypoints = with_confidence(network, expects, keypoints, confidence)
    grid, phases = even_grid(times, expects.fps)
    even = torch.as_tensor(resample(keypoints.astype(np.float32), times, grid))
    joints = torch.empty(len(grid), 17, 3)
    for phase in range(min(phases, len(grid))):
        seen = even[phase::phases]
        if one_by_one:
            part = plain.lift_even(network, expects.coordinates, seen, picture, flip, overlap)
        else:
            part = inference.lift_even(
                network, expects.coordinates, seen, picture, flip, overlap, precision
            )
        joints[phase::phases] = part
    lifted = resample(joints.numpy(), grid, times)
    return lifted if expects.metric else person_sized(lifted)


def person_sized(joints: np.ndarray) -> np.ndarray:
    """Joints (T, 17, 3) about the root, in any unit, as large as the default body in each frame."""
    bones = (joints - joints[:, [max(parent, 0) for parent in H36M17_PARENTS]])[:, 1:]
    size = np.linalg.norm(bones, axis=-1).sum(-1)[:, None, None]
    return joints * (BONES_M / np.maximum(size, 1e-6)).astype(joints.dtype)
