"""EFT's fits become a data set in SPIN's layout."""

import json
import sys

import numpy as np
import pytest
import roma
import torch

from regressor.data import eft
from regressor.data.images import LabelledImages
from regressor.data.spin import load_spin
from regressor.errors import PosecastError
from tests.data.people_files import picture

NAMES = ("COCO_train2014_000000000036.jpg", "COCO_train2014_000000000049.jpg")


def entries():
    torch.manual_seed(0)
    rotations = roma.random_rotmat((2, 24))
    return [
        {
            "parm_pose": rotations[i].tolist(),
            "parm_shape": list(np.linspace(-1, 1, 10)),
            "parm_cam": [0.9, 0.0, 0.1],
            "bbox_scale": 0.2,
            "bbox_center": [30.5, 20.0],
            "joint_validity_openpose18": [True] * 18,
            "smpltype": "smpl",
            "annotId": 100 + i,
            "imageName": NAMES[i],
        }
        for i in range(2)
    ]


def annotations():
    points = [number for x in range(17) for number in (x, 2 * x, 2 if x % 5 else 0)]
    return {"annotations": [{"id": 101, "keypoints": points}, {"id": 7}]}


@pytest.fixture
def fits(tmp_path):
    file = tmp_path / "fits.json"
    file.write_text(json.dumps({"ver": 0.1, "data": entries()}))
    return file


def test_fits_become_a_data_set(fits, tmp_path, monkeypatch, capsys):
    (tmp_path / "coco.json").write_text(json.dumps(annotations()))
    output = tmp_path / "coco.npz"
    command = f"eft {fits} -o {output} --annotations {tmp_path}/coco.json --folder train2014"
    monkeypatch.setattr(sys, "argv", command.split())
    eft.main()
    assert "Wrote 2 people with keypoints" in capsys.readouterr().out
    records = load_spin(output, tmp_path)
    for index in range(2):
        expected = torch.tensor(entries()[index]["parm_pose"])
        found = roma.rotvec_to_rotmat(torch.as_tensor(records.pose[index]).view(24, 3))
        assert torch.allclose(found, expected, atol=1e-5)
    assert not records.keypoints[0].any()
    assert records.keypoints[1, 25 + 19].tolist() == [0, 0, 0]  # the nose, not labelled
    assert records.keypoints[1, 25 + 0].tolist() == [16, 32, 1]  # the right ankle, COCO's last
    picture(tmp_path / "train2014" / NAMES[1])
    assert LabelledImages(records)[1]["has_smpl"]


def test_other_bodies_are_left_out(tmp_path, fits):
    content = json.loads(fits.read_text())
    content["data"][0]["smpltype"] = "smplx"
    fits.write_text(json.dumps(content))
    assert eft.convert(fits)["imgname"].tolist() == [NAMES[1]]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("no json", "no JSON with 'data'"),
        ('{"data": 3}', "is no list"),
        ('{"data": []}', "no fits of SMPL"),
        ('{"data": [{"parm_pose": 1}]}', "entry 0 has no parm_shape and no bbox_scale"),
    ],
)
def test_another_file_is_one_sentence(tmp_path, content, sentence):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(PosecastError, match=sentence):
        eft.convert(tmp_path / "a.json")


def test_other_annotations_are_refused(fits, tmp_path):
    (tmp_path / "b.json").write_text(
        '{"annotations": [{"id": 3, "keypoints": []}]}'.replace("[]", str([0] * 51))
    )
    with pytest.raises(PosecastError, match="has none of the people"):
        eft.convert(fits, tmp_path / "b.json")
    with pytest.raises(PosecastError, match="can't be read"):
        eft.convert(tmp_path / "none.json")
