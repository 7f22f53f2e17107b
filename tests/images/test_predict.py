"""From a Track to a body by an image network: crops, place in the picture, and refusals."""

from dataclasses import replace

import numpy as np
import pytest
import roma
import torch

from regressor import checkpoints, images, skeletons
from regressor.cameras import Camera, intrinsics_from_fov
from regressor.detection import Track
from regressor.errors import FileFormatError, PosecastError
from regressor.images import predict
from regressor.images.hmr import HmrOutput
from regressor.images.joints import J24
from regressor.progress import Progress
from regressor.smpl import load_body
from regressor.smpl.body import chain
from regressor.smpl.landmarks import RidingLandmarks
from regressor.video import open_video
from tests import videos

WIDTH, HEIGHT, FRAMES, FPS = 320, 240, 7, 30.0


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture
def video(tmp_path):
    """A grey video with a white square that moves by 10 px a frame."""
    file = tmp_path / "square.mp4"

    def picture(time: float) -> np.ndarray:
        image = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
        left = 100 + 10 * round(time * FPS)
        image[100:140, left : left + 40] = 250
        return image

    videos.write(file, [t / FPS for t in range(FRAMES)], picture)
    return open_video(file)


@pytest.fixture(scope="module")
def camera():
    return Camera(intrinsics_from_fov(50.0, WIDTH, HEIGHT), 50.0, "given")


@pytest.fixture(scope="module")
def walk(body, camera):
    """(truth, track): a moving body, and its landmarks as a detector would see them."""
    torch.manual_seed(1)
    rotations = roma.rotvec_to_rotmat(0.25 * torch.randn(FRAMES, 24, 3))
    rotations[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ rotations[:, 0]
    pelvis = torch.stack(
        [torch.linspace(-0.5, 0.5, FRAMES), torch.zeros(FRAMES), torch.linspace(4, 5, FRAMES)], 1
    )
    betas = torch.linspace(-1, 1, 10)
    turned, joints = chain(rotations, body.joints_at_rest(betas))
    joints = joints - joints[:, :1] + pelvis[:, None]
    points = RidingLandmarks(body, "mediapipe33")(turned, joints, betas).numpy()
    flat = points @ camera.intrinsics.T.astype(np.float32)
    keypoints = flat[..., :2] / flat[..., 2:]
    low, high = keypoints.min(axis=1), keypoints.max(axis=1)
    track = Track(
        frames=np.arange(FRAMES),
        times=np.arange(FRAMES) / FPS,
        boxes=np.concatenate([low, high], axis=1),
        keypoints=keypoints,
        confidence=np.ones((FRAMES, 33), np.float32),
        observed=np.ones(FRAMES, bool),
        skeleton="mediapipe33",
    )
    return (rotations, pelvis, betas), track


class Knowing(torch.nn.Module):
    """Gives the true body for each crop in turn; its camera knows nothing."""

    def __init__(self, rotations, betas):
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))
        self.rotations, self.betas, self.given, self.seen = rotations, betas, 0, []

    def forward(self, inputs):
        self.seen.append(inputs)
        span = slice(self.given, self.given + len(inputs))
        self.given += len(inputs)
        noise = torch.randn(len(inputs), 10) * torch.tensor([0.01, *[0.0] * 9])
        cam = torch.tensor([0.8, 0.0, 0.0]).expand(len(inputs), 3)
        return HmrOutput(self.rotations[span], self.betas + noise, cam)


def fitted(walk, video, camera, body, track=None, knows="default", neutral=False, network=None):
    (rotations, _, betas), seen = walk
    network = network or Knowing(rotations, betas)
    found = predict.ImageNetwork(network, "dsr", knows)
    track = track or seen
    shot = predict.Shot(video, (None, None, None), FPS, camera, track, body, neutral)
    return predict.fit_by_network(shot, found, Progress())


def test_a_perfect_network_gives_the_true_body_where_it_stands(
    walk, video, camera, body, monkeypatch
):
    monkeypatch.setattr(predict, "BATCH", 3)  # the last batch is smaller
    (rotations, pelvis, betas), _ = walk
    found = fitted(walk, video, camera, body)
    torch.testing.assert_close(found.rotations, roma.rotmat_to_rotvec(rotations))
    torch.testing.assert_close(found.betas, betas, atol=0.02, rtol=0)
    torch.testing.assert_close(found.pelvis, pelvis, atol=0.01, rtol=0)


def test_a_network_that_takes_keypoints_is_given_the_detectors(walk, video, camera, body):
    (rotations, _, betas), track = walk
    asked = []

    class Taking(Knowing):
        takes_keypoints = True

        def forward(self, inputs, given):
            asked.append(given)
            return super().forward(inputs)

    unsure = track.confidence.copy()
    for name in ("left_elbow", "left_hip"):
        unsure[2, skeletons.MEDIAPIPE33.index(name)] = 0.1
    fitted(
        walk, video, camera, body, replace(track, confidence=unsure),
        network=Taking(rotations, betas),
    )  # fmt: skip
    given, wrist, elbow = torch.cat(asked), J24.index("right_wrist"), J24.index("left_elbow")
    assert given[2, elbow, 2] == 0 and given[3, elbow, 2] == 1
    assert given[2:4, J24.index("left_hip"), 2].all()  # of legs guesses count as well
    centre, side = predict.boxes_of(track, FPS)
    points = track.keypoints[:, skeletons.MEDIAPIPE33.index("right_wrist")]
    places = (points - centre) / (side[:, None] / 2)
    np.testing.assert_allclose(given[:, wrist, :2], places, atol=2e-3)
    assert torch.equal(given[:, wrist, 2] > 0, torch.as_tensor((abs(places) < 1).all(axis=1)))


