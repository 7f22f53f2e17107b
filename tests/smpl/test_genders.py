"""The bodies of a user's folder, by gender, and what is missing in it."""

import numpy as np
import pytest

from regressor.errors import FileFormatError, PosecastError
from regressor.smpl.body import DEFAULT_BODY, read_arrays
from regressor.smpl.genders import load_bodies


def copies(folder, *names):
    """Copies of the default body, which say so themselves and need no smplx."""
    for name in names:
        (folder / name).write_bytes(DEFAULT_BODY.read_bytes())
    return folder


def test_a_folder_has_a_body_for_each_code(tmp_path):
    names = ("basicmodel_m_lbs_10_207_0_v1.1.0.npz", "SMPL_FEMALE.npz", "SMPL_NEUTRAL.npz")
    bodies = load_bodies(copies(tmp_path, *names))
    assert [bodies[code].name for code in (0, 1, -1)] == list(names)


def test_one_file_or_none_is_a_body_for_everybody(tmp_path):
    bodies = load_bodies(copies(tmp_path, "SMPL_MALE.npz") / "SMPL_MALE.npz")
    assert {body.name for body in bodies} == {"SMPL_MALE.npz"} and len(bodies) == 3
    assert {body.name for body in load_bodies()} == {"default"}


def test_what_is_missing_is_one_sentence(tmp_path):
    with pytest.raises(FileFormatError, match="There is no body file"):
        load_bodies(tmp_path / "none")
    copies(tmp_path, "SMPL_NEUTRAL.npz", "SMPL_MALE.npz")
    with pytest.raises(PosecastError, match=r"has no female SMPL file: .* SMPL_FEMALE\.pkl"):
        load_bodies(tmp_path)


def test_bodies_of_different_meshes_are_refused(tmp_path):
    copies(tmp_path, "SMPL_NEUTRAL.npz", "SMPL_MALE.npz")
    arrays = read_arrays(DEFAULT_BODY)
    less = {name: arrays[name][:-1] for name in ("v_template", "shapedirs", "weights")}
    less |= {"J_regressor": arrays["J_regressor"][:, :-1]}
    kept = {name: arrays[name] for name in ("f", "kintree_table", "part_names")}
    np.savez(tmp_path / "SMPL_FEMALE.npz", **less, **kept)
    count = len(arrays["v_template"])
    with pytest.raises(FileFormatError, match=rf"SMPL_FEMALE\.npz {count - 1}, SMPL_NEUTRAL"):
        load_bodies(tmp_path)
