"""`estimate --method dsr` as its user runs it, with weights that know nothing."""

import numpy as np
import pytest

from regressor import checkpoints, images
from regressor.motion import Motion
from tests import estimator

OPTIONS = {"depth": 18, "hidden": 16}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "dsr.safetensors"
    network = images.create("hmr", **OPTIONS)
    return checkpoints.save(network, file, name="hmr", options=OPTIONS, card={}, half=True)[0]


def test_a_motion_comes_out_and_a_second_run_is_answered_by_the_cache(tmp_path, weights):
    film = estimator.film(tmp_path / "film.mp4", estimator.standing(5))
    words = [film, "--method", "dsr", "--weights", weights, "--cache", tmp_path / "cache"]
    for _ in range(2):
        done = estimator.run(tmp_path / "at", *words)
        assert done.status == 0, done.err
        motion = Motion.load(tmp_path / "at" / "motion.npz")
        assert motion.method == "dsr" and len(motion) == 5 and np.isfinite(motion.trans).all()
    assert list(dict.fromkeys(line["stage"] for line in done.lines)) == [
        *("detect", "lift", "fit", "refine", "done")
    ]
    assert any("earlier run" in line.get("message", "") for line in done.lines)


def test_a_file_for_another_method_is_refused(tmp_path, weights):
    done = estimator.run(tmp_path / "at", estimator.DEMO, "--weights", weights)
    assert (
        done.status == 1 and "is for --method hmr, not for ktpformer" in done.lines[-1]["message"]
    )
