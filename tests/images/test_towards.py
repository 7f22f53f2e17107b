"""From a Track to a body by PersPose: crops towards each person, and the way back to the camera."""

import numpy as np
import pytest
import roma
import torch

from regressor import checkpoints, images
from regressor.cameras import Camera, intrinsics_from_fov
from regressor.detection import Track
from regressor.evaluation.predictions import bodies_seen
from regressor.images import predict, towards
from regressor.images.perspose import PersPose, PersPoseOutput
from regressor.progress import Progress
from regressor.skeletons import JOINTS, SMPL24
from regressor.smpl import load_body
from regressor.smpl.body import chain
from regressor.video import open_video
from rendering.perspective import Crop, plain_crop, transform, turned_crop
from tests import videos
from tests.images import perfect

WIDTH, HEIGHT, FPS = 320, 180, 30.0
SPAN = (None, None, None)
PLACES = torch.tensor([[-3.5, 0.0, 4.0], [0.1, 0.2, 3.0], [3.5, -0.3, 4.0]])  # 45 degrees aside


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def camera():
    return Camera(intrinsics_from_fov(100.0, WIDTH, HEIGHT), 100.0, "given")


@pytest.fixture(scope="module")
def people(body):
    """Rotations (3, 24, 3, 3), betas (10,), and joints (3, 24, 3) of three people."""
    torch.manual_seed(2)
    rotations = roma.rotvec_to_rotmat(0.3 * torch.randn(3, 24, 3))
    rotations[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ rotations[:, 0]
    betas = torch.tensor([0.7, *torch.linspace(-1, 1, 9)])
    _, joints = chain(rotations, body.joints_at_rest(betas))
    return rotations, betas, joints - joints[:, :1] + PLACES[:, None]


def _boxes(people, camera):
    seen = people[2] @ torch.as_tensor(camera.intrinsics).float().T
    seen = seen[..., :2] / seen[..., 2:]
    return torch.cat([seen.amin(dim=1), seen.amax(dim=1) - seen.amin(dim=1)], dim=1).double()


def _output(body, people, turn: torch.Tensor) -> PersPoseOutput:
    """What a perfect network says in cameras turned by `turn` (N, 3, 3)."""
    return perfect.perspose(body, people[0], people[1].expand(len(turn), 10), PLACES, turn)


def test_a_perfect_network_gives_the_true_bodies_anywhere_in_a_wide_picture(body, people, camera):
    """Headings within 5 degrees and places within 5 % left and right: here nearly exactly."""
    intrinsics = torch.as_tensor(camera.intrinsics).expand(3, 3, 3)
    crops = turned_crop(_boxes(people, camera), intrinsics)
    output = _output(body, people, crops.rotation)
    betas = towards.betas_of(output, body.joints_at_rest)
    torch.testing.assert_close(betas, people[1].expand(3, 10), atol=1e-3, rtol=0)
    found, pelvis = towards.bodies_of(output, body.joints_at_rest(people[1]), crops.rotation)
    angle = roma.rotmat_geodesic_distance(found, people[0]).rad2deg()
    assert angle.max() < 0.2 and torch.linalg.norm(pelvis - PLACES, dim=1).max() < 1e-3
    # Forgetting the way back would turn the two aside by as much as they stand aside.
    forgotten, _ = towards.bodies_of(
        output, body.joints_at_rest(people[1]), torch.eye(3).expand(3, 3, 3)
    )
    wrong = roma.rotmat_geodesic_distance(forgotten[:, 0], people[0][:, 0]).rad2deg()
    assert wrong[0] > 35 and wrong[2] > 35


@pytest.mark.parametrize("believed", [0.0, 0.25, 1.0])
def test_the_first_beta_is_believed_as_much_as_the_network_says(body, people, camera, believed):
    turn = torch.eye(3).expand(3, 3, 3)
    output, told = _output(body, people, turn), people[1].expand(3, 10)
    own = output.betas[:, :1]
    found = towards.betas_of(output, body.joints_at_rest, believed)
    first = own + believed * (told[:, :1] - own)
    torch.testing.assert_close(found, torch.cat([first, told[:, 1:]], 1), atol=1e-3, rtol=0)
    network = PersPose("w8", pixels=64, first_beta=believed)
    seen = bodies_seen(network, output, Crop(turn, turn, turn), body)
    assert torch.equal(seen[1], found)


class Knowing(PersPose):
    """Says what it is told, for each crop in turn, and keeps what it saw."""

    def __init__(self, output: PersPoseOutput, rotation: bool = True):
        super().__init__("w8", pixels=64, rotation=rotation)
        self.output, self.given = output, 0
        self.pictures: list[torch.Tensor] = []
        self.cameras: list[torch.Tensor] = []

    def forward(self, images, intrinsics, encoded=None, mirrored=None):
        span = slice(self.given, self.given + len(images))
        self.given += len(images)
        self.pictures.append(images), self.cameras.append(intrinsics)
        return PersPoseOutput(*(part[span] for part in self.output))


@pytest.fixture
def seen(people, camera, tmp_path):
    """A video with a white square on the person, who is elsewhere in each frame, and the Track."""
    boxes = _boxes(people, camera)
    middle = (boxes[:, :2] + boxes[:, 2:] / 2).round().int().tolist()

    def picture(time: float) -> np.ndarray:
        image = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
        x, y = middle[round(time * FPS)]
        image[y - 5 : y + 6, x - 5 : x + 6] = 250
        return image

    file = tmp_path / "people.mp4"
    videos.write(file, [t / FPS for t in range(3)], picture)
    corners = torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], dim=1).numpy()
    track = Track(
        frames=np.arange(3),
        times=np.arange(3) / FPS,
        boxes=corners,
        keypoints=np.zeros((3, 33, 2), np.float32),
        confidence=np.zeros((3, 33), np.float32),
        observed=np.ones(3, bool),
        skeleton="mediapipe33",
    )
    return open_video(file), track


