"""Analytic inverse kinematics against PersPose's numbers, and against poses that are known."""

from pathlib import Path

import numpy as np
import pytest
import roma
import torch

from regressor.smpl import analytic_ik, load_body
from regressor.smpl.body import chain, local_rotations

PUBLISHED = 1e-6


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parents[1] / "golden" / "perspose_ik.npz") as file:
        return {name: torch.as_tensor(file[name]) for name in file.files}


def skeleton_of(golden):
    """The invented body's joints at rest, by betas; its buffers are floats, as the notes say."""
    still, dirs = golden["rest_joints"].float().double(), golden["rest_joint_dirs"].float().double()
    return lambda betas: still + torch.einsum("...k,jck->...jc", betas, dirs)


def solved(golden, people=(0, 1)):
    """The answer for a batch of the golden file's two people."""
    names = ("target_joints", "target_twist", "leaf_rot", "beta_initial")
    told = [golden[name][list(people)] for name in names]
    return analytic_ik.solve(*told, skeleton_of(golden))


def close(found, expected, atol=PUBLISHED):
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)


def test_the_published_solution(golden):
    answer = solved(golden)
    close(answer.betas, golden["ik_beta"])
    close(answer.rotations, golden["ik_theta"])
    close(answer.translation, golden["ik_transl"])
    close(answer.world, golden["global_rotation"])
    posed = chain(answer.rotations, skeleton_of(golden)(answer.betas))[1]
    close(posed + answer.translation[:, None], golden["ik_fk_joints"])


def test_the_published_skeletons(golden):
    rest = skeleton_of(golden)(golden["ik_beta"])
    laid = analytic_ik.fit_skeleton(rest, golden["target_joints"], own_direction=True)
    close(laid.joints, golden["hybrik_joints"])
    close(laid.pelvis, golden["root_R"])
    close(laid.chest, golden["chest_R"])
    close(analytic_ik.bones(laid.joints), golden["hybrik_bones"])
    seen = analytic_ik.fit_skeleton(rest, golden["target_joints"], keep_xy=True)
    close(seen.joints, golden["hybrik_joints_xy_priority"])


def test_the_published_twists(golden):
    rest = skeleton_of(golden)(golden["beta"])
    world, joints = chain(roma.rotvec_to_rotmat(golden["pose"]), rest)
    close(joints + golden["transl"][:, None], golden["fk_joints"])
    close(analytic_ik.ortho_twists(rest)[:, 1:], golden["rest_ortho_twist"][:, 1:])
    close(analytic_ik.posed_twists(rest, world)[:, 1:], golden["fk_ortho_twist"][:, 1:])


@pytest.mark.parametrize("count", [1, 3, 4])
def test_a_person_s_answer_does_not_hang_on_how_many_there_are(golden, count):
    people = [i % 2 for i in range(count)]
    answer = solved(golden, people)
    close(answer.rotations, golden["ik_theta"][people])
    close(answer.translation, golden["ik_transl"][people])


def test_more_dimensions_than_one_and_none():
    body = load_body().double()
    rest, world, joints, twists = posed(body, (2, 3))
    leaves = local_rotations(world)[..., analytic_ik.LEAVES, :, :]
    betas = torch.zeros(2, 3, 10, dtype=torch.float64)
    many = analytic_ik.solve(joints, twists, leaves, betas, body.joints_at_rest)
    one = analytic_ik.solve(
        joints[1, 2], twists[1, 2], leaves[1, 2], betas[1, 2], body.joints_at_rest
    )
    close(many.rotations[1, 2], one.rotations, atol=1e-9)
    assert rest.shape == (24, 3) and many.rotations.shape == (2, 3, 24, 3, 3)


def posed(body, shape, bend=0.6):
    """Poses of the default body that have no bends which joints and twists don't tell of."""
    torch.manual_seed(4)
    rest = body.joints_at_rest(torch.zeros(10, dtype=torch.float64))
    turns = bend * torch.randn(*shape, 24, 3, dtype=torch.float64)
    rotations = roma.rotvec_to_rotmat(turns)
    world, joints = chain(rotations, rest)
    return rest, world, joints, analytic_ik.posed_twists(rest, world)


def test_many_people_s_first_betas_are_those_of_each_alone(monkeypatch):
    body = load_body().double()
    _, _, joints, _ = posed(body, (2, 4))
    betas = torch.linspace(-1, 1, 80, dtype=torch.float64).view(2, 4, 10)
    together = analytic_ik.search_first_beta(joints, betas, body.joints_at_rest)
    monkeypatch.setattr(analytic_ik, "AT_ONCE", 3)
    assert torch.equal(analytic_ik.search_first_beta(joints, betas, body.joints_at_rest), together)
    close(together[..., 1:], betas[..., 1:], atol=0)
    assert len(together[..., 0].unique()) > 2


def test_a_body_s_own_joints_and_twists_give_back_its_pose():
    body = load_body().double()
    _, world, joints, twists = posed(body, (5,))
    leaves = local_rotations(world)[:, analytic_ik.LEAVES]
    away = torch.tensor([0.4, -0.2, 3.0], dtype=torch.float64)
    betas = torch.zeros(5, 10, dtype=torch.float64)
    answer = analytic_ik.solve(joints + away, twists, leaves, betas, body.joints_at_rest)
    assert answer.betas.abs().max() == 0  # the first is found
    # The published guard turns the pelvis by up to 1e-4 rad, most where it was turned by a half.
    close(answer.world, world, atol=1e-3)
    close(answer.translation, away.expand(5, 3), atol=1e-4)


def test_bones_keep_their_lengths_wherever_the_joints_are():
    body = load_body()
    torch.manual_seed(1)
    rest = body.joints_at_rest(torch.zeros(10))
    joints = rest + 0.2 * torch.randn(7, 24, 3)
    for how in ({}, {"keep_xy": True}, {"own_direction": True}):
        laid = analytic_ik.fit_skeleton(rest, joints, **how).joints
        lengths = analytic_ik.bones(laid)[:, 1:].norm(dim=-1)
        close(lengths, analytic_ik.bones(rest)[1:].norm(dim=-1).expand(7, -1), atol=1e-5)


def test_gradients_are_finite():
    body = load_body()
    joints = body.joints_at_rest(torch.zeros(10)).repeat(2, 1, 1).requires_grad_()
    twists = analytic_ik.ortho_twists(joints.detach())
    leaves = torch.eye(3).expand(2, 5, 3, 3)
    answer = analytic_ik.solve(joints, twists, leaves, torch.zeros(2, 10), body.joints_at_rest)
    answer.rotations.square().sum().backward()
    assert joints.grad is not None and joints.grad.isfinite().all()


def test_the_mean_of_angles_on_both_sides_of_a_half_turn():
    mean = analytic_ik.mean_angle(torch.tensor([3.1, -3.1, 3.14159]))
    assert abs(float(mean)) == pytest.approx(np.pi, abs=0.05)
