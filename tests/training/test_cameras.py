"""Trainings with PersPose's two ideas, and what is done with their weights."""

import pytest

from regressor import checkpoints
from regressor.evaluation.options import PeopleEvaluation
from regressor.evaluation.people import evaluate_people
from regressor.images.predict import load_network
from regressor.progress import Progress
from tests.training.tiny import losses, options

pytest.importorskip("lightning")
pytest.importorskip("tensorboard")

from regressor.training.run import WEIGHTS, train_regressor


@pytest.mark.parametrize("network", ["hmr", "located"])
def test_the_two_ideas_are_trained_kept_and_evaluated(tmp_path, network):
    made = options(
        tmp_path / "run", network=network, steps=2, people=4, check_people=2, warm_up=2,
        encoding=True, rotation=True,
    )  # fmt: skip
    assert train_regressor(made)["mpjpe"] > 0
    assert all(value == value for value in losses(tmp_path / "run").values())
    file = tmp_path / "run" / WEIGHTS
    assert checkpoints.read_metadata(file)["options"].items() >= {
        "encoding": True, "rotation": True,
    }.items()  # fmt: skip
    found = load_network("dsr", file, "cpu").network
    assert found.rotation and found.sees_camera and found.by_camera
    judged = PeopleEvaluation(checkpoint=file, count=2, pixels=48, output=tmp_path / "out")
    assert "2 synthetic people" in evaluate_people(judged, Progress("none"))[0]
