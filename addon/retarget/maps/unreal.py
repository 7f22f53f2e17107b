"""Unreal's mannequin with three bones in the spine, and MPFB's game engine rig."""

from .family import family

FAMILY = family(
    "unreal",
    "Unreal and game engine",
    "Unreal's mannequin up to version 4, MPFB's game engine rig",
    middle={
        "pelvis": "pelvis",
        "spine1": "spine_01",
        "spine2": "spine_02",
        "spine3": "spine_03",
        "neck": "neck_01",
        "head": "head",
    },
    sided={
        "hip": "thigh_{s}",
        "knee": "calf_{s}",
        "ankle": "foot_{s}",
        "foot": "ball_{s}",
        "collar": "clavicle_{s}",
        "shoulder": "upperarm_{s}",
        "elbow": "lowerarm_{s}",
        "wrist": "hand_{s}",
    },
    sides=("l", "r"),
    fingerprint="pelvis|spine_03|thigh_l|upperarm_l|lowerarm_l",
    illegal="spine_05",
)
