"""What other programs would read: each export is imported again and its joints compared."""

import numpy as np
import pytest

from tests.addon.bodies import motion_arrays, small_body

bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")

import addon  # noqa: E402
from addon import action, export  # noqa: E402
from addon.body import JOINTS, read_body  # noqa: E402
from addon.motion_file import quaternion_to_matrix, read_motion  # noqa: E402
from addon.scene import build  # noqa: E402

READERS = {
    "fbx": lambda path: bpy.ops.import_scene.fbx(filepath=path, anim_offset=0),
    "glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    "bvh": lambda path: bpy.ops.import_anim.bvh(filepath=path),
    "usd": lambda path: bpy.ops.wm.usd_import(filepath=path),
}


FRAMES = range(1, 21)
CHARACTER = ("hips", "spine", "chest", "shoulder", "arm", "hand")


def joints(armature, frame: int, names=JOINTS) -> np.ndarray:
    bpy.context.scene.frame_set(frame)
    bones = {bone.name.rpartition("/")[2]: bone for bone in armature.pose.bones}
    return np.array([armature.matrix_world @ bones[name].head for name in names])


def made_bodies(scene, folder, count: int) -> list[tuple]:
    np.savez(folder / "body.npz", **small_body())
    motions = []
    for seed in range(count):
        np.savez(folder / "motion.npz", **motion_arrays(20, seed))
        motions.append(read_motion(folder / "motion.npz"))
    return build(scene, motions, read_body(folder / "body.npz"))[0]


@pytest.mark.parametrize("name", READERS)
def test_exports_read_back(scene, tmp_path, name):
    """All joints at all frames within 2 mm, also of a body that is hidden now."""
    written_or_skipped(name)
    ((armature, mesh),) = made_bodies(scene, tmp_path, 1)
    expected = [joints(armature, frame) for frame in FRAMES]
    armature.hide_viewport = True
    (file,) = export.export(name, [(armature, mesh)], tmp_path / "out", scene)
    assert armature.hide_viewport and file == tmp_path / f"out.{name}"
    assert [path.name for path in tmp_path.glob("*out*")] == [file.name]
    back = read_back(name, file)
    assert worst_mm(back, expected) < 2
    if name != "bvh":
        (skin,) = [item for item in bpy.data.objects if item.vertex_groups]
        if name in ("fbx", "glb"):
            assert max(len(vertex.groups) for vertex in skin.data.vertices) <= 4


def written_or_skipped(name: str) -> None:
    try:
        export.check(name)
    except export.ExportError as error:
        pytest.skip(str(error))


def read_back(name: str, file):
    """The armature in `file`, read into an empty file at 30 frames a second."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 30
    READERS[name](str(file))
    return next(item for item in bpy.data.objects if item.type == "ARMATURE")


def worst_mm(armature, expected: list, names=JOINTS) -> float:
    """How far any joint is from where it was, at any frame."""
    # Where an importer puts the first frame is its own affair.
    first = int(armature.animation_data.action.frame_range[0]) if armature.animation_data else 1
    off = [
        np.abs(joints(armature, frame - 1 + first, names) - place).max()
        for frame, place in zip(FRAMES, expected, strict=True)
    ]
    return 1000 * max(off)


def test_amass_gives_the_motion_back(scene, tmp_path):
    """What was loaded, and with it what was changed in Blender."""
    ((armature, mesh),) = made_bodies(scene, tmp_path, 1)
    motion = read_motion(tmp_path / "motion.npz")
    (file,) = export.export("amass", [(armature, mesh)], tmp_path / "out", scene)
    back = read_motion(file)
    assert file.name == "out.npz" and (back.fps, len(back)) == (30, 20)
    turned = quaternion_to_matrix(back.quaternions())
    assert np.abs(turned - quaternion_to_matrix(motion.quaternions())).max() < 1e-5
    np.testing.assert_allclose(back.trans, motion.trans, atol=1e-5)
    np.testing.assert_allclose(back.betas, motion.betas, atol=1e-6)
    expected = [joints(armature, frame) for frame in FRAMES]
    np.testing.assert_allclose(back.joints, expected, atol=1e-5)
    bpy.context.scene.frame_set(1)
    curves = {
        (c.data_path, c.array_index): c for c in action.fcurves(armature.animation_data.action)
    }
    for axis, value in enumerate((0.6, 0.8, 0.0, 0.0)):
        curve = curves['pose.bones["head"].rotation_quaternion', axis]
        for point in curve.keyframe_points:
            point.co[1] = value
        curve.update()
    (file,) = export.export("amass", [(armature, mesh)], tmp_path / "out", scene)
    head = read_motion(file).poses.reshape(20, 24, 3)[:, JOINTS.index("head")]
    np.testing.assert_allclose(head, np.tile([2 * np.arctan2(0.8, 0.6), 0, 0], (20, 1)), atol=1e-5)


def made_character(scale=0.01):
    """An armature as Mixamo's: lying, in centimetres, with a mesh of six bones a vertex."""
    data = bpy.data.armatures.new("hero")
    armature = bpy.data.objects.new("hero", data)
    bpy.context.scene.collection.objects.link(armature)
    armature.scale, armature.rotation_euler = (scale,) * 3, (np.pi / 2, 0, 0.3)
    armature.location = (0.2, -0.3, 0.1)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    places = [(0, 90, 0), (0, 110, 5), (0, 130, 0), (20, 135, 0), (45, 130, 3), (70, 135, 0)]
    for number, (head, tail) in enumerate(zip(places, [*places[1:], (80, 135, 0)], strict=True)):
        bone = data.edit_bones.new(CHARACTER[number])
        bone.head, bone.tail, bone.roll = head, tail, 0.4 * number
        bone.parent = data.edit_bones[CHARACTER[number - 1]] if number else None
    bpy.ops.object.mode_set(mode="OBJECT")
    skin = bpy.data.meshes.new("skin")
    skin.from_pydata(
        [(x, 0, z) for x in (0, 1) for z in (0, 1, 2)], [], [(0, 1, 4, 3), (1, 2, 5, 4)]
    )
    mesh = bpy.data.objects.new("skin", skin)
    bpy.context.scene.collection.objects.link(mesh)
    for number, name in enumerate(CHARACTER):
        mesh.vertex_groups.new(name=name).add(range(6), 0.05 + 0.06 * number, "REPLACE")
    mesh.modifiers.new("Armature", "ARMATURE").object = armature
    mesh.parent = armature
    rng = np.random.default_rng(0)
    action.ensure_action(armature, "dance")
    times = np.array(FRAMES, float)
    for bone in armature.pose.bones:
        bone.rotation_mode = "XYZ"
        turns = np.cumsum(rng.normal(size=(20, 3)) * 0.15, axis=0)
        action.write_keys(armature, f'pose.bones["{bone.name}"].rotation_euler', times, turns)
    path = np.cumsum(rng.normal(size=(20, 3)) * 4, axis=0)
    action.write_keys(armature, 'pose.bones["hips"].location', times, path)
    bpy.context.scene.frame_end = 20
    return armature, mesh


