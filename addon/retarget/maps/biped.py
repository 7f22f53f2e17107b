"""Character Studio's Biped of 3ds Max."""

from .family import family

FAMILY = family(
    "biped",
    "3ds Max Biped",
    "Character Studio's Biped",
    middle={
        "pelvis": "Bip01 Pelvis",
        "spine1": "Bip01 Spine",
        "spine2": "Bip01 Spine1",
        "spine3": "Bip01 Spine2",
        "neck": "Bip01 Neck",
        "head": "Bip01 Head",
    },
    sided={
        "hip": "Bip01 {s} Thigh",
        "knee": "Bip01 {s} Calf",
        "ankle": "Bip01 {s} Foot",
        "foot": "Bip01 {s} Toe0",
        "collar": "Bip01 {s} Clavicle",
        "shoulder": "Bip01 {s} UpperArm",
        "elbow": "Bip01 {s} Forearm",
        "wrist": "Bip01 {s} Hand",
    },
    sides=("L", "R"),
    fingerprint="Bip01 Pelvis|Bip01 L Thigh|Bip01 L UpperArm",
)
