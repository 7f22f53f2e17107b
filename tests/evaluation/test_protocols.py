"""The protocols' numbers, against the challenge's own code and the literature's."""

from pathlib import Path

import numpy as np
import pytest

from regressor import metrics
from regressor.evaluation import protocols
from regressor.evaluation.bodies import Posed
from regressor.evaluation.scores import Scores
from regressor.images.joints import H36M_TO_J14

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def challenge():
    return np.load(GOLDEN / "threedpw_eval.npz")


@pytest.fixture(scope="module")
def literature():
    return np.load(GOLDEN / "threedpw_protocol.npz")


def challenge_errors(golden, case):
    joints = golden["pred_joints"].copy()
    if case == "with_zero_frame":
        joints[-1] = 0
    target = golden["gt_rotations"][:, list(protocols.ANGLE_JOINTS)]
    return protocols.challenge_errors(joints, golden["gt_joints"], golden["pred_rotations"], target)


@pytest.mark.parametrize("case", ["plain", "with_zero_frame"])
def test_the_challenges_errors(challenge, case):
    found = challenge_errors(challenge, case)
    for name, factor in {"mpjpe": 1000, "mpjpe_pa": 1000, "mpjae": 1, "mpjae_pa": 1}.items():
        expected = float(challenge[f"{case}.{name}"])
        tolerance = 1e-9 if factor == 1000 else 1e-6
        assert factor * found[name].mean() == pytest.approx(expected, abs=tolerance), name
    np.testing.assert_allclose(
        1000 * found["limbs"], challenge[f"{case}.pck_errors"].reshape(12, 12), atol=1e-9
    )
    np.testing.assert_allclose(
        found["procrustes"], challenge[f"{case}.procrustes_rotation"], atol=1e-9
    )


@pytest.mark.parametrize("case", ["plain", "with_zero_frame"])
def test_the_challenges_pck_and_auc(challenge, case):
    limbs = challenge_errors(challenge, case)["limbs"]
    pck = 100 * metrics.pck(limbs, protocols.PCK_M)
    assert pck == pytest.approx(float(challenge[f"{case}.pck"]), abs=1e-9)
    found = metrics.auc(limbs, protocols.AUC_M)
    assert found == pytest.approx(float(challenge[f"{case}.auc"]), abs=1e-5)
    curve = np.array([metrics.pck(limbs, threshold) for threshold in protocols.AUC_M])
    expected = challenge[f"{case}.pck_curve"]
    np.testing.assert_allclose(curve * expected.max() / curve.max(), expected, atol=1e-9)


def posed(vertices, golden):
    """A body of the golden's, its root joint anywhere."""
    nothing = np.zeros((len(vertices), 24, 3))
    return Posed(vertices, nothing + vertices[:, :1], golden["lsp14.regressor"] @ vertices, nothing)


def test_the_literatures_errors(literature):
    genders = literature["lsp14.gender"][:, None, None]
    true = np.where(
        genders == 0, literature["lsp14.gt_vertices_male"], literature["lsp14.gt_vertices_female"]
    )
    own, target = posed(literature["lsp14.pred_vertices"], literature), posed(true, literature)
    np.testing.assert_allclose(own.joints14, literature["lsp14.pred_joints"], atol=1e-9)
    np.testing.assert_allclose(target.joints14, literature["lsp14.gt_joints"], atol=1e-9)
    found = protocols.joint_errors(own.joints14, target.joints14)
    found |= protocols.vertex_errors(own, target)
    for name in ("mpjpe", "pa_mpjpe", "pve_unaligned", "pve_pelvis"):
        np.testing.assert_allclose(
            1000 * found[name], literature[f"lsp14.{name}_mm"], atol=1e-9, err_msg=name
        )


def test_the_third_variant_minds_neither_place_nor_pelvis(literature):
    vertices = literature["lsp14.pred_vertices"]
    own, moved = posed(vertices, literature), posed(vertices + [0.1, 0.2, 0], literature)
    found = protocols.vertex_errors(own, moved)
    np.testing.assert_allclose(found["pve_root"], 0, atol=1e-12)
    np.testing.assert_allclose(found["pve_pelvis"], 0, atol=1e-12)
    np.testing.assert_allclose(found["pve_unaligned"], np.hypot(0.1, 0.2), atol=1e-12)


def test_the_fourteen_joints_are_the_published_rows():
    assert H36M_TO_J14 == (6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10)


def test_the_golden_frames_in_the_camera_and_their_choice(challenge):
    """A reader's `used`, and how it turns joints, are the challenge's."""
    camera = challenge["cam_poses"]
    turned = challenge["gt_joints"] @ camera[:, :3, :3].transpose(0, 2, 1) + camera[:, None, :3, 3]
    np.testing.assert_allclose(turned, challenge["joints_in_camera"], atol=1e-9)
    rotations = camera[:, None, :3, :3] @ challenge["gt_rotations"]
    np.testing.assert_allclose(rotations, challenge["rotations_in_camera"], atol=1e-9)
    seen = np.abs(challenge["poses2d"]).mean((1, 2)) > 0
    used = challenge["campose_valid"].astype(bool) & seen
    assert np.flatnonzero(used).tolist() == challenge["valid_indices"].tolist()


def test_acceleration_needs_both_neighbours():
    rng = np.random.default_rng(0)
    target = rng.normal(size=(7, 14, 3))
    drift = np.arange(7)[:, None, None] * np.array([0.1, 0, 0])
    frames = np.array([0, 1, 2, 3, 7, 8, 9])
    found = protocols.acceleration_errors(target + drift, target, frames)
    assert np.isfinite(found).tolist() == [False, True, True, False, False, True, False]
    np.testing.assert_allclose(found[[1, 2, 5]], 0, atol=1e-12)
    bent = target.copy()
    bent[1] += [0.003, 0, 0]
    found = protocols.acceleration_errors(bent, target, frames)
    np.testing.assert_allclose(found[[1, 2]], [0.006, 0.003], atol=1e-12)
    whole = metrics.acceleration_error(bent[:4], target[:4])
    assert whole == pytest.approx(found[[1, 2]].mean())


def test_means_are_over_samples_and_coverage_is_told():
    scores = Scores(total={"a": 4, "b": 2, "c": 5})
    limbs = np.zeros((3, 12))
    scores.add("a", 0, np.arange(3), {"mpjpe": np.array([0.1, 0.1, 0.1]), "challenge_limbs": limbs})
    scores.add(
        "b", 0, np.array([1]), {"mpjpe": np.array([0.5]), "challenge_limbs": limbs[:1] + 0.06}
    )
    overall, parts = scores.overall(), scores.by_sequence()
    assert overall["mpjpe_mm"] == pytest.approx(200)  # not 300, the mean of the sequences' means
    assert (overall["frames"], overall["of"], overall["coverage"]) == (4, 11, round(4 / 11, 4))
    assert overall["challenge_pck50_percent"] == pytest.approx(75)
    assert parts["b"]["coverage"] == 0.5 and parts["c"]["mpjpe_mm"] is None
    assert overall["pve_root_mm"] is None and parts["c"]["coverage"] == 0
