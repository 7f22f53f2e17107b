"""The soft rasteriser: DSR's losses through it, against the stored ones of both renderers.

`dsr_losses` is the official renderer, whose texture look-up reads a neighbour's texel in about one
fragment of a hundred, all in the blurred margin: this moves a map's single pixels by up to 0.13 and
gradients by up to a tenth. `dsr_losses_pytorch3d` is the clean result, with its depth detached.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rendering.cameras import FOCAL_PX, pinhole, weak_to_translation
from rendering.rasterize import rasterize

GOLDEN = Path(__file__).parents[1] / "golden"
SIZE = (224, 224)
BACKENDS = ["torch", "pytorch3d"]


def load(name: str) -> dict[str, torch.Tensor]:
    with np.load(GOLDEN / name) as stored:
        return {key: torch.as_tensor(stored[key]) for key in stored.files}


@pytest.fixture(scope="module")
def given():
    return load("dsr_losses.npz")


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request):
    if request.param == "pytorch3d":
        pytest.importorskip("pytorch3d", reason="PyTorch3D is not installed")
    return request.param


def draw(given, backend, vertices=None, cam=None, sigma=1e-5):
    """DSR's nine channels (B, 9, H, W) and the coverage (B, H, W)."""
    vertices = given["vertices"] if vertices is None else vertices
    cam = given["cam"] if cam is None else cam
    mc, c = given["texture_mc"][..., None], given["texture_c"].T
    textures = torch.cat([mc, c.expand(len(mc), -1, -1)], 2)
    seen = rasterize(
        vertices + weak_to_translation(cam)[:, None], given["faces"], pinhole(FOCAL_PX, *SIZE),
        SIZE, face_values=textures, mode="soft", sigma=sigma, gamma=0.1, near=1, far=100,
        backend=backend,
    )  # fmt: skip
    return seen.values, seen.silhouette


def losses(given, picture, coverage=None):
    """DSR-MC by rows, DSR-C on probabilities taken for logits; gated means over the batch."""
    shown, mask = picture[:, 0], given["mc_mask"].float()
    union = (shown + mask - shown * mask).sum(2) + 1e-6
    mc = 1 - ((shown * mask).sum(2) / union).mean(1)
    weights = zip(picture[:, 1:], given["c_label"].long(), given["class_weight"], strict=True)
    c = torch.stack([F.cross_entropy(p[None], y[None], weight=w) for p, y, w in weights])
    gate = given["valid_mc"].any(1)
    return {"mc": (mc * gate).mean(), "c": (c * gate).mean()}


def test_the_maps_are_those_of_both_renderers(given, backend):
    picture, coverage = draw(given, backend)
    clean = load("dsr_losses_pytorch3d.npz")
    change = (picture[:, 1:, ::4, ::4] - clean["softras.render_c_stride4"]).abs()
    assert change.max() < 1e-3 and change.mean() < 1e-6
    torch.testing.assert_close(
        coverage[:, ::2, ::2], clean["softras.alpha_stride2"], atol=1e-4, rtol=0
    )
    official = (picture[:, 1:, ::4, ::4] - given["cfg_niou.render_c_stride4"]).abs()
    assert official.max() < 0.15 and official.mean() < 1e-4
    official = (coverage[:, ::2, ::2] - given["cfg_niou.render_alpha_stride2"]).abs()
    assert official.max() < 0.01 and official.mean() < 1e-5


def test_losses_and_gradients_are_the_published_ones(given, backend):
    clean = load("dsr_losses_pytorch3d.npz")
    vertices, cam = (given[name].clone().requires_grad_() for name in ("vertices", "cam"))
    ours = losses(given, *draw(given, backend, vertices, cam))
    for name, loss in ours.items():
        assert loss.item() == pytest.approx(float(clean[f"softras.loss_{name}"]), rel=1e-6)
        assert loss.item() == pytest.approx(float(given[f"cfg_niou.loss_{name}"]), rel=1e-4)
        by_vertices, by_cam = torch.autograd.grad(loss, (vertices, cam), retain_graph=True)
        expected = clean[f"softras.grad_vertices_{name}"]
        assert (by_vertices - expected).norm() < 2e-3 * expected.norm()
        # The weak camera's scale moves the body in depth, which PyTorch3D's run leaves out.
        expected = clean[f"softras.grad_cam_{name}"]
        torch.testing.assert_close(by_cam[:, 1:], expected[:, 1:], rtol=1e-3, atol=1e-6)
        torch.testing.assert_close(by_cam[:, 0], expected[:, 0], rtol=0.04, atol=1e-6)
        official = given[f"cfg_niou.grad_vertices_{name}"]
        assert (by_vertices - official).norm() < 0.13 * official.norm()


def test_the_code_s_default_sharpness(given, backend):
    """sigma 1e-7, at which the distance loss of the official code is stored."""
    picture, _ = draw(given, backend, sigma=1e-7)
    mass = 3 * picture[:, 0].sum((1, 2))
    distance = distances(given["mc_mask"])
    loss = 3 * (picture[:, 0] * distance).sum((1, 2)) / (mass**1.5 + 1e-6)
    expected = given["default_distm.loss_mc"]
    gated = (loss * given["valid_mc"].any(1)).mean()
    assert gated.item() == pytest.approx(float(expected), rel=1e-3)


def distances(mask: torch.Tensor) -> torch.Tensor:
    """(B, H, W) px to the nearest pixel of the mask (B, H, W)."""
    from scipy.ndimage import distance_transform_edt

    maps = [distance_transform_edt(1 - m) for m in mask.numpy()]
    return torch.as_tensor(np.stack(maps)).float()


def test_small_sigma_and_gamma_come_to_the_hard_picture(given):
    """With a sharp outline and a sharp depth, soft and hard agree inside and outside."""
    vertices = given["vertices"][:1] + weak_to_translation(given["cam"][:1])[:, None]
    values = torch.rand(len(given["faces"]), 2)
    camera = pinhole(FOCAL_PX, *SIZE)
    soft, hard = (
        rasterize(
            vertices, given["faces"], camera, SIZE, face_values=values, mode=mode, samples=1,
            sigma=1e-9, gamma=1e-5, near=1, far=100,
        )
        for mode in ("soft", "hard")
    )  # fmt: skip
    assert torch.equal(soft.face, hard.face)
    assert (soft.values - hard.values).abs().amax(1).gt(0.02).float().mean() < 0.02
    assert (soft.silhouette - hard.silhouette).abs().gt(0.02).float().mean() < 0.01
