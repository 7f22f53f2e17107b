"""`evaluate joints`: Human3.6M and MPI-INF-3DHP in SPIN's files, whose truth is joints."""

import csv
import json

import numpy as np
import pytest
import roma
import torch

from regressor import checkpoints, images
from regressor.data.spin import EXTRAS, FOLDERS
from regressor.errors import FileFormatError, PosecastError
from regressor.evaluation import joints
from regressor.evaluation.bodies import Bodies
from regressor.evaluation.options import JointsEvaluation
from regressor.evaluation.run import evaluate
from regressor.images.hmr import HmrOutput
from regressor.images.joints import H36M_TO_J17, J24_TO_J17
from regressor.images.predict import ImageNetwork
from regressor.progress import Progress
from tests.data.people_files import picture

TEST_SET = "mpi_inf_3dhp_test_set"
NAMES = {
    "h36m-p2": [
        f"S9_{name}.60457274_000001.jpg" for name in ("Directions_1", "Eating", "Eating_1")
    ],
    "mpi-inf-3dhp": [f"{TEST_SET}/TS{i}/imageSequence/img_000001.jpg" for i in (1, 5, 6)],
}


@pytest.fixture(scope="module")
def truth():
    """Rotations (3, 24, 3, 3), betas (3, 10), and S (3, 24, 4) m as SPIN's files have it."""
    torch.manual_seed(4)
    rotations = roma.rotvec_to_rotmat(0.3 * torch.randn(3, 24, 3))
    rotations[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ rotations[:, 0]
    betas, bodies = torch.randn(3, 10), Bodies()
    posed = bodies.posed(bodies.get("neutral"), rotations.numpy(), betas.numpy())
    labels = np.zeros((3, 24, 4), np.float32)
    found = (posed.joints17 - posed.joints17[:, :1])[:, H36M_TO_J17]
    labels[:, J24_TO_J17, :3], labels[:, J24_TO_J17, 3] = found, 1
    return rotations, betas, labels


class Knowing(torch.nn.Module):
    """Gives the true bodies in turn, the last one bent at its right elbow."""

    def __init__(self, rotations, betas):
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))
        self.rotations, self.betas = rotations.clone(), betas
        self.rotations[2, 19] = self.rotations[2, 19] @ roma.rotvec_to_rotmat(
            torch.tensor([0, 1.5, 0])
        )

    def forward(self, crops):
        count = len(crops)
        cam = torch.tensor([0.8, 0.0, 0.0]).expand(count, 3)
        return HmrOutput(self.rotations[:count], self.betas[:count], cam)


def written(root, data_set, labels):
    """The set in SPIN's layout, with its pictures; the options that evaluate it."""
    name, file = joints.FILES[data_set]
    (root / EXTRAS).mkdir(parents=True)
    for number, image in enumerate(NAMES[data_set]):
        picture(root / FOLDERS / name / image, number)
    arrays = {
        "imgname": np.array(NAMES[data_set]),
        "center": np.tile([32.0, 24.0], (3, 1)),
        "scale": np.full(3, 0.24),
        "S": labels,
    }
    np.savez(root / EXTRAS / file, **arrays)
    return JointsEvaluation(root=root, set=data_set, output=root / "out")


@pytest.mark.parametrize("data_set", list(NAMES))
def test_the_truth_has_no_error_and_a_bent_arm_has(tmp_path, truth, monkeypatch, data_set):
    rotations, betas, labels = truth
    network = ImageNetwork(Knowing(rotations, betas), "dsr", "default")
    monkeypatch.setattr(joints, "load_network", lambda *_: network)
    told, paths = evaluate(written(tmp_path, data_set, labels), Progress("none"))
    scores = json.loads(paths[0].read_text())["scores"]
    rows = [float(row["mpjpe_mm"]) for row in csv.DictReader(paths[1].open())]
    assert max(rows[:2]) < 0.05 < 5 < rows[2]
    assert scores["all"]["mpjpe_mm"] == pytest.approx(np.mean(rows), abs=0.01)
    if data_set == "h36m-p2":
        assert set(scores) == {"all", "Directions", "Eating"} and "auc" not in scores["all"]
        assert scores["Eating"]["mpjpe_mm"] == pytest.approx(rows[2] / 2, abs=0.01)
    else:
        assert set(scores) == {"all", "TS1", "TS5", "TS6"}
        assert scores["TS1"]["pck150_percent"] == 100 > scores["TS6"]["auc"] * 100
    assert f"{data_set}: mpjpe_mm" in told


def test_a_small_perspose_sees_the_sets_cameras(tmp_path, truth):
    options = written(tmp_path, "mpi-inf-3dhp", truth[2])
    (tmp_path / FOLDERS / "mpi-inf-3dhp" / NAMES["mpi-inf-3dhp"][1]).write_bytes(b"broken")
    sizes = {"backbone": "w8", "pixels": 64}
    network = images.create("perspose", **sizes)
    file = tmp_path / "small.safetensors"
    options.checkpoint, options.method = file, "perspose"
    checkpoints.save(network, file, name="perspose", options=sizes, card={"body": "default"})
    told, paths = evaluate(options, Progress("none"))
    assert "1 pictures can't be read" in told and "auc" in told
    assert "2 of 3" in json.loads(paths[0].read_text())["protocol"]["people"]


def test_cameras_by_the_pictures_names():
    front = joints.camera_of("S9_Directions_1.60457274_000001.jpg", True)
    assert front[0, 0] == pytest.approx(1145.5, abs=0.1)
    assert joints.camera_of(f"{TEST_SET}/TS6/img_1.jpg", True)[0, 2] == 939.86
    with pytest.raises(PosecastError, match="names no camera"):
        joints.camera_of("images/1.jpg", True)
    assert joints.camera_of("images/1.jpg", False).shape == (3, 3)


def test_what_can_not_be_scored_is_a_sentence(tmp_path, truth):
    labels = truth[2].copy()
    labels[1, 0, 3] = 0
    with pytest.raises(FileFormatError, match="not all of the 14 joints"):
        evaluate(written(tmp_path, "h36m-p2", labels), Progress("none"))
    with pytest.raises(FileFormatError, match=r"h36m_valid_protocol1\.npz can't be read"):
        evaluate(
            JointsEvaluation(root=tmp_path, set="h36m-p1", output=tmp_path / "out"),
            Progress("none"),
        )
