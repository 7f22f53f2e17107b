"""What a finished estimate puts into the scene, and what another one leaves of the first."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.addon.bodies import camera_arrays, motion_arrays, rodrigues

bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")

from addon import gallery, results, scene, shape  # noqa: E402
from addon.action import leg_length, rest_joints  # noqa: E402
from addon.amass import quaternion_to_rotvec  # noqa: E402
from addon.body import JOINTS, default_body_file, mesh_of, read_body  # noqa: E402
from addon.camera import restore_view  # noqa: E402
from addon.motion_file import MotionFileError, matrix_to_quaternion  # noqa: E402
from addon.operators import estimate  # noqa: E402
from tests.addon.test_animate import write_film  # noqa: E402

FRAMES = 20


def settings(**changes):
    return SimpleNamespace(
        **({"rate": "VIDEO", "body": "DEFAULT", "betas": "VIDEO", "nla": False} | changes)
    )


def motion_file(folder, name="motion", seed=0, first=0, frames=FRAMES, **more):
    """A Motion's file whose first frame is the video's `first`."""
    numbers = np.arange(first, first + frames)
    arrays = motion_arrays(frames, seed, **camera_arrays(frames)) | {"body": np.array("default")}
    arrays |= {"frames": numbers, "times": numbers / 30, "method": np.array("ktpformer")} | more
    np.savez(folder / f"{name}.npz", **arrays)
    return folder / f"{name}.npz"


def add(files, video=None, **changes):
    return scene.add_result(bpy.context, files, video, settings(**changes))


def hand(armature, frame: float) -> np.ndarray:
    bpy.context.scene.frame_set(int(frame), subframe=float(frame) % 1)
    return np.array(armature.matrix_world @ armature.pose.bones["left_hand"].head)


def joints(armature, frame: int) -> np.ndarray:
    bpy.context.scene.frame_set(frame)
    return np.array([armature.matrix_world @ armature.pose.bones[n].head for n in JOINTS])


@pytest.fixture
def film(scene, tmp_path):
    """A video, in an empty file at 24 frames a second."""
    path = tmp_path / "film.mp4"
    write_film(path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return path


def test_a_result_goes_into_its_scene_though_another_is_shown(film, tmp_path):
    window, asked = bpy.context.window, bpy.context.scene
    window.scene = shown = bpy.data.scenes.new("Shown")
    shown.render.fps = 12
    estimate.place([motion_file(tmp_path)], film, settings(scene=asked.name))
    assert len(results.bodies(asked)) == 1 and not results.bodies(shown)
    assert asked.render.fps == 30 and shown.render.fps == 12 and window.scene == shown


def test_a_result_in_a_collection_of_its_own(film, tmp_path):
    (armature,) = add([motion_file(tmp_path)], film)
    now = bpy.context.scene
    assert (now.render.fps, now.frame_start, now.frame_end) == (30, 1, FRAMES)
    (own,) = armature.users_collection
    assert set(own.objects) == {armature, mesh_of(armature)}
    assert own.name in now.collection.children["Posecast"].children
    assert now.camera is results.camera_of(now, armature)
    assert now.camera.data.background_images[0].image.source == "MOVIE"
    assert bpy.context.view_layer.objects.active is armature and armature.name == "film"
    assert armature["posecast_motion"] == str(tmp_path / "motion.npz")
    assert armature["posecast_video"] == str(film)
    assert results.fact(armature, "frames") == FRAMES
    assert results.fact(armature, "coverage") == 1.0
    assert results.fact(armature, "method") == "ktpformer"
    assert results.fact(armature, "fov") == pytest.approx(2 * np.degrees(np.arctan(320 / 500)))


def test_another_run_is_another_action(film, tmp_path):
    (armature,) = add([motion_file(tmp_path)], film)
    first, place = results.active_action(armature), joints(armature, 7)
    (again,) = add([motion_file(tmp_path, "other", seed=1)], film)
    assert again is armature
    assert len(results.bodies(bpy.context.scene)) == 1
    assert sum(item.type == "CAMERA" for item in bpy.data.objects) == 1
    assert results.active_action(armature) is not first and first.use_fake_user
    second = results.active_action(armature)
    assert set(results.actions_of(armature)) == {first, second}
    assert np.linalg.norm(hand(armature, 7) - place[JOINTS.index("left_hand")]) > 0.1
    # The first run again, with the shape it was made for, is what it was.
    shape.play(armature, first)
    assert np.abs(joints(armature, 7) - place).max() < 1e-4
    # A shape that the user chose stays.
    shape.reshape(armature, np.zeros(10))
    legs = leg_length(rest_joints(armature))
    shape.play(armature, second)
    assert leg_length(rest_joints(armature)) == pytest.approx(legs)


def test_an_earlier_run_is_seen_from_where_it_was(film, tmp_path):
    """Two runs differ in where they have the camera; each lies on the film through its own."""
    (armature,) = add([motion_file(tmp_path)], film)
    camera, first = results.camera_of(bpy.context.scene, armature), results.active_action(armature)
    before = np.array(camera.matrix_world), camera.data.lens
    other = camera_arrays(FRAMES, moving=True)
    other["camera_intrinsics"] = other["camera_intrinsics"] * (2, 2, 1)
    add([motion_file(tmp_path, "other", seed=1, **other)], film)
    second = results.active_action(armature)
    bpy.context.scene.frame_set(9)
    moved = np.array(camera.matrix_world), camera.data.lens
    assert np.abs(moved[0] - before[0]).max() > 0.05 and moved[1] > before[1]
    for run, (place, lens) in ((first, before), (second, moved), (first, before)):
        restore_view(camera, run)
        bpy.context.scene.frame_set(9)
        bpy.context.view_layer.update()
        assert np.abs(np.array(camera.matrix_world) - place).max() < 1e-5
        assert camera.data.lens == pytest.approx(lens)


def test_a_folder_of_pictures_stands_in_a_row(scene, tmp_path):
    """Each before a camera of its own that sees it as before; rate, range and camera are kept."""
    now = bpy.context.scene
    now.render.fps, now.frame_start, now.frame_end = 25, 11, 90
    files = []
    for name, person in (("a", 1), ("b", 1), ("b", 2)):
        picture = {"video": np.array(f"{name}.png"), "person": np.array(person)}
        files.append(motion_file(tmp_path, f"{name}{person}", person, frames=1, **picture))
        image = bpy.data.images.new(name, 64, 36)
        image.filepath_raw, image.file_format = str(tmp_path / f"{name}.png"), "PNG"
        image.save()
        bpy.data.images.remove(image)
    a, b, c = gallery.add_pictures(bpy.context, files, tmp_path, settings())
    assert (now.render.fps, now.frame_start, now.frame_end) == (25, 11, 90)
    assert all(item.select_get() and not item["posecast_note"] for item in (a, b, c))
    reach = [joints(item, 11)[:, 0] for item in (a, b, c)]
    assert reach[0].max() + 0.5 < min(reach[1].min(), reach[2].min())
    one, two = results.camera_of(now, a), results.camera_of(now, b)
    assert one is not two and two is results.camera_of(now, c)
    assert two.data.background_images[0].image.filepath == str(tmp_path / "b.png")
    (alone,) = add([files[1]], tmp_path / "other.png")
    way = joints(b, 11) - joints(alone, 11)
    assert np.abs(way - [way[0, 0], 0, 0]).max() < 1e-4
    shift = two.matrix_world.translation - results.camera_of(now, alone).matrix_world.translation
    assert np.abs(np.array(shift) - way[0]).max() < 1e-4


def test_another_run_in_the_nla(film, tmp_path):
    (armature,) = add([motion_file(tmp_path)], film)
    first = results.active_action(armature)
    add([motion_file(tmp_path, "other", seed=1)], film, nla=True)
    (track,) = armature.animation_data.nla_tracks
    assert track.mute and track.strips[0].action is first
    assert results.active_action(armature) is not first
    # With the first on its track alone, it plays where it was.
    armature.animation_data.action = None
    track.mute = False
    moved = hand(armature, 7) - hand(armature, 2)
    assert np.linalg.norm(moved) > 0.01


def test_another_person_and_another_video_get_a_body(film, tmp_path):
    add([motion_file(tmp_path)], film)
    add([motion_file(tmp_path, "second", person=np.array(2))], film)
    add([motion_file(tmp_path)], None)
    assert len(results.bodies(bpy.context.scene)) == 3


def test_people_are_seen_within_their_frames(film, tmp_path):
    files = [
        motion_file(tmp_path, "1", person=np.array(1)),
        motion_file(tmp_path, "2", 1, first=5, frames=8, person=np.array(2)),
    ]
    always, some = add(files, film)
    seen = {}
    for frame in range(1, FRAMES + 1):
        bpy.context.scene.frame_set(frame)
        seen[frame] = not some.hide_viewport
        assert mesh_of(some).hide_render == mesh_of(some).hide_viewport == some.hide_viewport
        assert not always.hide_viewport
    assert [frame for frame, shown in seen.items() if shown] == list(range(6, 14))


def test_people_stand_where_one_camera_saw_them(scene, tmp_path):
    """The same movement, told in two worlds that differ by heading and place."""
    first = motion_file(tmp_path, "1", person=np.array(1))
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.8), -np.sin(0.8)], [np.sin(0.8), np.cos(0.8)]]
    turn[:2, 3] = (3.0, -2.0)
    arrays = dict(np.load(first))
    extrinsics = arrays["camera_extrinsics"] @ turn
    # The second's world is the first's turned back.
    back = np.linalg.inv(turn)[:3, :3]
    root = matrix_to_quaternion(back @ rodrigues(arrays["poses"][:, :3].astype(float)))
    rest = rest_pelvis(arrays["betas"])
    place = (arrays["trans"] + rest - turn[:3, 3]) @ back.T
    poses = arrays["poses"].copy()
    poses[:, :3] = quaternion_to_rotvec(root)
    second = motion_file(
        tmp_path, "2", person=np.array(2), poses=poses, trans=(place - rest).astype(np.float32),
        camera_extrinsics=extrinsics,
    )  # fmt: skip
    one, other = add([first, second])
    for frame in (1, 9, 20):
        assert np.abs(joints(one, frame) - joints(other, frame)).max() < 0.02


def rest_pelvis(betas) -> np.ndarray:
    return read_body(default_body_file()).rest_joints(np.asarray(betas, float))[0]


def test_the_scenes_rate_is_kept(film, tmp_path):
    """24 frames a second from the range's first frame on; the video's frames in step with it."""
    now = bpy.context.scene
    now.render.fps, now.frame_start, now.frame_end = 24, 101, 150
    own = bpy.data.objects.new("mine", bpy.data.cameras.new("mine"))
    now.collection.objects.link(own)
    now.camera = own
    now.render.resolution_x = 333
    (armature,) = add([motion_file(tmp_path, first=10)], film, rate="SCENE")
    assert (now.render.fps, now.frame_start, now.frame_end) == (24, 101, 150)
    assert now.camera is own and now.render.resolution_x == 333
    background = results.camera_of(now, armature).data.background_images[0]
    for frame in (101, 105, 110, 116):
        now.frame_set(frame)
        user = background.image_user
        shown = frame - user.frame_start + 1 + user.frame_offset
        assert frame - user.frame_start + 1 <= user.frame_duration
        assert abs(shown - 1 - (10 + (frame - 101) * 30 / 24)) <= 0.5
    # The key of the video's frame 14 is 4 / 30 s after the start.
    (copy,) = add([motion_file(tmp_path, first=10)], None, rate="VIDEO")
    assert np.abs(hand(armature, 101 + 24 * 4 / 30) - hand(copy, 5)).max() < 2e-3


def test_a_video_that_is_gone(scene, tmp_path):
    (armature,) = add([motion_file(tmp_path)], tmp_path / "gone.mp4")
    assert "gone.mp4" in armature["posecast_note"] and armature["posecast_note"].endswith(".")
    assert not bpy.context.scene.camera.data.background_images


def test_nothing_is_left_of_a_result_that_cannot_be_read(scene, tmp_path):
    (tmp_path / "broken.npz").write_bytes(b"nothing")
    with pytest.raises(MotionFileError):
        add([motion_file(tmp_path), tmp_path / "broken.npz"])
    assert not bpy.data.objects and not bpy.context.scene.collection.children


def test_neutral_shape_and_its_feet(scene, tmp_path):
    """Other legs than the person's walk as far as they reach, with the feet on the floor."""
    (own,) = add([motion_file(tmp_path, betas=np.array([2.0, *[0] * 9]))])
    truth = np.array([joints(own, frame) for frame in range(1, FRAMES + 1)])
    more = {"joints": truth.astype(np.float32), "betas": np.array([2.0, *[0] * 9])}
    (neutral,) = add([motion_file(tmp_path, **more)], betas="NEUTRAL")
    (tall,) = add([motion_file(tmp_path, **more)])
    index = JOINTS.index("left_ankle")
    legs = truth[:, 0] - truth[:, index]
    for frame in (1, 9, 20):
        assert np.abs(joints(tall, frame) - truth[frame - 1]).max() < 1e-3
        now = joints(neutral, frame)
        ratio = np.linalg.norm(now[0] - now[index]) / np.linalg.norm(legs[frame - 1])
        assert 0.8 < ratio < 0.97
        assert now[index, 2] == pytest.approx(ratio * truth[frame - 1, index, 2], abs=0.02)
    # Changed afterwards, it is the same as if it had been made so.
    shape.reshape(neutral, np.array([2.0, *[0] * 9]))
    for frame in (1, 9, 20):
        assert np.abs(joints(neutral, frame) - truth[frame - 1]).max() < 1e-3
