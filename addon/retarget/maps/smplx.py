"""SMPL-X and SMPL-H by the names of their joints."""

from .family import family

FAMILY = family(
    "smplx",
    "SMPL-X",
    "SMPL's and SMPL-X's joints by their plain names",
    middle={
        "pelvis": "pelvis",
        "spine1": "spine1",
        "spine2": "spine2",
        "spine3": "spine3",
        "neck": "neck",
        "head": "head",
    },
    sided={
        "hip": "{s}_hip",
        "knee": "{s}_knee",
        "ankle": "{s}_ankle",
        "foot": "{s}_foot",
        "collar": "{s}_collar",
        "shoulder": "{s}_shoulder",
        "elbow": "{s}_elbow",
        "wrist": "{s}_wrist",
    },
    sides=("left", "right"),
    fingerprint="pelvis|spine3|left_hip|left_collar|left_wrist",
)
