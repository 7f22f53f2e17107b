import struct

import numpy as np
import pytest

from tests.addon.bodies import camera_arrays, motion_arrays, small_body

bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")

from bpy_extras.object_utils import world_to_camera_view  # noqa: E402

from addon import camera  # noqa: E402
from addon.body import read_body  # noqa: E402
from addon.motion_file import read_motion  # noqa: E402
from addon.scene import build  # noqa: E402


def project(arrays, index: int, points: np.ndarray) -> np.ndarray:
    """(N, 2) px of world points (N, 3), by the Motion's camera."""
    extrinsics = arrays["camera_extrinsics"][index]
    seen = points @ extrinsics[:3, :3].T + extrinsics[:3, 3]
    image = seen @ arrays["camera_intrinsics"].T
    return image[:, :2] / image[:, 2:]


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("size", [(640, 360), (360, 640)])
def test_blender_sees_what_the_camera_saw(scene, tmp_path, moving, size):
    """Every joint within 1 px, with the principal point off the middle."""
    arrays = motion_arrays(30, **camera_arrays(30, moving))
    arrays["image_size"] = np.array(size)
    np.savez(tmp_path / "motion.npz", **arrays)
    np.savez(tmp_path / "body.npz", **small_body())
    motion = read_motion(tmp_path / "motion.npz")
    bodies, _ = build(scene, [motion], read_body(tmp_path / "body.npz"))
    assert (scene.render.resolution_x, scene.render.resolution_y) == size
    for index in (0, 10, 20, 29):
        scene.frame_set(index + 1)
        armature = bodies[0][0]
        heads = [armature.matrix_world @ bone.head for bone in armature.pose.bones]
        shown = np.array([world_to_camera_view(scene, scene.camera, head)[:2] for head in heads])
        shown = shown * size
        shown[:, 1] = size[1] - shown[:, 1]
        expected = project(arrays, index, np.array(heads))
        assert np.abs(shown - expected).max() < 0.1
    assert (scene.camera.animation_data is not None) == moving


def test_phones_film_is_turned(tmp_path):
    """Only where Blender shows it lying down, and to the side that the file tells."""
    header = b"tkhd" + bytes(40)
    one = 1 << 16
    clockwise = np.array([0, one, 0, -one, 0], ">i4").tobytes()
    other = np.array([0, -one, 0, one, 0], ">i4").tobytes()
    file = tmp_path / "phone.mp4"
    for matrix, turn in ((clockwise, -np.pi / 2), (other, np.pi / 2)):
        file.write_bytes(b"...." + header + matrix + bytes(20))
        assert camera.missing_rotation(file, (640, 360), (360, 640)) == pytest.approx(turn)
        assert camera.missing_rotation(file, (360, 640), (360, 640)) == 0


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_phones_picture_is_turned(tmp_path, order):
    """By its EXIF, which Blender doesn't look at."""
    file = tmp_path / "phone.JPG"
    for value, turn in ((1, 0), (3, np.pi), (6, -np.pi / 2), (8, np.pi / 2)):
        mark = {"<": b"II", ">": b"MM"}[order]
        entries = struct.pack(f"{order}HHHIHHHHIHH", 2, 0x0100, 3, 1, 9, 0, 0x0112, 3, 1, value, 0)
        exif = mark + struct.pack(f"{order}HI", 42, 8) + entries
        file.write_bytes(b"\xff\xd8\xff\xe1\0\0Exif\0\0" + exif)
        found = camera.missing_rotation(file, (640, 360), (360, 640))
        assert np.exp(1j * found) == pytest.approx(np.exp(1j * turn))
    for broken in (b"", b"Exif\0\0II", b"Exif\0\0" + mark + b"\0" * 3):
        file.write_bytes(broken)
        assert camera.missing_rotation(file, (640, 360), (640, 360)) == 0


@pytest.mark.parametrize("turns", [True, False])
def test_a_film_on_its_head_is_turned_where_blender_does_not(tmp_path, monkeypatch, turns):
    """As it was seen: Blender 4.5 and 5.0 turn it by themselves, 4.2 and 4.3 don't."""
    monkeypatch.setattr(camera, "TURNS_VIDEOS", turns)
    one = 1 << 16
    matrix = np.array([-one, 0, 0, 0, -one], ">i4").tobytes()
    file = tmp_path / "phone.mp4"
    file.write_bytes(b"...." + b"tkhd" + bytes(40) + matrix + bytes(20))
    turn = camera.missing_rotation(file, (640, 360), (640, 360))
    assert turn == pytest.approx(0 if turns else np.pi)
