"""`evaluate` with PersPose: the set's camera is turned to each person, and back."""

import pytest
import torch

from regressor import checkpoints, images
from regressor.data.tally import Tally
from regressor.data.threedpw import load_split
from regressor.errors import PosecastError
from regressor.evaluation import predictions, towards
from regressor.evaluation.bodies import Bodies
from regressor.evaluation.options import PeopleEvaluation
from regressor.evaluation.people import evaluate_people
from regressor.images.perspose import PersPose
from regressor.images.predict import ImageNetwork
from regressor.progress import Progress
from regressor.smpl import load_body
from tests.data import threedpw_files
from tests.images import perfect


class Knowing(PersPose):
    """Gives the truth of each crop in turn, in the camera that was turned to it."""

    def __init__(self, truth, body):
        super().__init__("w8", pixels=64)
        self.rotations, self.betas, self.body, self.given = *truth, body, 0
        self.turns = torch.zeros(0)

    def forward(self, images, intrinsics, encoded=None, mirrored=None):
        return perfect.perspose(*self.truth(len(images)))

    def truth(self, count):
        mine = slice(self.given, self.given + count)
        self.given += count
        turn = self.turns[mine]
        ahead = (turn.float().transpose(1, 2) @ torch.tensor([0.0, 0.0, 4.0])[:, None])[..., 0]
        return self.body, self.rotations[mine], self.betas[mine], ahead, turn


class KnowingHmr(Knowing):
    """The same as HMR's network says it."""

    by_camera = True

    def forward(self, images, intrinsics, known=None):
        return perfect.hmr(*self.truth(len(images)), intrinsics)


@pytest.mark.parametrize(
    ("module", "predict", "kind"),
    [(towards, "by_turning", Knowing), (predictions, "by_network", KnowingHmr)],
)
def test_a_perfect_network_has_the_true_rotations(tmp_path, monkeypatch, module, predict, kind):
    threedpw_files.write(tmp_path, "walk_00", threedpw_files.sequence(4))
    people, body = load_split(tmp_path), load_body()
    rotations = torch.cat([torch.as_tensor(p.rotations()[p.used]).float() for p in people])
    betas = [torch.as_tensor(p.betas).float().expand(int(p.used.sum()), 10) for p in people]
    network = kind((rotations, (torch.cat(betas) * 10).round() / 10), body)
    cropped = module.cameras_of

    def remember(*given):
        crops = cropped(*given)
        network.turns = crops.rotation
        return crops

    monkeypatch.setattr(module, "cameras_of", remember)
    tally, found = Tally("unreadable"), ImageNetwork(network, "dsr", "default")
    how = (people, Bodies(), tmp_path, 0, Progress("none"), tally)
    some = getattr(module, predict)(found, *how)
    assert tally["unreadable"] == 0 and network.given == len(rotations)
    turns = network.turns.float()
    assert (turns[:, 2, 2] < 0.9999).any()  # somebody stands aside
    first = 0
    for person, one in zip(people, some, strict=True):
        assert one is not None and one.frames.tolist() == person.used.nonzero()[0].tolist()
        true = person.rotations()[one.frames]
        torch.testing.assert_close(one.rotations, true, atol=5e-3, rtol=0, check_dtype=False)
        rest = body.joints_at_rest(torch.as_tensor(one.betas).float())[:, 0].numpy()
        ahead = 4 * turns[first : first + len(one.frames), 2].numpy()  # before the turned camera
        torch.testing.assert_close(one.trans + rest, ahead, atol=5e-3, rtol=0, check_dtype=False)
        first += len(one.frames)


def test_synthetic_crops_are_refused_in_a_sentence(tmp_path):
    file = tmp_path / "small.safetensors"
    network = images.create("perspose", backbone="w8", pixels=64)
    options = {"backbone": "w8", "pixels": 64}
    checkpoints.save(network, file, name="perspose", options=options, card={"body": "default"})
    wanted = PeopleEvaluation(method="perspose", checkpoint=file, output=tmp_path / "out")
    with pytest.raises(PosecastError, match="without the camera that perspose sees"):
        evaluate_people(wanted, Progress("none"))
