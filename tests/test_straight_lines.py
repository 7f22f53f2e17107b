"""The field of view by straight lines: of drawn rooms it is told, of other pictures it isn't."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.spatial.transform import Rotation

from regressor import estimate
from regressor.cameras import assumed_fov
from regressor.progress import Progress, Stages
from regressor.straight_lines import find_lines, fov_by_lines

WIDTH, HEIGHT = 800, 450


def room(fov_deg: float, seed: int) -> np.ndarray:
    """A picture of boxes that stand along three axes, seen by a camera that looks down a little."""
    rng = np.random.default_rng(seed)
    focal = 0.5 * WIDTH / math.tan(math.radians(fov_deg) / 2)
    angles = [rng.uniform(20, 70), rng.uniform(0, 15), rng.normal(0, 2)]
    turn = Rotation.from_euler("yxz", angles, degrees=True).as_matrix()
    picture = Image.new("RGB", (3 * WIDTH, 3 * HEIGHT), (90, 90, 90))
    draw = ImageDraw.Draw(picture)
    faces = []
    for _ in range(30):
        middle = rng.uniform([-4, -1.5, 3], [4, 2.5, 9])
        half = rng.uniform(0.2, 0.9, 3)
        signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1], indexing="ij")).reshape(3, -1).T
        corners = middle + (signs * half) @ turn.T
        if corners[:, 2].min() < 0.5:
            continue
        for axis in range(3):
            for side in (-1, 1):
                face = corners[signs[:, axis] == side][[0, 1, 3, 2]]
                faces.append((face[:, 2].mean(), face, int(rng.integers(30, 240))))
    for _, face, grey in sorted(faces, key=lambda one: -one[0]):
        seen = face[:, :2] / face[:, 2:] * focal + [WIDTH / 2, HEIGHT / 2]
        draw.polygon([tuple(3 * point) for point in seen], fill=(grey, grey, grey))
    picture = picture.resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    noise = rng.normal(0, 2, (HEIGHT, WIDTH, 3))
    return np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8)


def test_rooms_tell_their_field_of_view_better_than_an_assumption():
    guesses, truths = [], (40.0, 55.0, 65.0, 80.0, 90.0)
    for seed, fov in enumerate(truths):
        guesses.append(fov_by_lines(room(fov, seed)))
    known = [(guess, fov) for guess, fov in zip(guesses, truths, strict=True) if guess]
    assert len(known) >= 4

    def off(guess: float, fov: float) -> float:
        tangents = [math.tan(math.radians(angle) / 2) for angle in (guess, fov)]
        return abs(math.log(tangents[0] / tangents[1]))

    assert max(off(*pair) for pair in known) < 0.1
    assumed = [off(assumed_fov(WIDTH, HEIGHT), fov) for _, fov in known]
    assert np.median([off(*pair) for pair in known]) < 0.5 * np.median(assumed)


@pytest.mark.parametrize("seed", range(3))
def test_pictures_without_order_tell_nothing(seed):
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90))
    for _ in range(60):
        ends = [tuple(point) for point in rng.uniform([0, 0], [WIDTH, HEIGHT], (3, 2))]
        grey = int(rng.integers(0, 255))
        ImageDraw.Draw(picture).polygon(ends, fill=(grey, grey, grey))
    assert fov_by_lines(np.asarray(picture)) is None
    assert fov_by_lines(rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)) is None
    assert fov_by_lines(np.full((HEIGHT, WIDTH, 3), 90, np.uint8)) is None


def test_estimate_asks_the_lines_where_nobody_tells(tmp_path):
    Image.fromarray(room(65.0, 2)).save(tmp_path / "room.png")
    tools: Any = SimpleNamespace(body=None, network=None)

    def camera(**wanted):
        options = estimate.Options(video=tmp_path / "room.png", **wanted)
        return estimate.Job(options, Progress("none"), Stages(), tools).camera

    guess = camera(fov_by_lines=True)
    assert guess.source == "lines" and abs(guess.fov_deg - 65) < 5
    assert guess.intrinsics[0, 2] == WIDTH / 2
    assert camera(fov_by_lines=True, fov=30.0).source == "given"
    assert camera().source == "assumed"
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "room.png")
    assert camera(fov_by_lines=True).source == "assumed"


def test_lines_are_found_to_a_pixel():
    picture = Image.new("RGB", (400, 300), (20, 20, 20))
    ImageDraw.Draw(picture).polygon([(50, 60), (350, 90), (340, 240), (60, 200)], fill=(200,) * 3)
    lines = find_lines(np.asarray(picture))
    corners = np.array([[50, 60], [350, 90], [340, 240], [60, 200]])
    for first, last in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        normal = np.array([last[1] - first[1], first[0] - last[0]]) / np.linalg.norm(last - first)
        assert (np.abs((lines - first) @ normal).max(axis=1) < 1.5).any()
