"""HumanIK's names, as MotionBuilder and Maya give them, with a long spine."""

from .family import family

FAMILY = family(
    "humanik",
    "HumanIK",
    "MotionBuilder's and Maya's HumanIK with four bones in the spine",
    middle={
        "pelvis": "Hips",
        "spine1": "Spine1",
        "spine2": "Spine2",
        "spine3": "Spine3",
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
    fingerprint="Hips|Spine3|LeftUpLeg|LeftArm|LeftForeArm",
)
