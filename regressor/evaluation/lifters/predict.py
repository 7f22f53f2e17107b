"""A sequence's joints by a lifter: as a user gets them, or as the papers' own tests score them."""

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from regressor import checkpoints, lifters
from regressor.cameras import assumed_fov, intrinsics_from_fov
from regressor.data.keypoint_formats import to_h36m
from regressor.data.sequences import LiftingSequence
from regressor.errors import FileFormatError, PosecastError
from regressor.evaluation.lifters.seen import TestSet
from regressor.lifters import inference
from regressor.lifters.blocks import keypoints_of
from regressor.lifters.gla_gcn import GLAGCN, for_detections
from regressor.lifters.windows import LifterInput, Picture, lift
from regressor.lifting import load_lifter
from regressor.refine import uao_track
from regressor.skeletons import JOINTS, confidence_to_h36m17, mirror, to_h36m17
from regressor.smpl import load_body
from regressor.smpl.seen import seen_from_joints

Protocol = Literal["lifted", "published"]
# Whose tests put the recording into the middle of its windows, and set the predicted root to 0.
_HOURGLASSES = ("hot_", "tpc_")
_ROOT_AT_0 = (*_HOURGLASSES, "mhformer", "motionbert")
_BATCH_FRAMES = 4096
# In half widths of the picture: MotionBERT's root-relative weights put the root nearer to 0, its
# "global" ones where it is seen, and are scored about it.
_GLOBAL = 0.05


@dataclass
class Candidate:
    """A network to be judged."""

    label: str
    file: Path
    method: str
    network: nn.Module
    expects: LifterInput
    skeleton: str | None = None  # None: unknown, as in authors' files
    keypoint_skeleton: str | None = None
    metres: float | None = None  # what its numbers are multiplied by; None: as authors have it
    card: dict = field(default_factory=dict)
    refined: bool = False  # by UAO, where a video is lifted

    @property
    def in_picture(self) -> bool:
        """Whether it answers in half widths of the picture, as MotionBERT's authors' weights do."""
        return not self.expects.metric


@dataclass
class Lifted:
    """joints (N, J, 3) m and the frames (N,) of the sequence that they are of."""

    joints: np.ndarray
    frames: np.ndarray


def load_candidates(files: tuple[Path, ...], method: str | None, device: str) -> list[Candidate]:
    """The networks in `files`, or all that are shipped. Raises PosecastError for one that can't be.

    method: whose authors' checkpoints those are that aren't Posecast's own.
    """
    if not files:
        shipped = [lifters.shipped_weights(name) for name in lifters.names()]
        files = tuple(file for file in shipped if file)
    found = [_load(file, method, device) for file in files]
    stems = [one.label for one in found]
    for one in found:
        if stems.count(one.label) > 1:
            one.label = f"{one.file.parent.name}/{one.label}"
    labels = [one.label for one in found]
    if twice := [name for name in labels if labels.count(name) > 1]:
        raise PosecastError(f"{twice[0]} is given twice: a table needs names that differ.")
    return found


def _load(file: Path, method: str | None, device: str) -> Candidate:
    if not file.is_file():
        raise FileFormatError(f"{file} can't be read: there is no such file.")
    card, name = {}, method
    if file.suffix == ".safetensors":
        metadata = checkpoints.read_metadata(file)
        card, name = metadata["card"], metadata["name"]
        if name not in lifters.names():
            raise PosecastError(f"{file} is of {name}, which lifts no keypoints: give a lifter.")
    elif name is None:
        raise PosecastError(
            f"{file} doesn't say whose network it is: name it by --method ({lifters.names()[0]}, "
            "say), as one does for authors' checkpoints."
        )
    assert name is not None
    network, expects = load_lifter(name, file, device, any_skeleton=True)
    network.requires_grad_(False)  # torch's counter of operations stumbles over gradients
    found = Candidate(file.stem, file, name, network, expects, card=card)
    if card:
        found.metres = 1.0
        found.skeleton = card.get("skeleton", "h36m17")
        found.keypoint_skeleton = card.get("keypoint_skeleton", found.skeleton)
    return found


