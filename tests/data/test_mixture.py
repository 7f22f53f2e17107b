"""Data sets mixed by ratio: the same draws everywhere, and no epoch ended by a broken picture."""

import logging

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from regressor.data.images import LabelledImages
from regressor.data.mixture import (
    DrawnPeople,
    Mixture,
    collate,
    members,
    open_mixture,
    ratios_of,
)
from regressor.data.spin import load_spin
from regressor.errors import PosecastError
from regressor.images.augment import Augmentation
from tests.data.people_files import spin_set


class Numbers:
    """A source whose samples are their own index and a random number."""

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def sample(self, index, rng):
        return {"index": torch.tensor(index), "drawn": torch.tensor(rng.uniform())}


@pytest.fixture
def images(tmp_path):
    return LabelledImages(load_spin(*spin_set(tmp_path, 6)), augmentation=Augmentation())


def test_shares_are_as_asked():
    mixed = Mixture({"one": Numbers(100), "two": Numbers(4000)}, {"one": 3, "two": 1})
    assert len(mixed) == 4000
    chosen = np.array([int(mixed[i]["dataset"]) for i in range(len(mixed))])
    assert (chosen == 0).mean() == pytest.approx(0.75, abs=0.02)


def test_one_source_is_gone_through_once_an_epoch():
    mixed = Mixture({"one": Numbers(50)})
    seen = [int(mixed[i]["index"]) for i in range(50)]
    assert sorted(seen) == list(range(50)) and seen != sorted(seen)


def test_draws_follow_from_seed_epoch_and_number():
    def draws(mixed, epoch=0):
        mixed.set_epoch(epoch)
        return [float(mixed[i]["drawn"]) for i in range(8)]

    sources = {"one": Numbers(10), "two": Numbers(20)}
    one, other = Mixture(sources, seed=1), Mixture(sources, seed=2)
    assert draws(one) == draws(Mixture(sources, seed=1))
    assert draws(one) != draws(one, 1) and draws(one) != draws(other)


def test_workers_see_what_the_process_sees(images):
    mixed = Mixture({"set": images}, seed=3)
    alone = next(iter(DataLoader(mixed, 6, collate_fn=collate)))
    loader = DataLoader(mixed, 6, num_workers=2, collate_fn=collate, persistent_workers=True)
    assert torch.equal(next(iter(loader))["image"], alone["image"])
    mixed.set_epoch(1)  # reaches workers that already run
    assert not torch.equal(next(iter(loader))["image"], alone["image"])


def test_a_broken_picture_is_replaced_counted_and_told(images, caplog):
    root = images.records.root
    (root / "images" / "2.jpg").write_bytes(b"broken")
    (root / "images" / "3.jpg").unlink()
    mixed = Mixture({"set": images})
    with caplog.at_level(logging.WARNING):
        batch = next(iter(DataLoader(mixed, 6, collate_fn=collate)))
    assert len(batch["image"]) == 6 and not {2, 3} & set(batch["index"].tolist())
    assert int(batch["skipped"].sum()) == mixed.tally["set"] >= 2
    assert mixed.report() == [
        f"{mixed.tally['set']} samples of set couldn't be used and were replaced."
    ]
    assert len(caplog.records) == 1 and "Another sample takes its place" in caplog.text


def test_workers_count_too(images):
    (images.records.root / "images" / "2.jpg").write_bytes(b"broken")
    mixed = Mixture({"set": images})
    batches = list(DataLoader(mixed, 2, num_workers=2, collate_fn=collate))
    assert mixed.tally["set"] == sum(int(b["skipped"].sum()) for b in batches) >= 1


def test_a_set_that_is_all_broken_ends_in_a_sentence(images):
    for index in range(6):
        (images.records.root / "images" / f"{index}.jpg").unlink()
    with pytest.raises(PosecastError, match="samples of set in a row can't be used"):
        Mixture({"set": images})[0]


def test_published_shares():
    sizes = {"h36m": 300, "lsp": 10, "mpii": 150, "lspet": 90, "coco": 250, "mpi-inf-3dhp": 90}
    shares = ratios_of("spin", sizes)
    assert shares["h36m"] == 0.3 and shares["mpi-inf-3dhp"] == 0.1
    assert shares["coco"] == pytest.approx(0.3) and sum(shares.values()) == pytest.approx(1)
    assert ratios_of("dsr", sizes) == {"h36m": 0.5, "coco": 0.3, "mpi-inf-3dhp": 0.2}
    assert members("dsr-3dpw") == ["h36m", "coco", "mpi-inf-3dhp", "3dpw"]


def test_a_folder_opens_as_published(tmp_path):
    (tmp_path / "dataset_extras").mkdir()
    files = {"h36m": "h36m_train", "coco": "coco_2014_train", "mpi-inf-3dhp": "mpi_inf_3dhp_train"}
    for seed, (name, file) in enumerate(files.items()):
        made, _ = spin_set(tmp_path / "dataset_folders" / name, 3 + seed, seed)
        made.rename(tmp_path / "dataset_extras" / f"{file}.npz")
    mixed = open_mixture(tmp_path, "dsr", augmentation=Augmentation())
    assert mixed.names == list(files) and len(mixed) == 5
    mixed[0]
    assert "label maps missing" in " ".join(mixed.report())
    with pytest.raises(PosecastError, match=r"lsp_dataset_original_train\.npz can't be read"):
        open_mixture(tmp_path, "spin")


def test_drawn_people_mix_with_pictures(images):
    class People:
        def batch(self, count, seed):
            sample = images.sample(0, np.random.default_rng(seed))
            return {name: value[None] for name, value in sample.items()} | {"camera": torch.ones(1)}

    drawn = DrawnPeople(People(), 8)
    mixed = Mixture({"set": images, "people": drawn}, seed=1)
    batch = next(iter(DataLoader(mixed, 8, collate_fn=collate)))
    assert set(batch["dataset"].tolist()) == {0, 1} and "camera" not in batch


@pytest.mark.parametrize("ratios", [{"one": 0.0}, {"one": 1, "none": 1}, {"one": -1}])
def test_shares_that_make_no_sense_are_sentences(ratios):
    with pytest.raises(PosecastError, match=r"shares of them|which is not among"):
        Mixture({"one": Numbers(3)}, ratios)
