"""The whole job on good films: what is written, what is told, and how near the truth it is."""

import resource
from functools import partial

import numpy as np
import pytest
import torch

from regressor import metrics, reconstruct
from regressor.cameras import camera_of
from regressor.detection import Detections, Track, detect
from regressor.detection.track import box_around
from regressor.estimate import Options
from regressor.lifting import load_lifter
from regressor.motion import Motion
from regressor.progress import Progress, Stages
from regressor.refine.contacts import SolePoints
from regressor.skeletons import to_h36m17
from regressor.smpl import fit, load_body
from regressor.smpl.fit import FitWeights, posed_joints
from regressor.smpl.landmarks import RidingLandmarks
from regressor.video import open_video
from tests import estimator

STAGES = ["detect", "lift", "fit", "refine", "done"]


def stages_of(lines):
    """The stages in the order of the JSON lines, each once."""
    return list(dict.fromkeys(line["stage"] for line in lines))


def check(motion, frames, width=960, height=540):
    """What every Motion promises; `Motion.load` has refused numbers that are not finite."""
    assert len(motion) == frames and motion.poses.any() and motion.version == 1
    assert np.isfinite(motion.keypoints).all() and np.isfinite(motion.confidence).all()
    assert motion.image_size.tolist() == [width, height]
    assert (np.diff(motion.frames) == 1).all() and (np.diff(motion.times) > 0).all()
    assert motion.camera_extrinsics[0, :3, :3] @ [0, 0, 1] @ [0, 1, 0] < -0.7  # z is up


def test_json_lines_on_standard_output_and_a_part_at_another_rate(tmp_path):
    words = ["--start", 2.8, "--end", 3.4, "--fps", 15, "--fov", 60, "-o", "new/folder/part.npz"]
    words += ["--progress", "json", "--smooth", 0, "--no-contacts", "--person", "1"]
    done = estimator.finish(estimator.start(tmp_path, estimator.DEMO, *words), tmp_path)
    assert (done.status, done.err) == (0, "")
    assert stages_of(done.lines) == STAGES
    assert done.lines[-1]["outputs"] == ["new/folder/part.npz"]
    assert "9 frames at 15 a second" in done.lines[-1]["message"]
    assert [path.name for path in done.outputs if path.is_file()] == ["part.npz"]
    motion = Motion.load(tmp_path / "new" / "folder" / "part.npz")
    check(motion, frames=9)
    assert motion.mocap_framerate == 15
    assert motion.times == pytest.approx(2.8 + np.arange(9) / 15)
    assert motion.fov_source == "given" and motion.video == "demo.mp4"
    assert motion.camera_intrinsics[0, 0] == pytest.approx(480 / np.tan(np.radians(30)))


def test_a_bar_and_a_summary_for_people(tmp_path):
    film = estimator.film(tmp_path / "film.mp4", estimator.standing(6))
    done = estimator.finish(estimator.start(tmp_path / "at", film), tmp_path / "at")
    assert done.status == 0 and [path.name for path in done.outputs] == ["motion.npz"]
    assert "fit        [########################] 160/160" in done.err
    assert "the person is seen in 100% of them" in done.out and "Wrote motion.npz." in done.out


def test_a_person_who_leaves_half_way(tmp_path):
    pictures = [*estimator.standing(10), *[estimator.empty_scene()] * 10]
    film = estimator.film(tmp_path / "leaves.mp4", pictures)
    done = estimator.run(tmp_path / "at", film)
    assert done.status == 0
    motion = Motion.load(done.outputs[0])
    check(motion, frames=10)
    assert motion.frames.tolist() == list(range(10)) and motion.observed.all()
    assert "seen in 50%" in done.lines[-1]["message"]


def test_one_frame(tmp_path):
    done = estimator.run(tmp_path / "at", estimator.film(tmp_path / "1.mp4", estimator.standing(1)))
    assert done.status == 0, done.err
    check(Motion.load(done.outputs[0]), frames=1)


def test_a_phone_held_upright(tmp_path):
    done = estimator.run(tmp_path / "at", estimator.portrait(tmp_path / "phone.mp4", 6))
    assert done.status == 0
    motion = Motion.load(done.outputs[0])
    check(motion, frames=6, width=312, height=540)
    nose, ankles = motion.keypoints[:, 0], motion.keypoints[:, [27, 28]].mean(axis=1)
    assert (ankles[:, 1] - nose[:, 1] > 250).all() and (np.abs(ankles - nose)[:, 0] < 80).all()
    assert motion.joints[:, 15, 2].min() - motion.joints[:, 7, 2].max() > 1.0  # upright, in metres


