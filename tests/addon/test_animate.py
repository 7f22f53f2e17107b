"""scripts/animate.py from outside: what it writes, what it says, how it ends."""

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.addon.bodies import camera_arrays, motion_arrays, small_body
from tests.addon.test_estimator import fake_python, gone, wait_for

bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")

SCRIPT = Path(__file__).parents[2] / "scripts" / "animate.py"
FRAMES = 6


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Runs the script in a folder with body.npz, motion.npz, in.mp4; `fake` is the estimator."""
    np.savez(tmp_path / "body.npz", **small_body())
    arrays = motion_arrays(FRAMES, **camera_arrays(FRAMES))
    np.savez(tmp_path / "motion.npz", **arrays)
    (tmp_path / "in.mp4").write_bytes(b"a film")
    (tmp_path / "out").mkdir()
    monkeypatch.setenv("FAKE_MOTION", str(tmp_path / "motion.npz"))
    monkeypatch.setenv("FAKE_PIDS", str(tmp_path / "pids"))
    monkeypatch.delenv("POSECAST_PYTHON", raising=False)
    return Job(tmp_path, monkeypatch)


class Job:
    def __init__(self, folder: Path, monkeypatch):
        self.folder, self.patch = folder, monkeypatch
        self.out = folder / "out"

    def start(self, *words: str, fake: str = "") -> subprocess.Popen:
        if fake:
            self.patch.setenv("FAKE", fake)
            words = (*words, "--python", str(fake_python(self.folder)))
        program = bpy.app.binary_path
        start = [program, "-b", "-P", str(SCRIPT), "--"] if program else [sys.executable, SCRIPT]
        return subprocess.Popen(
            [*start, *words], cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *words: str, fake: str = "") -> tuple[int, str, str]:
        process = self.start(*words, fake=fake)
        said, errors = process.communicate(timeout=300)
        return process.returncode, said, errors

    def made(self) -> set[str]:
        return {path.name for path in self.out.iterdir()}


WORDS = ("--output", "out/a.blend", "--body", "body.npz")


def sentences(errors: str) -> list[str]:
    """What was told, without what graphics drivers and distributions say of themselves."""
    noise = ("EGL", "could not get a list of mounted", "Warning:")
    return [line for line in errors.splitlines() if line and not line.startswith(noise)]


def test_a_motion_becomes_a_blend(job):
    status, said, errors = job.run(*WORDS, "--motion", "motion.npz", "--export", "glb,bvh")
    assert status == 0, errors
    assert job.made() == {"a.blend", "a.glb", "a.bvh"}
    assert f"{FRAMES} frames at 30 a second" in said and "Seconds: build" in said
    bpy.ops.wm.open_mainfile(filepath=str(job.out / "a.blend"))
    scene = bpy.context.scene
    assert (scene.frame_start, scene.frame_end, scene.render.fps) == (1, FRAMES, 30)
    armature = next(item for item in bpy.data.objects if item.type == "ARMATURE")
    places = []
    for frame in (1, FRAMES):
        scene.frame_set(frame)
        places.append(np.array(armature.pose.bones["left_hand"].head))
    assert np.linalg.norm(places[1] - places[0]) > 0.1, "it moves"
    assert scene.camera is not None


def test_a_video_that_is_not_there(job):
    status, _, errors = job.run(*WORDS, "missing.mp4")
    assert status == 1 and sentences(errors) == [
        f"There is no video {job.folder / 'missing.mp4'}; check the path."
    ]
    assert job.made() == set()


def test_a_folder_is_told_how_its_pictures_are_named(job):
    status, _, errors = job.run(*WORDS, ".")
    assert status == 1 and len(sentences(errors)) == 1
    assert f"{job.folder} is a folder: name the videos or pictures in it" in errors
    assert job.made() == set()


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("fails", "No person was found in the video; film one."),
        ("crashes", "No module named 'torch'"),
        ("is killed", "SIGKILL"),
    ],
)
def test_a_failing_estimator(job, how, told):
    status, _, errors = job.run("in.mp4", *WORDS, fake=how)
    assert status == 1 and len(sentences(errors)) == 1 and told in errors
    assert job.made() == set()


def test_no_estimator(job):
    status, _, errors = job.run("in.mp4", *WORDS, "--python", "/nowhere/python")
    assert status == 1 and len(sentences(errors)) == 1 and "quickstart.sh" in errors
    assert job.made() == set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_estimator(job, number):
    process = job.start("in.mp4", *WORDS, fake="hangs")
    wait_for(lambda: (job.folder / "pids").exists() and (job.folder / "pids").read_text().strip())
    pids = [int(word) for word in (job.folder / "pids").read_text().split()]
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and sentences(errors) == ["Stopped; no file was written."]
    wait_for(lambda: all(gone(pid) for pid in pids))
    assert job.made() == set()


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("--output", "out/a.blend"), 2, "VIDEO"),
        (("--output", "out/a.fbx", "--motion", "motion.npz"), 2, ".blend"),
        (("--output", "out/a.blend", "--motion", "motion.npz", "--fov", "wide"), 2, "--fov"),
        (("--output", "out/a.blend", "--motion", "motion.npz", "--export", "obj"), 1, "obj"),
        (("--output", "out/a.blend", "--motion", "none.npz"), 1, "none.npz"),
        (("--output", "body.npz/a.blend", "--motion", "motion.npz"), 1, "choose another"),
        (("--output", "out/a.blend", "--motion", "body.npz"), 1, "lacks poses"),
        (
            ("--output", "out/a.blend", "--motion", "motion.npz", "--body", "motion.npz"),
            1,
            "v_template",
        ),
    ],
)
def test_wrong_use(job, words, status, told):
    returned, _, errors = job.run(*words)
    assert returned == status and told in errors and "Traceback" not in errors
    if status == 1:
        assert len(sentences(errors)) == 1
    assert job.made() == set()


def test_all_files_or_none(tmp_path, monkeypatch):
    """The second of two files is not there to be put in place."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    files = importlib.import_module("animating.files")
    (tmp_path / "made").write_text("new")
    (tmp_path / "a.blend").write_text("old")
    with pytest.raises(files.JobError, match="can't be written"):
        files.publish(
            [(tmp_path / "made", tmp_path / "a.blend"), (tmp_path / "lost", tmp_path / "p.mp4")]
        )
    assert {path.name for path in tmp_path.iterdir()} == {"a.blend"}
    assert (tmp_path / "a.blend").read_text() == "old"


