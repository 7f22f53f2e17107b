"""Learning the prior: from drawn samples, from fits with label pictures, and by the command."""

import signal
import subprocess
import sys

import numpy as np
import pytest
import roma
import torch

from regressor import learn_prior
from regressor.data import prior as pr
from regressor.errors import FileFormatError, PosecastError
from regressor.images.crops import SIZE
from regressor.images.joints import LABELLED, Joints49
from regressor.smpl import load_body
from rendering.cameras import project, weak_to_translation
from rendering.labels import PALETTE, write_labels
from rendering.normals import face_normals
from rendering.rasterize import rasterize
from rendering.semantic import crop_intrinsics

BODY = load_body()
FACES = torch.as_tensor(BODY.faces)
HEIGHT = BODY.v_template[FACES].mean(1)[:, 1]
CLOTHES = torch.where(HEIGHT > HEIGHT.median(), 5, 9)  # a shirt and trousers
AREAS = face_normals(BODY.v_template, FACES).norm(dim=1)


def sample(yaw: float) -> dict[str, torch.Tensor]:
    """One body, seen from where it is turned by `yaw`, with the labels of CLOTHES."""
    around = roma.rotvec_to_rotmat(torch.tensor([0.0, float(yaw), 0.0]))
    pose = torch.eye(3).repeat(1, 24, 1, 1)
    pose[0, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ around
    betas, place = torch.zeros(1, 10), weak_to_translation(torch.tensor([[0.9, 0.05, 0.25]]))
    orient = roma.rotmat_to_rotvec(pose[:, 0])
    body = BODY(betas=betas, global_orient=orient, body_pose=torch.zeros(1, 69), transl=place)
    face = rasterize(body.vertices, FACES, crop_intrinsics(), (SIZE, SIZE), samples=1).face
    labels = torch.where(face >= 0, CLOTHES[face.clamp(min=0)], 0).byte()
    points = project(Joints49(BODY)(body.vertices, body.joints), crop_intrinsics())
    keypoints = torch.cat([points / (SIZE / 2) - 1, torch.ones(1, 49, 1)], 2)
    return {"labels": labels, "pose": pose, "betas": betas, "keypoints": keypoints,
            "translation": place, "intrinsics": crop_intrinsics()[None]}  # fmt: skip


def without_place(one: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key: value for key, value in one.items() if key not in ("translation", "intrinsics")}


def right_share(prior: torch.Tensor, counted: pr.Counted) -> float:
    seen = counted.pixels.sum(1) > 0
    return float((prior.argmax(1) == CLOTHES)[seen].float().mean())


@pytest.mark.parametrize("known_place", [True, False])
def test_the_clothes_are_learned(known_place):
    batches = [sample(yaw) for yaw in np.linspace(0, 6, 6)]
    if not known_place:
        batches = [without_place(one) for one in batches]
    counted = pr.count(batches, BODY)
    assert (counted.samples, counted.skipped) == (6, 0)
    assert right_share(pr.learned(counted, BODY), counted) > 0.97


def test_samples_without_labels_or_place_are_left_out_and_counted():
    one = sample(0.0)
    missing = {**one, "has_labels": torch.tensor([False])}
    unseen = without_place(one)
    unseen["keypoints"] = unseen["keypoints"] * torch.tensor([1.0, 1.0, 0.0])
    counted = pr.count([one, missing, unseen], BODY)
    assert (counted.samples, counted.skipped) == (1, 2)
    with pytest.raises(PosecastError, match="No label was seen on the body in 2 samples"):
        pr.learned(pr.count([missing, unseen], BODY), BODY)


def test_what_hides_the_body_counts_only_if_asked_for():
    one = sample(0.0)
    one["labels"][:, :, : SIZE // 2] = 0
    for background in (False, True):
        counted = pr.count([one], BODY, background=background)
        assert bool(counted.pixels[:, 0].any()) == background


def write_fits(folder, yaws=(0.0, 1.5, 3.0, 4.5)):
    """SPIN's .npz and label pictures, of crops that are whole pictures."""
    rows = {key: [] for key in ("imgname", "center", "scale", "pose", "shape", "part")}
    (folder / "labels" / "train").mkdir(parents=True)
    for i, yaw in enumerate(yaws):
        one = sample(yaw)
        write_labels(folder / "labels" / "train" / f"{i}.png", one["labels"][0].numpy())
        part = one["keypoints"][0, LABELLED].numpy().copy()
        part[:, :2] = (part[:, :2] + 1) * SIZE / 2
        rows["imgname"].append(f"train/{i}.jpg")
        rows["center"].append([SIZE / 2, SIZE / 2])
        rows["scale"].append(SIZE / 200)
        rows["pose"].append(roma.rotmat_to_rotvec(one["pose"][0]).flatten().numpy())
        rows["shape"].append(np.zeros(10))
        rows["part"].append(part)
    np.savez(folder / "fits.npz", **{key: np.array(value) for key, value in rows.items()})


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["learn_prior", *map(str, arguments), "--progress", "none"])
    learn_prior.main()


def test_the_command_learns_from_fits(tmp_path, monkeypatch):
    write_fits(tmp_path)
    (tmp_path / "labels" / "train" / "3.png").write_text("torn")
    run(monkeypatch, "-o", tmp_path / "prior.npz", "--fits", tmp_path / "fits.npz",
        "--labels", tmp_path / "labels", "--picture", tmp_path / "prior.png")  # fmt: skip
    prior = pr.body_prior(BODY, tmp_path / "prior.npz")
    right = (prior.argmax(1) == CLOTHES).float()
    assert (right * AREAS).sum() / AREAS.sum() > 0.9  # fingers are many faces, hardly seen
    card = (tmp_path / "prior.md").read_text()
    assert "from 3 images" in card and "1 left out" in card
    assert (tmp_path / "prior.png").stat().st_size > 1000


def test_the_command_learns_from_synthetic_people(tmp_path, monkeypatch):
    run(monkeypatch, "-o", tmp_path / "prior.npz", "--samples", "16")
    prior = pr.body_prior(BODY, tmp_path / "prior.npz")
    assert prior.shape == (len(FACES), 20) and prior.max() > 0.9


def test_ctrl_c_ends_the_command_without_a_traceback(tmp_path):
    command = [sys.executable, "-m", "regressor.learn_prior", "-o", tmp_path / "p.npz"]
    command += ["--samples", "100000", "--progress", "json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline()  # it counts
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in told
    assert not any(tmp_path.iterdir())


def test_bad_input_is_one_sentence(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, "-o", tmp_path / "p.npz", "--fits", tmp_path / "fits.npz")
    assert "--fits and --labels go together" in capsys.readouterr().err
    for wrong, sentence in (
        (["--samples", "0"], "--samples has to be above 0"),
        (["--device", "gramophone"], "There is no device 'gramophone' here"),
        (["--picture", tmp_path / "p.jpg"], "a picture ends in .png"),
    ):
        with pytest.raises(SystemExit):
            run(monkeypatch, "-o", tmp_path / "p.npz", *wrong)
        assert sentence in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
    boxes = {"imgname": np.array(["a"]), "center": np.ones((1, 2)), "scale": np.ones(1)}
    for name, arrays, message in (
        ("none.npz", None, "there is no such file"),
        ("keys.npz", {"imgname": np.array(["a"])}, "it has no center and no scale"),
        ("keypoints.npz", boxes | {"part": np.ones((1, 24, 3))}, "holds no SMPL fits"),
    ):
        if arrays:
            np.savez(tmp_path / name, **arrays)
        with pytest.raises(FileFormatError, match=message):
            list(pr.read_fits(tmp_path / name, tmp_path))


def test_the_default_body_has_its_prior():
    """Shirts on the chest, trousers on the thighs, hair and faces, hands and shoes."""
    prior = pr.body_prior(BODY)
    assert prior.shape == (len(FACES), 20)
    torch.testing.assert_close(prior.sum(1), torch.ones(len(FACES)), atol=0.01, rtol=0)
    likeliest = {PALETTE[label].tobytes() for label in prior.argmax(1).unique().tolist()}
    assert len(likeliest) >= 10
    joints = BODY.rest_joints
    middle = BODY.v_template[FACES].mean(1)
    for joint, labels in ((9, {5, 6, 7}), (22, {14}), (23, {15}), (10, {18}), (11, {19})):
        near = (middle - joints[joint]).norm(dim=1).argsort()[:50]
        assert set(prior[near].mean(0).argmax(keepdim=True).tolist()) <= labels, joint


def test_another_body_needs_a_prior_of_its_own(tmp_path):
    class Other:
        faces = FACES[:-1]

    with pytest.raises(PosecastError, match="need its clothing prior"):
        pr.body_prior(Other())
    np.save(tmp_path / "prior.npy", np.full((len(FACES), 20), 0.05))
    with pytest.raises(FileFormatError, match=f"this one has {len(FACES) - 1}"):
        pr.body_prior(Other(), tmp_path / "prior.npy")