def fitted(network, track, video, camera, body):
    shot = predict.Shot(video, SPAN, FPS, camera, track, body)
    return predict.fit_by_network(shot, predict.ImageNetwork(network, "dsr", "default"), Progress())


@pytest.mark.parametrize("rotation", [True, False])
def test_a_track_is_followed_by_turning_the_camera_or_without(
    body, people, camera, seen, monkeypatch, rotation
):
    monkeypatch.setattr(predict, "BATCH", 2)
    monkeypatch.setattr(predict, "STEADY_S", 0.0)
    video, track = seen
    centre, side = predict.boxes_of(track, FPS)
    monkeypatch.setattr(towards, "boxes_of", lambda *_: (centre, side))
    intrinsics = torch.as_tensor(camera.intrinsics).expand(3, 3, 3)
    cut = turned_crop if rotation else plain_crop
    crops = cut(predict.square_boxes(centre, side), intrinsics, 64)
    network = Knowing(_output(body, people, crops.rotation), rotation)
    found = fitted(network, track, video, camera, body)
    torch.testing.assert_close(found.pelvis, PLACES, atol=2e-3, rtol=0)
    angle = roma.rotmat_geodesic_distance(roma.rotvec_to_rotmat(found.rotations), people[0])
    assert angle.rad2deg().max() < 0.5
    torch.testing.assert_close(found.betas, people[1], atol=1e-3, rtol=0)
    torch.testing.assert_close(torch.cat(network.cameras), crops.intrinsics.float())
    pictures = torch.cat(network.pictures)
    assert pictures.shape == (3, 3, 64, 64)
    for image in pictures[:, 0]:  # the square is in the middle of each crop
        middle = torch.nonzero(image > image.median() + 1).float().mean(dim=0)
        torch.testing.assert_close(middle, torch.tensor([31.5, 31.5]), atol=1.5, rtol=0)


@pytest.mark.parametrize(
    "box",
    [
        (100, 50, 101, 51),  # of a pixel
        (-60, 40, 60, 160),  # half outside
        (310, 170, 700, 900),  # nearly all outside
    ],
)
def test_boxes_that_hardly_show_anybody_are_estimated_all_the_same(body, camera, seen, box):
    video, track = seen
    track = Track(**{**vars(track), "boxes": np.array([box] * 3, np.float32)})
    network = images.create("perspose", backbone="w8", pixels=64).eval()
    found = fitted(network, track, video, camera, body)
    assert found.rotations.isfinite().all() and found.pelvis.isfinite().all()
    assert found.betas.isfinite().all()


def test_a_small_network_of_ours_is_a_method(tmp_path, body, people, camera, seen):
    network = images.create("perspose", backbone="w8", pixels=64)
    file = tmp_path / "ours.safetensors"
    options = {"backbone": "w8", "pixels": 64}
    checkpoints.save(network, file, name="perspose", options=options, card={"body": "default"})
    found = predict.load_network("perspose", file, "cpu")
    assert found.knows(body) and isinstance(found.network, PersPose)
    video, track = seen
    shot = predict.Shot(video, SPAN, FPS, camera, track, body, neutral=True)
    fit = predict.fit_by_network(shot, found, Progress())
    assert fit.rotations.shape == (3, 24, 3) and fit.rotations.isfinite().all()
    assert fit.pelvis.isfinite().all() and not fit.betas.any()


def test_limbs_are_where_the_detector_sees_them(body, people, camera, seen):
    video, track = seen
    boxes = _boxes(people, camera)
    places = (boxes[:, :2] + boxes[:, 2:] / 2).numpy()
    keypoints, confidence = np.zeros((3, 33, 2), np.float32), np.zeros((3, 33), np.float32)
    knee, elbow = (JOINTS["mediapipe33"].index(name) for name in ("left_knee", "left_elbow"))
    keypoints[:, knee], confidence[:, knee] = places, 1.0
    keypoints[:, elbow], confidence[:, elbow] = places, 0.1  # not sure enough
    track = Track(**{**vars(track), "keypoints": keypoints, "confidence": confidence})
    network = images.create("perspose", backbone="w8", pixels=64, keypoints=True).eval()
    answers = []
    network.register_forward_hook(lambda *call: answers.append(call[2]))
    fitted(network, track, video, camera, body)
    uv = torch.cat([answer.uv for answer in answers]).double()
    around = predict.square_boxes(*predict.boxes_of(track, FPS))
    crops = predict.cameras_of(network, around, camera.intrinsics, 64)
    back = transform(crops.matrix.inverse(), uv)
    off = np.linalg.norm(back.numpy() - places[:, None], axis=-1)
    assert off[:, SMPL24.index("left_knee")].max() < 0.01
    assert off[:, SMPL24.index("left_elbow")].min() > 1.0
