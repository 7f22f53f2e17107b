"""What lifters are judged on: sequences of a data set, or motions seen by random cameras.

A motion is one sequence from its first frame to its last, seen by a camera that stands still. Its
keypoints are what a detector would give, at the landmarks' own places ("clean") and with errors
like a detector's; the camera's focal length is a guess, as it is for a video. All is drawn from
fixed seeds: every network sees the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from regressor.cameras import assumed_fov, intrinsics_from_fov
from regressor.data.keypoint_noise import DetectorNoise
from regressor.data.lifting import Motion17, Sampler, Views
from regressor.data.sequences import LiftingSequence, LiftingSet, read_set, recognise
from regressor.errors import PosecastError
from regressor.skeletons import to_h36m17

WIDTH, HEIGHT = 1920, 1080
BODY_SEED = 1000  # others than those of `train lifter`, whichever its seed
WRONG_FOCAL = 0.12  # standard deviation of the guess's logarithm, as in training
# A detector's errors last as they do in the windows of the training: 27 frames at 12.5 a second.
SPAN_S, FADE_S = 27 / 12.5, 0.5


@dataclass
class TestSet:
    """Sequences in each condition; `groups` are what means are taken over, one a sequence."""

    name: str
    skeleton: str
    root: int
    grouped_by: str
    groups: list[str]
    conditions: dict[str, list[LiftingSequence]]
    notes: dict[str, str]
    keypoint_skeleton: str = "h36m17"
    published_metres: float = 1.0  # what authors' networks of this set count in
    as_h36m: bool = False  # networks see the keypoints on Human3.6M's joints
    detector: str | None = None  # whose points those of motions are combined from
    subjects: tuple[str, ...] = ()  # of motions

    @property
    def shown_skeleton(self) -> str:
        """What networks see."""
        return "h36m17" if self.as_h36m else self.keypoint_skeleton


@dataclass(frozen=True)
class View:
    """How motions are seen: frames a second, cameras a motion, seed."""

    fps: float = 12.5
    cameras: int = 2
    seed: int = 1


def read_test_set(
    path: Path,
    detections: str,
    noise: Sequence[float] | None,
    view: View,
    as_h36m: bool = False,
    **motions: Any,
) -> TestSet:
    """The held-out part of the data at `path`. Raises PosecastError for what can't be judged.

    as_h36m: networks are to see the keypoints on Human3.6M's joints, whatever they are on.
    motions: how motions are read, and whose (`data.mocap_files.MocapOptions`).
    """
    if recognise(path) == "mocap_files":
        found = read_set(
            path, "test", detections, fps=view.fps, shapes=1, seed=BODY_SEED, **motions
        )
        return _seen(found.motions, (0.0, 1.0) if noise is None else noise, view)
    for name in motions:
        raise PosecastError(
            f"--{name.replace('_', '-')} is for motion capture, and {path} is a data set: leave it "
            "out."
        )
    found = read_set(path, "test", detections)
    if noise is not None and list(noise) != [0]:
        raise PosecastError(
            "--noise is for motions, which random cameras see: choose this set's --detections."
        )
    if as_h36m and found.skeleton == "mpi_inf_3dhp17":
        found = rearranged(found)
    if as_h36m and found.skeleton != "h36m17":
        raise PosecastError(f"--as-h36m: {found.name}'s own joints aren't Human3.6M's 17.")
    return _with_cameras(found, detections, as_h36m)


def rearranged(found: LiftingSet) -> LiftingSet:
    """A set on joints of its own, on Human3.6M's 17 that correspond to them."""
    order = to_h36m17(found.skeleton)
    sequences = [
        replace(one, keypoints=order @ one.keypoints, joints=order @ one.joints)
        for one in found.sequences
    ]
    # Who answers on these joints wasn't trained on this set, nor in its unit.
    return LiftingSet(found.name, sequences, "h36m17", "h36m17", 0)


def _with_cameras(found: LiftingSet, detections: str, as_h36m: bool) -> TestSet:
    sequences = [one for one in found.sequences if one.valid is None or np.any(one.valid)]
    sequences = [one for one in sequences if len(one)]
    if not sequences:
        raise PosecastError(f"{found.name} has no frame that counts, so there is nothing to score.")
    if found.name == "MPI-INF-3DHP":
        by, groups = "sequence", [one.name for one in sequences]
    elif found.skeleton == "humaneva15":
        by, groups = "subject and action", [f"{one.subject} {one.action}" for one in sequences]
    else:
        by, groups = "action", [one.action for one in sequences]
    for one in sequences:
        if one.intrinsics is None:
            fov = assumed_fov(one.width, one.height)
            one.intrinsics = intrinsics_from_fov(fov, one.width, one.height)
    notes = {"keypoints": f"the set's {detections}"}
    return TestSet(
        found.name, found.skeleton, found.root, by, groups, {detections: sequences}, notes,
        found.keypoint_skeleton, {"m": 1.0, "mm": 0.001}[found.unit], as_h36m,
    )  # fmt: skip


