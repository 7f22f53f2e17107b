"""The body model: as smplx computes it, from every kind of file, and wrong files in a sentence."""

import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch

from regressor import estimate
from regressor.errors import FileFormatError, PosecastError
from regressor.smpl import load_body
from regressor.smpl.body import DEFAULT_BODY, Body, SmplxBody, read_arrays
from tests import hostile
from tests.smpl.posed import random_poses, smpl_like

USER_FILE = smpl_like()
DEMO = Path(__file__).resolve().parents[2] / "demo" / "demo.mp4"


def call(body, count=3, **options):
    poses = random_poses(count)
    generator = torch.Generator().manual_seed(0)
    return body(
        betas=torch.randn(count, 10, generator=generator),
        global_orient=poses[:, 0],
        body_pose=poses[:, 1:].flatten(1),
        transl=torch.randn(count, 3, generator=generator),
        **options,
    )


@pytest.fixture
def smplx():
    return pytest.importorskip("smplx", reason="smplx is an extra (posecast[smpl]): not installed")


@pytest.mark.parametrize(
    "arrays", [read_arrays(DEFAULT_BODY), USER_FILE], ids=["default", "correctives"]
)
def test_own_skinning_is_smplx_s(smplx, arrays):
    ours, theirs = call(Body(arrays)), call(SmplxBody(arrays, "user.npz", "neutral"))
    torch.testing.assert_close(ours.vertices, theirs.vertices, atol=1e-5, rtol=0)
    torch.testing.assert_close(ours.joints, theirs.joints, atol=1e-5, rtol=0)


def test_joints_alone_are_those_of_the_mesh():
    body = load_body()
    alone = call(body, return_verts=False)
    assert alone.vertices is None
    torch.testing.assert_close(alone.joints, call(body).joints)


def test_default_body_runs_without_smplx(monkeypatch):
    monkeypatch.setitem(sys.modules, "smplx", None)
    out = call(load_body())
    assert out.vertices.shape == (3, 13718, 3) and out.joints.shape == (3, 24, 3)


def test_a_user_s_npz_is_run_by_smplx(smplx, tmp_path):
    np.savez(tmp_path / "SMPL_MALE.npz", **USER_FILE)
    body = load_body(tmp_path / "SMPL_MALE.npz", gender="male")
    assert isinstance(body, SmplxBody)
    assert (body.name, body.gender) == ("SMPL_MALE.npz", "male")
    torch.testing.assert_close(call(body).joints, call(Body(USER_FILE)).joints, atol=1e-5, rtol=0)


def test_a_copy_of_the_default_body_needs_no_smplx(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "smplx", None)
    (tmp_path / "mine.npz").write_bytes(DEFAULT_BODY.read_bytes())
    assert type(load_body(tmp_path / "mine.npz")) is Body


@pytest.fixture
def chumpy(monkeypatch):
    """A stand-in for the chumpy module, to pickle arrays as SMPL's authors did."""
    module = types.ModuleType("chumpy.ch")
    kind = type(
        "Ch", (), {"__module__": "chumpy.ch", "__init__": lambda self, x: setattr(self, "x", x)}
    )
    module.Ch = kind  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    monkeypatch.setitem(sys.modules, "chumpy.ch", module)
    return kind


def test_smpl_s_own_pickle_is_read(smplx, chumpy, monkeypatch, tmp_path):
    file = tmp_path / "SMPL_NEUTRAL.pkl"
    fields = {name: array.astype(float) for name, array in USER_FILE.items()}
    wrapped = {name: chumpy(fields[name]) for name in ("v_template", "shapedirs", "weights")}
    sparse = scipy.sparse.csc_matrix(fields["J_regressor"])
    more = {
        "J_regressor": sparse,
        "bs_type": "lrotmin",
        "f": USER_FILE["f"],
        "J": np.zeros((24, 3)),
    }
    more["kintree_table"] = USER_FILE["kintree_table"]
    file.write_bytes(pickle.dumps(fields | wrapped | more, protocol=2))
    monkeypatch.delitem(sys.modules, "chumpy.ch")  # reading must do without it
    monkeypatch.delitem(sys.modules, "chumpy")
    out, wanted = call(load_body(file)), call(Body(USER_FILE))
    torch.testing.assert_close(out.vertices, wanted.vertices, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["os.system", "eval", "getattr", "in an array", "nested pickle"])
def test_a_hostile_body_is_refused(tmp_path, kind):
    marker, file = tmp_path / "marker", tmp_path / "SMPL_NEUTRAL.pkl"
    content = {**USER_FILE, "posedirs": hostile.gadgets(marker)[kind]}
    file.write_bytes(pickle.dumps(content))
    with pytest.raises(FileFormatError, match="was not opened because"):
        load_body(file)
    assert not marker.exists()


def cut(file):
    file.write_bytes(DEFAULT_BODY.read_bytes()[:200_000])


def spoilt(file):
    content = bytearray(DEFAULT_BODY.read_bytes())
    content[len(content) // 3 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 3)
    file.write_bytes(content)


def with_fields(**changed):
    return lambda file: np.savez(
        file, **{k: v for k, v in (USER_FILE | changed).items() if v is not None}
    )


@pytest.mark.parametrize(
    ("name", "write", "sentence"),
    [
        ("a.npz", lambda file: None, "There is no body file"),
        ("a.npz", lambda file: file.write_text("hello"), "can't be read as a body"),
        ("a.npz", lambda file: file.write_bytes(b""), "can't be read as a body"),
        ("a.npz", cut, "can't be read as a body"),
        ("a.npz", spoilt, "can't be read as a body"),
        ("a.npz", with_fields(f=np.array([{}])), "can't be read as a body"),
        ("a.npz", with_fields(weights=None, f=None), "it has no f, weights"),
        ("a.npz", with_fields(J_regressor=np.zeros((55, 6890))), "SMPL-X"),
        ("a.pkl", lambda file: file.write_text("hello"), "not a readable pickle"),
        ("a.pkl", lambda file: file.write_bytes(pickle.dumps([1, 2])), "is not an SMPL body"),
    ],
)
def test_a_wrong_file_is_answered_in_a_sentence(tmp_path, name, write, sentence):
    write(tmp_path / name)
    with pytest.raises(FileFormatError, match=sentence) as caught:
        load_body(tmp_path / name)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_genders_are_named():
    with pytest.raises(PosecastError, match="neutral, male, female"):
        load_body(gender="any")


def test_estimate_says_how_to_get_smplx(monkeypatch, tmp_path, capsys):
    np.savez(tmp_path / "SMPL_MALE.npz", **USER_FILE)
    monkeypatch.setitem(sys.modules, "smplx", None)
    film = str(Path(estimate.__file__).parents[1] / "demo" / "demo.mp4")
    arguments = ["estimate", film, "--output", str(tmp_path / "m.npz"), "--progress", "none"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--body", str(tmp_path / "SMPL_MALE.npz")])
    with pytest.raises(SystemExit) as ended:
        estimate.main()
    assert ended.value.code == 1
    assert "pip install 'posecast[smpl]'" in capsys.readouterr().err
    assert not (tmp_path / "m.npz").exists()