def check(candidate: Candidate, found: TestSet) -> None:
    """Makes the candidate one for the set's keypoints, where its file doesn't tell which they are.

    Raises PosecastError where the network knows another skeleton than the set.
    """
    network, detected = candidate.network, found.shown_skeleton == "coco17"
    if isinstance(network, GLAGCN) and not candidate.card and network.joints == 15 and detected:
        candidate.network = for_detections(network).requires_grad_(False)
    reads, shown = keypoints_of(candidate.network), len(JOINTS[found.shown_skeleton])
    answers, wanted = int(candidate.network.joints), len(JOINTS[found.skeleton])  # type: ignore[arg-type]
    if reads != shown:
        known, has = f"{reads} keypoints", f"{shown} ({found.shown_skeleton})"
    elif answers != wanted:
        known, has = f"{answers} joints", f"{wanted} ({found.skeleton})"
    elif candidate.skeleton not in (None, found.skeleton):
        known, has = candidate.skeleton, found.skeleton
    elif candidate.keypoint_skeleton not in (None, found.shown_skeleton):
        known, has = f"keypoints of {candidate.keypoint_skeleton}", found.shown_skeleton
    else:
        return
    others = found.shown_skeleton != found.skeleton or found.skeleton == "mpi_inf_3dhp17"
    hint = "; --as-h36m rearranges them" if others else ""
    raise PosecastError(
        f"{candidate.file} is for another skeleton: it knows {known}, and {found.name} has {has}"
        f"{hint}."
    )


def default_protocol(found: TestSet) -> Protocol:
    """Human3.6M's 17 joints are lifted as for a user; other skeletons only as in the papers."""
    both = (found.skeleton, found.shown_skeleton)
    return "lifted" if both == ("h36m17", "h36m17") else "published"


def predict(
    candidate: Candidate,
    sequence: LiftingSequence,
    found: TestSet,
    protocol: Protocol,
    flip: bool = True,
    precision: inference.Precision = "float32",
) -> Lifted:
    """The joints of one sequence.

    "lifted": each frame once, as `lifters.windows.lift` has them, at the network's own frame rate,
    relative to the root. "published": as the authors' tests: windows that follow each other, the
    last one with the last frames, a shorter recording filled up with its last frame (HoT: the
    recording in the middle of its windows), and all of that is scored; networks that answer for a
    frame do so for each. MPI-INF-3DHP's frames count once, and its predicted root is set to 0. In
    MotionBERT's file of Human3.6M what doesn't fill a last window isn't scored.

    Answers in the picture's units are in metres by the set's scale, where it has one; lifted, they
    are as large as a person is.
    """
    if protocol == "lifted":
        return _lifted(candidate, sequence, found, flip, precision)
    lifted = _published(candidate, sequence, found, flip)
    if sequence.scale is not None and candidate.in_picture:
        lifted.joints *= sequence.scale[lifted.frames, None, None]
    return lifted


def _lifted(
    candidate: Candidate,
    sequence: LiftingSequence,
    found: TestSet,
    flip: bool,
    precision: inference.Precision,
) -> Lifted:
    keypoints = _shown(candidate, sequence, found)
    times = np.arange(len(sequence)) / sequence.fps
    sure = keypoints[..., 2] if keypoints.shape[-1] == 3 else None
    if candidate.refined:
        joints = uao_track.refine(
            candidate.network, candidate.expects, keypoints[..., :2], times,
            _picture(candidate, sequence), confidence=sure, seen=_points(found.detector),
        ).joints  # fmt: skip
        return Lifted(joints, np.arange(len(sequence)))
    joints = lift(
        candidate.network, candidate.expects, keypoints[..., :2], times,
        _picture(candidate, sequence), flip, confidence=sure, precision=precision,
    )  # fmt: skip
    return Lifted(joints, np.arange(len(sequence)))


@cache
def _points(detector: str | None) -> Tensor | None:
    """From joints to the points that keypoints are of, where these aren't the same."""
    return None if detector is None else seen_from_joints(load_body(), detector)


def _picture(candidate: Candidate, sequence: LiftingSequence) -> Picture:
    """The sequence's camera; where coordinates are the picture's, its middle is what counts."""
    intrinsics = sequence.intrinsics
    if intrinsics is None or candidate.expects.coordinates == "screen":
        fov = assumed_fov(sequence.width, sequence.height)
        intrinsics = intrinsics_from_fov(fov, sequence.width, sequence.height)
    return Picture(intrinsics, sequence.width)


