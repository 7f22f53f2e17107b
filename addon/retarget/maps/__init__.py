"""The bone maps that come with Posecast, one family of rigs a file; find() tries them in turn."""

from . import (
    autorig,
    autorig_export,
    biped,
    character_creator,
    cmu,
    daz,
    humanik,
    mixamo,
    mpfb,
    rigify,
    smpl,
    smplx,
    unity,
    unreal,
    unreal5,
    vrm,
)
from .family import Family

FAMILIES: tuple[Family, ...] = tuple(
    module.FAMILY
    for module in (
        rigify,
        mixamo,
        mpfb,
        autorig,
        autorig_export,
        unreal,
        unreal5,
        unity,
        vrm,
        humanik,
        cmu,
        daz,
        character_creator,
        biped,
        smpl,
        smplx,
    )
)
