"""The shipped body: SMPL's fields, sound numbers, and a surface that holds when it is posed."""

import numpy as np
import pytest
import roma
import torch

from regressor.skeletons import SMPL24, SMPL24_PARENTS, mirror
from regressor.smpl import load_body
from regressor.smpl.body import DEFAULT_BODY, FIELDS, chain, read_arrays

ARRAYS = read_arrays(DEFAULT_BODY)
BODY = load_body()
REST = BODY.v_template.numpy()
JOINTS = BODY.rest_joints.numpy()


def posed(betas=None, **degrees) -> np.ndarray:
    """(V, 3) the body with joints turned by {name: (x, y, z)} degrees."""
    pose = torch.zeros(24, 3)
    for name, angles in degrees.items():
        pose[SMPL24.index(name)] = torch.deg2rad(torch.tensor(angles, dtype=torch.float32))
    betas = torch.zeros(1, 10) if betas is None else betas
    return (
        BODY(betas=betas, global_orient=pose[:1], body_pose=pose[1:].reshape(1, 69))
        .vertices[0]
        .numpy()
    )


def normals(vertices: np.ndarray) -> np.ndarray:
    """(F, 3) twice each triangle's area, along its normal."""
    a, b, c = np.moveaxis(vertices[BODY.faces], 1, 0)
    return np.cross(b - a, c - a)


def edges(faces: np.ndarray) -> np.ndarray:
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def test_the_file_is_smpl_s_and_small():
    assert DEFAULT_BODY.stat().st_size < 6_000_000
    assert set(FIELDS) | {"posedirs", "part", "part_names"} <= set(ARRAYS)
    count = len(REST)
    assert ARRAYS["shapedirs"].shape == (count, 3, 10) and ARRAYS["posedirs"].shape == (
        count,
        3,
        207,
    )
    assert ARRAYS["part"].max() < len(ARRAYS["part_names"])
    parents = ARRAYS["kintree_table"][0].astype(np.int64)
    assert tuple(parents[1:]) == SMPL24_PARENTS[1:] and parents[0] in (-1, 2**32 - 1)
    assert all(np.isfinite(value).all() for value in ARRAYS.values() if value.dtype.kind == "f")


def test_weights_are_shares():
    weights = ARRAYS["weights"]
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    assert (weights.max(0) > 0.3).all()  # every joint moves something
    np.testing.assert_allclose(ARRAYS["J_regressor"].sum(1), 1, atol=1e-3)


