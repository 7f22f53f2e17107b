"""Rigs with mechanisms: told from a few frames what they follow, or evaluated at every frame."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")

from addon.retarget import bake, mechanism  # noqa: E402
from addon.retarget.follow import Follow, as_smpl, infer, power  # noqa: E402
from addon.retarget.read import read_body, read_rig  # noqa: E402
from addon.retarget.transfer import LIMBS, standing, transfer  # noqa: E402
from tests.addon import rigs  # noqa: E402
from tests.addon.test_retarget import demo, pose, samples, worst_direction  # noqa: E402, F401


@pytest.fixture
def evaluated(monkeypatch):
    """Grows by the number of frames whenever Blender evaluates some for the bake."""
    counts = []
    play = mechanism._played

    def counted(scene, target, frames):
        counts.append(len(frames))
        return play(scene, target, frames)

    monkeypatch.setattr(mechanism, "_played", counted)
    return counts


def off(one: list[dict], other: list[dict], bones) -> float:
    """The farthest apart of these bones' matrices."""
    return max(
        np.abs(now[name] - then[name]).max()
        for now, then in zip(one, other, strict=True)
        for name in bones
    )


@pytest.mark.parametrize("follow", [(0.5, 0.0), (0.3, 0.8), (1.0, 1.0)])
def test_rigify_is_told_from_a_few_frames(scene, demo, evaluated, monkeypatch, follow):  # noqa: F811
    target, bone_map = rigs.build("rigify", size=1.1), rigs.truth("rigify")
    torso = target.pose.bones["torso"]
    torso["neck_follow"], torso["head_follow"] = follow
    target.update_tag()
    body, _ = read_body(demo)
    frames = body.frames[samples(body, 10)]
    bake.retarget(demo, target, bone_map)
    assert evaluated == [mechanism.SAMPLES, mechanism.CHECKS]
    quick = [pose(target, frame) for frame in frames]
    monkeypatch.setattr(mechanism, "infer", lambda *_: None)
    bake.retarget(demo, target, bone_map)
    assert evaluated[-1] == len(body.frames)
    slow = [pose(target, frame) for frame in frames]
    assert off(quick, slow, bone_map.values()) < 2e-4
    assert off(quick, slow, slow[0]) < 1e-3
    assert (torso["neck_follow"], torso["head_follow"]) == pytest.approx(follow)


def test_a_rig_that_isnt_told_is_evaluated_at_every_frame(scene, demo, evaluated):  # noqa: F811
    target, bone_map = with_odd_bone(), rigs.truth("mixamo")
    bake.retarget(demo, target, bone_map, keep_feet=False)
    body, _ = read_body(demo)
    assert evaluated == [mechanism.SAMPLES, len(body.frames)]
    assert worst_direction(body, target, bone_map, LIMBS) < 0.1


def with_odd_bone() -> bpy.types.Object:
    """A character whose left thigh hangs from a bone that turns with the way the hips go."""
    target, bone_map = rigs.build("mixamo"), rigs.truth("mixamo")
    bpy.ops.object.mode_set(mode="EDIT")
    edit = target.data.edit_bones
    thigh = edit[bone_map["left_hip"]]
    odd = edit.new("odd")
    odd.head, odd.tail = thigh.head, thigh.head + thigh.matrix.col[2].to_3d() * 0.1
    odd.parent, thigh.parent = thigh.parent, odd
    bpy.ops.object.mode_set(mode="OBJECT")
    made = target.pose.bones["odd"].constraints.new("TRANSFORM")
    made.target, made.subtarget = target, bone_map["pelvis"]
    made.map_from, made.map_to = "LOCATION", "ROTATION"
    made.from_min_x, made.from_max_x = -3, 3
    made.to_min_x_rot, made.to_max_x_rot = -1, 1
    made.map_to_x_from = "X"
    return target


def test_what_was_told_wrong_is_found_out(scene, demo, evaluated, monkeypatch):  # noqa: F811
    target, bone_map = rigs.build("rigify"), rigs.truth("rigify")
    monkeypatch.setattr(mechanism, "infer", lambda wanted, _: as_smpl(wanted))
    bake.retarget(demo, target, bone_map, keep_feet=False)
    body, _ = read_body(demo)
    assert evaluated == [mechanism.SAMPLES, mechanism.CHECKS, len(body.frames)]
    assert worst_direction(body, target, bone_map, LIMBS) < 0.1


