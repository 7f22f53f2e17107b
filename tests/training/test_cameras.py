"""Trainings with PersPose's two ideas, and what is done with their weights."""

from types import SimpleNamespace

import pytest
import torch

from regressor import checkpoints
from regressor.data.people import SyntheticOptions, SyntheticPeople
from regressor.evaluation.options import PeopleEvaluation
from regressor.evaluation.people import evaluate_people
from regressor.images.hmr import HmrOutput
from regressor.images.joints import Joints49
from regressor.images.predict import load_network
from regressor.progress import Progress
from regressor.smpl.body import load_body
from regressor.training.objective import PosedBody
from rendering.people import PeopleOptions
from tests.training.tiny import losses, options

pytest.importorskip("lightning")
pytest.importorskip("tensorboard")

from regressor.training.pictures import people_picture
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


def test_a_check_s_pictures_show_what_the_network_says_by_its_camera():
    class Looking(torch.nn.Module):
        sees_camera = True

        def forward(self, images, intrinsics, known):
            self.told = intrinsics
            return HmrOutput(torch.eye(3).repeat(1, 24, 1, 1), torch.zeros(1, 10), torch.ones(1, 3))

    people = SyntheticPeople(options=SyntheticOptions(people=PeopleOptions(size=32)))
    batch, network, body = people.batch(1, 0), Looking(), load_body()
    module = SimpleNamespace(
        best=network, objective=SimpleNamespace(posed=PosedBody(body, Joints49(body)))
    )
    assert people_picture(module, batch).shape[0] == 3
    assert torch.equal(network.told, batch["intrinsics"])
