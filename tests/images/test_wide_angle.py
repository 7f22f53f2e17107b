"""People at the sides of a wide-angle picture, from the picture's file to the Motion files.

Two stand left and right, a third half outside the picture.

The networks' answers are the truth as the crops' cameras see it; whether the crops are of these
cameras, the pictures themselves tell. All else is what `estimate` does.
"""

import numpy as np
import pytest
import roma
import torch
from PIL import Image

from regressor import checkpoints, estimate, images
from regressor.cameras import intrinsics_from_fov
from regressor.detection import Detections, Track
from regressor.images.crops import MEAN, STD
from regressor.images.hmr import HMR
from regressor.images.perspose import PersPose
from regressor.motion import Motion
from regressor.progress import Progress
from regressor.smpl import load_body
from regressor.smpl.body import chain
from regressor.smpl.landmarks import RidingLandmarks
from rendering import overlay
from rendering.rasterize import rasterize
from tests.images import perfect

WIDTH, HEIGHT, FOV = 640, 360, 100.0
FLOOR = 1.2  # m below the camera
CAMERA = torch.as_tensor(intrinsics_from_fov(FOV, WIDTH, HEIGHT)).float()
OPTIONS = {
    "perspose": {"backbone": "w8", "pixels": 160},
    "dsr": {"depth": 18, "hidden": 16, "encoding": True, "rotation": True},
}


class Scene:
    """Three people of a body: their truth, their meshes, the keypoints that show them."""

    def __init__(self, body):
        self.body = body
        torch.manual_seed(3)
        vectors = 0.15 * torch.randn(3, 24, 3)
        vectors[:, [0, 1, 2, 4, 5, 7, 8, 10, 11]] *= 0.2  # they stand
        vectors[:, 16:18, 2] += torch.tensor([-1.5, 1.5])  # with hanging arms
        self.rotations = roma.rotvec_to_rotmat(vectors)
        heading = roma.rotvec_to_rotmat(torch.tensor([[0, 0.7, 0], [0, -1.1, 0], [0, 0, 0]]))
        face_us = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
        self.rotations[:, 0] = face_us @ heading @ self.rotations[:, 0]
        self.betas = torch.linspace(-1, 1, 10).mul(10).round().div(10).expand(3, 10)
        turned, joints = chain(self.rotations, body.joints_at_rest(self.betas))
        vectors = roma.rotmat_to_rotvec(self.rotations).flatten(1)
        mesh = body(betas=self.betas, global_orient=vectors[:, :3], body_pose=vectors[:, 3:])
        places = torch.tensor([[-2.6, 0, 3.0], [2.6, 0, 3.2], [7.6, 0, 6.4]])
        places[:, 1] = FLOOR - mesh.vertices[..., 1].amax(1)
        self.vertices = mesh.vertices + places[:, None]
        joints = joints + places[:, None]
        self.pelvis = joints[:, 0]
        points = RidingLandmarks(body, "mediapipe33")(turned, joints, self.betas)
        seen = points @ CAMERA.T
        self.keypoints = seen[..., :2] / seen[..., 2:]

    def faces(self):
        return torch.as_tensor(self.body.faces)

    def picture(self) -> Image.Image:
        """All before a dark wall."""
        white = torch.ones(len(self.faces()), 3)
        image = torch.full((1, 3, HEIGHT, WIDTH), 0.05)
        for vertices in self.vertices:
            drawn = (vertices[None], self.faces(), CAMERA[None], (WIDTH, HEIGHT), white)
            image = overlay.over(image, *overlay.shaded(*drawn))
        return Image.fromarray(overlay.to_bytes(image)[0].numpy())

    def track(self, number: int) -> Track:
        points, inside = self.keypoints[number], self.inside(number)
        low, high = points[inside].amin(0), points[inside].amax(0)
        return Track(
            frames=np.arange(1),
            times=np.zeros(1),
            boxes=torch.cat([low, high])[None].numpy(),
            keypoints=points[None].numpy(),
            confidence=inside[None].float().numpy(),
            observed=np.ones(1, bool),
            skeleton="mediapipe33",
        )

    def inside(self, number: int) -> torch.Tensor:
        """Which keypoints (33,) the picture shows."""
        points = self.keypoints[number]
        return ((points > 0) & (points < torch.tensor([WIDTH, HEIGHT]))).all(dim=1)

    def turn(self, number: int) -> torch.Tensor:
        """(3, 3): the smallest rotation that brings the person's box onto the axis."""
        points = self.keypoints[number]
        middle = torch.cat([(points.amin(0) + points.amax(0)) / 2, torch.ones(1)])
        ray = torch.linalg.solve(CAMERA, middle)
        ray, ahead = ray / ray.norm(), torch.tensor([0.0, 0.0, 1.0])
        axis = torch.linalg.cross(ray, ahead)
        return roma.rotvec_to_rotmat(axis / axis.norm() * torch.arccos(ray @ ahead))

    def whom(self, crop: torch.Tensor, intrinsics: torch.Tensor) -> int:
        """Who is seen in a crop (3, S, S) whose camera is turned to them; nobody else fits."""
        grey = (crop * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)).mean(0)
        overlaps = []
        for number, vertices in enumerate(self.vertices):
            turned = (vertices @ self.turn(number).T)[None]
            cover = rasterize(turned, self.faces(), intrinsics[None], grey.shape, samples=1)
            own, its = cover.silhouette[0] > 0.5, grey > 0.15
            own = own & self.shown(self.turn(number), intrinsics, len(own))
            overlaps.append(float((own & its).sum() / (own | its).sum()))
        order = np.argsort(overlaps)
        assert overlaps[order[-1]] > 0.8 and overlaps[order[-2]] < 0.6, overlaps
        return int(order[-1])

    def shown(self, turn: torch.Tensor, intrinsics: torch.Tensor, size: int) -> torch.Tensor:
        """Which pixels (S, S) of a turned crop lie in the picture."""
        y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
        rays = torch.stack([x, y, torch.ones_like(x)], -1) @ torch.linalg.inv(intrinsics).T @ turn
        seen = rays @ CAMERA.T
        places = seen[..., :2] / seen[..., 2:]
        return ((places > 0) & (places < torch.tensor([WIDTH, HEIGHT]))).all(dim=-1)

    def truth(self, number: int, turn: torch.Tensor) -> tuple:
        one = slice(number, number + 1)
        return (self.body, self.rotations[one], self.betas[one], self.pelvis[one], turn[None])


