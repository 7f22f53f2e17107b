"""The skeletons that detectors, lifters and bodies speak, and the fixed ways from one to another.

A skeleton is a name and its joints in order. Conversions of keypoints are matrices, so that one
definition serves pixels, metres and vertex regressors alike: the lifter is trained on exactly the
combination of landmarks that it is later given.
"""

import numpy as np


def _words(text: str) -> list[str]:
    return text.split()


SMPL24: list[str] = _words(
    "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 "
    "left_foot right_foot neck left_collar right_collar head left_shoulder right_shoulder "
    "left_elbow right_elbow left_wrist right_wrist left_hand right_hand"
)
SMPL24_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)

H36M17: list[str] = _words(
    "pelvis right_hip right_knee right_ankle left_hip left_knee left_ankle spine thorax nose "
    "head_top left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist"
)
H36M17_PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)

MEDIAPIPE33: list[str] = _words(
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer "
    "left_ear right_ear left_mouth right_mouth left_shoulder right_shoulder left_elbow right_elbow "
    "left_wrist right_wrist left_pinky right_pinky left_index right_index left_thumb right_thumb "
    "left_hip right_hip left_knee right_knee left_ankle right_ankle left_heel right_heel "
    "left_toe right_toe"
)

COCO17: list[str] = _words(
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle"
)

# COCO's 17, then what Halpe adds (RTMPose's body-with-feet models).
HALPE26: list[str] = (
    COCO17
    + (
        "head_top neck pelvis left_toe right_toe left_small_toe right_small_toe left_heel "
        "right_heel"
    ).split()
)

MPII16: list[str] = _words(
    "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax neck head_top "
    "right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist"
)

# MPI-INF-3DHP's as lifters are trained on them, 17 of its 28; the pelvis is the root.
MPI_INF_3DHP17: list[str] = _words(
    "head_top neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist "
    "right_hip right_knee right_ankle left_hip left_knee left_ankle pelvis spine head"
)

HUMANEVA15: list[str] = _words(
    "pelvis thorax left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist "
    "left_hip left_knee left_ankle right_hip right_knee right_ankle head"
)

JOINTS = {
    "smpl24": SMPL24,
    "h36m17": H36M17,
    "mediapipe33": MEDIAPIPE33,
    "coco17": COCO17,
    "halpe26": HALPE26,
    "mpii16": MPII16,
    "mpi_inf_3dhp17": MPI_INF_3DHP17,
    "humaneva15": HUMANEVA15,
}


def side(which: str, skeleton: str) -> list[int]:
    """The "left" or "right" joints of `skeleton`; both come in the order of the left ones."""
    lefts = [name for name in JOINTS[skeleton] if name.startswith("left_")]
    return [JOINTS[skeleton].index(which + name.removeprefix("left")) for name in lefts]


def mirror(skeleton: str) -> np.ndarray:
    """(J,) index that swaps the left and right joints of `skeleton`."""
    names = JOINTS[skeleton]
    swap = {"left": "right", "right": "left"}
    parts = [name.partition("_") for name in names]
    return np.array([names.index(swap.get(side, side) + sep + rest) for side, sep, rest in parts])


def _combination(skeleton: str, rows: dict[str, dict[str, float]]) -> np.ndarray:
    """(17, J) matrix: each Human3.6M joint as a weighted sum of `skeleton`'s joints."""
    names = JOINTS[skeleton]
    matrix = np.zeros((len(H36M17), len(names)), np.float32)
    for joint, name in enumerate(H36M17):
        for source, weight in rows.get(name, {name: 1.0}).items():
            matrix[joint, names.index(source)] += weight
    return matrix


_HIPS = {"left_hip": 0.5, "right_hip": 0.5}
_SHOULDERS = {"left_shoulder": 0.5, "right_shoulder": 0.5}
_TRUNK = {name: 0.5 * weight for name, weight in {**_HIPS, **_SHOULDERS}.items()}
_EARS = {"left_ear": 0.5, "right_ear": 0.5}
# The crown lies above the ears by about 1.8 times the height from mouth to eyes.
_CROWN = {**_EARS, "left_eye": 0.9, "right_eye": 0.9, "left_mouth": -0.9, "right_mouth": -0.9}
# Without a mouth, the line from the shoulders to the ears goes on to the crown.
_CROWN_COCO = {"left_ear": 0.8, "right_ear": 0.8, "left_shoulder": -0.3, "right_shoulder": -0.3}
_TO_H36M17 = {
    "h36m17": {},
    "mediapipe33": {"pelvis": _HIPS, "spine": _TRUNK, "thorax": _SHOULDERS, "head_top": _CROWN},
    "coco17": {"pelvis": _HIPS, "spine": _TRUNK, "thorax": _SHOULDERS, "head_top": _CROWN_COCO},
    "halpe26": {"pelvis": _HIPS, "spine": _TRUNK, "thorax": _SHOULDERS},
    "mpii16": {"spine": {"pelvis": 0.5, "thorax": 0.5}, "nose": {"neck": 1.0}},
    "mpi_inf_3dhp17": {"thorax": {"neck": 1.0}, "nose": {"head": 1.0}},
}


def to_h36m17(skeleton: str) -> np.ndarray:
    """(17, J) matrix from `skeleton`'s joints to the points in Human3.6M's order that a lifter
    sees.

    They are combinations of what the detector gives, not Human3.6M's own joints (the thorax, say,
    is the middle of the shoulders): the lifter learns the difference.
    """
    return _combination(skeleton, _TO_H36M17[skeleton])


def confidence_to_h36m17(skeleton: str, confidence: np.ndarray) -> np.ndarray:
    """(..., J) confidence to (..., 17): the least of the joints that a point is made of."""
    used = to_h36m17(skeleton) != 0
    return np.stack([confidence[..., row].min(axis=-1) for row in used], axis=-1)
