"""Whatever happens to a picture of PersPose's training, its labels tell of one and the same person.

The picture, the crop's camera and its encoding, joints in the crop and in space, twists and poses.
"""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import grid_sample

from regressor.data.perspose import SETS
from regressor.images.joints import flip_rotations
from regressor.images.perspose import FLIP, Heads, _mirrored, back_project
from regressor.images.perspose_losses import (
    AS_3DHP,
    COCO_AS,
    COCO_JOINTS,
    JOINTS_3DHP,
    perspose_losses,
    project,
    target_of,
)
from regressor.images.towards import bodies_of
from regressor.smpl.analytic_ik import LEAVES, posed_twists
from regressor.smpl.body import chain
from regressor.smpl.genders import load_bodies
from regressor.training.perspose.augment import Augmentation
from regressor.training.perspose.options import PersPoseTraining
from regressor.training.perspose.pictures import open_sets
from regressor.training.perspose.samples import Labels
from rendering.perspective import encoding
from tests.data import perspose_files

PIXELS = 64
# All that moves pixels, and nothing that changes colours.
MOVED = Augmentation(
    none=0.0, roll=1.0, scale=1.0, box=0.05, aim=0.1, cut_out=0.0, noise=0.0, blur=0.0,
    contrast=0.0, hue=0.0, channels=0.0,
)  # fmt: skip
TURNS = pytest.mark.parametrize("turn", [False, True])


@pytest.fixture(scope="module")
def bodies():
    return load_bodies()


def source_of(folder, name, bodies, turn):
    recipe = PersPoseTraining(output=folder, data=folder, preset="paper", pixels=PIXELS).recipe()
    source = open_sets(folder, (name,), bodies, recipe, turn)[name]
    source.augmentation = MOVED
    return source


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    perspose_files.write(folder, "3dpw", gender=None)
    return folder


def batch_of(data, bodies, turn):
    """Four people, each changed in three ways, with their labels."""
    source, rng = source_of(data, "3dpw", bodies, turn), np.random.default_rng(0)
    samples = [source.sample(index % 4, rng) for index in range(12)]
    return Labels(bodies)({name: torch.stack([s[name] for s in samples]) for name in samples[0]})


def truth_of(batch) -> Heads:
    """What a network would have to say of crops."""
    target = target_of(batch, PIXELS)
    return Heads(
        uv=target.uv,
        depth=target.joints[..., 2] - target.joints[:, :1, 2],
        density=target.joints[:, 0, 2] / target.focal,
        twists=torch.cat([batch["twists"], torch.ones(12, 1, 3)], dim=1),
        betas=batch["betas"],
        leaves=batch["pose"][:, list(LEAVES)],
    )


@TURNS
def test_a_network_that_says_the_labels_gives_the_true_bodies(data, bodies, turn):
    batch, made = batch_of(data, bodies, turn), perspose_files.content("3dpw")
    output = back_project(truth_of(batch), batch["intrinsics"])
    for name, value in perspose_losses(output, batch, size=PIXELS).items():
        assert float(value) < 1e-3, name
    rest = bodies.neutral.joints_at_rest(batch["betas"][:, :10])
    pose, pelvis = bodies_of(output, rest, batch["rotation"])
    true = perspose_files.points_of(made["smpl_theta"], made["smpl_beta"], made["smpl_transl"])
    world, joints = chain(pose, rest)
    joints = joints - joints[:, :1] + pelvis[:, None]
    expected = torch.as_tensor(true[:, :24]).float().repeat(3, 1, 1)
    torch.testing.assert_close(joints, expected, atol=2e-3, rtol=0)
    # Joints alone don't tell how bones turn about themselves: twists do.
    right = perspose_files.rotations_of(made["smpl_theta"]).repeat(3, 1, 1, 1)
    torch.testing.assert_close(world, chain(right, rest)[0], atol=2e-2, rtol=0)


