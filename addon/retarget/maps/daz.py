"""DAZ's Genesis 3 and 8."""

from .family import family

FAMILY = family(
    "daz",
    "DAZ Genesis 3 and 8",
    "DAZ's Genesis 3 and 8",
    middle={
        "pelvis": "hip",
        "spine1": "abdomenUpper",
        "spine2": "chestLower",
        "spine3": "chestUpper",
        "neck": "neckLower",
        "head": "head",
    },
    sided={
        "hip": "{s}ThighBend",
        "knee": "{s}Shin",
        "ankle": "{s}Foot",
        "foot": "{s}Toe",
        "collar": "{s}Collar",
        "shoulder": "{s}ShldrBend",
        "elbow": "{s}ForearmBend",
        "wrist": "{s}Hand",
    },
    sides=("l", "r"),
    fingerprint="hip|abdomenUpper|lShldrBend|lForearmBend|lThighBend",
)
