"""PersPose's labels of men and women: against posing each one's own body by itself."""

import numpy as np
import pytest
import roma
import torch

from regressor.data import threedpw
from regressor.data.mixture import collate
from regressor.errors import FileFormatError
from regressor.smpl.analytic_ik import posed_twists
from regressor.smpl.body import DEFAULT_BODY, Body, chain, read_arrays
from regressor.smpl.genders import ByGender, load_bodies
from regressor.smpl.landmarks import landmark_regressor
from regressor.training.perspose.options import PersPoseTraining
from regressor.training.perspose.pictures import open_sets
from regressor.training.perspose.samples import Labels
from tests.data import perspose_files, threedpw_files

GENDERS = ("male", "f", "neutral", "M")
CODES = (0, 1, -1, 0)
SIZES = {"neutral": (1.0, 1.0, 1.0), "male": (1.05, 1.1, 1.0), "female": (1.1, 0.9, 0.95)}
GROWTH = {"neutral": 1.0, "male": 1.4, "female": -0.7}  # of what the betas do


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """SMPL files of three bodies that differ in all that labels are made of."""
    found, arrays = tmp_path_factory.mktemp("smpl"), read_arrays(DEFAULT_BODY)
    for gender, size in SIZES.items():
        shaped = {"v_template": arrays["v_template"] * np.array(size, np.float32)}
        shaped["shapedirs"] = np.float32(GROWTH[gender]) * arrays["shapedirs"]
        np.savez(found / f"SMPL_{gender.upper()}.npz", **{**arrays, **shaped})
    return found


