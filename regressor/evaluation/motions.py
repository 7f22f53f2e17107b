"""Motion files as predictions for 3DPW: any method's estimates from raw video.

A motion belongs to the sequence that its `video` or its file's name begins with (SEQUENCE_1.npz),
and to the person whom its keypoints overlap most. Its frames are the set's pictures: the video must
have been made of all of them, in order.
"""

from pathlib import Path

import numpy as np
import roma
import torch

from regressor.data.threedpw import Person
from regressor.errors import PosecastError
from regressor.evaluation.bodies import Bodies
from regressor.evaluation.predictions import Prediction
from regressor.images.predict import DEFAULT_BODY
from regressor.motion import Motion

LEAST_OVERLAP = 0.2  # mean intersection over union of a motion's boxes with the person's
SURE = 0.3


def by_motions(
    folder: Path, people: list[Person], bodies: Bodies
) -> tuple[list[Prediction | None], list[str]]:
    """Each person's prediction by the Motion files in a folder, and what to tell of other files.

    Several motions of one person fill each other's gaps; where two claim a frame, the one that
    overlaps more has it.
    """
    files = sorted(Path(folder).rglob("*.npz"))
    if not files:
        raise PosecastError(f"{folder} holds no Motion files (.npz).")
    claims: list[list[tuple[np.ndarray, Prediction]]] = [[] for _ in people]
    lost = []
    for file in files:
        motion = Motion.load(file)
        name = sequence_of(file, motion, {person.sequence for person in people})
        those = [i for i, person in enumerate(people) if person.sequence == name]
        if not those:
            lost.append(file.name)
            continue
        found = _prediction(file, motion)
        boxes = _boxes_of(motion, found, bodies)
        overlaps = {i: _overlap(people[i], motion.frames, boxes, bodies) for i in those}
        best = max(those, key=lambda i: np.nansum(overlaps[i]))
        known = overlaps[best][np.isfinite(overlaps[best])]
        if not (known.size and known.mean() > LEAST_OVERLAP):
            lost.append(file.name)
            continue
        claims[best].append((np.nan_to_num(overlaps[best]), found))
    if not any(claims):
        raise PosecastError(
            f"None of the {len(files)} motions in {folder} shows anybody of this split: name the "
            "files after the sequences, as SEQUENCE_1.npz."
        )
    more = " …" if len(lost) > 3 else ""
    told = [f"{len(lost)} motions show nobody of this split ({', '.join(lost[:3])}{more})."]
    merged = [merge(claim, len(people[i])) for i, claim in enumerate(claims)]
    return merged, told if lost else []


def sequence_of(file: Path, motion: Motion, names: set[str]) -> str | None:
    """The sequence that a motion is of, by its `video` or by the file's name."""
    for text in (Path(motion.video).stem, file.stem, file.parent.name):
        fits = [name for name in names if text == name or text.startswith((f"{name}_", f"{name}-"))]
        if fits:
            return max(fits, key=len)
    return None


def _prediction(file: Path, motion: Motion) -> Prediction:
    if motion.camera_extrinsics is None or motion.camera_intrinsics is None:
        raise PosecastError(f"{file} knows no camera, so how it is seen can't be judged.")
    vectors = torch.as_tensor(motion.poses).double().unflatten(1, (24, 3))
    rotations = roma.rotvec_to_rotmat(vectors).numpy()
    extrinsics = motion.camera_extrinsics.astype(np.float64)
    rotations[:, 0] = extrinsics[:, :3, :3] @ rotations[:, 0]
    return Prediction(
        motion.frames,
        rotations,
        np.tile(motion.betas.astype(np.float64), (len(motion), 1)),
        motion.trans.astype(np.float64),
        motion.camera_intrinsics.astype(np.float64),
        "default" if motion.body == DEFAULT_BODY else "smpl",
        motion.gender,
    )


def _boxes_of(motion: Motion, found: Prediction, bodies: Bodies) -> np.ndarray:
    """(M, 4) the motion's boxes in shares of the picture, NaN where unknown.

    Also moves the prediction's translation from the world to the camera.
    """
    assert motion.camera_extrinsics is not None
    body = bodies.get(found.gender, default=found.body == "default")
    root = body.joints_at_rest(torch.as_tensor(found.betas[:1]).float())[0, 0].double().numpy()
    turn, shift = motion.camera_extrinsics[:, :3, :3], motion.camera_extrinsics[:, :3, 3]
    found.trans = (turn @ (found.trans + root)[..., None])[..., 0] + shift - root
    size = 2 * found.intrinsics[:2, 2] if motion.image_size is None else motion.image_size
    if motion.keypoints is not None and motion.confidence is not None:
        return _boxes(motion.keypoints / size, motion.confidence > SURE)
    joints = bodies.posed(body, found.rotations, found.betas).joints + found.trans[:, None]
    return _boxes(_project(joints, found.intrinsics) / size, np.ones(joints.shape[:2], bool))


def _overlap(person: Person, frames: np.ndarray, boxes: np.ndarray, bodies: Bodies) -> np.ndarray:
    """(M,) intersection over union with the person's boxes; NaN where either is unknown."""
    size = 2 * person.intrinsics[:2, 2]
    seen = person.keypoints[..., 2] > 0
    own = _boxes(person.keypoints[..., :2] / size, seen & person.used[:, None])
    inside = (frames >= 0) & (frames < len(person))
    theirs = np.full((len(frames), 4), np.nan)
    theirs[inside] = own[frames[inside]]
    low, high = np.maximum(theirs[:, :2], boxes[:, :2]), np.minimum(theirs[:, 2:], boxes[:, 2:])
    shared = (high - low).clip(0).prod(1)
    areas = [(b[:, 2:] - b[:, :2]).prod(1) for b in (theirs, boxes)]
    return shared / (areas[0] + areas[1] - shared)


def _boxes(points: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(M, 4) boxes about points (M, J, 2) that are seen (M, J); NaN where fewer than four are."""
    low = np.where(seen[..., None], points, np.inf).min(1)
    high = np.where(seen[..., None], points, -np.inf).max(1)
    found = np.concatenate([low, high], axis=1)
    found[seen.sum(1) < 4] = np.nan
    return found


def _project(points: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    seen = points @ intrinsics.T
    return seen[..., :2] / seen[..., 2:]


def merge(claims: list[tuple[np.ndarray, Prediction]], frames: int) -> Prediction | None:
    """One prediction of several: at each frame that of the greatest overlap (M,)."""
    chosen: dict[int, tuple[float, int, int]] = {}
    for number, (overlap, found) in enumerate(claims):
        for place, frame in enumerate(found.frames.tolist()):
            offer = (float(overlap[place]), number, place)
            if 0 <= frame < frames and (frame not in chosen or offer[0] > chosen[frame][0]):
                chosen[frame] = offer
    if not chosen:
        return None
    first = claims[0][1]
    order = sorted(chosen)
    picks = [chosen[frame][1:] for frame in order]

    def gathered(name: str) -> np.ndarray:
        return np.stack([getattr(claims[number][1], name)[place] for number, place in picks])

    return Prediction(
        np.array(order),
        gathered("rotations"),
        gathered("betas"),
        gathered("trans"),
        first.intrinsics,
        first.body,
        first.gender,
    )