def test_reduced_keys_of_rigify_move_no_joint_further_than_allowed(scene, demo):  # noqa: F811
    target, bone_map = rigs.build("rigify"), rigs.truth("rigify")
    body, _ = read_body(demo)
    frames = body.frames[samples(body, 40)]
    place = standing(body, read_rig(target), transfer(body, read_rig(target), bone_map))
    bake.retarget(demo, target, bone_map)
    exact = [pose(target, frame) for frame in frames]
    said = bake.retarget(demo, target, bone_map, tolerance_mm=5)
    assert said.keys < 0.6 * said.keys_before
    moved = [
        np.linalg.norm(now[bone][:3, 3] - before[bone][:3, 3])
        for before, now in zip(exact, [pose(target, frame) for frame in frames], strict=True)
        for bone in bone_map.values()
    ]
    assert 0.0005 < max(moved) < 0.0051 * place.scale


@pytest.mark.parametrize("moved", ["parent", "own action", "animated parent", "stretched parent"])
def test_an_armature_that_is_parented_or_moves(scene, demo, moved):  # noqa: F811
    target, bone_map = rigs.build("mixamo", roll_seed=1), rigs.truth("mixamo")
    body, _ = read_body(demo)
    if moved == "own action":
        for frame, x in ((1, 0.0), (100, 2.0)):
            target.location.x = x
            target.keyframe_insert("location", frame=frame)
    else:
        empty = bpy.data.objects.new("empty", None)
        scene.collection.objects.link(empty)
        target.parent = empty
        stretched = moved == "stretched parent"
        empty.scale = (2.0, 2.0, 2.5) if stretched else (2.0, 2.0, 2.0)
        empty.rotation_euler = (0.0, 0.0, 1.0)
        if moved == "animated parent":
            for frame, angle in ((1, 0.0), (100, 1.0)):
                empty.rotation_euler.z = angle
                empty.keyframe_insert("rotation_euler", frame=frame)
    bpy.context.view_layer.update()
    bake.retarget(demo, target, bone_map, keep_feet=False)
    most = 10 if moved == "stretched parent" else 0.1  # a sheared bone can't point where it should
    assert worst_direction(body, target, bone_map, LIMBS) < most


def test_a_share_of_a_turn():
    angle = np.array([0.0, 1e-6, 0.5, 3.0])
    turn = np.tile(np.eye(3), (4, 1, 1))
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(angle)
    turn[:, 1, 0], turn[:, 0, 1] = np.sin(angle), -np.sin(angle)
    third = power(turn, 1 / 3)
    assert np.allclose(np.arctan2(third[:, 1, 0], third[:, 0, 0]), angle / 3, atol=1e-9)
    assert np.allclose(third @ third @ third, turn)


def test_a_blend_of_two_bones_is_told(scene, demo):  # noqa: F811
    rig, bone_map = read_rig(rigs.build("mixamo")), rigs.truth("mixamo")
    wanted = transfer(read_body(demo)[0], rig, bone_map).at(np.arange(0, 60, 6))
    known = as_smpl(wanted)
    at, chest, pelvis = (wanted.column(joint) for joint in ("neck", "spine3", "pelvis"))
    offsets = [wanted.rest[bone].T @ wanted.rest[at] for bone in (chest, pelvis)]
    known[at] = Follow(chest, offsets[0], 0, np.zeros(3), pelvis, offsets[1], 0.37)
    bases = np.tile(np.eye(4), (10, len(wanted.bones), 1, 1))
    for bone, follow in enumerate(known):
        bases[:, bone, :3, :3] = follow.rotation(wanted.rotations)
    told = infer(wanted, bases)[at]
    assert {told.bone, told.other} == {chest, pelvis}
    assert told.share == pytest.approx(0.37 if told.bone == chest else 0.63, abs=1e-4)
    bases[:, at, :3, :3] = power(bases[:, at, :3, :3], 0.5)
    assert infer(wanted, bases) is None
