"""The operators of the Result panel, as a script in a Blender without a window calls them."""

import numpy as np
import pytest

from tests.addon.bodies import motion_arrays, small_body
from tests.addon.test_estimator import fake_python
from tests.addon.test_scene import FRAMES, film, joints, motion_file  # noqa: F401

bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")

import addon  # noqa: E402
from addon import results  # noqa: E402
from addon.body import mesh_of  # noqa: E402


@pytest.fixture
def posecast(scene):
    addon.register()
    yield bpy.ops.posecast
    addon.unregister()


def test_loads_a_motion_and_finds_its_video(film, posecast, tmp_path):  # noqa: F811
    file = motion_file(tmp_path, video=np.array(film.name))
    assert posecast.load_motion(filepath=str(file)) == {"FINISHED"}
    armature = results.active_body(bpy.context)
    assert armature["posecast_video"] == str(film)
    assert posecast.view_camera() == {"FINISHED"}
    camera = bpy.context.scene.camera
    assert camera is results.camera_of(bpy.context.scene, armature)
    assert len(camera.data.background_images) == 1


def test_loads_several_files(posecast, tmp_path):
    files = [motion_file(tmp_path, name, seed) for seed, name in enumerate("ab")]
    posecast.load_motion(directory=str(tmp_path), files=[{"name": file.name} for file in files])
    assert {item.name for item in results.bodies(bpy.context.scene)} == {"a", "b"}


def test_shows_what_it_loads_though_its_collection_was_unticked(posecast, tmp_path):
    file = motion_file(tmp_path)
    posecast.load_motion(filepath=str(file))
    layer = bpy.context.view_layer
    layer.layer_collection.children["Posecast"].exclude = True
    assert posecast.load_motion(filepath=str(file)) == {"FINISHED"}
    assert results.is_body(layer.objects.active) and layer.objects.active.visible_get()


@pytest.mark.parametrize("of", ["object", "collection"])
def test_loads_while_a_hidden_body_is_posed(posecast, tmp_path, of):
    file = motion_file(tmp_path)
    posecast.load_motion(filepath=str(file))
    posed = bpy.context.object
    bpy.ops.object.mode_set(mode="POSE")
    hidden = posed if of == "object" else posed.users_collection[0]
    hidden.hide_viewport = True
    assert posecast.load_motion(filepath=str(file)) == {"FINISHED"}
    assert posed.mode == "OBJECT" and hidden.hide_viewport
    assert posed.name not in bpy.context.scene.collection.objects


def test_what_is_linked_is_left_as_it_is(posecast, tmp_path, film):  # noqa: F811
    file = motion_file(tmp_path, video=np.array(film.name))
    posecast.load_motion(filepath=str(file))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, wanted):
        wanted.collections = ["Posecast"]
    bpy.context.scene.collection.children.link(wanted.collections[0])
    (linked,) = results.bodies(bpy.context.scene)
    bpy.context.view_layer.objects.active = linked
    for operator in (posecast.set_betas, posecast.apply_body, posecast.push_nla):
        with pytest.raises(RuntimeError, match="is linked from another file; make it local"):
            operator()
    assert posecast.load_motion(filepath=str(file)) == {"FINISHED"}
    assert len(results.bodies(bpy.context.scene)) == 2
    assert results.active_body(bpy.context).library is None


def test_a_video_may_be_named_as_seen_from_the_blend(posecast, tmp_path, recwarn):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.context.scene.posecast.video = "//film.mp4"
    assert not [warning for warning in recwarn if "relative" in str(warning.message)]


def test_loads_amass(posecast, tmp_path):
    """A file of another body gives the default one its mean shape."""
    arrays = motion_arrays(12)
    np.savez(tmp_path / "walk.npz", **arrays)
    posecast.load_motion(filepath=str(tmp_path / "walk.npz"))
    keys = mesh_of(results.active_body(bpy.context)).data.shape_keys.key_blocks
    assert all(keys[f"Shape{index:03d}"].value == 0 for index in range(10))


