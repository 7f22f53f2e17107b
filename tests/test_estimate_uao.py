"""`estimate --refine uao`: what is told, what is kept, and what can't be."""

import numpy as np
import pytest

from regressor.errors import PosecastError
from regressor.estimate import Options, check
from regressor.motion import Motion
from tests import estimator

WORDS = ["--refine", "uao", "--fov", 60]


def test_two_people_are_refined_each_and_the_cache_knows_it(tmp_path):
    film, cache = estimator.two_people(tmp_path / "two.mp4", 4), tmp_path / "cache"
    more = ["--person", "all", "--cache", cache]
    plain = estimator.run(tmp_path / "plain", film, "--fov", 60, *more)
    refined = estimator.run(tmp_path / "refined", film, *WORDS, *more)
    again = estimator.run(tmp_path / "again", film, *WORDS, *more)
    assert (plain.status, refined.status, again.status) == (0, 0, 0), refined.err
    told = refined.lines[-1]["message"]
    assert told.count("UAO") == 1  # for both of them
    assert "UAO with the estimated root and the given camera changed" in told
    assert [line[:18] for line in refined.err.splitlines() if "UAO" in line] == [
        "Person 1: UAO with",
        "Person 2: UAO with",
    ]
    assert "UAO" not in plain.lines[-1]["message"]
    steps = [line for line in refined.lines if line["stage"] == "lift"]
    assert max(line["total"] for line in steps) > 1 and steps[-1]["done"] == steps[-1]["total"]
    for one, two, three in zip(plain.outputs, refined.outputs, again.outputs, strict=True):
        one, two, three = map(Motion.load, (one, two, three))
        assert np.abs(one.poses - two.poses).max() > 1e-4
        np.testing.assert_array_equal(two.poses, three.poses)


def test_a_cut_parts_the_tracks_before_anything_is_refined(tmp_path):
    pictures = estimator.standing(16)
    pictures[8:] = pictures[8:, :, ::-1] // 2
    film = estimator.film(tmp_path / "cut.mp4", pictures)
    done = estimator.run(tmp_path / "at", film, *WORDS, "--person", "all")
    assert done.status == 0, done.err
    assert "Cuts: 1" in done.lines[-1]["message"]
    assert [len(Motion.load(path)) for path in done.outputs] == [8, 8]
    assert done.err.count("UAO with") == 2


def test_image_networks_have_no_keypoints_to_move(tmp_path):
    with pytest.raises(PosecastError, match="--refine uao is for lifters of keypoints, and dsr"):
        check(Options(tmp_path / "film.mp4", method="dsr", refine="uao"))
