"""UAO carried to videos: any lifter, whole tracks at once, no true root and no true camera needed.

As in `uao.py` the lifter's input is optimised and the lifter stays. What differs:

- all windows of a track share one set of keypoints, which is what moves; the answer is that of
  `windows.lift`, the mean of overlapping and of mirrored windows, not each by itself;
- uncertainty is the network's own, or the spread of its answers to the mirrored and to slightly
  shaken keypoints;
- the root is where the joints, as they are, meet the keypoints best (least squares), unless given;
- bones keep one length through the track: the middle one of the first answers, both sides alike;
- a frame goes only as far from its first answer as neither its projection nor its bones get worse;
- it ends when a step gains little.

Lengths are metres. Distances in the picture are in units of the person: twice the keypoints' root
mean square distance from their centre, which is about a metre where the person is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regressor.errors import PosecastError
from regressor.lifters import inference
from regressor.lifters.uao import distance
from regressor.lifters.windows import (
    MIRROR,
    LifterInput,
    Picture,
    even_grid,
    resample,
    to_rays,
    with_confidence,
)
from regressor.refine.uao import step_down
from regressor.skeletons import H36M17_PARENTS
from regressor.smpl.fit import huber, place

_SHAKE = 0.01  # standard deviation of the keypoints' shaking, in units of the person
_SHAKEN = 1  # how often
_LEAST = 0.02  # m: nobody is surer of a joint than this
_KEYPOINTS, _BONES_M = 0.01, 0.01  # standard deviations: units of the person, metres
_BONES = list(range(1, 17))
_SLOPE = 0.25  # how much farther than the frame beside it a frame may go, as a share


@dataclass(frozen=True)
class Options:
    """The weights of the terms, and how far the optimisation goes."""

    steps: int = 8
    """At most; it ends before when `patience` steps gain less than `enough` of the loss."""
    enough: float = 0.01
    patience: int = 2
    learning_rate: float = 0.003
    near: float = 1.0
    """Of the distance from the first answer, in units of the uncertainty."""
    projection: float = 1.0
    """Of the distance from the keypoints, in hundredths of the person's unit."""
    bones: float = 1.0
    """Of the bones' distance from their usual lengths, in centimetres."""
    knots_s: float = 0.2
    """Seconds from one to the next of the times at which keypoints move; they follow in between, so
    that the detector's trembling isn't followed."""
    root: Literal["follows", "stays"] = "follows"
    """Whether an estimated root goes along with the joints or stays at its first place."""
    piece: int = 600
    """Frames that are optimised together, which bounds the memory."""


@dataclass
class Refined:
    """joints (T, 17, 3) m from the pelvis; share (T,) of the way that each frame went; before and
    after (2, T): mean distance from the keypoints in px, and of the bones from their length in m;
    steps: the most that a piece took; root and camera: where they are from.
    """

    joints: np.ndarray
    share: np.ndarray
    before: np.ndarray
    after: np.ndarray
    steps: int
    root: str
    camera: str

    def __str__(self) -> str:
        (px, m), (px_after, m_after) = self.before.mean(1), self.after.mean(1)
        return (
            f"UAO with the {self.root} root and the {self.camera} camera: keypoints met to "
            f"{px_after:.1f} px (before {px:.1f}), bone lengths kept to {1000 * m_after:.0f} mm "
            f"(before {1000 * m:.0f}); {(self.share > 0).mean():.0%} of the frames changed."
        )


def told_of(refined: list[Refined]) -> str:
    """What a user wants to know of it: one sentence for all people of a video."""
    changed = np.concatenate([each.share > 0 for each in refined]).mean()
    return (
        f"UAO with the {refined[0].root} root and the {refined[0].camera} camera changed "
        f"{changed:.0%} of the frames."
    )


