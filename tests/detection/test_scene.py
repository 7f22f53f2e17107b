"""Cuts, and a background that moves or stands still."""

import functools

import numpy as np
import pytest
from scipy import ndimage

from regressor.detection.scene import SceneAnalyzer

HEIGHT, WIDTH = 360, 640


@functools.cache
def landscape(seed: int, height: int = HEIGHT + 400, width: int = WIDTH + 400) -> np.ndarray:
    """A picture with structure at all sizes (H, W, 3) uint8."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    layers = [ndimage.gaussian_filter(noise, (size, size, 0)) * size for size in (3, 10, 40)]
    picture = sum(layers)
    low, high = np.percentile(picture, (1, 99))
    tint = np.random.default_rng(seed + 100).uniform(0.5, 1.0, 3)
    return (np.clip((picture - low) / (high - low), 0, 1) * 255 * tint).astype(np.uint8)


def window(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    left, top = round(100 + x), round(100 + y)
    return picture[top : top + HEIGHT, left : left + WIDTH]


def noisy(image: np.ndarray, seed: int, strength: float = 6.0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, strength, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def analysed(frames, boxes=()) -> SceneAnalyzer:
    scene = SceneAnalyzer()
    for frame in frames:
        scene.look(np.ascontiguousarray(frame))
        scene.hide([np.array(box, float) for box in boxes])
    return scene


@pytest.fixture(scope="module")
def hills():
    return landscape(1)


def test_a_pan_is_measured_and_said(hills):
    scene = analysed(noisy(window(hills, 4 * i, -2 * i), i) for i in range(15))
    motion = scene.motion()
    assert motion.shape == (15, 2) and (motion[0] == 0).all()
    # The camera goes right and up, the picture left and down.
    assert np.median(motion[1:], axis=0) == pytest.approx([-4, 2], abs=0.3)
    assert scene.camera_moves()


def test_a_slow_pan_is_noticed(hills):
    scene = analysed(noisy(window(hills, i / 2, 0), i) for i in range(60))
    assert scene.camera_moves()
    assert scene.motion().sum(axis=0)[0] == pytest.approx(-30, abs=6)


def test_a_zoom_is_noticed(hills):
    def zoomed(i):
        factor = 1 + 0.01 * i
        rows = (np.arange(HEIGHT) - HEIGHT / 2) / factor + 400
        columns = (np.arange(WIDTH) - WIDTH / 2) / factor + 500
        return hills[np.ix_(rows.astype(int), columns.astype(int))]

    scene = analysed(zoomed(i) for i in range(25))
    assert scene.camera_moves()
    assert np.abs(scene.motion().sum(axis=0)).max() < 15


def test_noise_before_a_fixed_camera_is_no_motion(hills):
    scene = analysed(noisy(window(hills, 0, 0), i, 12) for i in range(60))
    assert not scene.camera_moves()
    assert np.abs(scene.motion().sum(axis=0)).max() < 3


def test_noise_on_an_empty_wall_is_no_motion():
    wall = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    scene = analysed(noisy(wall, i, 12) for i in range(30))
    assert not scene.camera_moves() and not scene.cuts()
    assert np.abs(scene.motion()).max() < 1


def test_people_who_walk_through_are_no_motion(hills):
    person = landscape(2)[:300, :220]

    def frame(i):
        image = noisy(window(hills, 0, 0), i)
        image[30:330, 8 * i : 8 * i + 220] = person
        return image

    scene = SceneAnalyzer()
    for i in range(40):
        scene.look(frame(i))
        scene.hide([np.array([8 * i, 30, 8 * i + 220, 330])])
    assert not scene.camera_moves()
    assert np.abs(scene.motion().sum(axis=0)).max() < 4


def test_two_people_who_walk_about_in_a_still_room_are_no_motion():
    """Tiles beside them follow them, a third of all and more."""
    room, coat = landscape(1)[:HEIGHT, :], landscape(2)
    room = np.clip(room / 8 + 110, 0, 255).astype(np.uint8)  # less to see in it than in them
    scene = SceneAnalyzer()
    for i in range(60):
        image, boxes = noisy(room, i, 3), []
        for number, (start, way) in enumerate([(0, 150), (600, -150)]):
            x = round(start + way * i / 59)
            image[80:330, x + 20 : x + 90] = coat[:250, 100 * number : 100 * number + 70]
            boxes.append(np.array([x + 25, 85, x + 85, 330]))
        scene.look(image)
        scene.hide(boxes)
    assert not scene.camera_moves()
    assert np.abs(scene.motion().sum(axis=0)).max() < 4


def test_cuts_are_found(hills):
    other = landscape(7)
    shots = [window(hills, 0, 0)] * 12 + [window(other, 0, 0)] * 9 + [window(hills, 0, 0)] * 11
    scene = analysed(noisy(image, i) for i, image in enumerate(shots))
    assert scene.cuts() == [12, 21]
    assert not scene.camera_moves()


def test_a_cut_is_announced_as_it_comes(hills):
    scene = SceneAnalyzer()
    shots = [window(hills, 0, 0)] * 5 + [window(landscape(7), 0, 0)] * 3
    assert [scene.look(np.ascontiguousarray(image)) for image in shots].index(True) == 5


def test_a_flash_is_no_cut(hills):
    frames = [window(hills, 0, 0)] * 20
    frames[9] = np.full_like(frames[9], 250)
    assert analysed(noisy(image, i) for i, image in enumerate(frames)).cuts() == []


def test_a_fast_pan_is_no_cut(hills):
    scene = analysed(window(hills, 18 * i, 0) for i in range(15))
    assert scene.cuts() == [] and scene.camera_moves()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", [(40, 30), (2160, 3840), (100, 2000), (16, 1920), (2, 1920)])
def test_any_size_of_picture(shape):
    image = np.random.default_rng(0).integers(0, 255, (*shape, 3), np.uint8)
    scene = analysed([image] * 4)
    assert not scene.camera_moves() and not scene.cuts() and scene.motion().shape == (4, 2)


def test_nothing_seen():
    scene = SceneAnalyzer()
    assert scene.cuts() == [] and not scene.camera_moves() and scene.motion().shape == (0, 2)


def test_light_that_changes_slowly_is_no_cut():
    shades = [np.full((HEIGHT, WIDTH, 3), 20 + 3 * i, np.uint8) for i in range(60)]
    assert analysed(shades).cuts() == []
