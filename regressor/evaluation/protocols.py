"""The errors of single frames, by the literature's protocol on 3DPW and by its challenge's.

Literature: 14 joints regressed from the mesh, about the regressed pelvis (Kolotouros et al., SPIN,
2019, eval.py). Challenge: SMPL's 24 joints about the root (the evaluation code of the ECCV 2020
challenge). Their numbers aren't comparable. All is in metres here, millimetres come at the end.
"""

import numpy as np

from regressor import metrics
from regressor.evaluation.bodies import Posed

PCK_JOINTS = (1, 2, 4, 5, 7, 8, 16, 17, 18, 19, 20, 21)
ANGLE_JOINTS = (0, 1, 2, 4, 5, 16, 17, 18, 19)
PCK_M = 0.05
AUC_M = np.arange(200) / 1000
FPS = 30.0


def distances(predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(..., J) between points (..., J, 3)."""
    return np.linalg.norm(predicted - target, axis=-1)


def joint_errors(predicted: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
    """mpjpe and pa_mpjpe (M,) of centred joints (M, J, 3)."""
    aligned = metrics.similarity_aligned(predicted, target)
    return {
        "mpjpe": distances(predicted, target).mean(-1),
        "pa_mpjpe": distances(aligned, target).mean(-1),
    }


def vertex_errors(predicted: Posed, target: Posed) -> dict[str, np.ndarray]:
    """PVE (M,) in its three variants; they differ by millimetres.

    pve_unaligned: both at zero translation (DSR, PARE, VIBE); pve_pelvis: about the regressed
    pelvis (PersPose); pve_root: about SMPL's root joint (HybrIK).
    """
    centres = {
        "pve_unaligned": (np.zeros(3), np.zeros(3)),
        "pve_pelvis": (predicted.joints17[:, :1], target.joints17[:, :1]),
        "pve_root": (predicted.joints[:, :1], target.joints[:, :1]),
    }
    apart = predicted.vertices - target.vertices
    return {
        name: np.linalg.norm(apart - (own - its).astype(apart.dtype), axis=-1).mean(-1)
        for name, (own, its) in centres.items()
    }


def challenge_errors(
    predicted: np.ndarray,
    target: np.ndarray,
    turned: np.ndarray | None = None,
    target_turned: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """The challenge's errors of frames: joints (M, 24, 3) and global rotations (M, 9, 3, 3).

    mpjpe, mpjpe_pa (M,) m; limbs (M, 12) m, from which come PCK and AUC; mpjae, mpjae_pa (M,)
    degrees, where rotations are given; procrustes (M, 3, 3).
    """
    own, its = predicted - predicted[:, :1], target - target[:, :1]
    aligned, rotation = metrics.similarity(own, its)
    # A prediction that is nothing has no direction to be turned by.
    rotation = np.where((own == 0).all((-1, -2))[:, None, None], np.eye(3), rotation)
    found = {
        "mpjpe": distances(own, its).mean(-1),
        "mpjpe_pa": distances(aligned, its).mean(-1),
        "limbs": distances(own, its)[:, PCK_JOINTS],
        "procrustes": rotation,
    }
    if turned is not None and target_turned is not None:
        found["mpjae"] = metrics.angle_deg(turned, target_turned).mean(-1)
        found["mpjae_pa"] = metrics.angle_deg(rotation[:, None] @ turned, target_turned).mean(-1)
    return found


def acceleration_errors(
    predicted: np.ndarray, target: np.ndarray, frames: np.ndarray
) -> np.ndarray:
    """(M,) m per frame and frame at frames whose neighbours are there too; NaN at the others.

    Joints (M, J, 3) about the pelvis, frames (M,) ascending.
    """
    found = np.full(len(frames), np.nan)
    if len(frames) > 2:
        whole = (np.diff(frames)[:-1] == 1) & (np.diff(frames)[1:] == 1)
        steps = np.diff(predicted - target, 2, axis=0)
        found[1:-1][whole] = np.linalg.norm(steps, axis=-1).mean(-1)[whole]
    return found


def frame_errors(predicted: Posed, target: Posed) -> dict[str, np.ndarray]:
    """The errors of single frames (M,), by the columns of `scores.Scores`."""
    found = joint_errors(predicted.joints14, target.joints14)
    if predicted.vertices.shape == target.vertices.shape:
        found |= vertex_errors(predicted, target)
    parts = list(ANGLE_JOINTS)
    challenge = challenge_errors(
        predicted.joints, target.joints, predicted.turned[:, parts], target.turned[:, parts]
    )
    del challenge["procrustes"]
    return found | {f"challenge_{name}": value for name, value in challenge.items()}
