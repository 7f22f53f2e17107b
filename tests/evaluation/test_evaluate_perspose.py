"""`evaluate` with PersPose: the set's camera is turned to each person, and back."""

import pytest
import torch

from regressor.data.tally import Tally
from regressor.data.threedpw import load_split
from regressor.evaluation import predictions
from regressor.evaluation.bodies import Bodies
from regressor.images.hmr import HMR
from regressor.images.perspose import PersPose
from regressor.images.predict import ImageNetwork
from regressor.progress import Progress
from regressor.smpl import load_body
from tests.data import threedpw_files
from tests.images import perfect


class Truth:
    """The true people of crops in turn, and the cameras that were turned to them."""

    def __init__(self, truth, body):
        self.rotations, self.betas, self.body, self.given = *truth, body, 0
        self.turns = torch.zeros(0)

    def next(self, count):
        mine = slice(self.given, self.given + count)
        self.given += count
        turn = self.turns[mine]
        ahead = (turn.float().transpose(1, 2) @ torch.tensor([0.0, 0.0, 4.0])[:, None])[..., 0]
        return self.body, self.rotations[mine], self.betas[mine], ahead, turn


class KnowingPersPose(PersPose):
    def __init__(self, truth):
        super().__init__("w8", pixels=64)
        self.truth = truth

    def forward(self, images, intrinsics, encoded=None, mirrored=None):
        return perfect.perspose(*self.truth.next(len(images)))


class KnowingHmr(HMR):
    def __init__(self, truth):
        super().__init__(18, hidden=16, encoding=True, rotation=True)
        self.truth = truth

    def forward(self, images, intrinsics=None, known=None):
        assert intrinsics is not None
        return perfect.hmr(*self.truth.next(len(images)), intrinsics=intrinsics)


@pytest.mark.parametrize("kind", [KnowingPersPose, KnowingHmr])
def test_a_perfect_network_has_the_true_rotations(tmp_path, monkeypatch, kind):
    threedpw_files.write(tmp_path, "walk_00", threedpw_files.sequence(4))
    people, body = load_split(tmp_path), load_body()
    rotations = torch.cat([torch.as_tensor(p.rotations()[p.used]).float() for p in people])
    betas = [torch.as_tensor(p.betas).float().expand(int(p.used.sum()), 10) for p in people]
    truth = Truth((rotations, (torch.cat(betas) * 10).round() / 10), body)
    cropped = predictions.cameras_of

    def remember(*given):
        crops = cropped(*given)
        truth.turns = crops.rotation
        return crops

    monkeypatch.setattr(predictions, "cameras_of", remember)
    tally, found = Tally("unreadable"), ImageNetwork(kind(truth), "dsr", "default")
    how = (people, Bodies(), tmp_path, 0, Progress("none"), tally)
    some = predictions.by_network(found, *how)
    assert tally["unreadable"] == 0 and truth.given == len(rotations)
    turns = truth.turns.float()
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
