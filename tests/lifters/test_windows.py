"""A whole track through a lifter: windows, coordinates, frame rates."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from regressor import checkpoints, lifters
from regressor.errors import PosecastError
from regressor.lifters.windows import (
    MIRROR,
    LifterInput,
    Picture,
    centre,
    lift,
    person_sized,
    resample,
)
from regressor.lifting import load_lifter
from regressor.refine import uao_track
from regressor.smpl import load_body
from regressor.smpl.landmarks import RidingLandmarks

FRAMES = 9
INTRINSICS = np.array([[800.0, 0, 480], [0, 800.0, 270], [0, 0, 1]])
WIDTH = 960
PICTURE = Picture(INTRINSICS, WIDTH)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return lifters.create("ktpformer", frames=FRAMES, dim=16, depth=1, heads=2).eval()


class Flat(nn.Module):
    """A lifter that answers what it is shown, one metre a unit, without depth."""

    frames, channels, answers = FRAMES, 2, "window"

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.seen = []

    def forward(self, windows):
        self.seen.extend(windows)
        return torch.nn.functional.pad(windows, (0, 1))


def keypoints(frames, seed=0):
    rng = np.random.default_rng(seed)
    pose = rng.normal(0, 60, (17, 2)) + [400, 250]
    swing = np.sin(np.arange(frames)[:, None, None] / 7 + rng.uniform(0, 6, (17, 2)))
    return (pose + 20 * swing).astype(np.float32)


@pytest.mark.parametrize("coordinates", ["screen", "centred"])
@pytest.mark.parametrize("frames", [1, 2, FRAMES - 1, FRAMES, FRAMES + 1, 10 * FRAMES])
def test_batched_windows_are_one_after_the_other(network, coordinates, frames):
    expects, points = LifterInput(coordinates, 25.0), keypoints(frames)
    given = network, expects, points, np.arange(frames) / 25, PICTURE
    joints = lift(*given)
    assert joints.shape == (frames, 17, 3) and np.isfinite(joints).all()
    np.testing.assert_allclose(joints, lift(*given, one_by_one=True), atol=2e-5)


def test_a_mirrored_person_gets_mirrored_joints(network):
    """Averaging with the mirrored window makes the lifter even-handed."""
    points, times = keypoints(20), np.arange(20) / 25
    mirrored = points[:, MIRROR] * [-1, 1] + [WIDTH, 0]
    expects = LifterInput("screen", 25.0)
    one = lift(network, expects, points, times, PICTURE)
    other = lift(network, expects, mirrored, times, PICTURE)
    np.testing.assert_allclose(other[:, MIRROR] * [-1, 1, 1], one, atol=2e-5)


def body_points(rotation=None):
    """(4, 17, 3) somebody in front of the camera, turned about the camera's own place."""
    rng = np.random.default_rng(3)
    points = rng.normal(0, 0.3, (1, 17, 3)) + rng.normal(0, 0.01, (4, 17, 3)) + [0, 0, 4]
    return torch.as_tensor(points if rotation is None else points @ rotation.T).float()


def rays_of(points):
    return (points[..., :2] / points[..., 2:])[None]


def yaw_pitch(yaw, pitch):
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    return about_y @ about_x


@pytest.mark.parametrize("place", [(0.4, 0.0), (-0.5, 0.2), (0.2, -0.3)])
def test_where_the_person_is_in_the_frame_changes_nothing(place):
    middle, turn = centre(rays_of(body_points()))
    aside, turned = centre(rays_of(body_points(yaw_pitch(*place))))
    torch.testing.assert_close(aside, middle, atol=0.03, rtol=0)
    # ... and the rotations bring directions back into their own cameras.
    direction = torch.tensor([0.1, -0.2, 1.0])
    back = yaw_pitch(*place).T @ (direction @ turned[0]).numpy()
    np.testing.assert_allclose(back, (direction @ turn[0]).numpy(), atol=0.02)


def test_how_large_the_person_is_changes_nothing():
    inputs, _ = centre(rays_of(body_points()))
    zoomed, _ = centre(2.0 * rays_of(body_points()))
    torch.testing.assert_close(zoomed, inputs, atol=0.02, rtol=0)
    spread = (inputs - inputs.mean(2, keepdim=True)).square().sum(-1).mean().sqrt()
    torch.testing.assert_close(spread, torch.tensor(0.5))


