"""The published optimisation, step for step against the numbers of the authors' code."""

import numpy as np
import pytest
import torch

from regressor import lifters
from regressor.data import lifting_cameras
from regressor.refine.uao import Published, optimise, placed, project
from tests.lifters.published import filled, golden

FACTS, ARRAYS = golden("uao_optimise")
INPUTS = [torch.from_numpy(ARRAYS[name]) for name in ("pose2d", "camera", "root")]


@pytest.fixture(scope="module")
def network():
    return filled(lifters.create("uao", depth=2), FACTS["shapes"])


def test_every_term_of_every_step_and_the_end_are_the_published_ones(network):
    poses, camera, roots = INPUTS
    found = optimise(network, poses[:, None], camera, roots, Published(steps=5))
    np.testing.assert_allclose(found.terms, ARRAYS["loss_terms"], atol=1e-5, rtol=0)
    np.testing.assert_allclose(found.keypoints, ARRAYS["z"], atol=1e-5, rtol=0)
    np.testing.assert_allclose(found.mirrored, ARRAYS["z_flipped"], atol=1e-5, rtol=0)
    final = torch.from_numpy(ARRAYS["final_after_k"][:, 5:])
    np.testing.assert_allclose(found.joints, final, atol=2e-5, rtol=0)
    projected = project(placed(final, roots), camera)
    np.testing.assert_allclose(projected, ARRAYS["projected"], atol=1e-5, rtol=0)
    assert all(p.requires_grad and p.grad is None for p in network.parameters())


@pytest.mark.parametrize("steps", range(5))
def test_the_pose_after_each_step_is_the_published_one(network, steps):
    poses, camera, roots = INPUTS
    found = optimise(network, poses[:, None], camera, roots, Published(steps=steps))
    expected = ARRAYS["final_after_k"][:, steps : steps + 1]
    np.testing.assert_allclose(found.joints, expected, atol=2e-5, rtol=0)
    assert found.terms.shape == (steps, 5)


def test_projection_is_the_data_sets_own():
    points = np.random.default_rng(0).normal(0, 1, (50, 3)) + [0, 0, 4]
    camera = ARRAYS["camera"].astype(np.float64)
    ours = project(torch.from_numpy(points), torch.from_numpy(camera))
    np.testing.assert_allclose(ours, lifting_cameras.project(points, camera), atol=1e-12)


def test_any_lifter_of_one_frame_can_be_optimised():
    torch.manual_seed(0)
    network = lifters.create("mixste", frames=1, dim=16, depth=1, heads=2).eval()
    poses, camera, roots = INPUTS
    found = optimise(network, poses[:, None], camera, roots, Published(steps=8))
    assert found.terms[-1, 0] < found.terms[0, 0]
