"""Wide-angle people: where a body's points are seen in the crops that are cut of them."""

from dataclasses import replace

import numpy as np
import pytest
import roma
import torch

from regressor.data.spin import EXTRAS, FOLDERS, save_spin
from regressor.images.crops import MEAN, STD, warp
from regressor.images.joints import J24, Joints49
from regressor.images.perspose import LIMBS
from regressor.images.perspose_losses import AS_3DHP, COCO_AS, target_of
from regressor.skeletons import COCO17, H36M17, SMPL24
from regressor.smpl.body import chain
from regressor.smpl.genders import load_bodies
from regressor.training.perspose.augment import Augmentation, Change, crop_of, draw_change
from regressor.training.perspose.options import PAPER, PersPoseTraining
from regressor.training.perspose.people import WidePeople, drawn, wide_people
from regressor.training.perspose.pictures import open_sets
from regressor.training.perspose.samples import Labels
from rendering.cameras import project
from rendering.people import WideViews
from rendering.people.outfits import Draw
from rendering.perspective import corners, homography, transform
from tests.data import threedpw_files
from tests.data.people_files import picture, spin_arrays

BOTH = pytest.mark.parametrize("turn", [False, True])
CHANGES = pytest.mark.parametrize(
    "change",
    [
        Change(),
        Change(roll=0.5, scale=0.8, shift=(0.1, -0.05), grown=1.2),
        Change(aim=(0.1, -0.1)),
        Change(roll=-0.4, scale=0.9, aim=(-0.08, 0.1)),
    ],
)


@pytest.fixture(scope="module")
def bodies():
    return load_bodies()


@pytest.fixture(scope="module")
def body(bodies):
    return bodies.neutral


@pytest.fixture(scope="module")
def people(body):
    """At the borders of a frame of 110 degrees; crops of 64 px."""
    found = wide_people(64, body, None)
    found.options.people.view.field_of_view_deg = (110.0, 110.0)
    return found


def test_people_stand_anywhere_in_wide_and_narrow_frames():
    generator = torch.Generator().manual_seed(0)
    joints = torch.randn(400, 24, 3, generator=generator) * torch.tensor([0.25, 0.5, 0.2])
    views = WideViews().draw(joints, 96, Draw(400, generator))
    focal, middle = views.intrinsics[:, 0, 0], views.intrinsics[:, :2, 2]
    degrees = torch.rad2deg(2 * torch.atan(720 / focal))
    assert degrees.min() < 30 and degrees.max() > 105
    angle = torch.rad2deg(torch.atan((views.box_centre - middle).norm(dim=1) / focal))
    assert angle.max() > 45 and (angle > 30).float().mean() > 0.1
    seen = project(joints + views.translation[:, None], views.intrinsics)
    inside = ((seen >= 0) & (seen < torch.tensor([1440, 1080]))).all(-1)
    assert inside.float().mean() > 0.9 and (joints + views.translation[:, None])[..., 2].min() > 0.6
    # The box, in the drawn picture, is where the person is in it.
    own = project(joints + views.translation[:, None], views.crop_intrinsics)
    low, high = views.box[:, None, :2], views.box[:, None, :2] + views.box[:, None, 2:]
    assert ((own >= low) & (own <= high)).all(-1)[inside].all()