def test_triangles_are_closed_and_sound():
    """Every edge has a triangle on both sides, turned alike, and all vertices are used."""
    faces = BODY.faces
    assert faces.min() >= 0 and faces.max() < len(REST)
    directed = {tuple(edge) for edge in edges(faces).tolist()}
    assert len(directed) == 3 * len(faces)  # none twice in the same direction
    alone = sum((b, a) not in directed for a, b in directed)
    assert alone == 0
    assert len(np.unique(faces)) == len(REST)
    corners = REST[faces]
    signed = np.einsum("fc,fc->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert 0.03 < signed < 0.12  # a person's litres, turned outwards


def test_it_stands_in_a_t_pose():
    at = {name: JOINTS[i] for i, name in enumerate(SMPL24)}
    assert 1.5 < np.ptp(REST[:, 1]) < 1.9
    for side, sign in (("left", 1), ("right", -1)):
        arm = at[f"{side}_wrist"] - at[f"{side}_shoulder"]
        assert sign * arm[0] > 0.98 * np.linalg.norm(arm)
        leg = at[f"{side}_ankle"] - at[f"{side}_hip"]
        assert -leg[1] > 0.97 * np.linalg.norm(leg)
        assert at[f"{side}_foot"][2] > at[f"{side}_ankle"][2]  # toes ahead: it faces +z
    assert at["head"][1] > at["neck"][1] > at["spine3"][1] > at["pelvis"][1]


def test_its_joints_are_symmetric():
    mirrored = JOINTS[mirror("smpl24")] * [-1, 1, 1]
    assert np.abs(mirrored - JOINTS).max() < 0.001


@pytest.mark.parametrize("component", range(10))
def test_shapes_are_people(component):
    lengths = []
    for value in (-2.0, 2.0):
        betas = torch.zeros(1, 10)
        betas[0, component] = value
        vertices = posed(betas)
        assert 1.2 < np.ptp(vertices[:, 1]) < 2.2
        lengths.append(stretch(vertices, REST))
        joints = BODY.joints_at_rest(betas[0]).numpy()
        assert np.abs(joints[mirror("smpl24")] * [-1, 1, 1] - joints).max() < 0.01
    assert max(np.quantile(ratio, 0.999) for ratio in lengths) < 3


def stretch(vertices: np.ndarray, still: np.ndarray) -> np.ndarray:
    """(E,) how much longer each edge has become; those under 2 mm are left out."""
    pairs = edges(BODY.faces)
    before = np.linalg.norm(still[pairs[:, 0]] - still[pairs[:, 1]], axis=1)
    after = np.linalg.norm(vertices[pairs[:, 0]] - vertices[pairs[:, 1]], axis=1)
    return (after / before)[before > 0.002]


def girth(vertices: np.ndarray, joint: str) -> float:
    """Least thickness, m, of a limb over the 12 cm that follow its joint, in slices of 1.6 cm.

    A slice is a ring of skin; its thickness is the second extent of its points (the third is the
    slice's own height).
    """
    index = SMPL24.index(joint)
    child = SMPL24_PARENTS.index(index)
    along = (JOINTS[child] - JOINTS[index]) / np.linalg.norm(JOINTS[child] - JOINTS[index])
    position = (REST - JOINTS[index]) @ along
    limb = ARRAYS["weights"][:, [index, SMPL24_PARENTS[index]]].sum(1) > 0.9
    widths = []
    for start in np.arange(0.0, 0.12, 0.01):
        points = vertices[limb & (np.abs(position - start) < 0.008)]
        if len(points) >= 12:
            points = points - points.mean(0)
            widths.append(np.sqrt(np.linalg.eigvalsh(points.T @ points / len(points))[1]))
    assert len(widths) > 5
    return min(widths)


BENDS = {
    "elbow": {"left_elbow": (0, -90, 0)},
    "forearm": {"left_elbow": (60, 0, 0)},
    "knee": {"left_knee": (90, 0, 0)},
    "hip": {"left_hip": (-90, 0, 0)},
    "hip aside": {"left_hip": (0, 0, 60)},
    "shoulder down": {"left_shoulder": (0, 0, -75)},
    "shoulder ahead": {"left_shoulder": (0, -90, 0)},
    "shoulder up": {"left_shoulder": (0, 0, 80)},
}


@pytest.mark.parametrize("bend", list(BENDS))
def test_posed_limbs_keep_their_girth(bend):
    joint = next(iter(BENDS[bend]))
    assert girth(posed(**BENDS[bend]), joint) > 0.6 * girth(REST, joint)


@pytest.mark.parametrize("bend", list(BENDS))
def test_posed_skin_does_not_tear_or_turn_inside_out(bend):
    vertices = posed(**BENDS[bend])
    ratio = stretch(vertices, REST)
    assert np.quantile(ratio, 0.999) < 3 and ratio.max() < 8
    # Outwards before, outwards after: seen from the bones that carry a triangle.
    before, after = normals(REST), normals(vertices)
    heaviest = ARRAYS["weights"][BODY.faces].sum(1).argmax(1)
    pose = torch.zeros(24, 3)
    for name, angles in BENDS[bend].items():
        pose[SMPL24.index(name)] = torch.deg2rad(torch.tensor(angles, dtype=torch.float32))
    turned, _ = chain(roma.rotvec_to_rotmat(pose), BODY.rest_joints)
    expected = np.einsum("fij,fj->fi", turned.numpy()[heaviest], before)
    flipped = np.einsum("fc,fc->f", expected, after) < 0
    area = np.linalg.norm(before, axis=1) / 2
    assert area[flipped].sum() < 0.005 * area.sum()
