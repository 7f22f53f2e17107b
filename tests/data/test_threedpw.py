"""3DPW's files: people in camera axes, SPIN's extraction, and folders that lack something."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from regressor.data.images import LabelledImages
from regressor.data.threedpw import Person, extract, load_records, load_sequence, load_split, places
from regressor.errors import FileFormatError, PosecastError
from regressor.smpl import load_body
from tests.data import threedpw_files
from tests.hostile import gadgets

GOLDEN = Path(__file__).parents[1] / "golden" / "threedpw_protocol.npz"


@pytest.fixture
def root(tmp_path):
    threedpw_files.write(tmp_path, "walk_00", threedpw_files.sequence())
    threedpw_files.write(tmp_path, "alone_01", threedpw_files.sequence(3, "f", 1))
    return tmp_path


def golden_people(golden):
    """The golden's sequence; poses2d (N, 3, 18) become (N, 18, 3)."""
    name = str(golden["out.imgname"][0]).split("/")[1]
    genders = {"m": "male", "f": "female"}
    order = [str(g) for g in golden["out.gender"]]
    first = golden["in.campose_valid"][0].astype(bool).sum()
    return [
        Person(
            sequence=name,
            number=i,
            gender=genders[order[0] if i == 0 else order[int(first)]],
            poses=golden["in.poses"][i],
            betas=golden["in.betas"][i][:10],
            trans=np.zeros((6, 3)),
            joints=None,
            extrinsics=golden["in.cam_poses"],
            intrinsics=np.eye(3),
            keypoints=golden["in.poses2d"][i].transpose(0, 2, 1),
            valid=golden["in.campose_valid"][i].astype(bool),
        )
        for i in range(2)
    ]


def test_extraction_is_spins():
    golden = np.load(GOLDEN)
    found = extract(golden_people(golden))
    for name in ("imgname", "gender"):
        assert found[name].tolist() == golden[f"out.{name}"].tolist()
    for name in ("center", "scale", "pose", "shape"):
        np.testing.assert_allclose(found[name], golden[f"out.{name}"], atol=1e-9, err_msg=name)


def test_a_split_is_read(root):
    people = load_split(root, "test", images=True)
    assert [(p.sequence, p.number, p.gender, len(p)) for p in people] == [
        ("alone_01", 0, "female", 3),
        ("walk_00", 0, "male", 4),
        ("walk_00", 1, "female", 4),
    ]
    assert all(person.betas.shape == (10,) for person in people)
    assert all((root / p.image(n)).is_file() for p in people for n in range(len(p)))


def test_the_body_in_camera_axes_is_the_world_body_seen(root):
    """Posed with camera_poses and camera_trans, joints are where jointPositions are seen."""
    body = load_body()
    for person in load_split(root):
        rest = body.joints_at_rest(torch.as_tensor(person.betas).float())[0].numpy()
        trans = person.camera_trans(rest)
        found = threedpw_files.joints_of(body, person.camera_poses(), person.betas, trans)
        assert person.joints is not None
        seen = person.joints @ person.extrinsics[:, :3, :3].transpose(0, 2, 1)
        seen = seen + person.extrinsics[:, None, :3, 3]
        np.testing.assert_allclose(found, seen, atol=1e-5)
        pixels = seen @ person.intrinsics.T
        wrists = (pixels[..., :2] / pixels[..., 2:])[:, [21, 20]]
        np.testing.assert_allclose(person.keypoints[:, [4, 7], :2], wrists, atol=1e-3)


def test_invalid_cameras_and_lost_people_dont_count(tmp_path):
    content = threedpw_files.sequence()
    content["campose_valid"][0][1] = 0
    content["poses2d"][1][2] = 0  # a valid camera, but nobody was detected
    people = load_sequence(threedpw_files.write(tmp_path, "a", content))
    assert places(people).tolist() == [[0, 0], [0, 2], [0, 3], [1, 0], [1, 1], [1, 3]]
    assert len(extract(people)["scale"]) == 6


def test_records_make_samples(root):
    (root / "sequenceFiles" / "test").rename(root / "sequenceFiles" / "train")
    records = load_records(root, "train")
    assert len(records) == 11 and records.has_smpl.all()
    assert records.gender.tolist() == [1] * 3 + [0] * 4 + [1] * 4
    sample = LabelledImages(records)[4]
    seen = sample["keypoints"]
    assert torch.equal(seen[4], seen[25 + 6])  # the right wrist, by either name
    assert seen[seen[:, 2] > 0][:, :2].abs().max() < 1
    assert not sample["joints3d"].any()


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda r: None, "is not 3DPW's folder: it has no sequenceFiles"),
        (lambda r: (r / "sequenceFiles").mkdir(), "has no test split"),
        (
            lambda r: threedpw_files.write(r, "a", threedpw_files.sequence(), "train"),
            r"holds no sequences; there is train\.",
        ),
    ],
)
def test_a_folder_that_lacks_something_is_one_sentence(tmp_path, build, sentence):
    build(tmp_path)
    with pytest.raises(PosecastError, match=sentence) as raised:
        load_split(tmp_path, "test")
    assert "\n" not in str(raised.value)


def test_missing_pictures_and_wrong_splits_are_sentences(root):
    (root / "imageFiles").rename(root / "elsewhere")
    assert load_split(root, "test")
    with pytest.raises(PosecastError, match="has no imageFiles"):
        load_split(root, "test", images=True)
    with pytest.raises(PosecastError, match="no split 'tests'"):
        load_split(root, "tests")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cam_poses": None, "genders": None}, "it has no cam_poses and no genders"),
        ({"poses": [np.zeros((4, 66))]}, r"poses has the shape \(4, 66\)"),
        ({"poses2d": [np.zeros((4, 18, 3))] * 2}, "poses2d has the shape"),
        ({"genders": ["x", "m"]}, "gender of person 0 is 'x'"),
        ({"betas": [np.zeros(8)] * 2}, "betas has the shape"),
    ],
)
def test_a_sequence_of_another_kind_is_one_sentence(tmp_path, change, sentence):
    content = {**threedpw_files.sequence(), **change}
    content = {key: value for key, value in content.items() if value is not None}
    file = tmp_path / "a.pkl"
    file.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(FileFormatError, match=sentence):
        load_sequence(file)


def test_nothing_in_a_sequence_is_run(tmp_path):
    content = threedpw_files.sequence()
    for name, gadget in gadgets(tmp_path / "marker").items():
        file = tmp_path / "a.pkl"
        try:
            file.write_bytes(pickle.dumps({**content, "texture_maps": [gadget]}, protocol=2))
        except TypeError:
            continue
        with pytest.raises(FileFormatError):
            load_sequence(file)
        assert not (tmp_path / "marker").exists(), name
