"""Tiny motion capture in the layouts of BVH, of CMU's ASF and AMC, and of AMASS."""

from pathlib import Path

import numpy as np

# A person in a T-pose, cm: name, parent, offset. Named as MotionBuilder and Mixamo do.
BONES = [
    ("Hips", "", (0, 95, 0)),
    *[("Spine", "Hips", (0, 10, 0)), ("Spine1", "Spine", (0, 15, 0))],
    *[("Neck", "Spine1", (0, 25, 0)), ("Head", "Neck", (0, 10, 0))],
    ("Head_end", "Head", (0, 20, 0)),
]
for _name, _sign in (("Left", 1), ("Right", -1)):
    BONES += [
        (f"{_name}UpLeg", "Hips", (9 * _sign, -5, 0)),
        (f"{_name}Leg", f"{_name}UpLeg", (0, -42, 0)),
        (f"{_name}Foot", f"{_name}Leg", (0, -43, 0)),
        (f"{_name}Foot_end", f"{_name}Foot", (0, -5, 12)),
        (f"{_name}Shoulder", "Spine1", (5 * _sign, 20, 0)),
        (f"{_name}Arm", f"{_name}Shoulder", (12 * _sign, 0, 0)),
        (f"{_name}ForeArm", f"{_name}Arm", (28 * _sign, 0, 0)),
        (f"{_name}Hand", f"{_name}ForeArm", (26 * _sign, 0, 0)),
        (f"{_name}Hand_end", f"{_name}Hand", (18 * _sign, 0, 0)),
    ]
ORDER = "ZYX"


def children(name: str) -> list[str]:
    return [child for child, parent, _ in BONES if parent == name]


def joints_in_order(name: str = "Hips") -> list[str]:
    """As the file has them; ends have no channels."""
    return [name, *(joint for child in children(name) for joint in joints_in_order(child))]


def hierarchy(name: str = "Hips", prefix: str = "", scale: float = 1.0) -> str:
    """The lines of a joint and all below it."""
    offset = " ".join(f"{n * scale:g}" for n in {bone[0]: bone[2] for bone in BONES}[name])
    if name.endswith("_end"):
        return f"End Site\n{{\nOFFSET {offset}\n}}\n"
    kind = "ROOT" if name == "Hips" else "JOINT"
    turns = " ".join(f"{axis}rotation" for axis in ORDER)
    places = "Xposition Yposition Zposition " if name == "Hips" else ""
    inside = "".join(hierarchy(child, prefix, scale) for child in children(name))
    count = 6 if places else 3
    return (
        f"{kind} {prefix}{name}\n{{\nOFFSET {offset}\nCHANNELS {count} {places}{turns}\n"
        f"{inside}}}\n"
    )


