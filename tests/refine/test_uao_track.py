"""UAO over whole tracks: the demo's true keypoints, shaken, through the shipped lifter."""

import numpy as np
import pytest
import roma
import torch

from regressor import lifters
from regressor.lifters.windows import LifterInput, Picture, lift
from regressor.lifting import load_lifter
from regressor.refine import uao_track
from regressor.refine.uao_track import Options, accepted, bone_lengths, refine
from regressor.skeletons import to_h36m17
from regressor.smpl.body import chain
from regressor.smpl.landmarks import RidingLandmarks
from regressor.smpl.seen import seen_from_joints
from tests.refine.demo import BODY, TRUTH

SEEN = seen_from_joints(BODY, "mediapipe33")
EVERY = slice(60, 150, 2)  # the frames that are looked at
TIMES = TRUTH.times[EVERY]
PICTURE = Picture(TRUTH.camera_intrinsics, int(TRUTH.image_size[0]))
CAMERA = torch.as_tensor(TRUTH.camera_intrinsics, dtype=torch.float32)


def in_camera(skeleton):
    """The true landmarks (T, J, 3), metres, in the camera's axes."""
    rotations = roma.rotvec_to_rotmat(torch.from_numpy(TRUTH.poses).unflatten(1, (24, 3)))
    betas = torch.as_tensor(TRUTH.betas)
    turned, joints = chain(rotations, BODY.joints_at_rest(betas))
    world = RidingLandmarks(BODY, skeleton)(turned, joints, betas).numpy() + TRUTH.trans[:, None]
    extrinsics = TRUTH.camera_extrinsics
    return (world @ extrinsics[:, :3, :3].transpose(0, 2, 1) + extrinsics[:, None, :3, 3])[EVERY]


JOINTS = in_camera("h36m17")
ROOTS = JOINTS[:, 0]


def pixels(points):
    return (
        points[..., :2] / points[..., 2:] * CAMERA.diagonal()[:2].numpy()
        + PICTURE.intrinsics[:2, 2]
    )


@pytest.fixture(scope="module")
def keypoints():
    exact = pixels(to_h36m17("mediapipe33") @ in_camera("mediapipe33"))
    return exact + np.random.default_rng(0).normal(0, 2.0, exact.shape)


@pytest.fixture(scope="module")
def lifter():
    return load_lifter("ktpformer", device="cpu")


@pytest.fixture(scope="module")
def refined(lifter, keypoints):
    return refine(*lifter, keypoints, TIMES, PICTURE, seen=SEEN)


def measures(joints, keypoints, start):
    """(2, T): px from the keypoints, and metres of the bones from the start's usual lengths."""
    rays = (torch.as_tensor(keypoints) - CAMERA[:2, 2]) / CAMERA.diagonal()[:2]
    points = SEEN @ torch.as_tensor(joints)
    roots = uao_track.place(points, rays.float(), torch.ones(points.shape[:2]))
    px = uao_track.misses(points, roots, rays.float(), CAMERA)[..., 0].mean(1)
    lengths = uao_track.usual_lengths(torch.as_tensor(start))
    return torch.stack([px, (bone_lengths(torch.as_tensor(joints)) - lengths).abs().mean(1)])