@BOTH
@CHANGES
def test_a_point_of_the_body_is_where_the_crop_s_keypoint_says(bodies, people, turn, change):
    body = bodies.neutral
    batch = drawn(people, 8, seed=3)
    rest = body.joints_at_rest(batch["betas"])
    _, joints = chain(batch["pose"], rest)
    joints = joints + batch["translation"][:, None]
    pixels = project(joints, batch["intrinsics"])  # of the drawn picture
    off = []
    for i in range(8):
        box, camera = batch["box"][i].double(), batch["intrinsics"][i].double()
        crop = crop_of(box, camera, 64, turn, change)
        sample = {name: batch[name][i : i + 1] for name in ("pose", "betas", "translation")}
        sample |= {
            "rotation": crop.rotation.float()[None], "intrinsics": crop.intrinsics.float()[None],
            "coco17": torch.zeros(1, 17, 3), "joints_3dhp": torch.zeros(1, 17, 3),
            "has_smpl": torch.ones(1, dtype=torch.bool), "gender": torch.tensor([-1]),
            "has_3dhp": torch.zeros(1), "has_coco": torch.zeros(1), "height": torch.zeros(1),
        }  # fmt: skip
        labelled = Labels(bodies)(sample)
        uv = target_of(labelled, 64).uv[0, :24]
        expected = transform(crop.matrix, pixels[i].double())
        torch.testing.assert_close(uv, expected.float(), atol=0.02, rtol=1e-4)
        # A body that is turned about itself has the joints that are turned about the camera.
        turned = chain(labelled["pose"], rest[i : i + 1])[1]
        away = labelled["joints24"] - labelled["joints24"][:, :1]
        torch.testing.assert_close(turned - turned[:, :1], away, atol=1e-4, rtol=0)
        dot = np.zeros((96, 96, 3), np.uint8)
        x, y = pixels[i, 0].long().tolist()
        if 3 < min(x, y) and max(x, y) < 92:
            dot[y - 1 : y + 2, x - 1 : x + 2] = 255
            cut = warp(dot, crop.matrix.numpy(), 64)[..., 0]
            found = np.argwhere(cut > 0.6 * cut.max()).mean(0)[::-1]
            assert np.abs(found - uv[0].numpy()).max() < 2
        away = box[:2] + box[2:] / 2 - camera[:2, 2]
        off.append(float(torch.rad2deg(torch.atan(away.norm() / camera[0, 0]))))
        if turn and change == Change():
            torch.testing.assert_close(crop.intrinsics[:2, 2], torch.full((2,), 32.0).double())
        if not turn:
            assert crop.rotation[2, 2] == 1.0
    assert max(off) > 40


def test_rolling_and_scaling_a_crop_is_rolling_and_zooming_its_camera(body):
    """The matrix is what the camera's turn and the crop's intrinsics make of the picture's."""
    box = torch.tensor([600.0, 80.0, 120.0, 120.0]).double()
    camera = torch.tensor([[400.0, 0, 320], [0, 400, 240], [0, 0, 1]]).double()
    for turn in (False, True):
        change = Change(roll=-0.4, scale=1.1, shift=(0.05, 0.1), aim=(0.1, 0.05))
        crop = crop_of(box, camera, 64, turn, change)
        bare = crop.intrinsics @ torch.linalg.inv(camera) @ homography(crop.rotation, camera)
        torch.testing.assert_close(crop.matrix / crop.matrix[2, 2], bare / bare[2, 2])


def test_a_camera_that_misses_the_box_holds_all_of_it():
    box = torch.tensor([600.0, 80.0, 120.0, 160.0]).double()
    camera = torch.tensor([[400.0, 0, 320], [0, 410, 240], [0, 0, 1]]).double()
    crop = crop_of(box, camera, 64, True, Change(aim=(0.1, -0.05)))
    # The picture's pixel at which the camera aims is the one that the box's middle comes to.
    aimed = torch.tensor([[320 + 12.0, 240 - 8.0]]).double()
    rays = torch.cat([aimed, torch.ones(1, 1)], 1) @ torch.linalg.inv(camera).T
    wanted = project(rays[None], crop.intrinsics[None])[0]
    middle = (box[:2] + box[2:] / 2)[None]
    torch.testing.assert_close(transform(crop.matrix, middle), wanted)
    assert (wanted - 32).abs().min() > 1
    torch.testing.assert_close(crop.intrinsics[:2, 2], torch.full((2,), 32.0).double())
    held = transform(crop.matrix, corners(box))
    torch.testing.assert_close((held - 32).abs().max(), torch.tensor(32.0).double())
    still = crop_of(box, camera, 64, False, Change())
    assert torch.equal(crop_of(box, camera, 64, False, Change(aim=(0.1, 0.1))).matrix, still.matrix)


def test_aims_are_drawn_where_they_are_published():
    rng = np.random.default_rng(0)
    drawn = [draw_change(PAPER["bedlam-3dhp"].augmentation, rng) for _ in range(500)]
    aims = np.array([change.aim for change in drawn if change.coloured])
    assert np.abs(aims).max() <= 0.1 and np.allclose(aims.std(0), 0.1 / 3**0.5, atol=0.01)
    assert all(change.aim == (0.0, 0.0) for change in drawn if not change.coloured)
    assert [name for name, recipe in PAPER.items() if recipe.augmentation.aim] == ["bedlam-3dhp"]
    changes = [draw_change(Augmentation(aim=aim), np.random.default_rng(3)) for aim in (0, 0.1)]
    assert changes[0] == replace(changes[1], aim=(0.0, 0.0)) != changes[1]


