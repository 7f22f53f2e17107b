"""VRoid's characters in VRM files."""

from .family import family

FAMILY = family(
    "vrm",
    "VRM",
    "VRoid's characters",
    middle={
        "pelvis": "J_Bip_C_Hips",
        "spine1": "J_Bip_C_Spine",
        "spine2": "J_Bip_C_Chest",
        "spine3": "J_Bip_C_UpperChest",
        "neck": "J_Bip_C_Neck",
        "head": "J_Bip_C_Head",
    },
    sided={
        "hip": "J_Bip_{s}_UpperLeg",
        "knee": "J_Bip_{s}_LowerLeg",
        "ankle": "J_Bip_{s}_Foot",
        "foot": "J_Bip_{s}_ToeBase",
        "collar": "J_Bip_{s}_Shoulder",
        "shoulder": "J_Bip_{s}_UpperArm",
        "elbow": "J_Bip_{s}_LowerArm",
        "wrist": "J_Bip_{s}_Hand",
    },
    sides=("L", "R"),
    fingerprint="J_Bip_C_Hips|J_Bip_L_UpperArm|J_Bip_L_UpperLeg",
)
