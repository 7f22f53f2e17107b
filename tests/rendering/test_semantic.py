"""DSR's losses against the published code's, what else they offer, and their bad input."""

import importlib.util
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.ndimage import distance_transform_edt

from rendering import labels as lb
from rendering import prior as pr
from rendering.cameras import weak_to_translation
from rendering.semantic import PRESETS, crop_intrinsics, preset, render_semantics, semantic_losses

from .bodies import BODY, FACES, before_camera, camera, turned

GOLDEN = Path(__file__).parents[1] / "golden"
BACKENDS = ["torch"] + ["pytorch3d"] * (importlib.util.find_spec("pytorch3d") is not None)
HEIGHTS = BODY.v_template[FACES].mean(1)[:, 1]
SIDEWAYS = BODY.v_template[FACES].mean(1)[:, 0]


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "dsr_losses.npz") as stored:
        return {key: torch.as_tensor(stored[key]) for key in stored.files}


@pytest.fixture(scope="module")
def clean():
    """The same losses without the published rasteriser's slip of texels."""
    with np.load(GOLDEN / "dsr_losses_pytorch3d.npz") as stored:
        return {key: torch.as_tensor(stored[key]) for key in stored.files}


def golden_targets(golden, **options):
    keypoints = golden["keypoints_px"].clone()
    keypoints[..., :2] = keypoints[..., :2] / 112 - 1
    return lb.targets(golden["graphonomy_labels"], keypoints, **options)


def losses_and_gradients(golden, options):
    """Both losses, and their derivatives by the vertices and the camera."""
    vertices, cam = (golden[key].clone().requires_grad_() for key in ("vertices", "cam"))
    wanted = golden_targets(golden, with_distance=options.mc_loss == "distance")
    placed = vertices + weak_to_translation(cam)[:, None]
    found = semantic_losses(placed, golden["faces"].long(), golden["prior"], wanted, options)
    gradients = {
        name: torch.autograd.grad(getattr(found, name), (vertices, cam), retain_graph=True)
        for name in ("mc", "c")
    }
    return found, gradients


def apart(a, b):
    return float((a - b).norm() / b.norm())


def test_targets_are_the_published_ones(golden):
    wanted = golden_targets(golden, with_distance=True)
    assert torch.equal(wanted.mask, golden["mc_mask"].float())
    assert torch.equal(wanted.label, golden["c_label"].long())
    assert torch.equal(wanted.parts, golden["valid_mc"].bool())
    torch.testing.assert_close(wanted.class_weight, golden["class_weight"], rtol=0, atol=0)
    # The third has no part, and its distances mean nothing there.
    published = golden["dist_sum"][:2] / 3
    own = wanted.distance[:2].double().sum((1, 2))
    torch.testing.assert_close(own, published, rtol=1e-8, atol=0)
    torch.testing.assert_close(wanted.distance[:2, ::8, ::8], golden["dist_stride8"][:2])
    assert not wanted.distance[2].any()


def test_textures_are_the_published_ones(golden):
    found = pr.part_textures(golden["prior"], golden["valid_mc"].bool())
    torch.testing.assert_close(found, golden["texture_mc"], rtol=0, atol=2e-7)
    found = pr.class_textures(golden["prior"]).T
    torch.testing.assert_close(found, golden["texture_c"], rtol=0, atol=2e-7)


@pytest.mark.parametrize("backend", BACKENDS)
def test_losses_and_gradients_agree_with_pytorch3d(golden, clean, backend):
    found, gradients = losses_and_gradients(golden, replace(preset("dsr"), backend=backend))
    for name in ("mc", "c"):
        torch.testing.assert_close(
            getattr(found, name).detach(), clean[f"softras.loss_{name}"], rtol=0, atol=1e-6
        )
        for by, gradient in zip(("vertices", "cam"), gradients[name], strict=True):
            assert apart(gradient, clean[f"softras.grad_{by}_{name}"]) < 0.01
    assert (found.gated, found.dropped) == (1, 0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("name", "key", "loss", "gradient"),
    [("dsr", "cfg_niou", 5e-5, 0.14), ("dsr-default", "default_distm", 5e-6, 0.04)],
)
def test_losses_are_the_published_ones_within_its_slip_of_texels(
    golden, backend, name, key, loss, gradient
):
    found, gradients = losses_and_gradients(golden, replace(preset(name), backend=backend))
    for term in ("mc", "c"):
        published = golden[f"{key}.loss_{term}"]
        torch.testing.assert_close(getattr(found, term).detach(), published, rtol=0, atol=loss)
        for by, own in zip(("vertices", "cam"), gradients[term], strict=True):
            assert apart(own, golden[f"{key}.grad_{by}_{term}"]) < gradient
    total = preset(name).mc_weight * found.mc + preset(name).c_weight * found.c
    torch.testing.assert_close(found.total, total)