def test_all_arms_see_the_same_people(tmp_path, people):
    made = (people, 16, tmp_path / "people", 64)
    plain, turned = (WidePeople(*made, turn, Augmentation()) for turn in (False, True))
    assert (plain.kept(3)["image"] == turned.kept(3)["image"]).all()
    one, other = (p.sample(3, np.random.default_rng(5)) for p in (plain, turned))
    assert torch.equal(one["pose"], other["pose"]) and torch.equal(one["betas"], other["betas"])
    assert not torch.allclose(one["rotation"], other["rotation"])
    again = plain.sample(3, np.random.default_rng(5))
    assert all(torch.equal(one[name], again[name]) for name in one)
    places = plain.places()
    assert np.allclose(places["fov_deg"], 110, atol=0.1) and (places["off"] < 1.2).all()
    assert 20 < places["off_deg"].max() < 60


def test_nothing_is_seen_outside_the_frame(people):
    batch = drawn(people, 8, seed=3)
    for image, frame in zip(batch["image"], batch["frame"], strict=True):
        rows, columns = torch.nonzero(image.sum(-1), as_tuple=True)
        assert frame[0] - 1 <= columns.min() and columns.max() <= frame[0] + frame[2]
        assert frame[1] - 1 <= rows.min() and rows.max() <= frame[1] + frame[3]


CALIBRATION = """Skeletool Camera Calibration File V1.0
name          0
  size          64 48
  intrinsic     90 0 32 0 0 90 24 0 0 0 1 0 0 0 0 1
  radial        0
name          1
  size          64 48
  intrinsic     80 0 30 0 0 82 25 0 0 0 1 0 0 0 0 1
"""


@pytest.fixture
def data(tmp_path):
    """Human3.6M, MPI-INF-3DHP and COCO in SPIN's layout, and 3DPW: four records each."""
    names = {
        "h36m": [f"images/S1_Walking_1.55011271_{i:06d}.jpg" for i in range(4)],
        "mpi-inf-3dhp": [f"S1/Seq1/imageFrames/video_1/frame_{i:06d}.jpg" for i in range(4)],
        "coco": [f"train2014/{i}.jpg" for i in range(4)],
    }
    files = {"h36m": "h36m_train", "mpi-inf-3dhp": "mpi_inf_3dhp_train", "coco": "coco_2014_train"}
    for name, pictures in names.items():
        for index, file in enumerate(pictures):
            picture(tmp_path / FOLDERS / name / file, index)
        arrays = spin_arrays(4) | {"imgname": np.array(pictures), "has_smpl": np.ones(4)}
        if name == "mpi-inf-3dhp":
            camera = np.array([[80.0, 0, 30], [0, 82, 25], [0, 0, 1]])
            seen = (arrays["S"][..., :3] + [0.2, -0.1, 3.0]) @ camera.T
            arrays["part"][..., :2] = seen[..., :2] / seen[..., 2:]
        (tmp_path / EXTRAS).mkdir(exist_ok=True)
        save_spin(tmp_path / EXTRAS / f"{files[name]}.npz", arrays)
    (tmp_path / FOLDERS / "mpi-inf-3dhp/S1/Seq1/camera.calibration").write_text(CALIBRATION)
    threedpw_files.write(tmp_path / "3dpw", "walk_00", threedpw_files.sequence(4), split="train")
    return tmp_path


@pytest.fixture
def sets(data, bodies):
    recipe = PersPoseTraining(output=data, data=data, preset="paper", pixels=64).recipe()
    return open_sets(data, ("h36m", "mpi-inf-3dhp", "coco", "3dpw"), bodies, recipe, True)


def _labelled(sample, bodies):
    return Labels(bodies)({name: value[None] for name, value in sample.items()})


def test_3dpw_s_people_are_where_their_keypoints_are(sets, bodies):
    source = sets["3dpw"]
    source.augmentation = Augmentation(none=1.0)
    sample = source.sample(1, np.random.default_rng(0))
    labelled = _labelled(sample, bodies)
    assert sample["has_smpl"] and sample["encoded"]
    seen, camera = source.records.keypoints[1], source.see(1).intrinsics
    joints = labelled["joints24"] @ labelled["rotation"]  # back in the true camera
    pixels = project(joints, torch.as_tensor(camera).float())[0]
    wrist = torch.as_tensor(seen[25 + J24.index("left_wrist"), :2])
    torch.testing.assert_close(pixels[SMPL24.index("left_wrist")], wrist, atol=0.1, rtol=0)
    assert target_of(labelled, 64).inside.mean() > 0.9


