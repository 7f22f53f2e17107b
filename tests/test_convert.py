"""Other tools' files, written here in their layouts from the demo's motion, come back as it."""

import json
import pickle
from collections import defaultdict

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from regressor import convert, results
from regressor.errors import FileFormatError
from regressor.motion import Motion
from regressor.smpl import load_body
from regressor.smpl.fit import posed_joints
from tests import estimator, hostile, joblib_files

FRAMES = 40
Z_UP_TO_Y_UP = Rotation.from_euler("x", -90, degrees=True)


@pytest.fixture(scope="module")
def truth():
    """The first frames of the demo's motion on the default body, in its mean shape."""
    motion = Motion.load(estimator.TRUTH)
    body, count = load_body(), FRAMES
    rotations = torch.from_numpy(motion.poses[:count]).unflatten(1, (24, 3))
    pelvis = motion.joints[:count, 0]
    joints = posed_joints(body, rotations, torch.from_numpy(pelvis), torch.zeros(10))[1]
    return motion.poses[:count].astype(float), pelvis.astype(float), joints.numpy()


def turned(poses, rotation):
    """Poses whose pelvis is turned in the world."""
    first = (rotation * Rotation.from_rotvec(poses[:, :3])).as_rotvec()
    return np.concatenate([first, poses[:, 3:]], axis=1)


def wham_person(truth, first=0):
    poses, pelvis, _ = truth
    poses = turned(poses, Z_UP_TO_Y_UP)
    hips = Rotation.from_rotvec(poses[:, :3]).apply(results.HIPS_TO_PELVIS)
    return {
        "pose": np.zeros((FRAMES, 72), np.float32),
        "trans": np.zeros((FRAMES, 3), np.float32),
        "pose_world": poses.astype(np.float32),
        "trans_world": (Z_UP_TO_Y_UP.apply(pelvis) - hips).astype(np.float32),
        "betas": np.full((FRAMES, 10), 0.3, np.float32),
        "verts": np.zeros((FRAMES, 5, 3), np.float32),
        "frame_ids": first + np.arange(FRAMES),
    }


def wham(truth, folder):
    people = defaultdict(dict)
    people[0] = {**wham_person(truth), "frame_ids": np.arange(FRAMES)}
    return joblib_files.dump(people, folder / "wham_output.pkl")


def gvhmr(truth, folder):
    poses, pelvis, _ = truth
    poses = torch.from_numpy(turned(poses, Z_UP_TO_Y_UP)).float()
    parameters = {
        "body_pose": poses[:, 3:66],
        "betas": torch.full((FRAMES, 10), 0.3),
        "global_orient": poses[:, :3],
        "transl": torch.from_numpy(Z_UP_TO_Y_UP.apply(pelvis) - results.SMPLX_PELVIS).float(),
    }
    content = {
        "smpl_params_global": parameters,
        "smpl_params_incam": {name: torch.zeros_like(v) for name, v in parameters.items()},
        "K_fullimg": torch.eye(3).repeat(FRAMES, 1, 1),
        "net_outputs": {"model_output": {"pred_x": torch.zeros(1, FRAMES, 151)}},
    }
    torch.save(content, folder / "hmr4d_results.pt")
    return folder / "hmr4d_results.pt"


TO_CAMERA = Rotation.from_euler("x", 110, degrees=True)  # z up, seen by a camera that is tilted


def before_camera(points):
    return TO_CAMERA.apply(points.reshape(-1, 3)).reshape(points.shape) + [0, 0, 6.0]