@pytest.fixture(scope="module")
def scene():
    return Scene(load_body())


@pytest.fixture
def run(scene, tmp_path, monkeypatch):
    """`estimate` of the picture by a method, to Motions in the order of the people."""

    def saw_perspose(self, crops, intrinsics, encoded=None, mirrored=None):
        who = scene.whom(crops[0], intrinsics[0])
        return perfect.perspose(*scene.truth(who, scene.turn(who)))

    def saw_hmr(self, crops, intrinsics=None, known=None):
        who = scene.whom(crops[0], intrinsics[0])
        return perfect.hmr(*scene.truth(who, scene.turn(who)), intrinsics)

    monkeypatch.setattr(PersPose, "forward", saw_perspose)
    monkeypatch.setattr(HMR, "forward", saw_hmr)
    tracks = [scene.track(number) for number in range(3)]
    found = Detections(tracks, 1, 30.0, np.zeros(1), WIDTH, HEIGHT, [], False, np.zeros((1, 2)))
    monkeypatch.setattr(estimate, "detect_people", lambda *_: found)
    scene.picture().save(tmp_path / "wide.png")

    def work(method: str) -> list[Motion]:
        file, options = tmp_path / f"{method}.safetensors", OPTIONS[method]
        network = images.create(method, **options)
        checkpoints.save(network, file, name=method, options=options, card={})
        wanted = estimate.Options(
            video=tmp_path / "wide.png", output=tmp_path / "out.npz", method=method, weights=file,
            person="all", fov=FOV,
        )  # fmt: skip
        _, paths = estimate.estimate(wanted, Progress("none"))
        return [Motion.load(path) for path in paths]

    return work


def before_camera(motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """The first frame's pelvis (3,) m and which way the body faces (3,), in the camera's axes."""
    extrinsics = motion.camera_extrinsics[0]
    pelvis = extrinsics[:3, :3] @ motion.joints[0, 0] + extrinsics[:3, 3]
    turned = roma.rotvec_to_rotmat(torch.as_tensor(motion.poses[0, :3]).double()).numpy()
    return pelvis, extrinsics[:3, :3] @ turned[:, 2]


def angle_deg(one: np.ndarray, other: np.ndarray) -> float:
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


@pytest.mark.parametrize("method", ["perspose", "dsr"])
def test_people_at_both_sides_stand_and_face_where_they_do(scene, run, method):
    motions = run(method)
    aside = [angle_deg(scene.pelvis[i].numpy(), np.array([0, 0, 1.0])) for i in range(3)]
    assert min(aside) > 38  # so much a heading would be wrong without the way back
    assert 5 < int(scene.inside(2).sum()) < 28 and scene.inside(0).all() and scene.inside(1).all()
    for number, motion in enumerate(motions):
        pelvis, faces = before_camera(motion)
        true = scene.pelvis[number].double().numpy()
        assert np.linalg.norm(pelvis - true) < 0.05 * np.linalg.norm(true)
        assert angle_deg(faces, scene.rotations[number, 0, :, 2].double().numpy()) < 5
    for motion in motions:  # on one floor
        assert abs(motion.joints[0, [10, 11], 2].min()) < 0.12
