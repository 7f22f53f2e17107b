"""Records to samples: pictures, label maps, and everything turned and mirrored alike."""

import logging

import numpy as np
import pytest
import roma
import torch

from regressor.data.graphonomy import LabelMaps
from regressor.data.images import NO_LABEL, LabelledImages, SampleError, read_image
from regressor.data.spin import load_spin
from regressor.errors import FileFormatError
from regressor.images.augment import Augmentation
from tests.data.people_files import label_map, picture, spin_set

SHAPES = {
    "image": (3, 224, 224),
    "labels": (224, 224),
    "has_labels": (),
    "keypoints": (49, 3),
    "joints3d": (24, 4),
    "pose": (24, 3, 3),
    "betas": (10,),
    "has_smpl": (),
    "gender": (),
    "index": (),
}
MIRRORED = Augmentation(mirror=1, gain=0, upright=1, scale=0)
STRONG = Augmentation(mirror=0, gain=0.4, upright=0)


@pytest.fixture
def records(tmp_path):
    return load_spin(*spin_set(tmp_path))


def test_a_sample_has_the_agreed_tensors(records):
    sample = LabelledImages(records)[1]
    assert {name: tuple(value.shape) for name, value in sample.items()} == SHAPES
    assert sample["has_smpl"] and not sample["has_labels"]
    assert (sample["labels"] == NO_LABEL).all()
    assert sample["gender"] == 1 and sample["index"] == 1


def test_keypoints_lie_on_what_they_mark(records, tmp_path):
    """A white dot at a keypoint is found there in the crop, turned and scaled."""
    from PIL import Image

    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[18:21, 38:41] = 255
    Image.fromarray(pixels).save(tmp_path / "images" / "0.png")
    records.imgname = records.imgname.astype("<U20")
    records.imgname[0] = "images/0.png"
    records.keypoints[0, 30] = [39, 19, 1]
    for seed in range(5):
        rng = np.random.default_rng(seed)
        sample = LabelledImages(records, augmentation=STRONG).sample(0, rng)
        bright = sample["image"].sum(0) > sample["image"].sum(0).max() - 1
        rows, columns = torch.nonzero(bright, as_tuple=True)
        found = torch.stack([columns.float().mean(), rows.float().mean()]) + 0.5
        place = (sample["keypoints"][30, :2] + 1) * 112
        assert (found - place).norm() < 4  # a pixel of the picture is 4 to 6 of the crop


def test_the_body_is_turned_as_its_keypoints_are(records):
    """Joints seen straight on and their keypoints stay alike under every augmentation."""
    joints = records.joints3d[0]
    records.keypoints[0, 25:, :2] = 24 + 20 * joints[:, :2]
    records.center[0] = 24
    for augmentation in (STRONG, Augmentation(mirror=1, upright=0)):
        sample = LabelledImages(records, augmentation=augmentation).sample(
            0, np.random.default_rng(3)
        )
        seen, solid = sample["keypoints"][25:, :2], sample["joints3d"][:, :2]
        factor = (seen * solid).sum() / solid.square().sum()
        assert (seen - factor * solid).abs().max() < 0.03  # keypoints are whole pixels


def test_mirroring_swaps_the_labels_sides(records, tmp_path):
    for index in range(4):
        label_map(tmp_path / "grph_sequences" / "images" / f"{index}.png")
    maps = LabelMaps(tmp_path)
    plain = LabelledImages(records, labels=maps)[0]
    assert plain["has_labels"]
    assert set(plain["labels"][:, :100].unique().tolist()) <= {0, 5}
    assert (plain["labels"][60:160, 130:200] == 14).all()
    mirrored = LabelledImages(records, augmentation=MIRRORED, labels=maps)[0]
    assert (mirrored["labels"][60:160, 20:90] == 15).all()
    assert mirrored["gender"] == plain["gender"]
    assert torch.allclose(mirrored["image"], plain["image"].flip(-1), atol=1e-5)


def test_poses_become_rotations(records):
    sample = LabelledImages(records)[2]
    expected = roma.rotvec_to_rotmat(torch.as_tensor(records.pose[2]).view(24, 3))
    assert torch.allclose(sample["pose"], expected, atol=1e-6)


def test_one_seed_gives_one_sample(records):
    images = LabelledImages(records, augmentation=Augmentation())
    one, same = (images.sample(0, np.random.default_rng(5)) for _ in range(2))
    other = images.sample(0, np.random.default_rng(6))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["image"], other["image"])


def test_a_missing_label_map_is_a_sample_without_labels(records, tmp_path, caplog):
    maps = LabelMaps(tmp_path)
    images = LabelledImages(records, labels=maps)
    with caplog.at_level(logging.WARNING):
        assert not images[0]["has_labels"] and not images[1]["has_labels"]
    assert maps.tally.counts() == {"missing": 2, "wrong size": 0, "unreadable": 0}
    assert len(caplog.records) == 1 and "0.png is missing" in caplog.text


def test_label_maps_of_a_wrong_kind_are_counted(records, tmp_path, caplog):
    folder = tmp_path / "grph_sequences" / "images"
    label_map(folder / "0.png", (64, 40))
    picture(folder / "1.png")
    (folder / "2.png").write_bytes(b"no picture")
    maps = LabelMaps(tmp_path)
    with caplog.at_level(logging.WARNING):
        samples = [LabelledImages(records, labels=maps)[i] for i in range(3)]
    assert not any(sample["has_labels"] for sample in samples)
    assert maps.tally.counts() == {"missing": 0, "wrong size": 1, "unreadable": 2}
    assert "64 x 40 px, its picture 64 x 48" in caplog.text and "other colours" in caplog.text


@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "text"])
def test_a_picture_that_is_broken_is_one_sentence(tmp_path, damage):
    file = picture(tmp_path / "a.jpg", size=(400, 300))
    content = {"cut": file.read_bytes()[:5000], "empty": b"", "text": b"hello"}
    file.unlink() if damage == "missing" else file.write_bytes(content[damage])
    with pytest.raises(SampleError, match=r"a\.jpg can't be read"):
        read_image(file)


def test_labels_that_are_no_numbers_are_refused(records):
    records.pose[0, 3] = np.nan
    with pytest.raises(SampleError, match=r"record 0 \(images/0\.jpg\) holds numbers"):
        LabelledImages(records)[0]
    records.scale[1] = 0
    with pytest.raises(SampleError, match="box of record 1"):
        LabelledImages(records)[1]


def test_records_that_dont_belong_together_are_refused(records):
    with pytest.raises(FileFormatError, match="betas has the shape"):
        records.betas = records.betas[:2]
        records.part(slice(0, 4))