def phalp_frames(truth):
    """The truth before that camera, in 4D-Humans' layout.

    A second person is there in the last 10 frames, and in one of them only carried on.
    """
    poses, pelvis, _ = truth
    seen, place = turned(poses, TO_CAMERA), before_camera(pelvis)
    width, height = 960, 540
    farther = results.PHALP_FOCAL_PX / 256 * width / np.hypot(width, height)
    frames = {}
    for i in range(FRAMES):
        matrices = Rotation.from_rotvec(seen[i].reshape(24, 3)).as_matrix().astype(np.float32)
        smpl = {
            "global_orient": matrices[:1],
            "body_pose": matrices[1:],
            "betas": np.full(10, 0.3, np.float32),
        }
        people = 2 if i >= FRAMES - 10 else 1
        frames[f"/films/{i:06d}.jpg"] = {
            "time": i,
            "shot": 0,
            "tid": [4, 9][:people],
            "tracked_ids": [4, 9][:people],
            "tracked_time": [0, 3 if i == FRAMES - 5 else 0][:people],
            "smpl": [smpl, smpl][:people],
            "camera": [(place[i] * [1, 1, farther] - results.SMPL_PELVIS).astype("f4")] * people,
            "size": [[height, width]] * people,
            "conf": [np.float32(0.9)] * people,
            "mask": [[{"size": [height, width], "counts": b"abc"}]] * people,
            "annotations": [[]] * people,
            "extra_data": [None] * people,
        }
    return frames


def phalp(truth, folder):
    return joblib_files.dump(phalp_frames(truth), folder / "demo.pkl", "zlib")


def amass(truth, folder, width=156):
    poses, pelvis, _ = truth
    rest = results.SMPLX_PELVIS if width == 165 else results.SMPL_PELVIS
    rate = "mocap_frame_rate" if width == 165 else "mocap_framerate"
    content = {rate: 120.0, "gender": "female", "betas": np.full(16, 0.3), "trans": pelvis - rest}
    content["poses"] = np.pad(poses[:, :66], ((0, 0), (0, width - 66)))
    np.savez(folder / "amass.npz", **content, labels=np.array(["x", None], dtype=object))
    return folder / "amass.npz"


def convert_one(file, folder, *words):
    done = estimator.run(folder / "at", file, *words, module="regressor.convert")
    assert done.status == 0, done.err
    return Motion.load(folder / "at" / done.lines[-1]["outputs"][0]), done.lines[-1]["message"]


def lowest(motion):
    """How high the lowest ankle is over the floor in each frame."""
    return motion.joints[:, [7, 8], 2].min(axis=1)


@pytest.mark.parametrize("write", [wham, gvhmr])
def test_worlds_with_y_up(truth, tmp_path, write):
    poses, _, joints = truth
    motion, told = convert_one(write(truth, tmp_path), tmp_path, "--fps", 25)
    count = 66 if write is gvhmr else 72  # SMPL-X has no joints in the hands' middle
    assert np.abs(turn_between(motion.poses[:, :3], poses[:, :3])).max() < 1e-3
    np.testing.assert_allclose(motion.poses[:, 3:count], poses[:, 3:count], atol=1e-5)
    shift = motion.joints - joints
    if write is gvhmr:
        shift = shift[:, :22]
    np.testing.assert_allclose(shift - shift[:1, :1], 0, atol=1e-4)
    np.testing.assert_allclose(shift[0, 0, :2], 0, atol=1e-4)
    assert abs(shift[0, 0, 2]) < 0.03  # the floor was where it is
    np.testing.assert_allclose(motion.trans, motion.joints[:, 0], atol=1e-3)
    assert motion.mocap_framerate == 25 and not motion.betas.any()
    assert "40 frames at 25 a second, as the file doesn't tell" in told
    assert motion.method == {wham: "WHAM", gvhmr: "GVHMR"}[write]


def turn_between(a, b):
    return (Rotation.from_rotvec(a).inv() * Rotation.from_rotvec(b)).magnitude()


