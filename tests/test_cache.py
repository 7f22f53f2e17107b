"""What was found in a video is found again, and only where nothing that matters has changed."""

import os
from dataclasses import fields

import numpy as np
import pytest
import torch

from regressor.cache import Cache, key_of
from regressor.detection import Detections, Track
from regressor.motion import Motion
from regressor.smpl.fit import Fit
from tests import estimator


def track(seed, world=True):
    rng = np.random.default_rng(seed)
    return Track(
        frames=np.arange(5),
        times=np.arange(5) / 30,
        boxes=rng.random((5, 4)).astype(np.float32),
        keypoints=rng.random((5, 33, 2)).astype(np.float32),
        confidence=rng.random((5, 33)).astype(np.float32),
        observed=np.arange(5) > 0,
        skeleton="mediapipe33",
        world=rng.random((5, 33, 3)).astype(np.float32) if world else None,
    )


def seen():
    tracks = [track(1), track(2, world=False)]
    return Detections(tracks, 5, 30.0, np.arange(5) / 30, 64, 48, [3], True, np.ones((5, 2)))


def same(a, b):
    for field in fields(a):
        one, other = getattr(a, field.name), getattr(b, field.name)
        assert type(one) is type(other), field.name
        if field.name == "tracks":
            assert len(one) == len(other)
            for pair in zip(one, other, strict=True):
                same(*pair)
        else:
            np.testing.assert_array_equal(one, other, err_msg=field.name)


def test_detections_come_back_as_they_were(tmp_path):
    cache = Cache(tmp_path / "new" / "folder", 500)
    assert cache.detections("detections-a") is None
    cache.keep_detections("detections-a", seen(), "It was cut off.")
    cache.keep_detections("detections-b", seen(), None)
    found, warning = cache.detections("detections-a")
    same(found, seen())
    assert warning == "It was cut off." and cache.detections("detections-b")[1] is None
    assert cache.warning is None


def test_fits_come_back_as_they_were(tmp_path):
    cache, fit = Cache(tmp_path, 500), Fit(torch.rand(4, 24, 3), torch.rand(4, 3), torch.rand(10))
    assert cache.fit("fit-a") is None
    cache.keep_fit("fit-a", fit)
    same(cache.fit("fit-a"), fit)


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-200], lambda data: b"PK"])
def test_a_damaged_file_is_no_file(tmp_path, damage):
    cache = Cache(tmp_path, 500)
    cache.keep_detections("detections-a", seen(), None)
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert cache.detections("detections-a") is None and cache.fit("detections-a") is None
    file.write_bytes(b"")
    np.savez(file, people=3)  # whole, but something else
    assert cache.detections("detections-a") is None


def test_bits_that_flipped_are_noticed(tmp_path):
    cache = Cache(tmp_path, 500)
    cache.keep_detections("detections-a", seen(), None)
    (file,) = tmp_path.iterdir()
    data = bytearray(file.read_bytes())
    at = data.index(seen().tracks[0].keypoints.tobytes())
    data[at + 5] ^= 1
    file.write_bytes(data)
    assert cache.detections("detections-a") is None


def test_a_pickle_is_never_read(tmp_path):
    np.savez(tmp_path / "posecast-detections-a.npz", people=np.array([print], dtype=object))
    assert Cache(tmp_path, 500).detections("detections-a") is None


def test_the_oldest_goes_first(tmp_path):
    cache = Cache(tmp_path, 500)
    for age, name in enumerate("abc"):
        cache.keep_detections(name, seen(), None)
        os.utime(tmp_path / f"posecast-{name}.npz", (1000 - age, 1000 - age))  # a is the newest
    size = (tmp_path / "posecast-a.npz").stat().st_size
    (tmp_path / "mine.npz").write_bytes(bytes(5 * size))  # not the cache's
    assert cache.detections("c") is not None  # and so c was wanted last
    Cache(tmp_path, 3.5 * size / 1e6).keep_detections("d", seen(), None)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["mine.npz", "posecast-a.npz", "posecast-c.npz", "posecast-d.npz"]
    Cache(tmp_path, 0).keep_detections("e", seen(), None)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.npz"]


def test_a_folder_that_can_not_be_made_costs_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "cache", 500)
    cache.keep_detections("a", seen(), None)
    assert cache.warning and "can't be written" in cache.warning


def test_a_key_stands_for_all_that_matters(tmp_path):
    film = tmp_path / "a.mp4"
    film.write_bytes(bytes(300_000))
    os.utime(film, (1, 1))

    def key(**other):
        return key_of("detections", **({"video": film, "end": None, "models": [film]} | other))

    first = key()
    assert key() == first and first.startswith("detections-")
    assert len({first, key(end=1.0), key(models=[]), key(camera=np.eye(3))}) == 4
    data = bytearray(film.read_bytes())
    data[150_001] = 1  # in its middle, its size and time as before
    film.write_bytes(data)
    os.utime(film, (1, 1))
    second = key()
    os.utime(film, (2, 2))
    assert len({first, second, key()}) == 3


def test_a_second_run_with_other_smoothing_looks_at_nothing_again(tmp_path):
    film = estimator.two_people(tmp_path / "two.mp4", 8)
    kept = ["--cache", tmp_path / "cache"]
    first = estimator.run(tmp_path / "first", film, *kept)
    assert first.status == 0, first.err
    assert "earlier" not in first.lines[-1]["message"]
    second = estimator.run(tmp_path / "second", film, *kept, "--smooth", 0)
    assert second.status == 0, second.err
    detect, fit = (
        [line for line in second.lines if line["stage"] == stage] for stage in ("detect", "fit")
    )
    assert [(line["done"], line["message"]) for line in detect] == [
        (8, "detections from an earlier run")
    ]
    assert [line["message"] for line in fit] == ["fit from an earlier run"]
    assert "Detections from an earlier run." in second.lines[-1]["message"]
    alone = estimator.run(tmp_path / "alone", film, "--smooth", 0)
    ours, plain = Motion.load(second.outputs[0]), Motion.load(alone.outputs[0])
    for name in ("poses", "trans", "betas", "keypoints", "camera_extrinsics"):
        np.testing.assert_allclose(getattr(ours, name), getattr(plain, name), atol=1e-5)
    assert not np.allclose(ours.poses, Motion.load(first.outputs[0]).poses, atol=1e-5)


def test_another_person_or_shape_is_fitted_anew_to_the_same_detections(tmp_path):
    film = estimator.two_people(tmp_path / "two.mp4", 8)
    kept = ["--cache", tmp_path / "cache"]
    estimator.run(tmp_path / "first", film, *kept)
    words = [*kept, "--person-at", 0.1, 180, 250, "--betas", "neutral"]
    done = estimator.run(tmp_path / "second", film, *words)
    assert "Detections from an earlier run." in done.lines[-1]["message"]
    assert [line["done"] for line in done.lines if line["stage"] == "fit"][-1] == 160
    motion = Motion.load(done.outputs[0])
    assert motion.person == 2 and motion.keypoints[..., 0].max() < 320
    assert not motion.betas.any()
    nobody = estimator.run(tmp_path / "third", film, *kept, "--person-at", 0.1, 900, 20)
    assert nobody.status == 1 and nobody.outputs == []
    assert nobody.err.startswith("Nobody is at 900, 20 after 0.1 s:")
