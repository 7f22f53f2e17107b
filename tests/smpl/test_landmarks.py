"""Landmarks that ride on joints are those of the posed mesh; bodies without regressors get some."""

import numpy as np
import pytest
import torch

from regressor.skeletons import H36M17, JOINTS, MEDIAPIPE33, SMPL24
from regressor.smpl import load_body
from regressor.smpl.body import Body
from regressor.smpl.landmarks import REGRESSORS, RidingLandmarks, landmark_regressor
from tests.smpl.posed import pose, random_poses, smpl_like

BODY = load_body()


@pytest.mark.parametrize("skeleton", list(REGRESSORS))
def test_riding_landmarks_agree_with_the_mesh(skeleton):
    poses, betas = random_poses(12, seed=2), torch.linspace(-1.5, 1.5, 10)
    out = BODY(
        betas=betas.expand(12, 10), global_orient=poses[:, 0], body_pose=poses[:, 1:].flatten(1)
    )
    regressor = torch.as_tensor(BODY.arrays[REGRESSORS[skeleton]])
    riding = RidingLandmarks(BODY, skeleton)(*pose(BODY, poses, betas), betas)
    apart = (regressor @ out.vertices - riding).norm(dim=-1)
    worst = int(apart.mean(0).argmax())
    assert apart.mean() < 0.006
    assert apart.mean(0).max() < 0.02, JOINTS[skeleton][worst]


def test_a_batch_of_bodies_is_each_by_itself():
    poses, betas = random_poses(3), torch.randn(3, 10, generator=torch.Generator().manual_seed(1))
    riding = RidingLandmarks(BODY, "mediapipe33")
    turned, joints = pose(BODY, poses, betas)
    together = riding(turned, joints, betas)
    for index in range(3):
        alone = riding(turned[index], joints[index], betas[index])
        torch.testing.assert_close(together[index], alone)


@pytest.mark.parametrize("skeleton", ["mediapipe33", "h36m17", "coco17", "halpe26"])
def test_every_regressor_is_a_weighted_mean(skeleton):
    matrix = landmark_regressor(BODY.arrays, skeleton)
    assert matrix.shape == (len(JOINTS[skeleton]), len(BODY.v_template))
    np.testing.assert_allclose(matrix.sum(1), 1, atol=0.02)


def test_a_body_without_regressors_gets_transferred_ones():
    """On a part of the default body's own surface, they must come out nearly where it has them."""
    other = Body(smpl_like(), name="user.npz")
    for skeleton, names in (("mediapipe33", MEDIAPIPE33), ("h36m17", H36M17)):
        matrix = torch.as_tensor(landmark_regressor(other.arrays, skeleton))
        points = matrix @ other.v_template
        wanted = torch.as_tensor(BODY.arrays[REGRESSORS[skeleton]]) @ BODY.v_template
        for point, place, name in zip(points, wanted, names, strict=True):
            if name in SMPL24:  # its own joint
                joint = other.rest_joints[SMPL24.index(name)]
                torch.testing.assert_close(point, joint, atol=1e-5, rtol=0)
            else:  # on its skin, whereas the default body's may lie within
                assert (point - place).norm() < 0.12, name
                assert (point - other.v_template).norm(dim=-1).min() < 1e-6


def test_transferred_landmarks_keep_their_side():
    arrays = smpl_like()
    points = landmark_regressor(arrays, "coco17") @ arrays["v_template"]
    for point, name in zip(points, JOINTS["coco17"], strict=True):
        side = {"left": 1, "right": -1}.get(name.partition("_")[0])
        assert side is None or side * point[0] > 0, name
