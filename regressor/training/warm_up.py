"""What the places of joints say of a body, learned without pictures.

Bodies and cameras are drawn as for synthetic people, and nothing else: a hundred times as many are
seen in the same minutes.
"""

import torch
from torch import Tensor

from regressor.data.people import SyntheticPeople
from regressor.data.poses import draw_bodies
from regressor.images.joints import LABELLED
from regressor.images.located import LocatedHMR
from regressor.smpl.body import chain
from regressor.training.objective import Objective
from regressor.training.schedule import rate_at
from rendering.cameras import project
from rendering.people import Turned
from rendering.people.outfits import Draw
from rendering.people.views import weak_perspective

BATCH, RATE, CLIP = 128, 1e-3, 100.0
JITTER = 0.05  # at most, of places, as parts of half a crop: standard deviation
UNSEEN = 0.04  # how often a joint isn't found
TOLD_EVERY = 200


def warm_up(
    network: LocatedHMR, people: SyntheticPeople, objective: Objective, steps: int, seed: int
) -> None:
    """Trains the network's head alone, under the losses of HMR."""
    head = network.head
    optimizer = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=0.01, fused=True)
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step / steps, RATE)
        sample = points(people, BATCH, seed * 1_000_003 + step)
        seen = sample["keypoints"][:, LABELLED]
        jitter = JITTER * torch.rand(BATCH, 1, 1, generator=generator)
        places = seen[..., :2] + jitter * torch.randn(seen[..., :2].shape, generator=generator)
        found = torch.rand(seen.shape[:2], generator=generator) >= UNSEEN
        terms = objective(head(places, seen[..., 2] * found), sample, 0)
        optimizer.zero_grad()
        terms["total"].backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), CLIP)
        optimizer.step()
        if (step + 1) % TOLD_EVERY == 0:
            print(f"warming up: step {step + 1}  loss {float(terms['total'].detach()):.3g}")


def points(people: SyntheticPeople, count: int, seed: int) -> dict[str, Tensor]:
    """Training samples (`data.images`) of bodies that nobody drew: what losses compare with."""
    generator = torch.Generator().manual_seed(seed)
    pose, betas = draw_bodies(count, generator, people.poses, people.options)
    rest = people.body.joints_at_rest(betas)
    turned, joints = chain(pose, rest)
    joints49 = people.joints49.riding(turned, joints, betas)
    view, size = people.options.people.view, people.options.people.size
    views = view.draw(torch.cat([joints, joints49], 1), size, Draw(count, generator))
    if isinstance(views, Turned):
        pose = views.turn_pose(pose)
        joints49 = people.joints49.riding(*chain(pose, rest), betas)
    seen = project(joints49 + views.translation[:, None], views.crop_intrinsics)
    places = seen / (size / 2) - 1
    inside = (places.abs() < 1).all(dim=-1, keepdim=True)
    ones = torch.ones_like(joints49[:, LABELLED, :1])
    return {
        "keypoints": torch.cat([places * inside, inside.float()], dim=-1),
        "joints3d": torch.cat([joints49[:, LABELLED], ones], dim=-1),
        "pose": pose,
        "betas": betas,
        "has_smpl": torch.ones(count, dtype=torch.bool),
        "camera": weak_perspective(joints49[:, LABELLED], seen[:, LABELLED], size),
    }
