"""`evaluate people`: a network's errors on synthetic people, the same ones for every network."""

import csv
import json

import numpy as np
import pytest
import torch
from torch import nn

from regressor import checkpoints, images
from regressor.data.people import SyntheticOptions, SyntheticPeople
from regressor.errors import PosecastError
from regressor.evaluation.options import PeopleEvaluation
from regressor.evaluation.people import score, summarise
from regressor.evaluation.run import evaluate
from regressor.images.hmr import HmrOutput
from regressor.progress import Progress
from rendering.people import PeopleOptions

SIZE = 48


@pytest.fixture(scope="module")
def people():
    return SyntheticPeople(options=SyntheticOptions(people=PeopleOptions(size=SIZE)))


class Knowing(nn.Module):
    """Gives the truth of the people it is asked about, with an error if one is set."""

    def __init__(self, people, betas=0.0):
        super().__init__()
        self.people, self.betas, self.batches = people, betas, []
        original = people.batch

        def batch(count, seed):
            self.batches.append(original(count, seed))
            return self.batches[-1]

        people.batch = batch

    def forward(self, image):
        truth = self.batches[-1]
        assert torch.equal(image, truth["image"])
        return HmrOutput(truth["pose"], truth["betas"] + self.betas, truth["camera"])


@pytest.fixture
def knowing(people, monkeypatch):
    monkeypatch.setattr(people, "batch", people.batch)  # put back afterwards
    return Knowing(people)


def test_the_truth_has_no_error(people, knowing):
    found, pictures = score(knowing, people, 3)
    assert set(found) == {"mpjpe", "pa_mpjpe", "pve", "shape"}
    assert all(len(values) == 3 and values.max() < 0.01 for values in found.values())
    assert pictures.shape == (3, 3, SIZE, 3 * SIZE)


def test_a_wrong_shape_counts_as_such(people, knowing):
    knowing.betas = torch.eye(10)[0] * 2
    found, _ = score(knowing, people, 3)
    assert found["shape"].min() > 3 and found["pve"].min() > 3
    mean, error = summarise(found)["shape"]
    assert mean == pytest.approx(float(found["shape"].mean()))
    assert error == pytest.approx(float(found["shape"].numpy().std(ddof=1)) / np.sqrt(3))


def test_the_same_seed_draws_the_same_people(people, knowing):
    for seed in (1, 1, 2):
        score(knowing, people, 2, seed)
    one, same, other = (batch["pose"] for batch in knowing.batches)
    assert torch.equal(one, same) and not torch.allclose(one, other)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    options = {"depth": 18, "hidden": 16}
    file = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    network = images.create("hmr", **options)
    for body in ("default", "smpl"):
        card = {"crops": "dsr", "body": body}
        checkpoints.save(network, file.with_stem(body), name="dsr", options=options, card=card)
    return file.parent


def test_the_command_writes_its_files(tmp_path, weights):
    options = PeopleEvaluation(
        checkpoint=weights / "default.safetensors", count=3, pixels=SIZE, output=tmp_path / "out"
    )
    message, paths = evaluate(options, Progress("none"))
    assert "3 synthetic people" in message and all(path.is_file() for path in paths)
    found = json.loads(paths[0].read_text())
    rows = list(csv.DictReader(paths[1].open()))
    errors = [float(row["mpjpe_mm"]) for row in rows]
    assert np.mean(errors) == pytest.approx(found["overall"]["mpjpe_mm"]["mean"], abs=0.01)


def test_a_network_of_another_body_is_one_sentence(tmp_path, weights):
    options = PeopleEvaluation(checkpoint=weights / "smpl.safetensors", output=tmp_path / "out")
    with pytest.raises(PosecastError, match="knows other shapes"):
        evaluate(options, Progress("none"))
    (tmp_path / "file").write_text("in the way")
    for wrong, sentence in (
        ({"output": tmp_path / "file" / "out"}, "can't be written"),
        ({"pixels": 0}, "--pixels has to be above 0"),
        ({"seed": -1}, "--seed not below"),
    ):
        bad = PeopleEvaluation(**{"checkpoint": weights, "output": tmp_path / "out", **wrong})
        with pytest.raises(PosecastError, match=sentence):
            evaluate(bad, Progress("none"))
    with pytest.raises(PosecastError, match="at least 2"):
        evaluate(PeopleEvaluation(count=1), Progress("none"))
