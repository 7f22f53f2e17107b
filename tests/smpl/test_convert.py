"""SMPL files as plain .npz: the same body, no pickles, whole or not at all."""

import pickle
import resource
import sys

import numpy as np
import pytest
import scipy.sparse
import torch

from regressor.errors import FileFormatError, PosecastError
from regressor.smpl import convert as command
from regressor.smpl.body import FIELDS, Body, read_arrays
from regressor.smpl.convert import convert
from tests import hostile
from tests.smpl.posed import random_poses, smpl_like


@pytest.fixture(scope="module")
def arrays():
    return smpl_like()


@pytest.fixture
def pickled(arrays, tmp_path):
    """A user's SMPL_NEUTRAL.pkl, with 300 shape directions, a sparse matrix, and things to drop."""
    count = len(arrays["v_template"])
    more = np.zeros((count, 3, 290), np.float32)
    content = arrays | {
        "shapedirs": np.concatenate([arrays["shapedirs"][:, :, :10], more], axis=2),
        "J_regressor": scipy.sparse.csc_matrix(arrays["J_regressor"]),
        "bs_style": "lbs",
    }
    file = tmp_path / "SMPL_NEUTRAL.pkl"
    file.write_bytes(pickle.dumps(content, protocol=2))
    return file


def vertices(arrays):
    poses = random_poses(2)
    betas = torch.linspace(-2, 2, 20).reshape(2, 10)
    return Body(arrays)(betas, poses[:, 0], poses[:, 1:].flatten(1)).vertices


def test_the_same_body_without_pickles(arrays, pickled, tmp_path):
    output = tmp_path / "new" / "body.npz"
    convert(pickled, output)
    with np.load(output, allow_pickle=False) as stored:
        assert set(stored.files) == {*FIELDS, "posedirs"}
        assert stored["shapedirs"].shape[2] == 10
    torch.testing.assert_close(vertices(read_arrays(output)), vertices(arrays))
    assert list(output.parent.iterdir()) == [output]


def test_the_name_of_the_output_is_kept(pickled, tmp_path):
    convert(pickled, tmp_path / "body")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SMPL_NEUTRAL.pkl", "body"]


def test_a_hostile_pickle_is_refused_and_the_older_output_stays(tmp_path):
    marker, file, output = (tmp_path / name for name in ("marker", "SMPL.pkl", "body.npz"))
    for name, gadget in hostile.gadgets(marker).items():
        file.write_bytes(pickle.dumps({"v_template": gadget}))
        output.write_text("older")
        with pytest.raises(FileFormatError, match=r"SMPL\.pkl"):
            convert(file, output)
        assert output.read_text() == "older" and not marker.exists(), name


def test_a_full_disk_leaves_nothing(pickled, tmp_path):
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, allowed[1]))
    try:
        with pytest.raises(PosecastError, match=r"body\.npz can't be written"):
            convert(pickled, tmp_path / "body.npz")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    assert list(tmp_path.iterdir()) == [pickled]


def test_the_command(pickled, tmp_path, monkeypatch, capsys):
    output = tmp_path / "body.npz"
    monkeypatch.setattr(sys, "argv", ["convert", str(pickled), "--output", str(output)])
    command.main()
    assert output.exists()
    pickled.write_text("no pickle")
    with pytest.raises(SystemExit) as ended:
        command.main()
    sentence = str(ended.value.code)  # which Python prints on standard error, with status 1
    assert "is not a readable pickle" in sentence and "\n" not in sentence