def test_a_film_that_blender_cannot_read(job):
    status, _, errors = job.run(
        *WORDS, "--motion", "motion.npz", "--background", "in.mp4", "--preview", "out/p.mp4"
    )
    assert status == 1 and len(sentences(errors)) == 1 and "Traceback" not in errors
    assert job.made() == set()


def test_several_people_and_their_motions(job, monkeypatch):
    film = job.folder / "in.mp4"
    write_film(film)
    status, _, errors = job.run(
        "in.mp4", *WORDS, "--motion", "out/m.npz", "--person", "all", fake="two people"
    )
    assert status == 0, errors
    assert job.made() == {"a.blend", "m-1.npz", "m-2.npz"}
    bpy.ops.wm.open_mainfile(filepath=str(job.out / "a.blend"))
    assert sum(item.type == "ARMATURE" for item in bpy.data.objects) == 2
    (background,) = bpy.context.scene.camera.data.background_images
    assert Path(bpy.path.abspath(background.image.filepath)).resolve() == film.resolve()


def test_an_answer_for_programs(job):
    status, said, _ = job.run(*WORDS, "--motion", "motion.npz", "--export", "amass", "--json")
    answer = json.loads(said.splitlines()[-1])
    assert status == 0 and answer["errors"] == []
    (result,) = answer["results"]
    assert {Path(file).name for file in result["files"]} == job.made() == {"a.blend", "a.npz"}
    (person,) = result["people"]
    assert person == {"person": 1, "frames": FRAMES, "fps": 30.0, "coverage": 1.0}
    assert result["seconds"]["build"] > 0


def test_an_error_for_programs(job):
    status, said, _ = job.run(*WORDS, "missing.mp4", "--json")
    answer = json.loads(said.splitlines()[-1])
    assert status == 1 and answer["results"] == [] and "missing.mp4" in answer["errors"][0]["error"]


def test_several_videos(job):
    """Each gets a .blend of its own; one that fails doesn't hinder the others."""
    for name in ("one", "two"):
        write_film(job.folder / f"{name}.mp4")
    status, said, errors = job.run(
        "one.mp4", "missing.mp4", "two.mp4", "--output", "out", "--body", "body.npz",
        "--motion", "out/motions", "--export", "amass", "--json", fake="good",
    )  # fmt: skip
    answer = json.loads(said.splitlines()[-1])
    assert status == 1 and len(answer["results"]) == 2 and len(answer["errors"]) == 1
    assert "missing.mp4" in answer["errors"][0]["video"] and "missing.mp4" in errors
    assert job.made() == {"one.blend", "two.blend", "one.npz", "two.npz", "motions"}
    assert {path.name for path in (job.out / "motions").iterdir()} == {"one.npz", "two.npz"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("one.mp4", "two.mp4", "--output", "out/a.blend"), "has to be a folder"),
        (("one.mp4", "sub/one.mp4", "--output", "out"), "two videos are called one"),
        (("one.mp4", "--output", "out/a.blend", "--map", "auto"), "--map needs a --target"),
    ],
)
def test_wrong_use_of_several_videos_and_targets(job, words, told):
    status, _, errors = job.run(*words)
    assert status == 2 and told in errors and job.made() == set()


