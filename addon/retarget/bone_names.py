"""Bones of a humanoid by what they are called. Without bpy."""

import re

import numpy as np

from .chains import ancestry, trunk_map
from .rig import BoneMap, Rig

# What a name's words have to be. In turn: the first that a side's bones have is taken.
LIMBS = {
    "hip": "thigh|upleg|upperleg|legupper|femur|hip|hipjoint|oberschenkel|足",
    "knee": "calf|shin|lowerleg|lowleg|leglower|leg|knee|tibia|unterschenkel|ひざ",
    "ankle": "ankle|foot|fuss|足首",
    "foot": "toe|toes|toebase|ball|zehen|つま先|foot",
    "shoulder": "upperarm|uparm|armupper|arm|shldr|shoulder|humerus|oberarm|腕",
    "elbow": "forearm|lowerarm|lowarm|armlower|elbow|radius|unterarm|ひじ",
    "wrist": "wrist|hand|手首",
    "collar": "clavicle|collar|collarbone|shoulder|schulter|schluesselbein|肩",
}
PELVIS = "hips|pelvis|hip|torso|root|becken|下半身"
HEAD, NECK = "head|kopf|頭", "neck|hals|首"
# Bones with such a word help others, or hang from them.
HELPERS = set(
    "twist roll ik pole target ctrl mch org vis tweak end nub tip share adj sec helper corrective "
    "scale parent heel dummy prop weapon thumb index middle ring pinky little finger metacarpal "
    "hair skirt cloth eye jaw bust breast".split()
)
PREFIXES = re.compile(
    r"^(?:.*:|def[-_]|cc_base_|(?:valvebiped\.)?bip\d*[ _]|biped[ _]|j_bip_|m_avg_)", re.I
)
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\x00-\x7f]+")
SIDES = {"l": "left", "left": "left", "r": "right", "right": "right", "左": "left", "右": "right",
         "links": "left", "rechts": "right"}  # fmt: skip
# A lone l or r before a capital, as DAZ writes it.
LETTER = re.compile(r"^([lr])(?=[A-Z])")


def read_name(name: str) -> tuple[str, list[str]]:
    """The side ("left", "right" or "") that a name gives, and its other words in small letters."""
    name = LETTER.sub(r"\1_", PREFIXES.sub("", name))
    words = [word.lower() for word in WORDS.findall(re.sub(r"([左右])", r"\1_", name))]
    side = next((SIDES[word] for word in words if word in SIDES), "")
    return side, [word for word in words if word not in SIDES]


def by_names(rig: Rig) -> BoneMap:
    """As much of a bone map as the names tell."""
    read = [read_name(name) for name in rig.names]
    depth = [len(ancestry(rig, index)) for index in range(len(rig))]
    found = {}
    for side in ("left", "right"):
        taken: set[int] = set()
        for joint, words in LIMBS.items():
            bone = _best(read, depth, side, words, taken)
            if bone >= 0:
                found[f"{side}_{joint}"] = rig.names[bone]
                taken.add(bone)
    pelvis = _best(read, depth, "", PELVIS, set())
    head = _best(read, depth, "", HEAD, set())
    if pelvis < 0:
        return found
    neck = _best(read, depth, "", NECK, set())
    path = ancestry(rig, head if head >= 0 else neck) if max(head, neck) >= 0 else []
    if pelvis not in path and rig.parents[pelvis] in path:
        pelvis = int(rig.parents[pelvis])  # legs and spine part above the bone of that name
    spine = path[path.index(pelvis) + 1 :] if pelvis in path else []
    start = spine.index(neck) if neck in spine else len(spine) - (head >= 0)
    necks = [bone for bone in spine[start:] if bone != head]
    return found | trunk_map(rig, spine[:start], necks, head, pelvis)


def _best(read: list, depth: list[int], side: str, words: str, taken: set[int]) -> int:
    """The bone of that side that is called by one of the words and by as little else as possible,
    the one nearest to the root if there are several; -1 if there is none."""
    for word in words.split("|"):
        found = []
        for index, (its_side, its_words) in enumerate(read):
            if its_side != side or index in taken or HELPERS & set(its_words):
                continue
            plain = [part for part in its_words if not part.isdigit()]
            if word in plain or word == "".join(plain) or word in _pairs(plain):
                found.append((len(plain) - ("fk" in plain), depth[index], index))
        if found:
            return min(found)[2]
    return -1


def _pairs(words: list[str]) -> list[str]:
    return [one + other for one, other in zip(words, words[1:], strict=False)]


def opposite(name: str, names: tuple[str, ...]) -> str | None:
    """The bone that is called the same on the other side."""
    side, words = read_name(name)
    other = {"left": "right", "right": "left"}.get(side)
    return next((found for found in names if other and read_name(found) == (other, words)), None)


def sides_agree(rig: Rig, bone_map: BoneMap) -> bool:
    """Whether no limb's bones lie in one another's wrong order: each hangs from the one before."""
    for side in ("left", "right"):
        for limb in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
            names = [bone_map.get(f"{side}_{joint}") for joint in limb]
            bones = [rig.index(name) for name in names if name is not None]
            for one, other in zip(bones, bones[1:], strict=False):
                if one not in ancestry(rig, other) or np.allclose(rig.heads[one], rig.heads[other]):
                    return False
    return True