@pytest.mark.parametrize(("how", "bodies"), [("good", 1), ("two people", 2)])
def test_loads_what_another_tool_wrote(posecast, tmp_path, monkeypatch, how, bodies):
    monkeypatch.setenv("FAKE", how)
    monkeypatch.setenv("FAKE_MOTION", str(motion_file(tmp_path)))
    monkeypatch.setenv("POSECAST_PYTHON", str(fake_python(tmp_path)))
    (tmp_path / "wham_output.pkl").write_bytes(b"")
    assert posecast.load_motion(filepath=str(tmp_path / "wham_output.pkl")) == {"FINISHED"}
    assert len(results.bodies(bpy.context.scene)) == bodies


@pytest.mark.parametrize("name", ["none.npz", "none.pkl", "text.npz", ""])
def test_a_file_that_cannot_be_read(posecast, tmp_path, name):
    (tmp_path / "text.npz").write_text("text")
    with pytest.raises(RuntimeError) as told:
        posecast.load_motion(filepath=str(tmp_path / name) if name else "")
    assert "Traceback" not in str(told.value) and len(str(told.value).splitlines()) <= 2
    assert not results.bodies(bpy.context.scene)


def test_another_body_keeps_the_keys(posecast, tmp_path):
    """From a small body to the default one and its joints; bones, action, edits stay."""
    arrays = small_body()
    np.savez(tmp_path / "small.npz", **arrays)
    posecast.load_motion(filepath=str(motion_file(tmp_path)))
    armature = results.active_body(bpy.context)
    before = joints(armature, 9)
    from addon import body, shape

    shape.change_body(armature, body.read_body(tmp_path / "small.npz"), np.zeros(10))
    assert len(mesh_of(armature).data.vertices) == len(arrays["v_template"])
    assert np.abs(joints(armature, 9) - before).max() > 0.01
    assert posecast.apply_body() == {"FINISHED"}
    assert results.active_body(bpy.context) is armature
    assert sum(item.type == "MESH" for item in bpy.data.objects) == 1
    assert np.abs(joints(armature, 9) - before).max() < 1e-3


def test_shape_and_back(posecast, tmp_path):
    posecast.load_motion(filepath=str(motion_file(tmp_path)))
    armature = results.active_body(bpy.context)
    before = joints(armature, 9)
    posecast.set_betas(betas="NEUTRAL")
    assert np.abs(joints(armature, 9) - before).max() > 0.01
    posecast.set_betas(betas="VIDEO")
    assert np.abs(joints(armature, 9) - before).max() < 1e-3


def test_runs_and_the_nla(film, posecast, tmp_path):  # noqa: F811
    for seed in (0, 1):
        file = motion_file(tmp_path, f"run{seed}", seed, video=np.array(film.name))
        posecast.load_motion(filepath=str(file))
    armature = results.active_body(bpy.context)
    first, second = results.actions_of(armature)
    assert results.active_action(armature) is second
    after = joints(armature, 9)
    posecast.play_run(action=first.name)
    assert np.abs(joints(armature, 9) - after).max() > 0.01
    posecast.play_run(action=second.name)
    assert np.abs(joints(armature, 9) - after).max() < 1e-5
    posecast.push_nla()
    assert results.active_action(armature) is None
    assert np.abs(joints(armature, 9) - after).max() < 1e-5, "the strip plays as the action did"


def test_without_a_body_nothing_can_be_pressed(posecast):
    for name in ("apply_body", "set_betas", "view_camera", "play_run", "push_nla"):
        assert not getattr(posecast, name).poll()


def test_one_step_back(posecast, tmp_path):
    if not bpy.app.binary_path:
        pytest.skip("Blender as a module keeps no undo steps")
    bpy.ops.ed.undo_push(message="before")
    posecast.load_motion(filepath=str(motion_file(tmp_path, frames=FRAMES)))
    bpy.ops.ed.undo_push(message="after")
    bpy.ops.ed.undo()
    assert not bpy.data.objects and not bpy.data.actions