# A simple prior of the default body: a head, a shirt, trousers, and bare arms.


def simple_prior():
    label = torch.where(HEIGHTS > HEIGHTS.max() - 0.25, 13, 5)
    label = torch.where(HEIGHTS < HEIGHTS.min() + 0.85, 9, label)
    label = torch.where((label == 5) & (SIDEWAYS > 0.25), 14, label)
    label = torch.where((label == 5) & (SIDEWAYS < -0.25), 15, label)
    return F.one_hot(label, 20).float()


def scene(yaw=0.0, samples=2, size=112):
    """Vertices of the body, and the labels that its picture shows."""
    vertices = before_camera(turned(yaw, 0))
    options = replace(preset("dsr-corrected"), samples=samples)
    drawn = render_semantics(
        vertices, FACES, simple_prior(), torch.ones(1, 8, dtype=torch.bool),
        camera(size), (size, size), options,
    )  # fmt: skip
    seen = drawn.rendering.face
    labels = torch.where(seen >= 0, simple_prior().argmax(1)[seen.clamp(min=0)], 0)
    return vertices, labels.byte()


def loss(vertices, labels, name, prior=None, **changes):
    options = replace(preset(name), **changes)
    wanted = lb.targets(labels, skin=options.skin, with_distance=options.mc_loss == "distance")
    prior = simple_prior() if prior is None else prior
    intrinsics = crop_intrinsics(labels.shape[-1])
    return semantic_losses(vertices, FACES, prior, wanted, options, intrinsics)


def test_the_true_body_is_best_as_meant():
    vertices, labels = scene()
    best = loss(vertices, labels, "dsr-corrected")
    assert best.mc < 0.2 and best.silhouette < 0.1  # pixels of borders are in part either
    for way in ((0.05, 0, 0), (0, 0.05, 0), (0, 0, 3.0)):
        moved = loss(vertices + torch.tensor(way), labels, "dsr-corrected")
        assert moved.mc > best.mc + 0.02 and moved.c > best.c + 0.02
        assert moved.silhouette > best.silhouette + 0.02


def test_real_occlusion_tells_front_from_back():
    """Gamma 0.1 takes the mean of both sides of the body; the hard picture shows the near one."""
    vertices, _ = scene()
    front = F.one_hot(torch.where(BODY.v_template[FACES].mean(1)[:, 2] > 0.02, 5, 9), 20).float()
    options = replace(preset("dsr-corrected"), c_loss="logits")
    shown = {}
    for mode in ("hard", "soft"):
        drawn = render_semantics(
            vertices, FACES, front, torch.ones(1, 8, dtype=torch.bool),
            camera(112), (112, 112), replace(options, mode=mode),
        )  # fmt: skip
        inside = drawn.rendering.silhouette[0] > 0.99
        shown[mode] = drawn.classes[0, 2][inside].mean()  # upper clothes, in front
    assert shown["hard"] > 0.85 and 0.4 < shown["soft"] < 0.65


def test_likelihood_is_that_of_the_prior_and_of_the_background():
    vertices, labels = scene()
    options = replace(preset("dsr-corrected"), noise=0.2)
    drawn = render_semantics(
        vertices, FACES, simple_prior(), torch.ones(1, 8, dtype=torch.bool),
        camera(112), (112, 112), options,
    )  # fmt: skip
    outside = drawn.rendering.silhouette[0] == 0
    inside = (drawn.rendering.silhouette[0] == 1) & (labels[0] == 9)
    wrong, right = np.log(0.2 / 9), np.log(0.8 + 0.2 / 9)
    assert drawn.classes[0, 0][outside].allclose(torch.tensor(right).float())
    assert drawn.classes[0, 1:, outside].allclose(torch.tensor(wrong).float())
    assert (drawn.classes[0, 3][inside] - right).abs().median() < 1e-5