def test_frames_without_keypoints_are_bridged(walk, video, camera, body):
    (_, pelvis, _), track = walk
    confidence = track.confidence.copy()
    confidence[3] = 0
    found = fitted(walk, video, camera, body, Track(**{**vars(track), "confidence": confidence}))
    torch.testing.assert_close(found.pelvis, pelvis, atol=0.02, rtol=0)


def test_without_any_keypoint_the_networks_camera_places_the_body(walk, video, camera, body):
    _, track = walk
    unseen = Track(**{**vars(track), "confidence": 0 * track.confidence})
    found = fitted(walk, video, camera, body, unseen)
    side = predict.MARGIN * (track.boxes[3, 2:] - track.boxes[3, :2]).max()
    expected = 2 * camera.intrinsics[0, 0] / (0.8 * side)
    assert float(found.pelvis[3, 2]) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(("knows", "neutral"), [("default", True), ("smpl", False)])
def test_betas_of_another_body_are_not_used(walk, video, camera, body, knows, neutral):
    found = fitted(walk, video, camera, body, knows=knows, neutral=neutral)
    assert not found.betas.any()


def test_crops_follow_the_track_through_the_video(walk, video, camera, body):
    """The white square stays in the middle; a track that begins later begins with its frame."""
    _, track = walk
    for first in (0, 2):
        part = Track(
            **{
                **vars(track),
                "frames": track.frames[first:],
                "boxes": track.boxes[first:],
                "keypoints": track.keypoints[first:],
                "confidence": track.confidence[first:],
                "observed": track.observed[first:],
            }
        )
        centre = np.stack([120 + 10.0 * part.frames, np.full(len(part), 120.0)], axis=1)
        boxes = centre, np.full(len(part), 80.0)
        shot = predict.Shot(video, (None, None, None), FPS, camera, part, body)
        found = list(predict.crops_of(shot, boxes, "dsr"))
        assert len(found) == len(part)
        for picture in found:
            middle = np.argwhere(picture[..., 0] > 150).mean(axis=0)
            np.testing.assert_allclose(middle, [110.5, 110.5], atol=2.5)


def test_boxes_are_square_about_the_whole_person_seen_or_guessed(walk):
    _, track = walk
    confidence = track.confidence.copy()
    confidence[:, 25:] = 0.1  # the legs from the knees on
    hidden = Track(**{**vars(track), "confidence": confidence})
    centre, side = predict.boxes_of(hidden, FPS)
    low, high = track.keypoints.min(axis=1), track.keypoints.max(axis=1)
    np.testing.assert_allclose(side, 1.2 * (high - low).max(axis=1), rtol=0.2)  # steadied over time
    assert np.abs(centre - (low + high) / 2).max() < 0.1 * side.max()


def small(file, name="hmr", card=None):
    network, options = images.create("hmr", depth=18, hidden=16), {"depth": 18, "hidden": 16}
    checkpoints.save(network, file, name=name, options=options, card=card or {})
    return network


def test_our_file_says_its_crops_and_body(tmp_path):
    file = tmp_path / "a.safetensors"
    small(file, card={"crops": "spin", "body": "smpl"})
    found = predict.load_network("dsr", file, "cpu")
    assert (found.convention, found.body) == ("spin", "smpl")
    small(file)
    found = predict.load_network("hmr", file, "cpu")
    assert (found.convention, found.body) == ("dsr", "default")


@pytest.mark.parametrize(("method", "convention"), [("dsr", "dsr"), ("spin", "spin")])
def test_an_authors_file_has_the_crops_of_its_method(tmp_path, method, convention):
    state = images.create("hmr", depth=18, hidden=16).state_dict()
    torch.save({"model": state}, tmp_path / "a.pt")
    found = predict.load_network(method, tmp_path / "a.pt", "cpu")
    assert (found.convention, found.body) == (convention, "smpl")


def test_a_raw_file_takes_its_start_from_the_file_beside_it(tmp_path):
    state = images.create("hmr", depth=18, hidden=16).state_dict()
    raw = {name: value for name, value in state.items() if not name.startswith("init_")}
    torch.save(raw, tmp_path / "eft.pt")
    with pytest.raises(FileFormatError, match=r"Lay SPIN's smpl_mean_params\.npz beside it"):
        predict.load_network("dsr", tmp_path / "eft.pt", "cpu")
    means = {"pose": np.arange(144.0), "shape": np.zeros(10), "cam": np.ones(3)}
    np.savez(tmp_path / "smpl_mean_params.npz", **means)
    found = predict.load_network("dsr", tmp_path / "eft.pt", "cpu")
    assert found.network.init_pose[0, 5] == 5


def test_without_weights_the_method_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(images, "WEIGHTS", tmp_path)
    with pytest.raises(PosecastError, match="dsr comes without weights: name yours with --we"):
        predict.load_network("dsr", None, "cpu")


def test_a_lifters_file_is_refused():
    from regressor import lifters

    weights = lifters.shipped_weights("ktpformer")
    with pytest.raises(PosecastError, match="is for --method ktpformer, not for dsr"):
        predict.load_network("dsr", weights, "cpu")
