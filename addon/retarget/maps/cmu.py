"""The skeleton of CMU's motion captures, as BVH files and MakeHuman have it."""

from .family import family

FAMILY = family(
    "cmu",
    "CMU and BVH",
    "CMU's captures and MakeHuman's cmu_mb rig",
    middle={
        "pelvis": "Hips",
        "spine1": "LowerBack",
        "spine2": "Spine",
        "spine3": "Spine1",
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
    fingerprint="Hips|LowerBack|LeftUpLeg|LeftForeArm",
)