def _seen(motions: Sequence[Motion17], noise: Sequence[float], view: View) -> TestSet:
    conditions: dict[str, list[LiftingSequence]] = {label(level): [] for level in noise}
    for number, motion in enumerate(motions):
        for camera in range(view.cameras):
            # Each clip and camera draws by itself, so that all of them stay as they are when
            # another number of cameras is asked for.
            seed = 10_000 * view.seed + 100 * number + camera
            for level, one in zip(noise, see(motion, noise, view.fps, seed), strict=True):
                one.name = f"{motion.name}, camera {camera + 1}"
                conditions[label(level)].append(one)
    groups = [f"subject {motion.subject}" for motion in motions for _ in range(view.cameras)]
    on_body = any(motion.seen is not motion.joints for motion in motions)
    points = "landmarks of the default body, combined to 17 points as at run time"
    notes = {
        "keypoints": f"{points if on_body else 'the joints themselves'}; 'clean' has them exactly, "
        "'noisy' with a detector's errors (data.keypoint_noise), of whose sizes any other number "
        "is a multiple",
        "cameras": f"{view.cameras} a motion, standing still, seed {view.seed}; the focal length "
        f"is a guess, off by {WRONG_FOCAL:.0%} (standard deviation), in all conditions",
        "fps": f"{view.fps:g}",
    }
    return TestSet(
        "Motions of subjects held out", "h36m17", 0, "subject", groups, conditions, notes,
        detector="mediapipe33" if on_body else None,
        subjects=tuple(dict.fromkeys(motion.subject for motion in motions)),
    )  # fmt: skip


def label(level: float) -> str:
    """What a condition is called: "clean", "noisy", or by how many times noisier it is."""
    return {0.0: "clean", 1.0: "noisy"}.get(float(level), f"noisy x {level:g}")


def see(
    motion: Motion17,
    noise: Sequence[float],
    fps: float,
    seed: int,
    views: Views | None = None,
    fov_deg: float | None = None,
) -> list[LiftingSequence]:
    """A whole motion by one random camera, a sequence for each size of the detector's errors.

    fov_deg: the camera's horizontal field of view, which is known then; else it is guessed.
    """
    frames = len(motion.seen)
    sampler = Sampler([motion], frames, 1, seed, views=views)
    turn, shift = sampler.view(motion.joints[None])
    joints = motion.joints @ turn[0].mT + shift[0]
    points = motion.seen @ turn[0].mT + shift[0]
    rays = points[..., :2] / points[..., 2:]
    if fov_deg is None:
        rays = rays * torch.exp(WRONG_FOCAL * sampler.normal(1))
    errors, confidence = _detector_errors(rays, fps, seed)
    intrinsics = intrinsics_from_fov(fov_deg or assumed_fov(WIDTH, HEIGHT), WIDTH, HEIGHT)
    seen = []
    for level in noise:
        pixels = (rays + level * errors) * intrinsics[0, 0] + torch.as_tensor(intrinsics[:2, 2])
        sure = 1 - min(level, 1.0) * (1 - confidence)
        keypoints = torch.cat([pixels, sure[..., None]], dim=-1).numpy().astype(np.float32)
        seen.append(
            LiftingSequence("", "", "", keypoints, joints.numpy(), fps, WIDTH, HEIGHT, intrinsics)
        )
    return seen


def _detector_errors(rays: Tensor, fps: float, seed: int) -> tuple[Tensor, Tensor]:
    """Errors (T, 17, 2) of rays (T, 17, 2), as tangents, and confidence (T, 17).

    The errors are drawn for pieces as long as the training's windows, each of which fades into the
    next: independent errors, weighed by the roots of shares, keep their variance.
    """
    length, span, fade = len(rays), max(round(SPAN_S * fps), 2), max(round(FADE_S * fps), 1)
    starts = torch.arange(0, max(length - fade, 1), max(span - fade, 1))
    index = starts[:, None] + torch.arange(span)
    pieces = rays[index.clamp(max=length - 1)]
    size = (
        (pieces - pieces.mean(2, keepdim=True)).norm(dim=-1).mean(dim=(1, 2))[:, None, None, None]
    )
    draw = DetectorNoise(torch.Generator().manual_seed(seed))
    errors, confidence = draw(pieces / size, confident=True)
    assert confidence is not None
    share = torch.ones(len(starts), span)
    rise = (torch.arange(fade) + 0.5) / fade
    share[1:, :fade] = rise
    share[:-1, span - fade :] = 1 - rise
    inside = index < length
    share, index = share[inside], index[inside]
    whole = torch.zeros(length, 17, 2).index_add(
        0, index, share.sqrt()[:, None, None] * (size * errors)[inside]
    )
    sure = torch.zeros(length, 17).index_add(0, index, share[:, None] * confidence[inside])
    return whole, sure.clamp(0, 1)
