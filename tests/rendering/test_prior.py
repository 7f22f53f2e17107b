"""The clothing prior: counting, learning, its files, and its textures."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rendering.labels import C_CLASSES, LABELS, MC_PARTS, swap_sides
from rendering.prior import (
    class_textures,
    count_labels,
    learn_prior,
    load_prior,
    mirrored_faces,
    part_textures,
)

from .bodies import BODY, FACES

MIRROR = mirrored_faces(BODY.v_template, FACES)


def test_labels_are_counted_where_faces_are_seen():
    face = torch.tensor([[[0, 0, -1], [2, 2, 2]]])
    labels = torch.tensor([[[5, 5, 5], [9, 0, 255]]], dtype=torch.uint8)
    counts = count_labels(face, labels, 3)
    assert counts.shape == (3, 20) and counts.sum() == 4
    assert (counts[0, 5], counts[2, 9], counts[2, 0]) == (2, 1, 1)


def test_the_other_side_of_the_body():
    middle = BODY.v_template[FACES].mean(1)
    other = middle[MIRROR] * torch.tensor([-1.0, 1.0, 1.0])
    assert (other - middle).norm(dim=1).quantile(0.99) < 1e-3  # feet aren't quite alike
    assert (MIRROR[MIRROR] == torch.arange(len(FACES))).float().mean() > 0.99


def test_what_was_seen_often_is_learned_as_it_was():
    counts = torch.zeros(len(FACES), 20)
    counts[:, 5], counts[:, 9] = 3e5, 1e5
    prior = learn_prior(counts, FACES)
    assert prior[:, 5].allclose(torch.tensor(0.75), atol=0.02)
    torch.testing.assert_close(prior.sum(1), torch.ones(len(FACES)))
    assert (prior > 0).all()


def test_one_side_teaches_the_other():
    left = BODY.v_template[FACES].mean(1)[:, 0] > 0.02
    counts = torch.zeros(len(FACES), 20)
    counts[left, 14] = 100.0  # left arms, on the left half alone
    prior = learn_prior(counts, FACES, MIRROR)
    assert (prior[MIRROR[left]].argmax(1) == 15).all() and (prior[left].argmax(1) == 14).all()
    swapped = prior[MIRROR][:, swap_sides(torch.arange(20))]
    assert (swapped - prior).abs().amax(1).quantile(0.95) < 1e-4


def test_faces_never_seen_are_like_what_surrounds_them():
    height = BODY.v_template[FACES].mean(1)[:, 1]
    truth = torch.where(height > height.median(), 5, 9)
    counts = 50 * F.one_hot(truth, 20).float()
    hidden = torch.rand(len(FACES), generator=torch.Generator().manual_seed(0)) < 0.3
    counts[hidden] = 0
    found = learn_prior(counts, FACES).argmax(1)
    assert (found[hidden] == truth[hidden]).float().mean() > 0.98


def test_textures_merge_the_labels():
    prior = torch.rand(7, 20).softmax(1)
    for skin in ("dsr", "all"):
        classes = class_textures(prior, skin)
        assert classes.shape == (7, len(C_CLASSES[skin]))
        torch.testing.assert_close(classes.sum(1), torch.ones(7))
        parts = torch.zeros(2, len(MC_PARTS[skin]), dtype=torch.bool)
        parts[1, 4] = True
        shown = part_textures(prior, parts, skin)
        assert not shown[0].any() and torch.equal(shown[1], prior[:, 13])


def test_every_label_is_of_one_class():
    for classes in C_CLASSES.values():
        assert sorted(i for members in classes for i in members) == list(range(len(LABELS)))


def test_prior_files(tmp_path):
    prior = np.full((6, 20), 0.05, np.float32)
    np.save(tmp_path / "semantic_prior.npy", prior[None])  # as published, with an axis too many
    np.savez(tmp_path / "own.npz", prior=prior.astype(np.float16))
    for name in ("semantic_prior.npy", "own.npz"):
        assert load_prior(tmp_path / name, 6).shape == (6, 20)


def test_files_that_are_no_prior(tmp_path):
    np.save(tmp_path / "pickled.npy", np.array([{"a": 1}]), allow_pickle=True)
    np.savez(tmp_path / "other.npz", poses=np.zeros(3))
    np.save(tmp_path / "shape.npy", np.zeros((6, 8)))
    np.save(tmp_path / "below.npy", np.full((6, 20), -1.0))
    np.save(tmp_path / "nan.npy", np.full((6, 20), np.nan))
    (tmp_path / "text.npy").write_text("nothing")
    for name in ("pickled.npy", "other.npz", "text.npy", "none.npy"):
        with pytest.raises(ValueError, match="can't be read as a prior"):
            load_prior(tmp_path / name)
    with pytest.raises(ValueError, match=r"not \(faces, 20\)"):
        load_prior(tmp_path / "shape.npy")
    for name in ("below.npy", "nan.npy"):
        with pytest.raises(ValueError, match="no probabilities"):
            load_prior(tmp_path / name)
    np.save(tmp_path / "good.npy", np.full((6, 20), 0.05))
    with pytest.raises(ValueError, match="body of 6 faces; this one has 7"):
        load_prior(tmp_path / "good.npy", 7)
