"""The located network: places from maps, what they say of bodies, and learning both."""

from pathlib import Path

import torch

from regressor.images.joints import LABELLED, Joints49
from regressor.images.located import (
    GIVEN,
    LocatedHMR,
    expectation,
    found_losses,
    given_of,
    wanted_maps,
)
from regressor.smpl import load_body
from regressor.training import data
from regressor.training.objective import Objective, PosedBody
from regressor.training.options import DsrTraining
from regressor.training.warm_up import points, warm_up
from tests.training.tiny import sample


def test_a_narrow_map_s_mean_is_its_place():
    places = torch.tensor([[[-0.5, 0.25], [0.8, -0.7]]])
    wanted, most = wanted_maps(places, 28, 28)
    assert most.all()
    torch.testing.assert_close(wanted.sum(dim=(2, 3)), torch.ones(1, 2))
    torch.testing.assert_close(expectation(wanted), places, atol=2e-3, rtol=0)
    assert not wanted_maps(torch.tensor([[[1.2, 0.0]]]), 28, 28)[1].any()


def test_it_gives_what_hmr_gives_from_any_size():
    network = LocatedHMR(pixels=32).eval()
    with torch.no_grad():
        output, found = network.find(torch.randn(2, 3, 64, 64))
    assert output.rotmat.shape == (2, 24, 3, 3) and output.betas.shape == (2, 10)
    assert found.maps.shape == (2, 24, 8, 8) and found.places.abs().max() <= 1
    turned = output.rotmat @ output.rotmat.transpose(-1, -2)
    torch.testing.assert_close(turned, torch.eye(3).expand_as(turned), atol=1e-5, rtol=0)


def test_keypoints_that_are_given_stand_in_for_what_it_finds():
    torch.manual_seed(0)
    network, images = LocatedHMR(pixels=32).eval(), torch.randn(2, 3, 32, 32)
    torch.nn.init.normal_(network.head.beside.weight, std=0.1)
    nothing = torch.zeros(2, 24, 3)
    moved = nothing.clone()
    moved[1, 6] = torch.tensor([0.5, -0.5, 1.0])
    with torch.no_grad():
        plain, told, other = (network(images, given=g) for g in (None, nothing, moved))
    assert torch.equal(plain.rotmat, told.rotmat)
    assert torch.equal(plain.rotmat[0], other.rotmat[0])
    assert not torch.allclose(plain.rotmat[1], other.rotmat[1])
    given = given_of(torch.cat([torch.zeros(400, 49, 2), torch.ones(400, 49, 1)], dim=-1))
    share = given[:, GIVEN, 2].mean()
    assert 0.35 < share < 0.55 and given[..., 2].sum() == given[:, GIVEN, 2].sum()
    assert 0 < given[..., :2].std() < 0.05


def test_it_learns_where_the_joints_are():
    torch.manual_seed(0)
    network, batch = LocatedHMR(pixels=32), sample(4)
    batch["keypoints"][:, LABELLED, :2] = torch.rand(4, 24, 2) - 0.5
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    totals = []
    for _ in range(12):
        terms = found_losses(network.find(batch["image"])[1], batch)
        optimizer.zero_grad()
        sum(terms.values()).backward()  # pyright: ignore
        optimizer.step()
        totals.append({name: float(value.detach()) for name, value in terms.items()})
    assert all(totals[-1][name] < totals[0][name] for name in terms)


def test_what_has_no_label_and_no_keypoint_costs_nothing():
    batch = sample(2)
    batch["has_labels"][:] = False
    batch["keypoints"][..., 2] = 0
    terms = found_losses(LocatedHMR(pixels=32).find(batch["image"])[1], batch)
    assert terms["labels"] == terms["maps"] == terms["places"] == 0


def test_points_alone_teach_the_head():
    torch.manual_seed(0)
    body = load_body()
    options = DsrTraining(output=Path("never"), preset="cpu", plain_people=True, people=1)
    recipe = options.recipe()
    people = data.synthetic(options, recipe.pixels, body, validation=False)
    objective = Objective(recipe, PosedBody(body, Joints49(body)))
    network, held = LocatedHMR(pixels=32), points(people, 64, 12345)

    def loss() -> float:
        seen = held["keypoints"][:, LABELLED]
        with torch.no_grad():
            return float(objective(network.head(seen[..., :2], seen[..., 2]), held, 0)["total"])

    before = loss()
    backbone = network.backbone.resnet.conv1.weight.clone()
    warm_up(network, people, objective, 12, 0)
    assert loss() < before and torch.equal(backbone, network.backbone.resnet.conv1.weight)
    # The points are those of the bodies: the least squares camera brings them together.
    joints = objective.posed.joints(held["pose"], held["betas"])[:, LABELLED]
    s, shift = held["camera"][:, None, :1], held["camera"][:, None, 1:]
    apart = s * (joints[..., :2] + shift) - held["keypoints"][:, LABELLED, :2]
    inside = held["keypoints"][:, LABELLED, 2:] > 0
    assert (apart * inside).abs().mean() < 0.05