def write_bvh(
    file: Path, frames: int = 12, fps: float = 60, prefix: str = "", scale: float = 1.0
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Writes a motion; returns the root's places (T, 3) and each joint's angles (T, 3), degrees."""
    rng = np.random.default_rng(3)
    places = (np.array([0, 95, 0]) + rng.normal(size=(frames, 3))) * scale
    moving = [name for name in joints_in_order() if not name.endswith("_end")]
    angles = {name: rng.uniform(-30, 30, (frames, 3)) for name in moving}
    rows = np.concatenate([places, *(angles[name] for name in moving)], axis=1)
    motion = "\n".join(" ".join(f"{value:.6f}" for value in row) for row in rows)
    file.parent.mkdir(parents=True, exist_ok=True)
    head = f"HIERARCHY\n{hierarchy(prefix=prefix, scale=scale)}"
    file.write_text(f"{head}MOTION\nFrames: {frames}\nFrame Time: {1 / fps:.6f}\n{motion}\n")
    return places, angles


# Name, parent, direction, length in CMU's units, axis, freedoms.
CMU_BONES = [
    ("lowerback", "root", (0, 1, 0), 2.0, (0, 0, 0), "rx ry rz"),
    ("upperback", "lowerback", (0, 1, 0), 2.0, (0, 0, 0), "rx ry rz"),
    ("thorax", "upperback", (0, 1, 0.1), 2.0, (0, 0, 0), "rx ry rz"),
    ("lowerneck", "thorax", (0, 1, 0), 1.5, (0, 0, 0), "rx ry rz"),
    ("upperneck", "lowerneck", (0, 1, 0), 1.5, (0, 0, 0), "rx ry rz"),
    ("head", "upperneck", (0, 1, 0), 1.7, (0, 0, 0), "rx ry rz"),
]
for _s, _sign in (("l", 1), ("r", -1)):
    CMU_BONES += [
        (f"{_s}hipjoint", "root", (0.5 * _sign, -0.8, 0.2), 2.5, (0, 0, 0), ""),
        (f"{_s}femur", f"{_s}hipjoint", (0.34 * _sign, -0.94, 0), 7.3, (0, 0, 20), "rx ry rz"),
        (f"{_s}tibia", f"{_s}femur", (0.34 * _sign, -0.94, 0), 7.2, (0, 0, 20), "rx"),
        (f"{_s}clavicle", "thorax", (0.9 * _sign, 0.3, 0), 3.6, (0, 0, 0), "ry rz"),
        (f"{_s}humerus", f"{_s}clavicle", (_sign, 0, 0), 5.0, (180, 30, -90), "rx ry rz"),
        (f"{_s}radius", f"{_s}humerus", (_sign, 0, 0), 3.2, (180, 30, -90), "rx"),
        (f"{_s}wrist", f"{_s}radius", (_sign, 0, 0), 1.6, (180, 30, -90), "ry"),
    ]


def write_cmu(
    folder: Path, subject: str = "07", trial: str = "01", frames: int = 6
) -> dict[str, np.ndarray]:
    """SS.asf and SS_TT.amc; returns each bone's values (T, freedoms)."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# AST/ASF file", ":version 1.10", ":name VICON", ":units", "  mass 1.0"]
    lines += ["  length 0.45", "  angle deg", ":documentation", "   an example", ":root"]
    lines += ["   order TX TY TZ RX RY RZ", "   axis XYZ", "   position 0 0 0"]
    lines += ["   orientation 0 0 0", ":bonedata"]
    for number, (name, _, direction, length, axis, freedoms) in enumerate(CMU_BONES):
        lines += ["  begin", f"     id {number + 1}", f"     name {name}"]
        lines += ["     direction " + " ".join(f"{n:g}" for n in direction)]
        lines += [f"     length {length}", "     axis {} {} {}  XYZ".format(*axis)]
        if freedoms:
            lines += [f"    dof {freedoms}", "    limits (-160.0 20.0)"]
            lines += ["           (-70.0 70.0)"] * freedoms.count(" ")
        lines += ["  end"]
    lines += [":hierarchy", "  begin"]
    for parent in ["root", *(bone[0] for bone in CMU_BONES)]:
        below = [bone[0] for bone in CMU_BONES if bone[1] == parent]
        lines += [f"    {parent} {' '.join(below)}"] if below else []
    (folder / f"{subject}.asf").write_text("\n".join([*lines, "  end", ""]))
    rng = np.random.default_rng(5)
    values = {"root": rng.uniform(-20, 20, (frames, 6))}
    values["root"][:, 1] += 17
    for name, *_, freedoms in CMU_BONES:
        if freedoms:
            values[name] = rng.uniform(-40, 40, (frames, len(freedoms.split())))
    motion = ["#!OML:ASF example", ":FULLY-SPECIFIED", ":DEGREES"]
    for frame in range(frames):
        motion += [str(frame + 1)]
        motion += [
            f"{n} " + " ".join(f"{v:.6f}" for v in rows[frame]) for n, rows in values.items()
        ]
    (folder / f"{subject}_{trial}.amc").write_text("\n".join([*motion, ""]))
    return values


def write_amass(file: Path, frames: int = 30, fps: float = 60, width: int = 156) -> np.ndarray:
    """A motion of SMPL+H, z up, that stands upright; returns its poses (T, width)."""
    rng = np.random.default_rng(7)
    poses = np.zeros((frames, width))
    phase = np.linspace(0, 3, frames)[:, None]
    poses[:, 3:66] = 0.3 * np.sin(phase + rng.uniform(0, 6, 63))
    poses[:, :3] = [np.pi / 2, 0, 0]  # from the template's y up to z up
    trans = np.concatenate([phase * 0.3, 0 * phase, 0 * phase + 0.9], axis=1)
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        file,
        poses=poses,
        trans=trans,
        betas=np.zeros(16),
        gender="male",
        mocap_framerate=float(fps),
        dmpls=np.zeros((frames, 8)),
    )
    return poses