@TURNS
def test_the_encoding_tells_each_joint_s_ray(data, bodies, turn):
    batch = batch_of(data, bodies, turn)
    target = target_of(batch, PIXELS)
    cells = encoding(batch["intrinsics"], PIXELS // 4, PIXELS)
    places = 2 * target.uv / PIXELS - 1  # the map is linear, so that between cells it is exact
    found = grid_sample(cells, places[:, None], align_corners=False)[:, :, 0].transpose(1, 2)
    inside = ((target.uv > 2) & (target.uv < PIXELS - 2)).all(-1)
    assert inside.float().mean() > 0.7
    rays = target.joints[..., :2] / target.joints[..., 2:]
    torch.testing.assert_close(found[inside], rays[inside], atol=1e-4, rtol=0)


@TURNS
def test_a_mirrored_person_is_the_same_when_mirrored_back(data, bodies, turn):
    """Labels of the mirrored crop, of a mirrored body in the mirrored pose, by its own camera."""
    batch = batch_of(data, bodies, turn)
    across, sides = torch.tensor([-1.0, 1.0, 1.0]), list(FLIP[:24])
    still = bodies.neutral.joints_at_rest(batch["betas"][:, :10])
    rest = (still * across)[:, sides]
    pose = flip_rotations(batch["pose"])
    world, joints = chain(pose, rest)
    joints = joints - joints[:, :1] + batch["joints24"][:, :1] * across
    camera = batch["intrinsics"].clone()
    camera[:, 0, 2] = PIXELS - camera[:, 0, 2]
    pelvis = batch["joints17"][:, :1] * across
    joints = torch.cat([joints, pelvis], dim=1)
    seen = Heads(
        uv=project(joints, camera),
        depth=joints[..., 2] - joints[:, :1, 2],
        density=joints[:, 0, 2] / ((camera[:, 0, 0] + camera[:, 1, 1]) / 2),
        twists=torch.cat([posed_twists(rest, world), torch.ones(12, 1, 3) * across], dim=1),
        betas=batch["betas"],
        leaves=pose[:, list(LEAVES)],
    )
    found, wanted = _mirrored(seen, PIXELS), truth_of(batch)
    for name in Heads._fields:
        one, other = getattr(found, name), getattr(wanted, name)
        if name == "twists":  # the root ends no bone
            one, other = one[:, 1:], other[:, 1:]
        torch.testing.assert_close(one, other, atol=2e-3 if name == "uv" else 1e-4, rtol=0)


@TURNS
@pytest.mark.parametrize("name", ["h36m", "mpi-inf-3dhp", "coco"])
def test_what_is_drawn_at_a_joint_is_there_in_every_crop(tmp_path, bodies, name, turn):
    """A dot at the left knee, by what each set tells of it."""
    made = perspose_files.content(name)
    if name == "coco":
        where = made["coco_kp17"].reshape(4, 17, 3)[:, COCO_JOINTS[COCO_AS.index(4)], :2]
    else:
        true = made.get("3dhp_j17")
        if true is None:
            true = perspose_files.points_of(
                *(made[f"smpl_{n}"] for n in ("theta", "beta", "transl"))
            )
        point = true[:, JOINTS_3DHP[AS_3DHP.index(4)] if name == "mpi-inf-3dhp" else 4]
        seen = point @ perspose_files.CAMERA.T
        where = seen[:, :2] / seen[:, 2:]
    perspose_files.write(tmp_path, name)
    for file, place in zip(made["file_name"], where, strict=True):
        dot = np.zeros((perspose_files.HEIGHT, perspose_files.WIDTH, 3), np.uint8)
        rows, columns = np.mgrid[: dot.shape[0], : dot.shape[1]]
        near = np.hypot(columns - place[0], rows - place[1])
        dot[:] = (255 * np.exp(-((near / 1.5) ** 2)))[..., None]
        Image.fromarray(dot).save(tmp_path / SETS[name].pictures / file, quality=100)
    source, rng, checked = source_of(tmp_path, name, bodies, turn), np.random.default_rng(0), 0
    for index in [0, 1, 2, 3] * 4:
        sample = source.sample(index, rng)
        target = target_of(Labels(bodies)({k: v[None] for k, v in sample.items()}), PIXELS)
        uv = {
            "coco": target.uv_coco[0, COCO_AS.index(4)],
            "mpi-inf-3dhp": target.uv_3dhp[0, AS_3DHP.index(4)],
            "h36m": target.uv[0, 4],
        }[name]
        shown = sample["image"].mean(0)
        shown = (shown - shown.min()).double()
        if not ((uv > 8) & (uv < PIXELS - 8)).all() or shown.max() < 2:
            continue
        shown = torch.where(shown > 0.1 * shown.max(), shown, 0.0)
        total = shown.sum()
        found = torch.stack(
            [(shown.sum(axis) * torch.arange(PIXELS)).sum() / total for axis in (0, 1)]
        )
        assert (found - uv).norm() < 1.0, (index, found, uv)
        checked += 1
    assert checked >= 6
