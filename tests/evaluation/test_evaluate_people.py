"""`evaluate people`: a network's errors on synthetic people, the same ones for every network."""

import csv
import json

import numpy as np
import pytest
import torch
from torch import nn

from regressor import checkpoints, images, lifters
from regressor.data.people import SyntheticOptions, SyntheticPeople
from regressor.errors import PosecastError
from regressor.evaluation import people_report as report
from regressor.evaluation.options import PeopleEvaluation
from regressor.evaluation.people import score
from regressor.evaluation.people_drawn import CroppedPeople, gather
from regressor.evaluation.run import evaluate
from regressor.images.hmr import HMR, HmrOutput
from regressor.images.perspose import PersPose
from regressor.progress import Progress
from regressor.smpl import load_body
from rendering.people import PeopleOptions
from tests.images import perfect

SIZE = 48


@pytest.fixture(scope="module")
def people():
    return SyntheticPeople(options=SyntheticOptions(people=PeopleOptions(size=SIZE)))


class Remembering:
    """People, and the batches that were asked for."""

    def __init__(self, crowd):
        self.crowd, self.batches_given, self.count = crowd, [], crowd.count

    def batches(self):
        for batch in self.crowd.batches():
            self.batches_given.append(batch)
            yield batch


class Knowing(nn.Module):
    """Gives the truth of the people it is asked about, with an error if one is set."""

    def __init__(self, crowd, betas):
        super().__init__()
        self.crowd, self.betas = crowd, betas

    def forward(self, image):
        truth = self.crowd.batches_given[-1]
        assert torch.equal(image, truth["image"])
        return HmrOutput(truth["pose"], truth["betas"] + self.betas, truth["camera"])


def judged(people, count, seed=1, betas=None):
    crowd = Remembering(CroppedPeople(people, count, seed))
    betas = torch.zeros(10) if betas is None else betas
    found, places, pictures = score(Knowing(crowd, betas), crowd, people.body)
    assert not places
    return found, pictures, crowd.batches_given


def test_the_truth_has_no_error(people):
    found, pictures, _ = judged(people, 3)
    assert set(found) == {"mpjpe", "pa_mpjpe", "pve", "shape", "root"}
    place = found.pop("root")  # of weak perspective, which can't be right
    assert all(len(values) == 3 and values.max() < 0.01 for values in found.values())
    assert len(place) == 3 and place.isfinite().all()
    assert pictures.shape == (3, 3, SIZE, 3 * SIZE)


def test_a_wrong_shape_counts_as_such(people):
    found, _, _ = judged(people, 3, betas=torch.eye(10)[0] * 2)
    assert found["shape"].min() > 3 and found["pve"].min() > 3
    mean, error = report.summarise(found)["shape"]
    assert mean == pytest.approx(float(found["shape"].mean()))
    assert error == pytest.approx(float(found["shape"].numpy().std(ddof=1)) / np.sqrt(3))


