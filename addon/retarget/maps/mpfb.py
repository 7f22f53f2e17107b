"""MakeHuman's default rig, which MPFB makes."""

from .family import family

FAMILY = family(
    "mpfb",
    "MPFB default",
    "MakeHuman's and MPFB's default rig",
    middle={
        "pelvis": "root",
        "spine1": "spine04",
        "spine2": "spine02",
        "spine3": "spine01",
        "neck": "neck01",
        "head": "head",
    },
    sided={
        "hip": "upperleg01.{s}",
        "knee": "lowerleg01.{s}",
        "ankle": "foot.{s}",
        "foot": "toe1-1.{s}",
        "collar": "clavicle.{s}",
        "shoulder": "upperarm01.{s}",
        "elbow": "lowerarm01.{s}",
        "wrist": "wrist.{s}",
    },
    sides=("L", "R"),
    fingerprint="spine05|upperleg01.L|upperarm01.L|lowerarm01.L",
)
