"""Mixamo's characters; a namespace before the names is no part of them."""

from .family import family

FAMILY = family(
    "mixamo",
    "Mixamo",
    "Mixamo's characters, with or without their prefix",
    middle={
        "pelvis": "Hips",
        "spine1": "Spine",
        "spine2": "Spine1",
        "spine3": "Spine2",
        "neck": "Neck",
        "head": "Head",
    },
    sided={
        "hip": "{s}UpLeg",
        "knee": "{s}Leg",
        "ankle": "{s}Foot",
        "foot": "{s}ToeBase",
        "collar": "{s}Shoulder",
        "shoulder": "{s}Arm",
        "elbow": "{s}ForeArm",
        "wrist": "{s}Hand",
    },
    sides=("Left", "Right"),
    fingerprint="Hips|Spine2|LeftUpLeg|LeftArm|LeftForeArm",
    illegal="Spine3|LowerBack",
)