def test_a_truncated_film_gives_what_it_holds(tmp_path):
    film = estimator.film(tmp_path / "cut.mp4", estimator.standing(16))
    film.write_bytes(film.read_bytes()[: film.stat().st_size * 7 // 10])
    done = estimator.run(tmp_path / "at", film)
    assert done.status == 0
    motion = Motion.load(done.outputs[0])
    check(motion, frames=len(motion))
    assert 4 <= len(motion) < 16
    assert "cut.mp4" in done.lines[-1]["message"]


def test_all_people_get_a_file_each(tmp_path):
    film = estimator.two_people(tmp_path / "two.mp4", 4)
    done = estimator.run(tmp_path / "at", film, "--person", "all")
    assert done.status == 0
    assert [path.name for path in done.outputs] == ["motion-1.npz", "motion-2.npz"]
    assert done.lines[-1]["outputs"] == ["motion-1.npz", "motion-2.npz"]
    large, small = map(Motion.load, done.outputs)
    assert (large.person, small.person) == (1, 2)
    assert large.keypoints[..., 0].min() > 350 and small.keypoints[..., 0].max() < 320
    none = estimator.run(tmp_path / "none", film, "--person", "3")
    assert (none.status, none.outputs) == (1, [])
    assert none.err == "There is no person 3: 2 people were found; choose a lower number.\n"


@pytest.fixture(scope="module")
def demo():
    """The demo clip at every second frame: its Track, and the Motion from it."""
    options = Options(estimator.DEMO, fps=15)
    with open_video(estimator.DEMO) as video:
        detections = detect(video, fps=15)
        camera = camera_of(options.fov, video.info)
    track = detections.tracks[0]
    return track, motion_of(track, detections, camera, options)


def motion_of(track, detections, camera, options):
    lifter, body = load_lifter(options.method), load_body()
    found, _ = reconstruct.lift_and_fit(
        track, detections, camera, body, lifter, False, Progress("none"), Stages()
    )
    return reconstruct.refine(found, track, detections, camera, body, options.smooth, True)


def posed(motion):
    """World rotations (T, 24, 3, 3), joints (T, 24, 3), betas (10,) of a Motion."""
    body, betas = load_body(), torch.from_numpy(motion.betas)
    rotations = torch.from_numpy(motion.poses).unflatten(1, (24, 3))
    pelvis = torch.from_numpy(motion.trans) + body.joints_at_rest(betas)[0]
    return *posed_joints(body, rotations, pelvis, betas), betas


def in_camera(motion, skeleton):
    """(T, J, 3) landmarks of `skeleton` on the default body, in the camera's axes, metres."""
    points = RidingLandmarks(load_body(), skeleton)(*posed(motion)).numpy()
    turn, shift = motion.camera_extrinsics[:, :3, :3], motion.camera_extrinsics[:, None, :3, 3]
    return points @ turn.transpose(0, 2, 1) + shift


def from_pelvis(joints):
    return joints - joints[:, :1]


def test_nearer_to_the_truth_than_the_detector_s_own_3d(demo):
    track, motion = demo
    truth = Motion.load(estimator.TRUTH)
    at = np.abs(truth.times[:, None] - motion.times).argmin(axis=0)
    assert np.abs(truth.times[at] - motion.times).max() < 1e-6
    target = from_pelvis(in_camera(truth, "h36m17")[at])
    ours = from_pelvis(in_camera(motion, "h36m17"))
    theirs = from_pelvis(to_h36m17(track.skeleton) @ track.world)
    assert track.observed.all()
    for error in (metrics.mpjpe, metrics.p_mpjpe):
        print(f"{error.__name__}: {1e3 * error(ours, target):.1f} mm", end=", ")
        print(f"the detector's own {1e3 * error(theirs, target):.1f} mm")
        assert error(ours, target) < error(theirs, target)


def test_the_body_covers_the_person_in_the_picture(demo):
    track, motion = demo
    points = in_camera(motion, track.skeleton) @ motion.camera_intrinsics.T
    miss = np.linalg.norm(points[..., :2] / points[..., 2:] - track.keypoints, axis=-1)
    heights = track.boxes[:, 3] - track.boxes[:, 1]
    assert np.median(miss / heights[:, None]) < 0.05


def test_standing_feet_do_not_slide(demo):
    _, motion = demo
    check(motion, frames=81)
    ends = SolePoints(load_body())(*posed(motion)).numpy()
    speeds = np.linalg.norm(np.diff(ends, axis=0), axis=-1).min(axis=2) * motion.mocap_framerate
    standing = motion.contacts[1:] & motion.contacts[:-1]
    assert standing.mean() > 0.3
    assert np.median(speeds[standing]) < 0.01
    assert np.percentile(ends[..., 2].min(axis=(1, 2)), [5, 95]) == pytest.approx(0, abs=0.03)


def test_ten_thousand_frames(monkeypatch):
    """The demo's true keypoints to and fro: lifted, fitted, refined, in bounded memory."""
    truth = Motion.load(estimator.TRUTH)
    there_and_back = np.concatenate([truth.keypoints, truth.keypoints[::-1]])
    count = 10_000
    keypoints = np.resize(there_and_back, (count, 33, 2)).astype(np.float32)
    times = np.arange(count) / 30
    track = Track(
        frames=np.arange(count),
        times=times,
        boxes=np.stack([box_around(points) for points in keypoints]),
        keypoints=keypoints,
        confidence=np.ones((count, 33), np.float32),
        observed=np.ones(count, bool),
        skeleton="mediapipe33",
    )
    detections = Detections([track], count, 30.0, times, 960, 540, [], False, np.zeros((count, 2)))
    quick = partial(fit.fit, weights=FitWeights(iterations=2))
    monkeypatch.setattr(reconstruct, "fit", quick)
    options = Options(estimator.DEMO)
    with open_video(estimator.DEMO) as video:
        camera = camera_of(options.fov, video.info)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    motion = motion_of(track, detections, camera, options)
    grown_gb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6
    check(motion, frames=count)
    assert grown_gb < 2.5
