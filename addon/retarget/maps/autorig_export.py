"""What Auto-Rig Pro exports: the bones that deform."""

from .family import family

FAMILY = family(
    "autorig_export",
    "Auto-Rig Pro export",
    "Bones of a character exported by Auto-Rig Pro",
    middle={
        "pelvis": "root.x",
        "spine1": "spine_01.x",
        "spine2": "spine_02.x",
        "spine3": "spine_03.x",
        "neck": "neck.x",
        "head": "head.x",
    },
    sided={
        "hip": "thigh_stretch.{s}",
        "knee": "leg_stretch.{s}",
        "ankle": "foot.{s}",
        "foot": "toes_01.{s}",
        "collar": "shoulder.{s}",
        "shoulder": "arm_stretch.{s}",
        "elbow": "forearm_stretch.{s}",
        "wrist": "hand.{s}",
    },
    sides=("l", "r"),
    fingerprint="root.x|thigh_stretch.l|arm_stretch.l|forearm_stretch.l",
    illegal="c_root_master.x",
)