@pytest.mark.parametrize("name", READERS)
def test_a_character_reads_back(scene, tmp_path, name):
    written_or_skipped(name)
    armature, mesh = made_character()
    expected = [joints(armature, frame, CHARACTER) for frame in FRAMES]
    assert export.meshes_of(armature) == [mesh]
    (file,) = export.export(name, [(armature, mesh)], tmp_path / "out", scene)
    assert max(len(vertex.groups) for vertex in mesh.data.vertices) == 6, "the user's mesh is kept"
    assert {item.name for item in bpy.data.objects} == {"hero", "skin"}
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))  # nothing is left amiss
    assert worst_mm(read_back(name, file), expected, CHARACTER) < 2


def test_a_character_is_no_amass(scene, tmp_path):
    with pytest.raises(export.ExportError, match="hero is no SMPL body"):
        export.export("amass", [made_character()], tmp_path / "out", scene)


def test_several_bodies(scene, tmp_path):
    bodies = made_bodies(scene, tmp_path, 2)
    assert len(export.export("bvh", bodies, tmp_path / "out", scene)) == 2
    assert sorted(path.name for path in tmp_path.glob("*.bvh")) == ["out-1.bvh", "out-2.bvh"]
    assert len(export.export("glb", bodies, tmp_path / "out", scene)) == 1


def test_a_format_that_does_not_exist():
    with pytest.raises(export.ExportError, match="fbx, glb, bvh, usd, amass"):
        export.check("obj")


@pytest.fixture
def posecast(scene):
    addon.register()
    yield bpy.ops.posecast
    addon.unregister()


def test_the_operator(posecast, tmp_path):
    """Without a window, by the settings or by what the call says."""
    made_bodies(bpy.context.scene, tmp_path, 1)
    bpy.context.scene.posecast.export_format = "bvh"
    assert posecast.export(filepath=str(tmp_path / "a.bvh")) == {"FINISHED"}
    assert posecast.export(filepath=str(tmp_path / "b"), format="amass") == {"FINISHED"}
    hero, _ = made_character()
    bpy.context.scene.posecast.target = hero
    posecast.export(filepath=str(tmp_path / "d.glb"), format="glb", what="BODY")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))  # nothing is left amiss
    posecast.export(filepath=str(tmp_path / "c.glb"), format="glb", what="CHARACTER")
    assert {path.name for path in tmp_path.iterdir()} >= {"a.bvh", "b.npz", "c.glb"}


@pytest.mark.parametrize("what", ["BODY", "CHARACTER"])
def test_the_operator_says_what_is_missing(posecast, tmp_path, what):
    with pytest.raises(RuntimeError, match=r"There is no body yet|No character is chosen"):
        posecast.export(filepath=str(tmp_path / "a.glb"), format="glb", what=what)
    with pytest.raises(RuntimeError, match="No file was named"):
        posecast.export(format="glb", what=what)


def test_a_folder_that_is_not_there(scene, tmp_path):
    bodies = made_bodies(scene, tmp_path, 1)
    with pytest.raises(export.ExportError, match="choose another folder"):
        export.export("bvh", bodies, tmp_path / "none" / "a", scene)
