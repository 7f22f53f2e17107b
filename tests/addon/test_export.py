"""What other programs would read: each export is imported again and its joints compared."""

import numpy as np
import pytest

from tests.addon.bodies import motion_arrays, small_body

bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")

from addon import export  # noqa: E402
from addon.body import JOINTS, read_body  # noqa: E402
from addon.motion_file import read_motion  # noqa: E402
from addon.scene import build  # noqa: E402

READERS = {
    "fbx": lambda path: bpy.ops.import_scene.fbx(filepath=path, anim_offset=0),
    "glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    "bvh": lambda path: bpy.ops.import_anim.bvh(filepath=path, axis_forward="Y", axis_up="Z"),
    "usd": lambda path: bpy.ops.wm.usd_import(filepath=path),
}


def joints(armature, frame: int) -> np.ndarray:
    bpy.context.scene.frame_set(frame)
    bones = {bone.name.rpartition("/")[2]: bone for bone in armature.pose.bones}
    return np.array([armature.matrix_world @ bones[name].head for name in JOINTS])


def made_bodies(scene, folder, count: int) -> list[tuple]:
    np.savez(folder / "body.npz", **small_body())
    motions = []
    for seed in range(count):
        np.savez(folder / "motion.npz", **motion_arrays(20, seed))
        motions.append(read_motion(folder / "motion.npz"))
    return build(scene, motions, read_body(folder / "body.npz"))[0]


@pytest.mark.parametrize("name", export.formats())
def test_exports_read_back(scene, tmp_path, name):
    try:
        export.check(name)
    except export.ExportError as error:
        pytest.skip(str(error))
    bodies = made_bodies(scene, tmp_path, 1)
    expected = {frame: joints(bodies[0][0], frame) for frame in (1, 8, 20)}
    (file,) = export.export(name, bodies, tmp_path / "out", scene)
    assert file == tmp_path / f"out.{name}"
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 30
    READERS[name](str(file))
    armature = next(item for item in bpy.data.objects if item.type == "ARMATURE")
    # Where an importer puts the first frame is its own affair.
    first = int(armature.animation_data.action.frame_range[0]) if armature.animation_data else 1
    for frame, place in expected.items():
        assert np.abs(joints(armature, frame - 1 + first) - place).max() < 2e-3
    if name != "bvh":
        assert any(item.type == "MESH" for item in bpy.data.objects)


def test_several_bodies(scene, tmp_path):
    bodies = made_bodies(scene, tmp_path, 2)
    assert len(export.export("bvh", bodies, tmp_path / "out", scene)) == 2
    assert sorted(path.name for path in tmp_path.glob("*.bvh")) == ["out-1.bvh", "out-2.bvh"]
    assert len(export.export("glb", bodies, tmp_path / "out", scene)) == 1


def test_a_format_that_does_not_exist():
    with pytest.raises(export.ExportError, match="fbx, glb, bvh, usd"):
        export.check("obj")