@torch.inference_mode()
def _published(
    candidate: Candidate, sequence: LiftingSequence, found: TestSet, flip: bool
) -> Lifted:
    network, length = candidate.network, len(sequence)
    device = next(network.parameters()).device
    keypoints = torch.as_tensor(_channels(candidate, sequence, found), device=device)
    calls = inference.layout(network, length, candidate.expects.coordinates != "centred", False)
    blocks = network.answers == "window"
    if blocks:
        middle = candidate.method.startswith(_HOURGLASSES)
        starts = _blocks(length, calls.span, middle)
        if sequence.scale is not None:
            starts = range(0, max(length - calls.span, 0) + 1, calls.span)
        calls = replace(calls, starts=[*starts], before=0)
    parts, frames, picture = [], [], _picture(candidate, sequence)
    for start in torch.tensor(calls.starts, device=device).split(_BATCH_FRAMES // calls.span + 1):
        steps = torch.arange(calls.span, device=device) - calls.before
        seen = (start[:, None] + steps).clamp(0, length - 1)
        inputs, rotation = picture.prepare(keypoints[seen], candidate.expects.coordinates)
        parts.append((_answer(network, inputs, flip, found) @ rotation[:, None]).flatten(0, 1))
        answered = start[:, None] + torch.arange(calls.answers, device=device)
        frames.append(answered.clamp(0, length - 1).flatten())
    joints, index = torch.cat(parts).float().cpu().numpy(), torch.cat(frames).cpu().numpy()
    kit = found.skeleton == "mpi_inf_3dhp17"
    if kit or not blocks:  # each frame once
        once = np.empty((length, *joints.shape[1:]), np.float32)
        once[index] = joints
        joints, index = once, np.arange(length)
    if candidate.in_picture and np.abs(joints[:, found.root]).max() > _GLOBAL:
        joints -= joints[:, found.root : found.root + 1]
    if kit or candidate.method.startswith(_ROOT_AT_0):
        joints[:, found.root] = 0
    return Lifted(joints * (candidate.metres or found.published_metres), index)


def _shown(candidate: Candidate, sequence: LiftingSequence, found: TestSet) -> np.ndarray:
    """(T, K, 2 or 3) keypoints on the joints that the network is to see."""
    skeleton, keypoints = found.keypoint_skeleton, sequence.keypoints
    if found.shown_skeleton == skeleton:
        return keypoints
    if not candidate.card:  # authors' networks know the published rule, ours a plain combination
        return to_h36m(keypoints, skeleton)
    points = to_h36m17(skeleton) @ keypoints[..., :2]
    if keypoints.shape[-1] == 2:
        return points
    scores = confidence_to_h36m17(skeleton, keypoints[..., 2])
    return np.concatenate([points, scores[..., None]], axis=-1)


def _channels(candidate: Candidate, sequence: LiftingSequence, found: TestSet) -> np.ndarray:
    """(T, K, C) keypoints with the confidence that the network was trained with, else ones."""
    keypoints = _shown(candidate, sequence, found).astype(np.float32)
    if candidate.network.channels == 2:
        return keypoints[..., :2]
    known = keypoints.shape[-1] == 3 and candidate.expects.confidence
    sure = keypoints[..., 2:] if known else np.ones_like(keypoints[..., :1])
    return np.concatenate([keypoints[..., :2], sure], axis=-1)


def _blocks(length: int, window: int, middle: bool) -> list[int]:
    """Starts of windows that follow each other; they may reach beyond the recording."""
    if middle:
        count = -(-length // window)
        return [window * i - (window * count - length) // 2 for i in range(count)]
    return inference.starts(max(length - window, 0), window)


def _answer(network: nn.Module, windows: Tensor, flip: bool, found: TestSet) -> Tensor:
    """Windows (B, T, K, C) to joints (B, n, J, 3), averaged with the mirrored windows' by flip."""
    if not flip or default_protocol(found) == "lifted":
        return inference.answer(network, windows, flip)
    sign = windows.new_tensor([-1.0, 1.0, 1.0])
    there, back = mirror(found.shown_skeleton), mirror(found.skeleton)
    straight = network(windows)
    turned = network(windows[..., there, :] * sign[: windows.shape[-1]])
    return 0.5 * (straight + turned[..., back, :] * sign)
