"""Armatures as Blender's users have them, built by code in any supported Blender."""

import re

import bpy
import numpy as np
from mathutils import Matrix

from tests.addon.rig_tables import TABLES

# A human of 1.7 m in T-pose, m: z up, facing -y, left is +x. Of what has sides, the left one.
LANDMARKS = {
    "floor": (0, 0, 0), "hips": (0, 0.01, 0.94), "back_hips": (0, 0.15, 0.94),
    "neck": (0, 0.03, 1.42), "head": (0, 0.0, 1.52), "top": (0, 0.0, 1.70), "over": (0, 0, 1.78),
    "jaw": (0, -0.09, 1.50), "eye": (0.032, -0.06, 1.59), "eye_front": (0.032, -0.09, 1.59),
    "nipple": (0.09, -0.10, 1.24), "back": (0, 0.12, 1.62), "back_low": (0, 0.14, 1.40),
    "back_lowest": (0, 0.15, 1.10), "plait": (0.07, 0.02, 1.66), "plait_low": (0.12, 0.06, 1.3),
    "plait_lowest": (0.13, 0.07, 1.0), "skirt": (0.16, 0, 0.8), "skirt_low": (0.2, 0, 0.6),
    "skirt_lowest": (0.22, 0, 0.45), "hip": (0.09, 0.0, 0.90), "knee": (0.10, -0.01, 0.49),
    "knee_front": (0.10, -0.11, 0.49), "ankle": (0.105, 0.02, 0.085), "ball": (0.11, -0.10, 0.025),
    "toe": (0.115, -0.17, 0.02), "toe_end": (0.12, -0.22, 0.02), "big_toe": (0.095, -0.11, 0.025),
    "big_toe_end": (0.095, -0.18, 0.02), "small_toe": (0.14, -0.08, 0.02),
    "small_toe_end": (0.15, -0.12, 0.015), "collar": (0.02, 0.01, 1.37),
    "shoulder": (0.17, 0.02, 1.38), "elbow": (0.44, 0.03, 1.38), "elbow_back": (0.44, 0.13, 1.38),
    "wrist": (0.69, 0.01, 1.38), "knuckle": (0.78, 0.0, 1.38),
}  # fmt: skip
for _finger in range(5):
    _y = 0.035 - 0.022 * (4 - _finger) + (-0.02 if _finger == 0 else 0)
    _start = 0.72 if _finger == 0 else 0.78
    for _n in range(4):
        _fall = 0.02 * _n if _finger == 0 else 0.0
        LANDMARKS[f"finger{_finger}{_n}"] = (_start + 0.025 * _n, _y, 1.38 - _fall)

A_POSE = np.radians(48)  # that the arms hang down
KINDS = (*TABLES, "odd", "rigify")  # that have bone maps
ODD_SEED = 5


def build(
    kind: str,
    *,
    pose: str = "T",
    roll_seed: int | None = None,
    scale: float = 1.0,
    size: float = 1.0,
    axis: str = "Z",
    facing: float = 0.0,
    legs: float = 1.0,
    arms: float = 1.0,
) -> bpy.types.Object:
    """An armature object of this kind in the scene, at rest.

    pose: arms at rest, "T" or "A"; roll_seed: bones roll at random; scale: of the object, whose
    bones are that much larger or smaller, so that the character stays as tall; size: times 1.7 m;
    axis: "Y" as FBX files come in, y up with the object turned by 90 degrees; facing: degrees that
    the bones are turned about the vertical; legs, arms: times their usual length.
    Rigify's metarig and the rig generated of it take no more than scale and size, which multiply.
    """
    if kind.startswith("rigify"):
        return _rigify(generate=kind == "rigify", scale=scale, size=size)
    rows = bone_rows(kind)
    turn = Matrix.Rotation(np.radians(facing), 3, "Z")
    if axis == "Y":
        turn = Matrix.Rotation(-np.pi / 2, 3, "X") @ turn
    turn = np.array(turn) * size / scale
    data = bpy.data.armatures.new(kind)
    armature = bpy.data.objects.new(kind, data)
    bpy.context.scene.collection.objects.link(armature)
    _activate(armature)
    rng = np.random.default_rng(roll_seed)
    bpy.ops.object.mode_set(mode="EDIT")
    for name, parent, ends, _ in rows:
        bone = data.edit_bones.new(name)
        placed = [turn @ place(point, pose, legs, arms) for point in ends]
        bone.head, bone.tail = placed
        bone.parent = data.edit_bones[parent] if parent else None
        bone.roll = rng.uniform(-np.pi, np.pi) if roll_seed is not None else 0.0
    bpy.ops.object.mode_set(mode="OBJECT")
    armature.scale = (scale,) * 3
    armature.rotation_euler.x = np.pi / 2 if axis == "Y" else 0.0
    bpy.context.view_layer.update()
    return armature


