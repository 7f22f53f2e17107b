"""SMPL's own skeleton by the names of its FBX files."""

from .family import family

FAMILY = family(
    "smpl",
    "SMPL",
    "SMPL's own skeleton as its FBX files have it",
    middle={
        "pelvis": "m_avg_Pelvis",
        "spine1": "m_avg_Spine1",
        "spine2": "m_avg_Spine2",
        "spine3": "m_avg_Spine3",
        "neck": "m_avg_Neck",
        "head": "m_avg_Head",
    },
    sided={
        "hip": "m_avg_{s}_Hip",
        "knee": "m_avg_{s}_Knee",
        "ankle": "m_avg_{s}_Ankle",
        "foot": "m_avg_{s}_Foot",
        "collar": "m_avg_{s}_Collar",
        "shoulder": "m_avg_{s}_Shoulder",
        "elbow": "m_avg_{s}_Elbow",
        "wrist": "m_avg_{s}_Wrist",
        "hand": "m_avg_{s}_Hand",
    },
    sides=("L", "R"),
    fingerprint="m_avg_Pelvis|m_avg_L_Hip|m_avg_L_Shoulder",
)