def test_the_same_seed_draws_the_same_people(people):
    one, same, other = (judged(people, 2, seed)[2][0]["pose"] for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.allclose(one, other)


class KnowingPersPose(PersPose):
    def __init__(self, tell):
        super().__init__("w8", pixels=32)
        self.tell = tell

    def forward(self, images, intrinsics, encoded=None, mirrored=None):
        assert images.shape[-1] == 32
        camera = self.tell.truth["intrinsics"] * torch.tensor([32 / SIZE, 32 / SIZE, 1])[:, None]
        torch.testing.assert_close(intrinsics, camera)  # of the crop that it was given
        return perfect.perspose(*self.tell())


class KnowingHmr(HMR):
    def __init__(self, tell):
        super().__init__(18, hidden=16, encoding=True, rotation=True)
        self.tell = tell

    def forward(self, images, intrinsics=None, known=None):
        assert intrinsics is not None
        return perfect.hmr(*self.tell(), intrinsics=intrinsics, size=images.shape[-1])


class Tell:
    """What `perfect` wants to know of the last batch."""

    def __init__(self, crowd, body):
        self.crowd, self.body = crowd, body

    @property
    def truth(self):
        return self.crowd.batches_given[-1]

    def __call__(self):
        truth, betas = self.truth, self.truth["betas"][:, :10]
        pelvis = truth["translation"] + self.body.joints_at_rest(betas)[:, 0]
        return self.body, truth["pose"], betas, pelvis, truth["rotation"]


@pytest.mark.parametrize("kind", ["hard", "wide"])
@pytest.mark.parametrize("network", [KnowingPersPose, KnowingHmr])
def test_who_knows_all_stands_where_people_do(kind, network):
    body = load_body()
    options = PeopleEvaluation(count=4, pixels=SIZE)
    crowd = Remembering(gather(options, kind, load_body(), turn=True))
    crowd.crowd.people.options.betas = 0.0  # PersPose's first is searched for by tenths
    found, places, pictures = score(network(Tell(crowd, body)), crowd, body)
    assert all(values.max() < 0.5 for values in found.values()), found
    turned = crowd.batches_given[0]["rotation"][:, 2, 2] < 0.99
    assert turned.any() if kind == "wide" else not turned.any()
    assert set(places) == (set(report.BY) if kind == "wide" else set())
    # The body covers the person's place, the middle of the crop.
    crop, over = pictures[..., :SIZE], pictures[..., SIZE : 2 * SIZE]
    middle = slice(SIZE // 4, -SIZE // 4)
    assert ((crop - over).abs().sum(1)[:, middle, middle] > 0.02).float().mean() > 0.2


def test_everybody_is_told_by_where_they_stand():
    fov, off = torch.tensor([20.0, 30, 70, 115]), torch.tensor([0.1, 0.1, 0.5, 1.2])
    scores = {"mpjpe": torch.tensor([10.0, 20, 30, 50])}
    groups = report.groups_of(scores, {"fov_deg": fov, "off": off})
    by_fov = {group.name: group for group in groups if group.by == "fov_deg"}
    assert {name: group.count for name, group in by_fov.items()} == {
        "25-45": 2, "45-65": 0, "65-85": 1, "85-110": 1
    }  # fmt: skip
    assert by_fov["25-45"].means["mpjpe"][0] == 15 and groups[0].count == 4
    assert sum(group.count for group in groups if group.by == "off") == 4
    lines = [line.split() for line in report.table(groups).splitlines()]
    assert ["45-65", "0", "-"] in lines and ["85-110", "1", "50.0"] in lines
    assert ["25-45", "2", "15.0", "±", "5.0"] in lines


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    options = {"depth": 18, "hidden": 16}
    file = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    network = images.create("hmr", **options)
    for body in ("default", "smpl"):
        card = {"crops": "dsr", "body": body}
        checkpoints.save(network, file.with_stem(body), name="dsr", options=options, card=card)
    options = {"backbone": "w8", "pixels": 32}
    network = images.create("perspose", **options)
    card = {"body": "default"}
    checkpoints.save(
        network, file.with_stem("perspose"), name="perspose", options=options, card=card
    )
    options = {"frames": 3, "dim": 16, "depth": 1, "heads": 2}
    network = lifters.create("ktpformer", **options)
    checkpoints.save(network, file.with_stem("lifter"), name="ktpformer", options=options, card={})
    return file.parent


@pytest.mark.parametrize("kind", [None, "plain"])
def test_the_command_writes_its_files(tmp_path, weights, kind):
    options = PeopleEvaluation(
        checkpoint=weights / "default.safetensors", people=kind, count=3, pixels=SIZE,
        output=tmp_path / "out",
    )  # fmt: skip
    message, paths = evaluate(options, Progress("none"))
    assert f"3 synthetic people ({kind or 'hard'}), dsr" in message
    assert all(path.is_file() for path in paths)
    assert [path.name for path in paths] == ["scores.json", "people.csv", "worst.png"]
    found = json.loads(paths[0].read_text())
    rows = list(csv.DictReader(paths[1].open()))
    errors = [float(row["mpjpe_mm"]) for row in rows]
    assert np.mean(errors) == pytest.approx(found["overall"]["mpjpe_mm"]["mean"], abs=0.01)
    assert found["protocol"]["people"] == (kind or "hard") and "by" not in found


def test_perspose_and_dsr_are_judged_on_the_same_wide_people(tmp_path, weights):
    pytest.importorskip("matplotlib")
    places = []
    for name, method in (("perspose", "perspose"), ("default", "dsr")):
        options = PeopleEvaluation(
            checkpoint=weights / f"{name}.safetensors", count=3, pixels=SIZE, output=tmp_path / name
        )
        if method == "dsr":  # of perspose it goes without saying
            options.people = "wide"
        message, paths = evaluate(options, Progress("none"))
        assert "3 synthetic people (wide)" in message and "field of view, degrees" in message
        assert {path.name for path in paths[3:]} == {"scores.csv", "errors.png"}
        found = json.loads(paths[0].read_text())
        assert found["protocol"]["network"].startswith(f"{method}, ")
        assert all(sum(line["people"] for line in some) == 3 for some in found["by"].values())
        rows = list(csv.DictReader(paths[1].open()))
        places.append([(row["fov_deg"], row["off"], row["off_deg"]) for row in rows])
        groups = list(csv.DictReader(paths[3].open()))
        place = np.mean([float(row["root_mm"]) for row in rows])
        assert groups[0]["by"] == "all" and float(groups[0]["root_mm"]) == pytest.approx(place)
        assert paths[4].stat().st_size > 1000
    assert places[0] == places[1]


def test_perspose_sees_the_cameras_of_other_people_too(tmp_path, weights):
    options = PeopleEvaluation(
        checkpoint=weights / "perspose.safetensors", people="hard", count=2, pixels=SIZE,
        output=tmp_path / "out",
    )  # fmt: skip
    message, paths = evaluate(options, Progress("none"))
    assert "2 synthetic people (hard), perspose" in message and len(paths) == 3


def test_a_network_of_another_body_is_one_sentence(tmp_path, weights):
    options = PeopleEvaluation(checkpoint=weights / "smpl.safetensors", output=tmp_path / "out")
    with pytest.raises(PosecastError, match="knows other shapes"):
        evaluate(options, Progress("none"))
    (tmp_path / "file").write_text("in the way")
    np.savez(tmp_path / "poses.npz", rotations=np.zeros((3, 24, 3)), subject=np.full(3, -1))
    known = weights / "default.safetensors"
    for wrong, sentence in (
        ({"output": tmp_path / "file" / "out"}, "can't be written"),
        ({"pixels": 0}, "--pixels has to be above 0"),
        ({"seed": -1}, "--seed not below"),
        ({"checkpoint": known, "poses": tmp_path / "poses.npz"}, "subjects that are held out"),
        ({"checkpoint": tmp_path / "gone.safetensors"}, "gone"),
        ({"checkpoint": weights / "lifter.safetensors"}, "not for dsr"),
        ({"checkpoint": weights / "perspose.safetensors", "method": "dsr"}, "not for dsr"),
    ):
        bad = PeopleEvaluation(**{"checkpoint": weights, "output": tmp_path / "out", **wrong})
        with pytest.raises(PosecastError, match=sentence):
            evaluate(bad, Progress("none"))
    with pytest.raises(PosecastError, match="at least 2"):
        evaluate(PeopleEvaluation(count=1), Progress("none"))
