"""Rigify: the generated rig's FK controls."""

from .family import family

# The lower spine's controls turn about their upper ends: they would swing the hips off `torso`.
FAMILY = family(
    "rigify",
    "Rigify",
    "FK controls of a generated Rigify rig",
    middle={
        "pelvis": "torso",
        "spine2": "spine_fk.002",
        "spine3": "spine_fk.003",
        "neck": "neck",
        "head": "head",
    },
    sided={
        "hip": "thigh_fk.{s}",
        "knee": "shin_fk.{s}",
        "ankle": "foot_fk.{s}",
        "foot": "toe_fk.{s}|toe.{s}",
        "collar": "shoulder.{s}",
        "shoulder": "upper_arm_fk.{s}",
        "elbow": "forearm_fk.{s}",
        "wrist": "hand_fk.{s}",
    },
    fingerprint="torso|thigh_fk.L|shin_fk.L|upper_arm_fk.L|forearm_fk.L",
)