def refine(
    network: nn.Module,
    expects: LifterInput,
    keypoints: np.ndarray,
    times: np.ndarray,
    picture: Picture,
    *,
    confidence: np.ndarray | None = None,
    seen: Tensor | None = None,
    roots: np.ndarray | None = None,
    camera: str = "given",
    options: Options | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Refined:
    """Keypoints (T, 17, 2) px at times (T,) s to joints that meet them, as `windows.lift` gives.

    confidence (T, 17) weighs the keypoints; seen (17, 17): from joints to the points that the
    keypoints are of (`smpl.seen`), nothing for the same; roots (T, 3) m: the pelvis' true places in
    the camera's axes; camera: what to tell of where the intrinsics are from. The network must be in
    eval mode. The track must not contain a cut. Raises PosecastError for a network that doesn't
    answer in metres.
    """
    if not expects.metric:
        raise PosecastError(
            "UAO compares bones in metres, and this network (MotionBERT's weights, say) doesn't "
            "answer in them: leave --refine out, or name another lifter."
        )
    options = options or Options()
    track = Track(network, expects, keypoints, times, picture, confidence, seen, roots)
    pieces = list(track.pieces(options.piece))
    moved, most = torch.zeros(*track.even.shape[:2], 2), 0
    for number, (inner, around) in enumerate(pieces):
        done = number * options.steps

        def tell(step: int, done: int = done) -> None:
            report(done + step, len(pieces) * options.steps)

        z, steps = descend(track, around, options, tell)
        moved[inner] = z[inner.start - around.start :][: inner.stop - inner.start]
        most = max(most, steps)
    with torch.no_grad():
        grid = torch.stack([track.first, track.lift(slice(None), moved)], dim=1)
        first, last = torch.as_tensor(resample(grid.numpy(), track.grid, times)).unbind(1)
        judge = Judge(track, torch.as_tensor(keypoints), roots, confidence)
        share = accepted(first, last, judge)
        joints = mixed(first, last, share)
    report(1, 1)
    return Refined(
        joints.numpy(),
        share.numpy(),
        judge(first).numpy(),
        judge(joints).numpy(),
        most,
        "estimated" if roots is None else "true",
        camera,
    )


class Track:
    """What stays the same through the optimisation, on the even grid of times of the lifter."""

    def __init__(
        self,
        network: nn.Module,
        expects: LifterInput,
        keypoints: np.ndarray,
        times: np.ndarray,
        picture: Picture,
        confidence: np.ndarray | None,
        seen: Tensor | None,
        roots: np.ndarray | None,
    ):
        self.network, self.coordinates, self.picture = network, expects.coordinates, picture
        self.seen = torch.eye(17) if seen is None else seen
        self.camera = torch.as_tensor(picture.intrinsics, dtype=torch.float32)
        self.grid, self.phases = even_grid(times, expects.fps)

        def at_grid(values: np.ndarray) -> Tensor:
            return torch.as_tensor(resample(values.astype(np.float32), times, self.grid))

        self.even = at_grid(with_confidence(network, expects, keypoints, confidence))
        confidence = np.ones(keypoints.shape[:2]) if confidence is None else confidence
        self.weights = weights_of(at_grid(confidence))
        self.rays = to_rays(self.even[..., :2], self.camera)
        self.unit = person_size(self.even[..., :2])
        with torch.no_grad():
            self.first = self.lift(slice(None), None)
            self.unsure = uncertainty(self)
        self.lengths = usual_lengths(self.first)
        self.roots = self.place(self.first, slice(None)) if roots is None else at_grid(roots)
        self.true_roots = roots is not None

    def lift(self, part: slice, moved: Tensor | None, whole: bool = True) -> Tensor:
        """Joints (n, 17, 3) from the part's keypoints, moved (n, 17, 2) in units of the person.

        `whole` with overlapping and mirrored windows; without, it takes a quarter of the time. A
        part may be every so many frames of the grid as make one of the lifter's videos.
        """
        points = self.even[part]
        if moved is not None:
            shifted = points[..., :2] + moved * self.unit[part]
            points = torch.cat([shifted, points[..., 2:]], dim=-1)
        joints = points.new_zeros(len(points), 17, 3)
        phases = self.phases // (part.step or 1)
        for phase in range(min(phases, len(points))):
            joints[phase::phases] = inference.lift_even(
                self.network,
                self.coordinates,
                points[phase::phases],
                self.picture,
                whole,
                whole,
                "float32",
            )
        return joints

    def place(self, joints: Tensor, part: slice) -> Tensor:
        """Where the roots (n, 3) of joints (n, 17, 3) are by the keypoints."""
        return place(self.seen @ joints, self.rays[part], self.weights[part]).detach()

    def pieces(self, most: int):
        """(frames, the same with what the network sees before and after), as slices."""
        margin = int(self.network.frames) * self.phases  # pyright: ignore[reportArgumentType]
        count, most = len(self.even), max(most, 2 * margin)
        for start in range(0, count, most):
            stop = min(start + most, count)
            yield slice(start, stop), slice(max(start - margin, 0), min(stop + margin, count))


def descend(
    track: Track, part: slice, options: Options, report: Callable[[int], None]
) -> tuple[Tensor, int]:
    """How the keypoints of a part move (n, 17, 2), in units of the person, and the steps taken.

    As knots are shared by the frames between them, one of the lifter's videos tells enough.
    """
    grid, one = track.grid[part], slice(part.start, part.stop, track.phases)
    knots = torch.zeros(2 + int((grid[-1] - grid[0]) / options.knots_s), 17, 2, requires_grad=True)
    optimiser = torch.optim.Adam([knots], lr=options.learning_rate)
    least, best, stale, step = float("inf"), torch.zeros(len(grid), 17, 2), 0, 0
    first = None
    for step in range(options.steps + 1):
        z = between(knots, len(grid))
        joints = track.lift(one, z[:: track.phases], whole=False)
        first = joints.detach() if first is None else first
        loss = energy(track, one, joints, first, options)
        stale = 0 if loss.item() < least * (1 - options.enough) else stale + 1
        if loss.item() < least:
            least, best = loss.item(), z.detach()
        if stale == options.patience or step == options.steps:
            break
        step_down(optimiser, [knots], loss)
        report(step + 1)
    return best, step


def between(knots: Tensor, count: int) -> Tensor:
    """Knots (k, J, 2) at even times to `count` frames (count, J, 2), from first to last."""
    lines = knots.flatten(1).T[None]
    lines = F.interpolate(lines, size=count, mode="linear", align_corners=True)
    return lines[0].T.unflatten(1, knots.shape[1:])


def energy(track: Track, part: slice, joints: Tensor, first: Tensor, options: Options) -> Tensor:
    """How far joints (n, 17, 3) are from keypoints, first answer and usual lengths, on average.

    Each distance is in units of its standard deviation, and counts squared as long as it is small.
    """
    follows = options.root == "follows" and not track.true_roots
    roots = track.place(joints, part) if follows else track.roots[part]
    miss = misses(track.seen @ joints, roots, track.rays[part], track.camera) / track.unit[part]
    weights = track.weights[part]
    projection = (weights * huber((miss[..., 0] / _KEYPOINTS).square(), 1.0)).sum() / weights.sum()
    apart = (joints - first) / track.unsure[part]
    near = huber(apart.square().sum(-1), 1.0).mean()
    stretched = (bone_lengths(joints) - track.lengths) / _BONES_M
    bones = huber(stretched.square(), 1.0).mean()
    return options.projection * projection + options.near * near + options.bones * bones


def uncertainty(track: Track) -> Tensor:
    """The scale (n, 17, 1) of each joint's expected error, in metres."""
    network, everything = track.network, slice(None)
    if hasattr(network, "forward_uncertain"):
        inputs, _ = track.picture.prepare(track.even[:, None], track.coordinates)
        inputs = inputs.to(next(network.parameters()))
        s = network.forward_uncertain(inputs)[1]  # pyright: ignore[reportCallIssue]
        back = network.forward_uncertain(inference.mirrored(inputs))[1]  # pyright: ignore
        return torch.exp((s + back[..., MIRROR, :]) / 2)[:, 0].float().cpu()
    # With the mirrored windows and without, and shaken.
    answers = [track.first, track.lift(everything, None, whole=False)]
    generator = torch.Generator().manual_seed(0)
    for _ in range(_SHAKEN):
        shake = _SHAKE * torch.randn(track.rays.shape, generator=generator)
        answers.append(track.lift(everything, shake, whole=False))
    spread = torch.stack(answers).var(dim=0).sum(-1, keepdim=True)
    return torch.sqrt(spread + _LEAST**2)


class Judge:
    """A frame's own measures, before and after: nothing else decides how far it may go."""

    def __init__(
        self,
        track: Track,
        keypoints: Tensor,
        roots: np.ndarray | None,
        confidence: np.ndarray | None,
    ):
        self.track = track
        self.rays = to_rays(keypoints.float(), track.camera)
        shape = keypoints.shape[:2]
        self.weights = weights_of(np.ones(shape) if confidence is None else confidence)
        self.roots = None if roots is None else torch.as_tensor(roots, dtype=torch.float32)

    def __call__(self, joints: Tensor) -> Tensor:
        """(2, T): mean distance from the keypoints in px, and of the bones' lengths in metres."""
        points = self.track.seen @ joints
        roots = place(points, self.rays, self.weights) if self.roots is None else self.roots
        miss = misses(points, roots, self.rays, self.track.camera)[..., 0]
        projection = (self.weights * miss).sum(1) / self.weights.sum(1)
        bones = (bone_lengths(joints) - self.track.lengths).abs().mean(1)
        return torch.stack([projection, bones])


def accepted(first: Tensor, last: Tensor, judge: Callable[[Tensor], Tensor]) -> Tensor:
    """The share (T,) of the way from first to last joints (T, 17, 3) at which no frame is worse.

    A frame goes at most a little farther than those beside it, so that none stands out.
    """
    share, before = torch.ones(len(first), dtype=torch.float64), judge(first)
    ramp = _SLOPE * torch.arange(len(first), dtype=torch.float64)
    while True:
        worse = (judge(mixed(first, last, share)) > before).any(0) & (share > 0)
        if not worse.any():
            return share.float()
        share[worse] = torch.where(share[worse] > 0.1, share[worse] / 2, 0.0)
        for _ in range(2):  # forwards, then backwards
            share = (ramp + (share - ramp).cummin(0).values).flip(0)


def mixed(first: Tensor, last: Tensor, share: Tensor) -> Tensor:
    """Joints (T, 17, 3) a share (T,) of the way from first to last."""
    return first + share[:, None, None].to(first) * (last - first)


def misses(points: Tensor, roots: Tensor, rays: Tensor, camera: Tensor) -> Tensor:
    """Distances (n, J, 1) in px from the keypoints' rays (n, J, 2) of points (n, J, 3) at roots."""
    points = points + roots[:, None]
    flat = points[..., :2] / points[..., 2:].clamp(min=0.1)
    return distance(flat * camera.diagonal()[:2], rays * camera.diagonal()[:2])


def person_size(keypoints: Tensor) -> Tensor:
    """(n, 1, 1) px: twice the root mean square distance of keypoints (n, J, 2) from their mean."""
    apart = keypoints - keypoints.mean(dim=1, keepdim=True)
    return 2 * apart.square().sum(-1).mean(1).sqrt().clamp(min=1.0)[:, None, None]


def weights_of(confidence: np.ndarray | Tensor) -> Tensor:
    """Confidence as weights, none of which is quite zero."""
    return torch.as_tensor(confidence, dtype=torch.float32).clamp(min=1e-3)


def bone_lengths(joints: Tensor) -> Tensor:
    """(n, 17, 3) joints to (n, 16) lengths."""
    parents = [H36M17_PARENTS[bone] for bone in _BONES]
    return distance(joints[:, _BONES], joints[:, parents])[..., 0]


def usual_lengths(joints: Tensor) -> Tensor:
    """(16,): the middle one of each bone's lengths in (n, 17, 3), the same for both sides."""
    lengths = bone_lengths(joints).median(dim=0).values
    other = torch.as_tensor(MIRROR[1:] - 1)
    return (lengths + lengths[other]) / 2
