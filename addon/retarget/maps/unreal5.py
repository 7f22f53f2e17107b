"""Unreal 5's mannequins and MetaHuman's body, with five bones in the spine."""

from .family import family

FAMILY = family(
    "unreal5",
    "Unreal 5",
    "Unreal 5's mannequins and MetaHuman's body",
    middle={
        "pelvis": "pelvis",
        "spine1": "spine_02",
        "spine2": "spine_04",
        "spine3": "spine_05",
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
    fingerprint="pelvis|spine_05|thigh_l|upperarm_l|lowerarm_l",
)