def test_left_and_right_labels_change_places():
    labels = torch.arange(20, dtype=torch.uint8)
    swapped = lb.swap_sides(labels)
    assert swapped[14:].tolist() == [15, 14, 17, 16, 19, 18]
    assert torch.equal(lb.swap_sides(swapped), labels) and torch.equal(swapped[:14], labels[:14])
    vertices, labels = scene()
    mirrored = labels.flip(2)
    # The body faces the camera and is symmetric but for its pose: swapped labels fit better.
    turned_round = vertices * torch.tensor([-1.0, 1.0, 1.0])
    mirrored_prior = simple_prior()[:, lb.swap_sides(torch.arange(20)).long()]
    right = loss(turned_round, lb.swap_sides(mirrored), "dsr-corrected", mirrored_prior)
    wrong = loss(turned_round, mirrored, "dsr-corrected", mirrored_prior)
    assert right.c < wrong.c - 0.1


def test_legs_and_torso_count_as_skin_only_as_meant():
    labels = torch.full((1, 64, 64), 10, dtype=torch.uint8)
    labels[:, 32:] = 16
    published, meant = (lb.targets(labels, skin=skin) for skin in ("dsr", "all"))
    assert not published.mask.any() and meant.mask.all()
    assert published.label.unique().tolist() == [2, 6] and meant.label.unique().tolist() == [6, 8]
    assert published.known.all() and not published.parts.any()


def test_small_parts_and_other_people_do_not_count():
    labels = torch.zeros(1, 224, 224, dtype=torch.uint8)
    labels[:, 50:56, 50:60] = 13  # 60 pixels: not more than 60
    labels[:, 90:110, 90:110] = 14
    labels[:, 190:, 190:] = 15  # somebody else's
    keypoints = torch.tensor([[[-0.6, -0.6, 1.0], [0.0, 0.0, 0.5], [0.9, 0.9, 0.1]]])
    wanted = lb.targets(labels, keypoints)
    assert wanted.parts.tolist() == [[False, False, True, False, False]]
    assert wanted.mask.sum() == 400 and wanted.person.sum() == 460
    # Nobody sure: all of the picture is his.
    assert lb.targets(labels, keypoints * torch.tensor([1, 1, 0.1])).parts[0, 3]


def test_distances_are_scipys():
    generator = torch.Generator().manual_seed(1)
    mask = (torch.rand(3, 40, 50, generator=generator) > 0.98).float()
    expected = np.stack([distance_transform_edt(1 - m) for m in mask.numpy()])
    torch.testing.assert_close(lb.distance_to(mask), torch.as_tensor(expected).float())


@pytest.mark.parametrize("name", PRESETS)
def test_samples_without_labels_give_nothing_and_stay_in_the_mean(name):
    vertices, labels = scene()
    one = loss(vertices + 0.02, labels, name)
    vertices = torch.cat([vertices + 0.02] * 2).requires_grad_()
    two = loss(vertices, torch.cat([labels, torch.full_like(labels, 255)]), name)
    assert two.gated == 1 and two.dropped == 0
    for term in ("mc", "c", "silhouette"):
        torch.testing.assert_close(getattr(two, term), getattr(one, term) / 2)
    two.total.backward()
    assert vertices.grad[0].any() and not vertices.grad[1].any()


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_what_is_no_number_is_left_out_and_counted(name, bad):
    vertices, labels = scene()
    vertices = torch.cat([vertices, vertices]) + 0.01
    vertices[1, 7] = bad
    vertices.requires_grad_()
    found = loss(vertices, torch.cat([labels, labels]), name)
    assert found.dropped == 1 and found.total.isfinite()
    found.total.backward()
    assert vertices.grad.isfinite().all() and vertices.grad[0].any()