def test_what_a_camera_saw_stands_upright_on_the_floor(truth, tmp_path):
    poses, _, joints = truth
    motion, told = convert_one(phalp(truth, tmp_path), tmp_path)
    assert len(motion) == FRAMES and "as the camera saw it" in told and "--body" in told
    np.testing.assert_allclose(motion.poses[:, 3:], poses[:, 3:], atol=1e-4)
    up = Rotation.from_rotvec(motion.poses[:, :3]).inv().apply([0, 0, 1])
    true_up = Rotation.from_rotvec(poses[:, :3]).inv().apply([0, 0, 1])
    # The camera's tilt isn't in the file; how people stand tells it to within some degrees.
    assert np.degrees(np.arccos((up * true_up).sum(axis=1))).max() < 6
    assert 0.0 < np.median(lowest(motion)) < 0.15
    way = np.ptp(motion.joints[:, 0, :2], axis=0), np.ptp(joints[:, 0, :2], axis=0)
    assert np.linalg.norm(way[0]) == pytest.approx(np.linalg.norm(way[1]), rel=0.15)
    # And the camera sees the body where it was.
    extrinsics, size = motion.camera_extrinsics, motion.image_size
    points = motion.joints @ extrinsics[0, :3, :3].T + extrinsics[0, :3, 3]
    np.testing.assert_allclose(points, before_camera(joints.astype(float)), atol=0.01)
    assert motion.camera_intrinsics[0, 0] == pytest.approx(np.hypot(*size))
    assert size.tolist() == [960, 540]


def test_people_of_4d_humans(truth, tmp_path):
    file = phalp(truth, tmp_path)
    one, two = results.read(file)
    assert (len(one.poses), len(two.poses)) == (FRAMES, 10)
    # Where the tool carried the second person on without seeing them, they are filled in.
    assert two.frames.tolist() == list(range(FRAMES - 10, FRAMES))
    assert two.observed.sum() == 9 and not two.observed[5]
    np.testing.assert_allclose(two.poses[5], (one.poses[-4] + one.poses[-6]) / 2, atol=0.02)
    done = estimator.run(tmp_path / "a", file, "--person", "all", module="regressor.convert")
    assert [path.name for path in done.outputs] == ["motion-1.npz", "motion-2.npz"]
    assert done.lines[-1]["outputs"] == ["motion-1.npz", "motion-2.npz"]
    assert [len(Motion.load(path)) for path in done.outputs] == [FRAMES, 10]
    second = Motion.load(done.outputs[1])
    assert second.times[0] == pytest.approx(1.0) and second.person == 2
    told = estimator.run(tmp_path / "b", file, "--list", module="regressor.convert")
    assert (told.status, told.outputs, told.lines[-1]["outputs"]) == (0, [], [])
    assert "2 people. Person 1: 40 frames, from 0 to 39. Person 2: 9" in told.lines[-1]["message"]
    none = estimator.run(tmp_path / "c", file, "--person", "3", module="regressor.convert")
    assert none.status == 1 and none.err == "There is no person 3: the file has 2 people.\n"
    assert none.outputs == []


@pytest.mark.parametrize("width", [72, 156, 165])
def test_amass(truth, tmp_path, width):
    poses, _, joints = truth
    motion, told = convert_one(amass(truth, tmp_path, width), tmp_path)
    np.testing.assert_allclose(motion.poses[:, :66], poses[:, :66], atol=1e-6)
    np.testing.assert_allclose(motion.joints[:, :22], joints[:, :22], atol=1e-4)
    assert (motion.mocap_framerate, motion.gender) == (120, "female")
    assert "--fps" not in told and ("--body" in told) == (width != 165)


def test_betas_fit_the_body_that_is_named(truth, tmp_path):
    body = load_body()
    own = tmp_path / "own.npz"
    own.write_bytes((estimator.ROOT / "regressor/smpl/data/default_body.npz").read_bytes())
    motion, told = convert_one(amass(truth, tmp_path), tmp_path, "--body", own)
    np.testing.assert_allclose(motion.betas, 0.3, atol=1e-6)
    assert motion.body == "own.npz" and "--body" not in told
    rest = body.joints_at_rest(torch.from_numpy(motion.betas))[0].numpy()
    np.testing.assert_allclose(motion.trans + rest, truth[1], atol=1e-4)