MAP = {"pelvis": "hips", "spine1": "spine", "left_hip": "thigh.L", "right_hip": "thigh.R"}
MAP |= {"left_knee": "shin.L", "right_knee": "shin.R"}


def character_file(folder: Path) -> Path:
    """A .blend with a character, its mesh, and what isn't its."""
    from tests.addon.test_export import made_character

    bpy.ops.wm.read_factory_settings(use_empty=True)
    armature, _ = made_character()
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    for side, x in (("L", 9), ("R", -9)):
        parent = bones["hips"]
        for name, high, low in (("thigh", 88, 48), ("shin", 48, 8)):
            bone = bones.new(f"{name}.{side}")
            bone.head, bone.tail, bone.parent = (x, high, 0), (x, low, 0), parent
            parent = bone
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("lamp", None))
    file = folder / "character.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    return file


def test_a_character_moves_too(job):
    pytest.importorskip("addon.retarget.bake")
    file = character_file(job.folder)
    (job.folder / "map.json").write_text(json.dumps(MAP))
    status, _, errors = job.run(
        *WORDS, "--motion", "motion.npz", "--target", f"{file.name}:hero", "--map", "map.json",
        "--no-feet", "--export", "glb,amass",
    )  # fmt: skip
    assert status == 0, errors
    assert job.made() == {"a.blend", "a.glb", "a.npz"}
    bpy.ops.wm.open_mainfile(filepath=str(job.out / "a.blend"))
    hero, skin = bpy.data.objects["hero"], bpy.data.objects["skin"]
    assert "lamp" not in bpy.data.objects and skin.parent == hero
    assert hero.animation_data.action.name != "dance"
    turned = []
    for frame in (1, FRAMES):
        bpy.context.scene.frame_set(frame)
        turned.append(np.array(hero.matrix_world @ hero.pose.bones["hips"].matrix))
    assert np.abs(turned[1] - turned[0]).max() > 0.01
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=str(job.out / "a.glb"))
    (armature,) = [item for item in bpy.data.objects if item.type == "ARMATURE"]
    assert "hips" in armature.pose.bones, "the character is exported, not the body"


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("none.blend:hero", "no character file"),
        ("body.npz:hero", "has to be a .blend"),
        ("character.blend:villain", "its objects are hero"),
        ("broken.blend", "can't be read"),
    ],
)
def test_a_character_that_is_not_there(job, target, told):
    character_file(job.folder)
    (job.folder / "broken.blend").write_text("nothing")
    status, _, errors = job.run(*WORDS, "--motion", "motion.npz", "--target", target)
    assert status == 1 and told in errors and len(sentences(errors)) == 1
    assert job.made() == set()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("character.blend:villain",), "no armature villain"),
        (("character.blend:hero", "--map", "nobody"), "no bone map nobody; choose from"),
        (("character.blend:hero", "--map", "none.json"), "can't be read"),
    ],
)
def test_a_wrong_character_is_told_before_the_work(job, words, told):
    """The estimator, which would fail with words of its own, isn't started."""
    character_file(job.folder)
    status, _, errors = job.run("in.mp4", *WORDS, "--target", *words, fake="fails")
    assert status == 1 and told in errors and len(sentences(errors)) == 1
    assert job.made() == set()


def write_film(path: Path) -> None:
    """A film of FRAMES frames, made with Blender's sequencer."""
    from addon import preview, stage

    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps, scene.frame_end = 30, FRAMES
    film = stage.new_scene(scene, "film")
    editor = film.sequence_editor_create()
    picture = bpy.data.images.new("film", 640, 360)
    picture.filepath_raw, picture.file_format = str(path.with_suffix(".png")), "PNG"
    picture.save()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strips.new_image("film", picture.filepath_raw, 1, 1).frame_final_duration = FRAMES
    film.render.resolution_x, film.render.resolution_y = 640, 360
    preview.encode_as_h264(film)
    film.render.filepath = str(path)
    bpy.ops.render.render(animation=True, scene=film.name)
    assert path.is_file() and os.path.getsize(path) > 0