def test_rotations_of_centre_are_rotations_and_roll_free():
    _, rotation = centre(rays_of(body_points(yaw_pitch(0.6, 0.3))))
    torch.testing.assert_close(rotation[0] @ rotation[0].T, torch.eye(3), atol=1e-6, rtol=0)
    assert rotation[0, 0, 1].abs() < 1e-6  # the picture's x axis stays level


def test_the_lifter_sees_its_own_frame_rate():
    """A fast film is taken as slower ones between each other; each has the lifter's rate."""
    network, points = Flat(), keypoints(61)
    times = np.arange(61) / 60.0  # one second at 60 frames a second
    lift(network, LifterInput("screen", 12.0), points, times, PICTURE, flip=False)
    pixels = [window.numpy() * WIDTH / 2 + [480, 270] for window in network.seen]
    firsts = []
    for window in pixels:
        first = int(np.abs(points - window[0]).sum(axis=(1, 2)).argmin())
        steps = (first + 5 * np.arange(FRAMES)).clip(max=60 - (60 - first) % 5)
        np.testing.assert_allclose(window, points[steps], atol=1e-3)
        firsts.append(first)
    assert {first % 5 for first in firsts} == {0, 1, 2, 3, 4}  # no frame is left out


@pytest.mark.parametrize("fps", [12.0, 24.0, 25.0, 60.0])
def test_results_come_back_at_the_video_s_times(fps):
    """A linear motion survives any pair of frame rates."""
    times = np.arange(50) / fps
    start, speed = keypoints(1), np.linspace(-20, 20, 34).reshape(17, 2)
    points = (start + times[:, None, None] * speed).astype(np.float32)
    expects = LifterInput("screen", 25.0)
    joints = lift(Flat(), expects, points, times, PICTURE, flip=False)
    expected = (points - points[:, :1]) * 2 / WIDTH
    np.testing.assert_allclose(joints[..., :2], expected, atol=5e-4)


def test_uneven_times_are_met():
    times = np.array([0.0, 0.1, 0.15, 0.4])
    at = np.array([-1.0, 0.05, 0.15, 0.275, 9.0])
    values = np.stack([times, 2 * times], axis=1)
    expected = np.array([0, 0.05, 0.15, 0.275, 0.4])
    np.testing.assert_allclose(resample(values, times, at)[:, 0], expected)
    assert resample(values[:1], times[:1], at).shape == (5, 2)


def test_the_readme_lifts_keypoints():
    text = (Path(__file__).parents[2] / "README.md").read_text()
    (code,) = [part for part in re.findall(r"```python\n(.*?)```", text, re.S) if "lift(" in part]
    names = {"keypoints": np.random.default_rng(0).uniform(400, 600, (30, 17, 2))}
    exec(code, names)
    assert names["joints"].shape == (30, 17, 3) and np.isfinite(names["joints"]).all()


def test_answers_in_the_picture_s_units_become_as_large_as_a_person():
    body = load_body()
    rest = torch.eye(3).repeat(1, 24, 1, 1)
    joints = RidingLandmarks(body, "h36m17")(rest, body.rest_joints[None], torch.zeros(10)).numpy()
    joints = joints - joints[:, :1]
    seen = np.concatenate([0.2 * joints, 0.4 * joints])
    np.testing.assert_allclose(person_sized(seen), np.concatenate([joints, joints]), atol=1e-3)
    assert np.isfinite(person_sized(0 * joints)).all()


def test_motionbert_s_weights_are_known_to_answer_in_the_picture_s_units(tmp_path):
    network = lifters.create("motionbert", frames=9, dim=64, depth=1)
    torch.save({"model_pos": network.state_dict()}, tmp_path / "authors.bin")
    assert not load_lifter("motionbert", tmp_path / "authors.bin", "cpu")[1].metric
    card = {"coordinates": "screen", "fps": 50.0}
    for unit in ("m", "picture"):
        file, options = tmp_path / f"{unit}.safetensors", {"frames": 9, "dim": 64, "depth": 1}
        checkpoints.save(
            network, file, name="motionbert", options=options, card={**card, "unit": unit}
        )
        assert load_lifter("motionbert", file, "cpu")[1].metric == (unit == "m")


def test_uao_refuses_answers_that_are_not_in_metres(network):
    expects = LifterInput("screen", metric=False)
    with pytest.raises(PosecastError, match="doesn't answer in them"):
        uao_track.refine(network, expects, np.zeros((3, 17, 2)), np.arange(3) / 50, PICTURE)
