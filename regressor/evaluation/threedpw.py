"""3DPW's people and their predictions to scores."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch

from regressor.data.threedpw import Person
from regressor.evaluation.bodies import Bodies, Posed
from regressor.evaluation.predictions import Prediction, each
from regressor.evaluation.protocols import acceleration_errors, frame_errors
from regressor.evaluation.scores import Scores
from regressor.progress import Progress
from regressor.smpl.body import Body

Truth = Literal["gendered", "neutral"]
BLOCK = 128  # frames whose meshes are in memory at once
LARGEST_GAP_MM = 1.0  # of the truth's joints from the set's own, with the right bodies


@dataclass
class Judged:
    """The scores, and how far the truth's joints are from the set's own `jointPositions` (mm)."""

    scores: Scores = field(default_factory=Scores)
    truth_gap_mm: float | None = None


def judge(
    people: list[Person],
    predictions: list[Prediction | None],
    bodies: Bodies,
    truth: Truth,
    progress: Progress,
) -> Judged:
    """Errors of all frames that count and have a prediction; the others lower the coverage."""
    judged, gaps = Judged(), []
    scores = judged.scores
    for number, (person, found) in enumerate(each(people, predictions), start=1):
        frames = np.flatnonzero(person.used)
        scores.total[person.sequence] = scores.total.get(person.sequence, 0) + len(frames)
        if found is not None and len(found.frames):
            errors = person_errors(person, found, bodies, truth)
            gaps.append(errors.pop("gap", None))
            scores.add(person.sequence, person.number, found.frames, errors)
        progress.update("score", number, len(people))
    known = np.concatenate([gap for gap in gaps if gap is not None] or [np.zeros(0)])
    judged.truth_gap_mm = float(1000 * known.mean()) if known.size else None
    return judged


def person_errors(
    person: Person, found: Prediction, bodies: Bodies, truth: Truth
) -> dict[str, np.ndarray]:
    """All errors of one person's frames, and the truth's `gap` from the set's joints, m."""
    blocks, joints = [], []
    for part in np.split(np.arange(len(found.frames)), range(BLOCK, len(found.frames), BLOCK)):
        some = found.part(part)
        own, target = posed(some, bodies), true_body(person, some.frames, bodies, truth)
        gap = _gap(person, some.frames, target)
        blocks.append(frame_errors(own, target) | ({} if gap is None else {"gap": gap}))
        joints.append((own.joints14, target.joints14))
    errors = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    whole = [np.concatenate(part) for part in zip(*joints, strict=True)]
    errors["acceleration"] = acceleration_errors(whole[0], whole[1], found.frames)
    return errors


def true_body_of(person: Person, bodies: Bodies, truth: Truth) -> Body:
    """The body that the person's truth is of."""
    return bodies.get(person.gender if truth == "gendered" else "neutral")


def body_of(found: Prediction, bodies: Bodies) -> Body:
    """The body that the prediction is of."""
    return bodies.get(found.gender, default=found.body == "default")


def true_body(person: Person, frames: np.ndarray, bodies: Bodies, truth: Truth) -> Posed:
    """The person's body at some frames, in the camera's axes."""
    body, betas = true_body_of(person, bodies, truth), np.tile(person.betas, (len(frames), 1))
    return bodies.posed(body, person.rotations()[frames], betas)


def posed(found: Prediction, bodies: Bodies) -> Posed:
    """The predicted body at its frames, in the camera's axes."""
    return bodies.posed(body_of(found, bodies), found.rotations, found.betas)


def true_trans(person: Person, frames: np.ndarray, bodies: Bodies, truth: Truth) -> np.ndarray:
    """(M, 3) m: where the person stands before the camera, as SMPL's translation."""
    betas = torch.as_tensor(person.betas).float()
    root = true_body_of(person, bodies, truth).joints_at_rest(betas)[0]
    return person.camera_trans(root.double().numpy())[frames]


def _gap(person: Person, frames: np.ndarray, target: Posed) -> np.ndarray | None:
    """(M,) m: mean distance of the truth's 24 joints from the set's, about the root."""
    if person.joints is None:
        return None
    own = person.joints[frames] @ person.extrinsics[frames, :3, :3].transpose(0, 2, 1)
    apart = (own - own[:, :1]) - (target.joints - target.joints[:, :1])
    return np.linalg.norm(apart, axis=-1).mean(-1)
