"""A body's motion on characters of every kind: directions, hinges, feet, keys, the live link."""

from pathlib import Path

import numpy as np
import pytest

from tests.addon.bodies import motion_arrays, upright

bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")


from addon import body as bodies_module  # noqa: E402
from addon.action import fcurves  # noqa: E402
from addon.motion_file import read_motion  # noqa: E402
from addon.retarget import bake, link  # noqa: E402
from addon.retarget.feet import find_contacts  # noqa: E402
from addon.retarget.read import read_body, read_rig  # noqa: E402
from addon.retarget.rig import RetargetError  # noqa: E402
from addon.retarget.transfer import LIMBS, frame_of, standing, transfer, world_heads  # noqa: E402
from addon.scene import build  # noqa: E402
from addon.skeleton import JOINTS  # noqa: E402
from tests.addon import rigs  # noqa: E402

DEMO = Path(__file__).parents[2] / "demo" / "demo_truth.npz"
# kind, and how it stands in the file
CHARACTERS = {
    "mixamo": ("mixamo", {}),
    "mixamo A, rolled, as FBX": (
        "mixamo",
        {"pose": "A", "roll_seed": 1, "scale": 0.01, "axis": "Y"},
    ),
    "mpfb A": ("mpfb", {"pose": "A", "roll_seed": 2}),
    "unreal A, looks aside": ("unreal", {"pose": "A", "roll_seed": 3, "facing": 90.0}),
    "vrm, huge": ("vrm", {"roll_seed": 4, "scale": 100.0, "legs": 1.2, "arms": 0.8}),
    "odd, small, looks back": ("odd", {"pose": "A", "roll_seed": 5, "size": 0.5, "facing": 180.0}),
    "rigify": ("rigify", {}),
}


@pytest.fixture(params=CHARACTERS)
def character(scene, request):
    kind, how = CHARACTERS[request.param]
    return rigs.build(kind, **how), rigs.truth(kind)


def source_of(scene, file: Path):
    motion = read_motion(file)
    data = bodies_module.read_body(bodies_module.default_body_file())
    ((armature, _),), _ = build(scene, [motion], data)
    armature["posecast_motion"] = str(file)
    return armature


@pytest.fixture
def demo(scene):
    return source_of(scene, DEMO)


@pytest.fixture
def random_poses(scene, tmp_path):
    rng = np.random.default_rng(7)
    arrays = motion_arrays(20)
    arrays["poses"] = rng.uniform(-0.8, 0.8, (20, 72)).astype(np.float32)
    arrays["poses"][:, :3] = [upright(angle) for angle in rng.uniform(0, 7, 20)]
    np.savez(tmp_path / "random.npz", **arrays)
    return source_of(scene, tmp_path / "random.npz")


def pose(armature, frame: float) -> dict[str, np.ndarray]:
    """Every bone's world matrix (4, 4), as Blender evaluates it."""
    scene = bpy.context.scene
    scene.frame_set(int(np.floor(frame)), subframe=frame % 1)
    world = np.array(armature.matrix_world)
    return {bone.name: world @ np.array(bone.matrix) for bone in armature.pose.bones}


def samples(body, most: int = 24) -> np.ndarray:
    return np.unique(np.linspace(0, len(body.frames) - 1, most).astype(int))


