"""Reallusion's Character Creator and ActorCore."""

from .family import family

FAMILY = family(
    "cc",
    "Character Creator",
    "Reallusion's Character Creator and ActorCore",
    middle={
        "pelvis": "CC_Base_Hip",
        "spine1": "CC_Base_Waist",
        "spine2": "CC_Base_Spine01",
        "spine3": "CC_Base_Spine02",
        "neck": "CC_Base_NeckTwist01",
        "head": "CC_Base_Head",
    },
    sided={
        "hip": "CC_Base_{s}_Thigh",
        "knee": "CC_Base_{s}_Calf",
        "ankle": "CC_Base_{s}_Foot",
        "foot": "CC_Base_{s}_ToeBase",
        "collar": "CC_Base_{s}_Clavicle",
        "shoulder": "CC_Base_{s}_Upperarm",
        "elbow": "CC_Base_{s}_Forearm",
        "wrist": "CC_Base_{s}_Hand",
    },
    sides=("L", "R"),
    fingerprint="CC_Base_Hip|CC_Base_L_Thigh|CC_Base_L_Upperarm",
)