def test_3dhp_s_people_stand_where_their_joints_are_seen(sets, bodies):
    source = sets["mpi-inf-3dhp"]
    sample = source.sample(2, np.random.default_rng(1))
    true = source.records.joints3d[2, :, :3] + np.array([0.2, -0.1, 3.0])
    elbow = torch.as_tensor(true[J24.index("left_elbow")]).float()
    back = sample["joints_3dhp"] @ sample["rotation"]
    torch.testing.assert_close(back[H36M17.index("left_elbow")], elbow, atol=0.05, rtol=0)
    assert sample["has_3dhp"] and not sample["has_smpl"]
    found = target_of(_labelled(sample, bodies), 64)
    assert found.uv_3dhp.isfinite().all() and len(AS_3DHP) == 9


def test_coco_s_people_have_no_camera(sets):
    source = sets["coco"]
    source.augmentation = Augmentation(none=1.0)
    sample = source.sample(0, np.random.default_rng(0))
    assert (
        not sample["encoded"]
        and sample["has_coco"]
        and torch.equal(sample["rotation"], torch.eye(3))
    )
    focal = sample["intrinsics"][0, 0]
    torch.testing.assert_close(focal, torch.tensor(600 * 64 / 256))
    side = 200 * float(source.records.scale[0])
    point = source.records.keypoints[0, 25 + J24.index("right_knee"), :2]
    expected = (torch.as_tensor(point) - torch.tensor([32.0, 24.0])) * 64 / side + 32
    torch.testing.assert_close(
        sample["coco17"][COCO17.index("right_knee"), :2], expected.float(), atol=1e-3, rtol=0
    )
    assert len(COCO_AS) == len(LIMBS) == 8


def test_h36m_s_people_are_put_before_the_camera_that_took_them(sets, body, data):
    source = sets["h36m"]
    camera = source.see(0).intrinsics
    assert camera is not None and abs(camera[0, 0] - 1149.7) < 0.1
    # Of a person who was really seen so, the place is found again.
    joints49 = Joints49(body)
    pose = roma.rotvec_to_rotmat(torch.as_tensor(source.records.pose[0]).float().view(24, 3))
    betas = torch.as_tensor(source.records.betas[0]).float()
    turned, joints = chain(pose, body.joints_at_rest(betas))
    place = torch.tensor([0.3, 0.1, 4.0])
    seen = project(joints49.riding(turned, joints, betas) + place, torch.as_tensor(camera))
    source.records.keypoints[0, :, :2] = seen.numpy()
    source.records.keypoints[0, 25:, 2] = 1.0
    torch.testing.assert_close(source.see(0).labels["translation"], place, atol=0.01, rtol=0)


def test_the_published_mixture_trains(data):
    pytest.importorskip("lightning")
    pytest.importorskip("tensorboard")
    from regressor import checkpoints
    from regressor.training.perspose.run import WEIGHTS, train_perspose

    train_perspose(PersPoseTraining(
        output=data / "run", data=data, preset="paper", backbone="w8", pixels=32, batch=8, steps=2,
        check_people=0, accelerator="cpu", log_every=1,
    ))  # fmt: skip
    card = checkpoints.read_metadata(data / "run" / WEIGHTS)["card"]
    assert card["preset"] == "paper" and card["steps"] == 2 and card["skipped"] == 0
    terms = next(iter((data / "run").glob("csv/*/metrics.csv"))).read_text()
    assert "train/uv_coco" in terms and "train/depth_3dhp" in terms and "train/heat" not in terms


def test_every_picture_is_a_sample_of_the_same_kind(sets):
    keys = [set(source.sample(0, np.random.default_rng(0))) for source in sets.values()]
    assert all(some == keys[0] for some in keys)
    image = sets["coco"].sample(1, np.random.default_rng(0))["image"]
    shown = image * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
    assert image.shape == (3, 64, 64) and shown.min() > -1e-5 and shown.max() < 1 + 1e-5
