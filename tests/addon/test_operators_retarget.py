"""The operators of the panel Retarget, without a window."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")

import addon  # noqa: E402
from addon import results  # noqa: E402
from addon.body import read_body  # noqa: E402
from addon.motion_file import read_motion  # noqa: E402
from addon.retarget import link, rows  # noqa: E402
from addon.scene import build  # noqa: E402
from tests.addon import rigs  # noqa: E402
from tests.addon.bodies import motion_arrays, small_body  # noqa: E402

operators = bpy.ops.posecast


@pytest.fixture
def settings(scene, tmp_path, monkeypatch):
    # A factory reset would unregister the add-on's classes from under it.
    monkeypatch.setattr(rows.environment, "user_folder", lambda: tmp_path / "user")
    addon.register()
    yield scene.posecast
    addon.unregister()


@pytest.fixture
def body(settings, tmp_path):
    np.savez(tmp_path / "body.npz", **small_body())
    np.savez(tmp_path / "motion.npz", **motion_arrays(12))
    motion = read_motion(tmp_path / "motion.npz")
    ((armature, _),), _ = build(bpy.context.scene, [motion], read_body(tmp_path / "body.npz"))
    return armature


@pytest.fixture
def character(settings):
    settings.target = rigs.build("odd", pose="A", roll_seed=1)
    return settings.target


def refused(operator, words: str, **options) -> None:
    with pytest.raises(RuntimeError, match=words):
        operator(**options)


def moving(armature) -> float:
    """How far the bones are from where they rest, m; at the second frame."""
    bpy.context.scene.frame_set(5)
    bones = armature.pose.bones
    return max((bone.head - bone.bone.head_local).length for bone in bones)


def test_choosing_a_character_fills_the_rows(settings, character):
    assert rows.read(settings) == rigs.truth("odd")
    assert [row.joint for row in settings.bones] == rows.ORDER
    assert rows.short_label("left_hip") == "Hip L" and rows.short_label("spine1") == "Spine1"
    settings.target = None
    assert rows.read(settings) == {} and settings.bones_problem == ""


def test_a_metarig_fills_no_rows(settings, character):
    settings.target = rigs.build("rigify_metarig")
    assert rows.read(settings) == {}
    assert "Generate Rig" in rows.problem(settings, settings.target)


def test_an_armature_without_bones_is_no_character(settings):
    empty = bpy.data.objects.new("Empty", bpy.data.armatures.new("Empty"))
    bpy.context.scene.collection.objects.link(empty)
    settings.target = empty
    assert "humanoid" in rows.problem(settings, empty)


def test_keyframes(settings, body, character):
    assert operators.retarget() == {"FINISHED"}
    assert moving(character) > 0.1
    assert character.animation_data.action is not None
    before = character.animation_data.action
    settings.decimate, settings.tolerance_mm = True, 20.0
    operators.retarget()
    assert character.animation_data.action != before


def test_undo_takes_it_back(settings, body, character):
    name = character.name
    bpy.ops.ed.undo_push(message="before")
    actions = len(bpy.data.actions)
    bpy.ops.posecast.retarget()
    assert len(bpy.data.actions) == actions + 1
    bpy.ops.ed.undo_push(message="after")  # what the window does for an operator
    bpy.ops.ed.undo()
    assert len(bpy.data.actions) == actions
    assert moving(bpy.data.objects[name]) < 1e-6


def test_live_link_is_made_baked_and_removed(settings, body, character):
    settings.mode = "LIVE"
    operators.retarget()
    assert link.is_linked(character) and moving(character) > 0.1
    operators.remove_link()
    assert not link.is_linked(character) and moving(character) < 1e-6
    refused(operators.remove_link, "no live link")
    operators.retarget()
    operators.bake_link()
    assert not link.is_linked(character) and moving(character) > 0.1


def test_the_source_is_the_chosen_the_active_or_the_last_body(settings, character):
    refused(operators.retarget, "There is no body with a motion")
    assert results.bodies(bpy.context.scene) == []


def test_rows_that_cannot_be_used(settings, body, character):
    right = rows.read(settings)
    rows.write(settings, right | {"left_knee": "nobone"})
    refused(operators.retarget, "no bone nobone")
    rows.write(settings, right | {"left_knee": right["left_hip"]})
    refused(operators.retarget, "several joints: Left hip, Left knee")
    rows.write(settings, {"pelvis": right["pelvis"], "head": right["head"]})
    refused(operators.retarget, "Bones are missing: Left hip, .* more")
    rows.write(settings, {})
    refused(operators.retarget, "No bone is chosen")
    assert character.animation_data is None or character.animation_data.action is None


def test_characters_that_are_gone(settings, body, character):
    bpy.context.scene.collection.objects.unlink(character)
    refused(operators.retarget, "has to be in the scene")
    settings.target = None
    assert not operators.retarget.poll()


def test_guess_mirror_and_pick(settings, body):
    settings.target = rigs.build("daz")
    truth = rigs.truth("daz")
    left = {joint: bone for joint, bone in truth.items() if not joint.startswith("right")}
    rows.write(settings, left)
    operators.mirror_bones()
    assert rows.read(settings) == truth
    rows.write(settings, {"pelvis": "hip"})
    refused(operators.mirror_bones, "pick them by hand")
    operators.guess_bones()
    assert rows.read(settings) == truth
    bones = settings.target.data.bones
    bones.active = bones["lMetatarsals"]
    operators.pick_bone(joint="left_foot")
    assert rows.read(settings)["left_foot"] == "lMetatarsals"
    bones.active = None
    refused(operators.pick_bone, "Click a bone", joint="left_foot")


def test_own_maps_are_kept_chosen_and_deleted(settings, body, character):
    chosen = rows.read(settings)
    chosen.pop("neck")
    rows.write(settings, chosen)
    operators.save_bone_map(name="Mine")
    assert settings.preset == "own:Mine" and rows.read(settings) == chosen
    operators.guess_bones()
    assert settings.preset == "AUTO" and "neck" in rows.read(settings)
    settings.preset = "own:Mine"
    assert rows.read(settings) == chosen
    operators.delete_bone_map()
    assert settings.preset == "AUTO" and rows.read(settings) == chosen
    assert not operators.delete_bone_map.poll()
    refused(operators.save_bone_map, "Give the bone map a name", name=" ")


def test_a_familys_map_on_another_rig(settings, body, character):
    settings.preset = "mixamo"
    assert rows.read(settings) == {}
    assert "none of the bones of Mixamo" in rows.problem(settings, character)
    refused(operators.retarget, "none of the bones of Mixamo")