def test_a_motion_is_copied(tmp_path):
    motion, _ = convert_one(estimator.TRUTH, tmp_path)
    truth = Motion.load(estimator.TRUTH)
    np.testing.assert_array_equal(motion.poses, truth.poses)
    np.testing.assert_array_equal(motion.keypoints, truth.keypoints)


def test_gaps_in_wham_are_filled_in(truth, tmp_path):
    person = wham_person(truth)
    whole = results.wham(person)
    kept = np.r_[0:10, 13:FRAMES]
    part = {name: v if name == "betas" else np.asarray(v)[kept] for name, v in person.items()}
    part["betas"] = part["betas"][kept]
    filled = results.wham(part)
    assert filled.frames.tolist() == list(range(FRAMES)) and filled.observed.sum() == FRAMES - 3
    assert turn_between(filled.poses[11, :3], whole.poses[11, :3]) < 0.05
    np.testing.assert_allclose(filled.pelvis, whole.pelvis, atol=0.02)


@pytest.mark.parametrize("compress", ["", "zlib", "gzip"])
def test_hostile_results_are_refused_and_not_run(tmp_path, compress):
    for name, gadget in hostile.gadgets(tmp_path / "marker").items():
        content = {0: {"pose_world": np.zeros((2, 72)), "trans_world": gadget}}
        file = joblib_files.dump(content, tmp_path / "wham_output.pkl", compress)
        with pytest.raises(FileFormatError, match="was not opened because it wants to use"):
            results.read(file)
        assert not (tmp_path / "marker").exists(), name
    torch.save({"smpl_params_global": gadget}, tmp_path / "hmr4d_results.pt")
    done = estimator.run(tmp_path / "at", tmp_path / "hmr4d_results.pt", module="regressor.convert")
    assert done.status == 1 and done.err.count("\n") == 1 and done.outputs == []
    assert "hmr4d_results.pt was not opened because it wants to use" in done.err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"a": 1}, "holds no person's motion"),
        ([1, 2], "holds no person's motion"),
        ({"a.jpg": {"smpl": [{}], "tid": [1]}}, "is not as its tool writes it"),
        ({0: {"pose_world": np.zeros((2, 71)), "trans_world": 0}}, "is not as its tool writes it"),
        (
            {
                0: {
                    "pose_world": np.full((2, 72), np.nan),
                    "trans_world": np.zeros((2, 3)),
                    "betas": np.zeros(10),
                }
            },
            "numbers that are not finite",
        ),
        ({"a.jpg": {"smpl": [], "tid": []}}, "holds no person's motion"),
    ],
)
def test_files_of_another_kind(tmp_path, content, sentence):
    file = tmp_path / "result.pkl"
    file.write_bytes(pickle.dumps(content))
    with pytest.raises(FileFormatError, match=sentence):
        results.read(file)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["no.pkl"], "no.pkl can't be read: No such file or directory"),
        (["."], "can't be read: Is a directory"),
        ([estimator.DEMO], "demo.mp4 is not a readable pickle"),
        ([estimator.TRUTH, "-o", "motion.bvh"], "motion.bvh can't be the output"),
        ([estimator.TRUTH, "--fps", "0"], "--fps 0 can't be used"),
    ],
)
def test_refusals(tmp_path, words, sentence):
    done = estimator.run(tmp_path / "at", *words, module="regressor.convert")
    assert done.status == 1 and sentence in done.err and done.err.count("\n") == 1
    assert json.dumps(done.lines[-1]["message"]) and done.outputs == []


def test_who_is_meant():
    assert convert.chosen(3, "all") == [1, 2, 3]
    assert convert.chosen(3, "longest") == convert.chosen(3, "largest") == [1]
    assert convert.chosen(3, "2") == [2]
