"""Auto-Rig Pro: the FK controls of its rig."""

from .family import family

FAMILY = family(
    "autorig",
    "Auto-Rig Pro",
    "Auto-Rig Pro's FK controls",
    middle={
        "pelvis": "c_root_master.x",
        "spine1": "c_spine_01.x",
        "spine2": "c_spine_02.x",
        "spine3": "c_spine_03.x",
        "neck": "c_neck.x",
        "head": "c_head.x",
    },
    sided={
        "hip": "c_thigh_fk.{s}",
        "knee": "c_leg_fk.{s}",
        "ankle": "c_foot_fk.{s}",
        "foot": "c_toes_fk.{s}",
        "collar": "c_shoulder.{s}",
        "shoulder": "c_arm_fk.{s}",
        "elbow": "c_forearm_fk.{s}",
        "wrist": "c_hand_fk.{s}",
    },
    sides=("l", "r"),
    fingerprint="c_root_master.x|c_thigh_fk.l|c_arm_fk.l|c_forearm_fk.l",
)
