import numpy as np
import pytest

from tests.addon.bodies import camera_arrays, motion_arrays, small_body

bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")

from addon import preview, stage  # noqa: E402
from addon.body import read_body  # noqa: E402
from addon.motion_file import read_motion  # noqa: E402
from addon.scene import build  # noqa: E402
from tests.addon.test_animate import write_film  # noqa: E402
from tests.addon.test_camera import project  # noqa: E402

FRAMES = 6


@pytest.fixture(scope="module")
def engine():
    return preview.engine(preview.start_probe())


@pytest.mark.parametrize("with_video", [True, False])
def test_film_of_the_result(scene, tmp_path, monkeypatch, engine, with_video):
    """As many frames as the scene, of the right size; the body is where the camera saw it."""
    monkeypatch.setattr(preview, "LONG_SIDE_PX", 128)
    video = None
    if with_video:
        video = tmp_path / "in.mp4"
        write_film(video)
        bpy.ops.wm.read_factory_settings(use_empty=True)
        scene = bpy.context.scene
    arrays = motion_arrays(FRAMES, **camera_arrays(FRAMES))
    np.savez(tmp_path / "motion.npz", **arrays)
    np.savez(tmp_path / "body.npz", **small_body())
    motion = read_motion(tmp_path / "motion.npz")
    bodies, start = build(scene, [motion], read_body(tmp_path / "body.npz"), video)
    before = {item.name for item in bpy.data.objects}, {item.name for item in bpy.data.scenes}
    seen = []
    preview.render_preview(
        tmp_path / "out.mp4", scene, bodies, motion, video, start, tmp_path, engine,
        lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    clip = bpy.data.movieclips.load(str(tmp_path / "out.mp4"))
    assert (clip.frame_duration, tuple(clip.size)) == (FRAMES, (256, 72))
    assert seen[-1] == (2 * FRAMES, 2 * FRAMES)
    assert before == (
        {item.name for item in bpy.data.objects},
        {item.name for item in bpy.data.scenes},
    )
    assert bpy.context.window.scene == scene
    if with_video:
        for index in (0, FRAMES - 1):
            assert_body_is_where_seen(tmp_path / "overlay" / f"{index + 1:06d}.png", arrays, index)


def assert_body_is_where_seen(picture, arrays, index: int) -> None:
    """The painted pixels' box is that of the joints, as the camera projects them."""
    image = bpy.data.images.load(str(picture))
    width, height = image.size
    pixels = np.array(image.pixels[:]).reshape(height, width, 4)[::-1]
    rows, columns = np.nonzero(pixels[..., 3] > 0.5)
    from tests.addon.bodies import smpl

    _, surface = smpl(
        small_body(), arrays["betas"], arrays["poses"][[index]], arrays["trans"][[index]]
    )
    expected = project(arrays, index, surface[0]) * width / 640
    box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    low, high = expected.min(0), expected.max(0)
    low, high = np.maximum(low, 0), np.minimum(high, (width, height))
    assert np.abs(box - np.concatenate([low, high])).max() < 2.0


@pytest.mark.parametrize(
    ("video", "pane"),
    [((1920, 1080), (640, 360)), ((1080, 1920), (360, 640)), ((1768, 564), (640, 204))],
)
def test_each_picture_has_the_videos_shape(video, pane):
    assert preview.pane_size(video) == pane


def test_side_camera_keeps_the_person_in_view(scene, tmp_path):
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    np.savez(tmp_path / "motion.npz", **motion_arrays(60))
    np.savez(tmp_path / "body.npz", **small_body())
    motion = read_motion(tmp_path / "motion.npz")
    bodies, _ = build(scene, [motion], read_body(tmp_path / "body.npz"))
    frames = range(1, 61)
    joints = stage.joint_paths(scene, [bodies[0][0]], frames)
    for size in ((640, 360), (360, 640)):
        side = stage.side_scene(scene, bodies, joints, frames, size)
        side.render.resolution_x, side.render.resolution_y = size
        bpy.context.window.scene = side
        for frame in (1, 20, 40, 60):
            side.frame_set(frame)
            camera = side.camera.evaluated_get(bpy.context.evaluated_depsgraph_get())
            views = [world_to_camera_view(side, camera, Vector(j)) for j in joints[frame - 1]]
            shown = np.array(views)[:, :2]
            assert shown.min() > 0 and shown.max() < 1
        bpy.context.window.scene = scene
        stage.remove_scene(side)