@pytest.fixture(scope="module")
def bodies(folder):
    return load_bodies(folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """3DPW as the authors have it."""
    folder = tmp_path_factory.mktemp("data")
    perspose_files.write(folder, "3dpw", gender=np.array(GENDERS))
    return folder


def source_of(data, bodies, name="3dpw"):
    recipe = PersPoseTraining(output=data, data=data, preset="paper", pixels=64).recipe()
    return open_sets(data, (name,), bodies, recipe, True)[name]


def test_labels_are_those_of_each_one_s_own_body(data, bodies):
    source, rng = source_of(data, bodies), np.random.default_rng(0)
    batch = collate([source.sample(index, rng) for index in range(4)])
    assert batch["gender"].tolist() == list(CODES)
    found, alike = (Labels(some)(batch) for some in (bodies, load_bodies()))
    made = perspose_files.content("3dpw")
    theta, betas, place = (
        torch.as_tensor(made[f"smpl_{name}"]).float() for name in ("theta", "beta", "transl")
    )
    torch.testing.assert_close(found["betas"][:, :10], betas)  # whatever body they are of
    for i, code in enumerate(CODES):
        body, one, turn = bodies[code], slice(i, i + 1), batch["rotation"][i]
        out = body(betas[one], theta[one, 0], theta[one, 1:].flatten(1), place[one])
        same = {"atol": 1e-5, "rtol": 0}
        torch.testing.assert_close(found["joints24"][one], out.joints @ turn.T, **same)
        own = torch.as_tensor(landmark_regressor(body.arrays, "h36m17")[0])
        assert out.vertices is not None
        torch.testing.assert_close(
            found["joints17"][i], own[None] @ out.vertices[0] @ turn.T, **same
        )
        rest = body.joints_at_rest(betas[one])
        turned, _ = chain(roma.rotvec_to_rotmat(theta[one]), rest)
        torch.testing.assert_close(found["twists"][one], posed_twists(rest, turn @ turned), **same)
        still = body(betas[one], torch.zeros(1, 3), torch.zeros(1, 69)).vertices
        assert still is not None
        tall = float(still[..., 1].max() - still[..., 1].min())
        assert float(found["height"][i]) == pytest.approx(tall, abs=1e-5)
        # The one body would have been wrong, but for the neutral person.
        off = (found["joints24"][i] - alike["joints24"][i]).norm(dim=-1).max()
        assert off < 1e-5 if code == -1 else off > 0.03


@pytest.mark.parametrize("name", ["J_regressor_h36m.npy", "J_regressor_h36m_correct.npy"])
def test_the_pelvis_is_where_the_folder_s_regressor_has_it(data, folder, bodies, name):
    """Of bodies that bend and bulge, by a row that is of more than the hips, and sums to 1.02."""
    pytest.importorskip("lightning")
    from regressor.training.perspose.run import pelvis_of

    rng = np.random.default_rng(1)
    count = len(bodies.neutral.v_template)
    regressor = np.zeros((17, count))
    regressor[0, rng.choice(count, 300, replace=False)] = 1.02 / 300
    bulging = {**bodies.male.arrays, "posedirs": 0.01 * rng.normal(size=(count, 3, 207))}
    man = Body(bulging)
    own = ByGender(man, bodies.female, bodies.neutral)
    try:
        np.save(folder / name, regressor)
        row = pelvis_of(folder, bodies.neutral)
        assert row is not None and np.array_equal(row, regressor[0])
        np.save(folder / name, regressor[:, :-1])
        with pytest.raises(FileFormatError, match=r"is for another body: it is \(17, "):
            pelvis_of(folder, bodies.neutral)
    finally:
        (folder / name).unlink()
    source = source_of(data, own)
    batch = collate([source.sample(index, rng) for index in range(4)])
    found, otherwise = (
        (Labels(own, pelvis)(batch)["joints17"] @ batch["rotation"]).double()
        for pelvis in (row, None)
    )
    made = perspose_files.content("3dpw")
    theta, betas, place = (
        torch.as_tensor(made[f"smpl_{name}"]).float() for name in ("theta", "beta", "transl")
    )
    for i, code in enumerate(CODES):
        one = slice(i, i + 1)
        mesh = own[code](betas[one], theta[one, 0], theta[one, 1:].flatten(1), place[one]).vertices
        assert mesh is not None
        mesh = mesh[0].double()
        middle = mesh.mean(0)
        expected = torch.as_tensor(row) @ (mesh - middle) + middle  # as the authors do
        torch.testing.assert_close(found[i, 0], expected, atol=1e-5, rtol=0)
        assert (otherwise[i, 0] - expected).norm() > 0.03


def test_what_stands_for_the_pelvis_is_said(folder, bodies, tmp_path, capsys):
    pytest.importorskip("lightning")
    from regressor.training.perspose.run import pelvis_of

    assert pelvis_of(folder, bodies.neutral) is None and not capsys.readouterr().out  # its own
    plain = {k: v for k, v in bodies.neutral.arrays.items() if k != "J_regressor_h36m"}
    for place in (tmp_path, tmp_path / "SMPL_NEUTRAL.pkl"):
        assert pelvis_of(place, Body(plain)) is None
        said = capsys.readouterr().out
        assert "no J_regressor_h36m.npy in a folder given by --body: SMPL's own pelvis" in said


def test_3dpw_s_own_people_are_where_its_joints_are(tmp_path, bodies):
    own = {"m": bodies.male, "f": bodies.female}
    content = threedpw_files.sequence(3, bodies=own)
    threedpw_files.write(tmp_path / "3dpw", "walk_00", content, split="train")
    source, rng = source_of(tmp_path, bodies), np.random.default_rng(0)
    people, labels = threedpw.load_split(tmp_path / "3dpw", "train"), Labels(bodies)
    for index, (number, frame) in enumerate(threedpw.places(people)):
        person, batch = people[number], collate([source.sample(index, rng)])
        assert batch["gender"].tolist() == [{"male": 0, "female": 1}[person.gender]]
        assert person.joints is not None
        camera = person.extrinsics[frame]
        true = person.joints[frame] @ camera[:3, :3].T + camera[:3, 3]
        back = (labels(batch)["joints24"] @ batch["rotation"])[0]
        np.testing.assert_allclose(back, true, atol=1e-4)


def test_it_trains_by_a_folder_of_bodies(data, folder, tmp_path):
    pytest.importorskip("lightning")
    pytest.importorskip("tensorboard")
    from regressor.training.perspose.run import train_perspose
    from tests.training.tiny import losses

    def options(**changes):
        made = {
            "output": tmp_path / "run", "data": data, "body": folder, "preset": "paper",
            "sets": ("3dpw",), "backbone": "w8", "pixels": 32, "batch": 4, "steps": 1,
            "check_people": 0, "accelerator": "cpu", "log_every": 1,
        }  # fmt: skip
        return PersPoseTraining(**{**made, **changes})

    train_perspose(options())
    assert np.isfinite(list(losses(tmp_path / "run").values())).all()
    with pytest.raises(FileFormatError, match="another body"):
        train_perspose(options(body=None, steps=2))