def truth(kind: str) -> dict[str, str]:
    """SMPL's joint -> the bone of this kind that has to follow it."""
    if kind == "rigify":
        return dict(RIGIFY)
    return {joint: name for name, _, _, joint in bone_rows(kind) if joint}


def bone_rows(kind: str) -> list[tuple[str, str, list[np.ndarray], str]]:
    """name, parent ("" for none), head and tail, joint ("" for none); parents first."""
    if kind == "odd":
        return _odd_rows()
    rows = []
    for line in TABLES[kind].strip().splitlines():
        sides = (0, 1) if "{" in line else (0,)
        for side in sides:
            words = re.sub(r"{(.*?)\|(.*?)}", lambda found: found[side + 1], line).split()  # noqa: B023
            name, parent, *ends = (word.replace("~", " ") for word in words)
            mirror = np.array((-1 if side else 1, 1, 1))
            joint = ends[2] if len(ends) == 3 else ""
            if joint and len(sides) == 2:
                joint = ("left_", "right_")[side] + joint
            points = [_point(end) * mirror for end in ends[:2]]
            rows.append((name, "" if parent == "-" else parent, points, joint))
    return _parents_first(rows)


def _parents_first(rows: list) -> list:
    placed, waiting = {""}, list(rows)
    ordered = []
    while waiting:
        ready = [row for row in waiting if row[1] in placed]
        assert ready, f"No parent among the bones: {waiting[0]}"
        ordered += ready
        placed |= {row[0] for row in ready}
        waiting = [row for row in waiting if row[0] not in placed]
    return ordered


def _odd_rows() -> list:
    """VRM's skeleton, hair and skirt and all, with names that say nothing."""
    rows = bone_rows("vrm")
    numbers = np.random.default_rng(ODD_SEED).permutation(len(rows))
    names = {row[0]: f"bone{number:03d}" for row, number in zip(rows, numbers, strict=True)}
    return [(names[name], names.get(parent, ""), *rest) for name, parent, *rest in rows]


def _point(word: str) -> np.ndarray:
    if word.startswith("s:"):
        word = "hips>neck:" + word[2:]
    if ">" not in word:
        return np.array(LANDMARKS[word], float)
    start, end, share = re.split("[>:]", word)
    one, other = np.array(LANDMARKS[start], float), np.array(LANDMARKS[end], float)
    return one + (other - one) * float(share)


def place(point: np.ndarray, pose: str, legs: float, arms: float) -> np.ndarray:
    """The T-pose's point with other proportions and, if asked, in A-pose."""
    point = np.array(point, float)
    shoulder = np.array(LANDMARKS["shoulder"], float)
    side = np.sign(point[0])
    if abs(point[0]) > shoulder[0] + 1e-6 and point[2] > 1.2:  # of an arm
        out = (abs(point[0]) - shoulder[0]) * arms
        fall = point[2] - shoulder[2]
        angle = A_POSE if pose == "A" else 0.0
        point[0] = side * (shoulder[0] + out * np.cos(angle) + fall * np.sin(angle))
        point[2] = shoulder[2] - out * np.sin(angle) + fall * np.cos(angle)
    hip = LANDMARKS["hip"][2]
    point[2] = min(point[2], hip) * legs + max(point[2] - hip, 0)
    return point


def _activate(armature: bpy.types.Object) -> None:
    bpy.context.view_layer.update()  # an object just removed is still listed, as None
    for item in bpy.context.view_layer.objects:
        item.select_set(False)
    armature.select_set(True)
    bpy.context.view_layer.objects.active = armature


def _rigify(generate: bool, scale: float, size: float) -> bpy.types.Object:
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_human_metarig_add()
    metarig = bpy.context.view_layer.objects.active
    if not generate:
        armature = metarig
    else:
        bpy.ops.pose.rigify_generate()
        armature = bpy.context.view_layer.objects.active
        assert armature != metarig
        bpy.data.objects.remove(metarig)
        _activate(armature)
    armature.scale = (scale * size,) * 3
    bpy.context.view_layer.update()
    return armature


# spine_fk and spine_fk.001 turn about their upper ends: they would swing the hips off `torso`.
RIGIFY = {
    "pelvis": "torso", "spine2": "spine_fk.002", "spine3": "spine_fk.003",
    "neck": "neck", "head": "head",
    "left_collar": "shoulder.L", "right_collar": "shoulder.R",
    "left_shoulder": "upper_arm_fk.L", "right_shoulder": "upper_arm_fk.R",
    "left_elbow": "forearm_fk.L", "right_elbow": "forearm_fk.R",
    "left_wrist": "hand_fk.L", "right_wrist": "hand_fk.R",
    "left_hip": "thigh_fk.L", "right_hip": "thigh_fk.R",
    "left_knee": "shin_fk.L", "right_knee": "shin_fk.R",
    "left_ankle": "foot_fk.L", "right_ankle": "foot_fk.R",
    "left_foot": "toe_fk.L", "right_foot": "toe_fk.R",
}  # fmt: skip