def worst_direction(body, target, bone_map, limbs) -> float:
    """Degrees, between the character's limbs and the body's."""
    worst = 0.0
    for index in samples(body):
        posed = pose(target, body.frames[index])
        for start, end in limbs.items():
            if start in bone_map and end in bone_map:
                theirs = posed[bone_map[end]][:3, 3] - posed[bone_map[start]][:3, 3]
                ours = (
                    body.joints[index, JOINTS.index(end)] - body.joints[index, JOINTS.index(start)]
                )
                cosine = theirs @ ours / np.linalg.norm(theirs) / np.linalg.norm(ours)
                worst = max(worst, np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    return worst


@pytest.mark.parametrize("motion", ["demo", "random_poses"])
def test_limbs_point_where_the_bodys_do(character, motion, request):
    source = request.getfixturevalue(motion)
    target, bone_map = character
    said = bake.retarget(source, target, bone_map, keep_feet=False)
    body, _ = read_body(source)
    assert said.frames == len(body.frames)
    assert worst_direction(body, target, bone_map, LIMBS) < 1.0


def test_bones_turn_with_the_body_and_dont_twist(character, random_poses):
    """What the rest has along an elbow's, a knee's and the soles' axes stays there."""
    target, bone_map = character
    bake.retarget(random_poses, target, bone_map, keep_feet=False)
    body, _ = read_body(random_poses)
    rig = read_rig(target)
    heads = dict(zip(rig.names, world_heads(rig), strict=True))
    places = {joint: heads[bone] for joint, bone in bone_map.items()}
    axes = frame_of(dict(zip(JOINTS, body.rest, strict=True))) @ frame_of(places).T
    turn = rig.world[:3, :3] / np.cbrt(np.linalg.det(rig.world[:3, :3]))
    for index in samples(body, 6):
        posed = pose(target, body.frames[index])
        for joint, bone in bone_map.items():
            if joint.endswith(("_foot", "_hand")):
                continue
            rest = turn @ rig.rest[rig.index(bone), :3, :3]
            now = posed[bone][:3, :3] / np.cbrt(np.linalg.det(posed[bone][:3, :3]))
            moved = body.turns[index, JOINTS.index(joint)].T @ now @ rest.T @ axes.T
            # What is left is the alignment. An arm that hangs at rest is raised about the axis
            # through the chest; about the arm itself nothing turns.
            left = np.degrees(np.arccos(np.clip((np.trace(moved) - 1) / 2, -1, 1)))
            vector = np.array(
                [moved[2, 1] - moved[1, 2], moved[0, 2] - moved[2, 0], moved[1, 0] - moved[0, 1]]
            )
            along = {"s": 0, "e": 0, "w": 0, "h": 2, "k": 2}.get(joint.split("_")[-1][0])
            if "_" in joint and along is not None and not joint.endswith("collar"):
                share = vector[along] / max(np.linalg.norm(vector), 1e-9)
                assert abs(left * share) < 8, joint
            elif joint.endswith("ankle"):
                up = np.degrees(np.arccos(np.clip(moved[2, 2], -1, 1)))
                assert up < 0.1, joint
            else:
                assert left < 0.1, joint


def test_feet_stand_where_the_bodys_do(character, demo):
    target, bone_map = character
    rest_rig = read_rig(target)
    bake.retarget(demo, target, bone_map, keep_feet=True)
    body, _ = read_body(demo)
    wanted = transfer(body, rest_rig, bone_map)
    place = standing(body, rest_rig, wanted)
    contacts = read_motion(DEMO).contacts.astype(bool)
    slid, theirs = 0.0, 0.0
    previous = None
    for index in range(len(body.frames)):
        posed = pose(target, body.frames[index])
        now = []
        for side, joint in enumerate(("left_ankle", "right_ankle")):
            ankle = posed[bone_map[joint]][:3, 3]
            now.append((ankle, place(body.joints[index, JOINTS.index(joint)])))
            if contacts[index, side]:
                assert np.linalg.norm(now[-1][0] - now[-1][1]) / place.scale < 0.01
                if previous is not None and contacts[index - 1, side]:
                    slid += np.linalg.norm(now[-1][0] - previous[side][0])
                    theirs += np.linalg.norm(now[-1][1] - previous[side][1])
        previous = now
    assert contacts.any()
    assert slid < 1.02 * theirs + 0.002 * place.scale
    arms = {
        start: end for start, end in LIMBS.items() if "hip" not in start and "knee" not in start
    }
    assert worst_direction(body, target, bone_map, arms) < 1.0


def test_reduced_keys_move_no_joint_further_than_allowed(scene, demo):
    for kind, how, mode in (("mixamo", {"roll_seed": 3}, "QUATERNION"), ("mpfb", {}, "YXZ")):
        target, bone_map = rigs.build(kind, **how), rigs.truth(kind)
        for bone in target.pose.bones:
            bone.rotation_mode = mode
        body, _ = read_body(demo)
        bake.retarget(demo, target, bone_map)
        exact = [pose(target, frame) for frame in body.frames]
        said = bake.retarget(demo, target, bone_map, tolerance_mm=5)
        assert said.keys < 0.5 * said.keys_before
        off = [
            np.linalg.norm(now[bone][:3, 3] - before[bone][:3, 3])
            for before, frame in zip(exact, body.frames, strict=True)
            for now in [pose(target, frame)]
            for bone in bone_map.values()
        ]
        assert 0.0005 < max(off) < 0.0055


@pytest.mark.parametrize("mode", ["QUATERNION", "AXIS_ANGLE", "XYZ", "ZXY", "YXZ"])
def test_each_rotation_mode_is_kept_without_jumps(scene, demo, mode):
    target, bone_map = rigs.build("mixamo", roll_seed=1), rigs.truth("mixamo")
    for bone in target.pose.bones:
        bone.rotation_mode = mode
        bone.lock_rotation = (True, True, True)
    target.data.bones[bone_map["left_knee"]].hide = True
    bake.retarget(demo, target, bone_map, keep_feet=False)
    body, _ = read_body(demo)
    assert {bone.rotation_mode for bone in target.pose.bones} == {mode}
    assert worst_direction(body, target, bone_map, LIMBS) < 0.1
    for curve in fcurves(target.animation_data.action):
        if "rotation" in curve.data_path:
            values = [point.co.y for point in curve.keyframe_points]
            assert np.abs(np.diff(values)).max() < 2.5


def test_what_was_there_before_stays(scene, demo):
    target, bone_map = rigs.build("mixamo"), rigs.truth("mixamo")
    bake.retarget(demo, target, bone_map, name="first")
    first = target.animation_data.action
    rest = {bone.name: np.array(bone.matrix_local) for bone in target.data.bones}
    bake.retarget(demo, target, bone_map, name="second")
    assert target.animation_data.action.name == "second"
    assert first.use_fake_user
    for bone in target.data.bones:
        assert np.array_equal(rest[bone.name], np.array(bone.matrix_local))


def test_toes_and_hands_are_left_alone_if_the_source_has_none(scene, tmp_path):
    arrays = motion_arrays(10)
    still = [
        3 * JOINTS.index(f"{side}_{end}") + axis
        for side in ("left", "right")
        for end in ("foot", "hand")
        for axis in range(3)
    ]
    arrays["poses"][:, still] = 0
    np.savez(tmp_path / "still.npz", **arrays)
    target, bone_map = rigs.build("mixamo", roll_seed=2), rigs.truth("mixamo")
    bake.retarget(source_of(scene, tmp_path / "still.npz"), target, bone_map)
    paths = {curve.data_path for curve in fcurves(target.animation_data.action)}
    keyed = {
        joint for joint, bone in bone_map.items() if any(f'"{bone}"' in path for path in paths)
    }
    assert {"left_ankle", "right_wrist", "head"} <= keyed
    assert not keyed & {"left_foot", "right_foot", "left_hand", "right_hand"}


def test_linked_character_follows_and_is_let_go(character, demo):
    target, bone_map = character
    before = {bone.name: np.array(bone.matrix_basis) for bone in target.pose.bones}
    posed = pose(target, 1)
    objects = set(bpy.data.objects)
    link.add(demo, target, bone_map)
    assert link.is_linked(target)
    body, _ = read_body(demo)
    assert worst_direction(body, target, bone_map, LIMBS) < 1.0
    wanted = transfer(body, read_rig(target), bone_map)
    for index in samples(body, 4):
        at = pose(target, body.frames[index])[wanted.bones[wanted.column("pelvis")]][:3, 3]
        assert np.linalg.norm(at - wanted.place[index]) < 0.002
    link.remove(target)
    assert not link.is_linked(target)
    assert set(bpy.data.objects) == objects
    for bone in target.pose.bones:
        assert np.allclose(before[bone.name], np.array(bone.matrix_basis))
    again = pose(target, 1)
    assert (
        max(np.abs(again[name] - posed[name]).max() for name in posed)
        < 1e-4 * target.scale.x + 1e-5
    )


def test_baking_a_linked_character_ends_the_link(scene, demo):
    target, bone_map = rigs.build("mixamo"), rigs.truth("mixamo")
    link.add(demo, target, bone_map)
    said = bake.retarget(demo, target, bone_map, keep_feet=False)
    assert not link.is_linked(target) and not said.controls
    body, _ = read_body(demo)
    assert worst_direction(body, target, bone_map, LIMBS) < 1.0


def test_bake_leaves_nothing_behind(character, demo):
    target, bone_map = character
    known = [set(kind) for kind in (bpy.data.objects, bpy.data.armatures, bpy.data.scenes)]
    count = len(bpy.data.actions)
    constraints = sum(len(bone.constraints) for bone in target.pose.bones)
    bake.retarget(demo, target, bone_map)
    assert [set(kind) for kind in (bpy.data.objects, bpy.data.armatures, bpy.data.scenes)] == known
    assert len(bpy.data.actions) == count + 1
    assert sum(len(bone.constraints) for bone in target.pose.bones) == constraints


def test_contacts_are_found_where_the_file_has_none(scene, demo):
    body, _ = read_body(demo)
    found = find_contacts(body, 30.0)
    known = read_motion(DEMO).contacts.astype(bool)
    assert (found == known).mean() > 0.75


def test_whatever_cant_be_is_told_in_one_sentence(scene, demo):
    target, bone_map = rigs.build("mixamo"), rigs.truth("mixamo")
    with pytest.raises(RetargetError, match="itself"):
        bake.retarget(demo, demo, bone_map)
    without = {joint: bone for joint, bone in bone_map.items() if joint != "pelvis"}
    with pytest.raises(RetargetError, match="pelvis"):
        bake.retarget(demo, target, without)
    with pytest.raises(RetargetError, match="no bone nothing"):
        bake.retarget(demo, target, bone_map | {"left_knee": "nothing"})
    with pytest.raises(RetargetError, match="two joints"):
        bake.retarget(demo, target, bone_map | {"left_knee": bone_map["left_hip"]})
    with pytest.raises(RetargetError, match="Choose a body"):
        bake.retarget(target, rigs.build("vrm"), bone_map)
    target.scale.x = 0
    bpy.context.view_layer.update()
    with pytest.raises(RetargetError, match="zero"):
        bake.retarget(demo, target, bone_map)
    target.scale.x = 1
    bpy.context.view_layer.update()
    metarig = rigs.build("rigify_metarig")
    with pytest.raises(RetargetError, match="Generate Rig"):
        bake.retarget(demo, metarig, bone_map)
    demo.animation_data.action = None
    with pytest.raises(RetargetError, match="no motion"):
        bake.retarget(demo, target, bone_map)
