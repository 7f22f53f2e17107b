"""Training on data sets as PersPose's authors prepared them: where people are in their crops."""

import numpy as np
import pytest
import torch
from PIL import Image

from regressor.data.images import SampleError
from regressor.data.perspose import HEIGHTS, SETS
from regressor.data.spin import EXTRAS, FOLDERS
from regressor.errors import PosecastError
from regressor.images.perspose_losses import WEIGHTS, target_of
from regressor.smpl.genders import load_bodies
from regressor.training.perspose.augment import Augmentation
from regressor.training.perspose.options import MIXTURES, PAPER, PersPoseTraining
from regressor.training.perspose.pictures import open_sets
from regressor.training.perspose.samples import Labels
from tests.data import perspose_files
from tests.data.people_files import spin_set
from tests.data.perspose_files import CAMERA

PIXELS = 64
STILL = Augmentation(none=1.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """All sets in the authors' layout."""
    folder = tmp_path_factory.mktemp("data")
    for name in SETS:
        perspose_files.write(folder, name)
    return folder


@pytest.fixture(scope="module")
def bodies():
    return load_bodies()


def opened(data, names, bodies, turn=True):
    recipe = PersPoseTraining(output=data, data=data, preset="paper", pixels=PIXELS).recipe()
    return open_sets(data, names, bodies, recipe, turn)


def labelled(sample, bodies):
    return Labels(bodies)({name: value[None] for name, value in sample.items()})


@pytest.mark.parametrize("turn", [False, True])
@pytest.mark.parametrize("name", ["h36m", "3dpw", "bedlam", "bedlam-val"])
def test_people_are_where_the_file_says(data, bodies, name, turn):
    source = opened(data, (name,), bodies, turn)[name]
    made, rng = perspose_files.content(name), np.random.default_rng(0)
    true = perspose_files.points_of(made["smpl_theta"], made["smpl_beta"], made["smpl_transl"])
    for index in range(4):
        sample = source.sample(index, rng)
        batch = labelled(sample, bodies)
        back = (batch["joints24"] @ batch["rotation"])[0]
        expected = torch.as_tensor(true[index, :24]).float()
        torch.testing.assert_close(back, expected, atol=1e-4, rtol=0)
        assert sample["has_smpl"] and sample["encoded"] and not sample["has_coco"]
        np.testing.assert_allclose(
            batch["betas"][0, : made["smpl_beta"].shape[1]], made["smpl_beta"][index], rtol=1e-6
        )
        bedlam = name.startswith("bedlam")
        assert float(sample["uv_weight"]) == pytest.approx(0.1 if bedlam else 1.0)
        assert bool(batch["betas"][0, 10]) == bedlam


def test_what_is_drawn_at_a_joint_is_seen_there_in_the_crop(tmp_path, bodies):
    made = perspose_files.write(tmp_path, "h36m")
    true = perspose_files.points_of(made["smpl_theta"], made["smpl_beta"], made["smpl_transl"])
    pelvis = true[2, 0] @ CAMERA.T
    x, y = (pelvis[:2] / pelvis[2]).round().astype(int)
    file = tmp_path / SETS["h36m"].pictures / made["file_name"][2]
    pixels = np.zeros((perspose_files.HEIGHT, perspose_files.WIDTH, 3), np.uint8)
    pixels[y - 1 : y + 2, x - 1 : x + 2] = 255
    Image.fromarray(pixels).save(file, quality=100)
    source = opened(tmp_path, ("h36m",), bodies)["h36m"]
    source.augmentation = STILL
    sample = source.sample(2, np.random.default_rng(0))
    shown = sample["image"].mean(0)
    found = torch.nonzero(shown > shown.min() + 0.6 * (shown.max() - shown.min())).float().mean(0)
    uv = target_of(labelled(sample, bodies), PIXELS).uv[0, 0]
    assert (found.flip(0) - uv).abs().max() < 2
    # The box is the one of the file, so all of the person is in the crop and fills it.
    inside = target_of(labelled(sample, bodies), PIXELS).uv[0]
    assert inside.min() > 0 and inside.max() < PIXELS
    assert float((inside.amax(0) - inside.amin(0)).max()) > 0.6 * PIXELS


def test_3dhp_s_joints_and_heights_are_the_file_s(data, bodies):
    source = opened(data, ("mpi-inf-3dhp",), bodies)["mpi-inf-3dhp"]
    sample = source.sample(1, np.random.default_rng(0))
    true = torch.as_tensor(perspose_files.content("mpi-inf-3dhp")["3dhp_j17"][1]).float()
    torch.testing.assert_close(sample["joints_3dhp"] @ sample["rotation"], true, atol=1e-4, rtol=0)
    assert sample["has_3dhp"] and not sample["has_smpl"]
    assert float(labelled(sample, bodies)["height"]) == pytest.approx(HEIGHTS[2])


def test_coco_s_people_have_no_camera_and_their_box_in_the_middle(data, bodies):
    source = opened(data, ("coco",), bodies)["coco"]
    source.augmentation = STILL
    sample = source.sample(0, np.random.default_rng(0))
    assert sample["has_coco"] and not sample["encoded"]
    made = perspose_files.content("coco")
    box, points = made["bbox"][0], made["coco_kp17"][0].reshape(17, 3)
    zoom = PIXELS / box[2:].max()
    expected = (points[:, :2] - box[:2] - box[2:] / 2) * zoom + PIXELS / 2
    np.testing.assert_allclose(sample["coco17"][:, :2], expected, atol=1e-3)
    assert (sample["coco17"][:, 2] == 2).all()
    assert float(sample["intrinsics"][0, 0]) == pytest.approx(600 * PIXELS / 256)


def test_a_person_who_cannot_be_had_is_left_out(tmp_path, bodies):
    boxes = perspose_files.content("3dpw")["bbox"]
    boxes[1, 2] = 0
    turns = perspose_files.content("3dpw")["smpl_theta"]
    turns[2, 3] = np.nan
    made = perspose_files.write(tmp_path, "3dpw", bbox=boxes, smpl_theta=turns)
    (tmp_path / SETS["3dpw"].pictures / made["file_name"][0]).unlink()
    source = opened(tmp_path, ("3dpw",), bodies)["3dpw"]
    said = ["there is no such picture", "is no box", "not finite"]
    for index, sentence in enumerate(said):
        with pytest.raises(SampleError, match=sentence):
            source.sample(index, np.random.default_rng(0))
    assert source.sample(3, np.random.default_rng(0))["has_smpl"]


def test_each_set_is_read_from_what_is_there(data, tmp_path, bodies):
    (tmp_path / EXTRAS).mkdir()
    file, _ = spin_set(tmp_path / FOLDERS / "coco", 6)
    file.rename(tmp_path / EXTRAS / "coco_2014_train.npz")
    perspose_files.write(tmp_path, "h36m")
    found = opened(tmp_path, ("h36m", "coco"), bodies)
    assert [len(source) for source in found.values()] == [4, 6]
    assert found["coco"].sample(0, np.random.default_rng(0))["has_coco"]
    perspose_files.write(tmp_path, "coco")
    assert len(opened(tmp_path, ("coco",), bodies)["coco"]) == 4
    with pytest.raises(
        PosecastError, match=r"no .*densepose_train_3\.pt, the only file from which"
    ):
        opened(tmp_path, ("bedlam",), bodies)
    with pytest.raises(PosecastError, match=r"mpi_inf_3dhp_train\.npz .*3dhp_train_v2\.pt, isn't"):
        opened(tmp_path, ("mpi-inf-3dhp",), bodies)


def test_the_published_mixtures_with_bedlam():
    for name in ("bedlam-3dpw", "bedlam-3dhp"):
        assert set(MIXTURES[name]) == set(SETS) and PAPER[name].weights == WEIGHTS[name]
        assert MIXTURES[name]["bedlam"] == 0.15 and MIXTURES[name]["bedlam-val"] == 0.05
        assert (PAPER[name].batch, PAPER[name].drop_every) == (96, 3)
    assert (MIXTURES["bedlam-3dpw"]["3dpw"], MIXTURES["bedlam-3dhp"]["3dpw"]) == (0.1, 0.2)


def test_it_trains(data, tmp_path):
    pytest.importorskip("lightning")
    pytest.importorskip("tensorboard")
    from regressor import checkpoints
    from regressor.training.perspose.run import WEIGHTS as FILE
    from regressor.training.perspose.run import train_perspose

    train_perspose(PersPoseTraining(
        output=tmp_path / "run", data=data, preset="paper", mixture="bedlam-3dpw", backbone="w8",
        pixels=32, batch=12, steps=2, check_people=0, accelerator="cpu", log_every=1,
        people=16, people_share=0.2,
    ))  # fmt: skip
    card = checkpoints.read_metadata(tmp_path / "run" / FILE)["card"]
    assert card["preset"] == "paper" and card["steps"] == 2 and card["skipped"] == 0
    terms = next(iter((tmp_path / "run").glob("csv/*/metrics.csv"))).read_text()
    assert "train/uv_coco" in terms and "train/depth_3dhp" in terms and "nan" not in terms