@pytest.mark.parametrize("name", PRESETS)
def test_a_body_out_of_the_picture_gives_numbers(name):
    vertices, labels = scene()
    vertices = (vertices + torch.tensor([9.0, 0, 0])).requires_grad_()
    found = loss(vertices, labels, name)
    found.total.backward()
    assert found.total.isfinite() and found.dropped == 0 and not vertices.grad.any()


@pytest.mark.parametrize("term", ["mc", "c", "silhouette"])
@pytest.mark.parametrize("axis", [0, 1])
def test_derivatives_as_meant_are_those_of_the_picture(term, axis):
    """The derivative by a shift agrees with the difference of finely sampled pictures."""
    vertices, labels = scene(size=112)
    way = torch.eye(3)[axis]
    vertices = vertices + 0.03 * torch.tensor([1.0, 1.0, 0])
    moved = torch.zeros((), requires_grad=True)
    found = getattr(loss(vertices + moved * way, labels, "dsr-corrected", samples=4), term)
    (own,) = torch.autograd.grad(found, moved)
    step = 0.02
    with torch.no_grad():
        high, low = (
            getattr(loss(vertices + s * way, labels, "dsr-corrected", samples=8), term)
            for s in (step, -step)
        )
    truth = (high - low) / (2 * step)
    assert truth > 0.1 and abs(own - truth) < 0.15 * truth


def test_mixed_precision_changes_nothing():
    vertices, labels = scene()
    prior = 0.7 * simple_prior() + 0.015
    plain = loss(vertices, labels, "dsr", prior)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = loss(vertices, labels, "dsr", prior)
    torch.testing.assert_close(mixed.total, plain.total)


def test_distances_are_asked_for():
    vertices, labels = scene()
    wanted = lb.targets(labels)
    with pytest.raises(ValueError, match="with_distance"):
        semantic_losses(vertices, FACES, simple_prior(), wanted, preset("dsr-default"))


def test_options_that_make_no_sense():
    with pytest.raises(ValueError, match="there is no preset 'dsr2'"):
        preset("dsr2")
    with pytest.raises(ValueError, match="noise"):
        replace(preset("dsr"), noise=0.0)


# Label pictures


def test_label_pictures_there_and_back(tmp_path):
    ids = np.arange(40, dtype=np.uint8).reshape(5, 8) % 20
    lb.write_labels(tmp_path / "colours.png", ids)
    Image.fromarray(ids).save(tmp_path / "ids.png")
    indexed = Image.fromarray(ids, "P")
    indexed.putpalette(np.random.default_rng(0).integers(0, 255, 768).astype(np.uint8).tobytes())
    indexed.save(tmp_path / "palette.png")
    reordered = Image.fromarray(19 - ids, "P")
    reordered.putpalette(lb.PALETTE[::-1].tobytes())
    reordered.save(tmp_path / "reordered.png")
    for name in ("colours", "ids", "palette", "reordered"):
        np.testing.assert_array_equal(lb.read_labels(tmp_path / f"{name}.png"), ids, name)


def test_seams_between_colours_are_background():
    colours = lb.PALETTE[np.array([5, 9, 0])].astype(np.float32)
    seam = (colours[:1] + colours[1:2]) / 2
    assert lb.colour_to_id(np.concatenate([colours, seam])).tolist() == [5, 9, 0, 0]


def test_a_picture_that_claims_to_be_huge_holds_no_labels(tmp_path):
    header = b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (tmp_path / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    with pytest.raises(ValueError, match="can't be read as a picture of labels"):
        lb.read_labels(tmp_path / "huge.png")


def test_pictures_that_hold_no_labels(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"text\.png can't be read"):
        lb.read_labels(tmp_path / "text.png")
    with pytest.raises(ValueError, match="can't be read"):
        lb.read_labels(tmp_path / "none.png")
    Image.fromarray(np.full((4, 4), 20, np.uint8)).save(tmp_path / "high.png")
    with pytest.raises(ValueError, match="holds label 20"):
        lb.read_labels(tmp_path / "high.png")
    photo = np.random.default_rng(0).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    with pytest.raises(ValueError, match="other colours"):
        lb.read_labels(tmp_path / "photo.png")
