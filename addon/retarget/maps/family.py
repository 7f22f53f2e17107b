"""What a kind of rig calls the bones that follow SMPL's joints."""

from dataclasses import dataclass

from ...skeleton import JOINTS


@dataclass(frozen=True)
class Family:
    """joints: SMPL's joint -> names to try in turn; fingerprint: bones that must be there for a
    rig to be recognised; illegal: bones that must not."""

    identifier: str
    label: str
    description: str
    joints: dict[str, tuple[str, ...]]
    fingerprint: tuple[str, ...]
    illegal: tuple[str, ...] = ()


def family(
    identifier: str,
    label: str,
    description: str,
    *,
    middle: dict[str, str],
    sided: dict[str, str],
    sides: tuple[str, str] = ("L", "R"),
    fingerprint: str,
    illegal: str = "",
) -> Family:
    """A Family whose left and right bones are written once: `{s}` stands for the side's letters,
    `|` between names to try in turn and between those of fingerprint and illegal."""
    joints = dict(middle)
    for side, letters in zip(("left", "right"), sides, strict=True):
        joints |= {f"{side}_{joint}": name.format(s=letters) for joint, name in sided.items()}
    return Family(
        identifier,
        label,
        description,
        {joint: tuple(joints[joint].split("|")) for joint in JOINTS if joint in joints},
        tuple(fingerprint.split("|")),
        tuple(illegal.split("|")) if illegal else (),
    )
