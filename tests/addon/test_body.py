"""The body and its animation in Blender, held to SMPL's forward pass in NumPy."""

import numpy as np
import pytest

from tests.addon.bodies import motion_arrays, small_body, smpl

bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")

from addon import action, body  # noqa: E402
from addon.motion_file import read_motion  # noqa: E402

FRAMES = 60


def body_file(kind: str, folder):
    if kind == "default":
        file = body.default_body_file()
        if not file.is_file():
            pytest.skip("the default body is not built")
        return file
    file = folder / "body.npz"
    np.savez(file, **small_body(correctives=kind == "correctives"))
    return file


def animate(scene, folder, kind="small", start=1, **more):
    """A body with a motion on it: file, the motion's arrays, armature, mesh, frames."""
    file = body_file(kind, folder)
    arrays = motion_arrays(FRAMES, **more)
    np.savez(folder / "motion.npz", **arrays)
    motion = read_motion(folder / "motion.npz")
    armature, mesh = body.create_body(body.read_body(file), motion.betas)
    frames = action.frame_numbers(motion, action.scene_rate(scene), start)
    action.apply_motion(motion, armature, mesh, frames)
    return file, arrays, armature, mesh, frames


def bones(scene, armature, frame: float) -> np.ndarray:
    """(24, 3) m: the evaluated heads of the bones in the world."""
    scene.frame_set(int(frame), subframe=float(frame) % 1)
    posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([posed.matrix_world @ posed.pose.bones[name].head for name in body.JOINTS])


def vertices(scene, mesh, frame: float) -> np.ndarray:
    """(V, 3) m: the evaluated mesh in the world."""
    scene.frame_set(int(frame), subframe=float(frame) % 1)
    item = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    flat = np.empty(len(item.data.vertices) * 3, np.float32)
    item.data.vertices.foreach_get("co", flat)
    matrix = np.array(item.matrix_world)
    return flat.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def truth(file, arrays, chosen):
    with np.load(file) as content:
        arrays_of_body = dict(content)
    return smpl(arrays_of_body, arrays["betas"], arrays["poses"][chosen], arrays["trans"][chosen])


@pytest.mark.parametrize("kind", ["small", "correctives", "default"])
def test_joints_and_vertices_are_smpls(scene, tmp_path, kind):
    file, arrays, armature, mesh, frames = animate(scene, tmp_path, kind)
    chosen = np.arange(0, FRAMES, 10)
    joints, surface = truth(file, arrays, chosen)
    assert np.abs(arrays["betas"]).max() > 1
    for number, index in enumerate(chosen):
        joint_error = np.linalg.norm(bones(scene, armature, frames[index]) - joints[number], axis=1)
        error = np.linalg.norm(vertices(scene, mesh, frames[index]) - surface[number], axis=1)
        assert joint_error.max() < 1e-3 and error.max() < 2e-3
    assert np.ptp(joints, axis=0).max() > 0.5, "the motion moves"


def test_frames_of_another_rate(scene, tmp_path):
    """A scene at 24 frames a second plays a motion of 30 at its own speed, from where it is put."""
    scene.render.fps = 24
    file, arrays, armature, _, frames = animate(scene, tmp_path, start=101)
    np.testing.assert_allclose(frames, 101 + np.arange(FRAMES) * 24 / 30)
    joints, _ = truth(file, arrays, [7, 13])
    for number, index in enumerate([7, 13]):
        assert np.abs(bones(scene, armature, frames[index]) - joints[number]).max() < 1e-3


def test_scene_rate_and_range(scene):
    action.set_scene_rate(scene, 30000 / 1001)
    assert scene.render.fps == 30
    assert action.scene_rate(scene) == pytest.approx(30000 / 1001, abs=1e-4)
    action.set_scene_range(scene, np.array([1.0, 1.8, 9.6]))
    assert (scene.frame_start, scene.frame_end) == (1, 9)