def test_no_frame_is_worse_than_its_start_and_all_together_are_better(lifter, keypoints, refined):
    start = lift(*lifter, keypoints, TIMES, PICTURE, precision="float32")
    before, after = measures(start, keypoints, start), measures(refined.joints, keypoints, start)
    assert (after <= before + 1e-4 * before.mean(1, keepdim=True)).all()
    assert (after.mean(1) < 0.95 * before.mean(1)).all()
    np.testing.assert_allclose(refined.before, before, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(refined.after, after, rtol=1e-3, atol=1e-4)
    assert (refined.share > 0).mean() > 0.5


def test_it_stays_near_the_truth(lifter, keypoints, refined):
    start = lift(*lifter, keypoints, TIMES, PICTURE)
    target = JOINTS - JOINTS[:, :1]

    def error(joints):
        return np.linalg.norm(joints - joints[:, :1] - target, axis=-1).mean()

    assert error(refined.joints) < 1.02 * error(start)


def test_it_ends_by_itself_and_says_so(lifter, keypoints):
    told = []
    found = refine(
        *lifter,
        keypoints,
        TIMES,
        PICTURE,
        seen=SEEN,
        options=Options(steps=500, learning_rate=0.003, enough=0.02),
        report=lambda done, total: told.append((done, total)),
    )
    assert 2 < found.steps < 60
    assert told[-1] == (1, 1) and told[0] == (1, 500)


def test_it_says_whose_root_and_camera_it_took(lifter, keypoints, refined):
    found = refine(
        *lifter, keypoints, TIMES, PICTURE, seen=SEEN, roots=ROOTS, camera="assumed",
        options=Options(steps=3),
    )  # fmt: skip
    assert (found.root, found.camera) == ("true", "assumed")
    assert "UAO with the true root and the assumed camera" in str(found)
    assert (refined.root, refined.camera) == ("estimated", "given")
    assert (found.after <= found.before).all()


def test_pieces_make_what_the_whole_makes(lifter, keypoints, refined):
    in_pieces = refine(*lifter, keypoints, TIMES, PICTURE, seen=SEEN, options=Options(piece=20))
    assert np.abs(in_pieces.joints - refined.joints).max() < 0.03


@pytest.mark.parametrize("name", ["videopose3d", "gla_gcn", "motionbert", "uao"])
@pytest.mark.parametrize("frames", [1, 11])
def test_every_kind_of_lifter_can_be_refined(name, frames, keypoints):
    torch.manual_seed(0)
    small = {"frames": 9, "dim": 16, "depth": 1, "heads": 2, "dim_rep": 16}
    known = lifters.option_names(name)
    network = lifters.create(name, **{k: v for k, v in small.items() if k in known}).eval()
    expects = LifterInput("centred", 12.5, confidence=True)
    found = refine(
        network,
        expects,
        keypoints[:frames],
        TIMES[:frames],
        PICTURE,
        confidence=np.linspace(0, 1, frames * 17).reshape(frames, 17),
        options=Options(steps=3),
    )
    assert found.joints.shape == (frames, 17, 3) and np.isfinite(found.joints).all()
    assert (found.after <= found.before).all()
    assert all(p.requires_grad and p.grad is None for p in network.parameters())


@pytest.mark.parametrize("name", ["ktpformer", "videopose3d", "uao"])
def test_nothing_of_a_video_stays_in_the_network(name, keypoints):
    """Whatever was refined before, the next video gets what it would get first; a stop halfway
    leaves nothing behind either.
    """
    torch.manual_seed(0)
    small = {"frames": 9, "dim": 16, "depth": 2, "heads": 2}
    known = lifters.option_names(name)
    network = lifters.create(name, **{k: v for k, v in small.items() if k in known}).eval()
    expects = LifterInput("centred", 12.5)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    inside = [set(vars(module)) for module in network.modules()]

    def one(points, **more):
        return refine(network, expects, points, TIMES[: len(points)], PICTURE,
                      options=Options(steps=2), **more).joints  # fmt: skip

    first = one(keypoints[:11])
    one(keypoints[11:40] + 100)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one(keypoints[:20], report=stop)
    np.testing.assert_array_equal(one(keypoints[:11]), first)
    assert all(p.requires_grad and p.grad is None for p in network.parameters())
    assert [set(vars(module)) for module in network.modules()] == inside
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)


def test_nobody_seen_changes_nothing_much(lifter, keypoints):
    """Gaps have no confidence: only the bones speak there."""
    confidence = np.ones((len(TIMES), 17))
    confidence[10:20] = 0
    broken = keypoints.copy()
    broken[10:20] += 200
    found = refine(*lifter, broken, TIMES, PICTURE, confidence=confidence, seen=SEEN)
    assert np.isfinite(found.joints).all() and (found.after <= found.before).all()


def test_a_frame_that_gets_worse_stays_and_its_neighbours_come_along():
    first, last = torch.zeros(9, 17, 3), torch.ones(9, 17, 3)

    def judge(joints):
        """The fifth frame gets worse with every step, the last one beyond half of the way."""
        way = joints[:, 0, 0].clone()
        worse = torch.where(torch.arange(9) == 4, way, -way)
        worse[8] = (way[8] - 0.5).clamp(min=0)
        return torch.stack([worse, torch.zeros(9)])

    share = accepted(first, last, judge)
    torch.testing.assert_close(
        share, torch.tensor([1.0, 0.75, 0.5, 0.25, 0.0, 0.25, 0.5, 0.75, 0.5])
    )


def test_joints_are_taken_to_where_the_detector_sees_them():
    joints, seen = in_camera("h36m17"), to_h36m17("mediapipe33") @ in_camera("mediapipe33")
    joints, seen = joints - ROOTS[:, None], seen - ROOTS[:, None]
    apart = np.linalg.norm(joints - seen, axis=-1).mean()
    assert np.linalg.norm(SEEN.numpy() @ joints - seen, axis=-1).mean() < 0.5 * apart
