"""The names of Unity's humanoid bones."""

from .family import family

FAMILY = family(
    "unity",
    "Unity humanoid",
    "Bones named as Unity's humanoid names them; VRM 1 too",
    middle={
        "pelvis": "Hips",
        "spine1": "Spine",
        "spine2": "Chest",
        "spine3": "UpperChest",
        "neck": "Neck",
        "head": "Head",
    },
    sided={
        "hip": "{s}UpperLeg",
        "knee": "{s}LowerLeg",
        "ankle": "{s}Foot",
        "foot": "{s}Toes|{s}ToeBase",
        "collar": "{s}Shoulder",
        "shoulder": "{s}UpperArm",
        "elbow": "{s}LowerArm",
        "wrist": "{s}Hand",
    },
    sides=("Left", "Right"),
    fingerprint="Hips|LeftUpperArm|LeftLowerArm|LeftUpperLeg|LeftLowerLeg",
)