def test_the_shape_can_be_changed_afterwards(scene, tmp_path):
    file = body_file("small", tmp_path)
    data = body.read_body(file)
    armature, mesh = body.create_body(data, np.zeros(10))
    betas = np.linspace(-3, 3, 10)
    body.set_betas(armature, mesh, betas)
    rest = body.to_blender(data.rest_joints(betas))
    heads = np.array([armature.data.bones[name].head_local for name in body.JOINTS])
    np.testing.assert_allclose(heads, rest, atol=1e-5)
    shaped = body.to_blender(data.template + data.shapedirs @ betas)
    np.testing.assert_allclose(vertices(scene, mesh, 1), shaped, atol=1e-5)


def test_bones_have_smpls_axes(scene, tmp_path):
    """At rest the body stands in Blender facing -y, each bone's y up, its z to the front."""
    armature, _ = body.create_body(body.read_body(body_file("small", tmp_path)), np.zeros(10))
    for bone in armature.data.bones:
        axes = np.array(bone.matrix_local)[:3, :3]
        np.testing.assert_allclose(axes, [[1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-6)
    heads = {bone.name: np.array(bone.head_local) for bone in armature.data.bones}
    assert heads["head"][2] > heads["pelvis"][2] > heads["left_foot"][2]
    assert heads["left_hand"][0] > 0 and heads["left_foot"][1] < heads["left_ankle"][1]


def test_mesh_is_dressed_and_smooth(scene, tmp_path):
    _, mesh = body.create_body(body.read_body(body_file("small", tmp_path)), np.zeros(10))
    assert len(mesh.data.materials) == 3
    colours = {tuple(material.diffuse_color) for material in mesh.data.materials}
    assert len(colours) == 3
    used = {polygon.material_index for polygon in mesh.data.polygons}
    assert used == {0, 1, 2} and all(polygon.use_smooth for polygon in mesh.data.polygons)
    keys = mesh.data.shape_keys.key_blocks
    assert [key.name for key in keys] == ["Basis"] + [f"Shape{index:03d}" for index in range(10)]
    assert (keys[1].slider_min, keys[1].slider_max) == (-10, 10)


def test_only_correctives_that_show_become_keys():
    directions = np.zeros((5, 3, 207), np.float32)
    directions[2, 1, 7], directions[2, 1, 9] = 1e-3, 1e-6
    assert body.corrective_indices(directions).tolist() == [7]


def test_ten_thousand_frames(scene, tmp_path):
    np.savez(tmp_path / "motion.npz", **motion_arrays(10_000))
    motion = read_motion(tmp_path / "motion.npz")
    armature, mesh = body.create_body(body.read_body(body_file("small", tmp_path)), motion.betas)
    frames = action.frame_numbers(motion, 30)
    action.apply_motion(motion, armature, mesh, frames)
    curve = action.ensure_fcurve(armature, 'pose.bones["head"].rotation_quaternion', 2)
    assert len(curve.keyframe_points) == 10_000
    assert curve.evaluate(5000) == pytest.approx(motion.quaternions()[4999, 15, 2], abs=1e-5)


@pytest.mark.parametrize("broken", ["v_template", "weights", "kintree_table"])
def test_says_what_is_wrong_with_a_body(tmp_path, broken):
    arrays = small_body()
    del arrays[broken]
    np.savez(tmp_path / "body.npz", **arrays)
    with pytest.raises(body.BodyFileError, match=broken):
        body.read_body(tmp_path / "body.npz")


def test_refuses_what_is_no_body(tmp_path):
    file = tmp_path / "body.npz"
    for content in (b"", b"text", b"PK\x03\x04"):
        file.write_bytes(content)
        with pytest.raises(body.BodyFileError, match="not a plain body file"):
            body.read_body(file)
    np.savez(file, **(small_body() | {"weights": np.zeros((7, 24))}))
    with pytest.raises(body.BodyFileError):
        body.read_body(file)
