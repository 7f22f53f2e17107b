"""Motion capture of every kind becomes motions that the sampler takes."""

import numpy as np
import pytest
import torch

from regressor.data import mocap_files
from regressor.data.lifting import Sampler
from regressor.data.sequences import read_set
from regressor.errors import PosecastError
from regressor.skeletons import H36M17
from regressor.smpl import load_body
from tests.data import cmu
from tests.data.mocap_writers import write_amass, write_bvh, write_cmu


def height(joints: torch.Tensor) -> float:
    """From ankles to crown, metres along y, in the first frame."""
    ankle, crown = (joints[0, H36M17.index(n), 1] for n in ("left_ankle", "head_top"))
    return float(crown - ankle)


def test_a_folder_of_all_kinds(tmp_path):
    write_bvh(tmp_path / "walks" / "one.bvh", frames=240, fps=60)
    write_cmu(tmp_path / "subjects" / "07", frames=240)
    write_cmu(tmp_path / "subjects" / "08", "08", frames=240)
    write_amass(tmp_path / "KIT" / "3" / "run_poses.npz", frames=120)
    np.savez(tmp_path / "KIT" / "3" / "shape.npz", betas=np.zeros(16))
    train = read_set(tmp_path, "train", shapes=2)
    assert not train.sequences
    found = [(m.subject, m.name, len(m.joints)) for m in train.motions]
    # 4 s of BVH and 2 s of AMC and AMASS at 12.5 a second; AMASS's on two bodies.
    assert sorted(found) == [
        *[("3", "run_poses", 25), ("3", "run_poses", 25)],
        *[("8", "08_01", 25), ("walks", "one", 50)],
    ]
    assert [m.name for m in read_set(tmp_path, "test").motions] == ["07_01"]
    other = read_set(tmp_path, "test", held_out=("walks",)).motions
    assert [m.name for m in other] == ["one"]
    with pytest.raises(PosecastError, match="where nobody are the subjects held out"):
        read_set(tmp_path, "test", held_out=("nobody",))
    inputs, targets = Sampler(train.motions, 9, 8, 0).draw()
    assert torch.isfinite(inputs).all() and torch.isfinite(targets).all()


def test_single_files(tmp_path):
    write_bvh(tmp_path / "a.bvh", frames=60)
    write_cmu(tmp_path / "cmu", frames=60)
    write_amass(tmp_path / "s" / "x.npz")
    for file in ("a.bvh", "s/x.npz"):
        assert read_set(tmp_path / file).motions
    assert read_set(tmp_path / "cmu" / "07_01.amc", "test").motions


def test_the_cmu_set_is_split_by_subject(tmp_path):
    cmu.write(tmp_path / "cmu_motion.npz", subjects=(1, 2, 7))
    assert {m.subject for m in read_set(tmp_path, "train", shapes=1).motions} == {"1"}
    held = read_set(tmp_path / "cmu_motion.npz", "test", shapes=1).motions
    assert {m.subject for m in held} == {"2", "7"}


def test_amass_stands_upright_on_the_body(tmp_path):
    write_amass(tmp_path / "s" / "x.npz", frames=61, fps=60)
    body = load_body()
    clip = mocap_files.read_amass(tmp_path / "s" / "x.npz", body)
    assert clip.rotations.shape == (51, 24, 3) and clip.subject == "s"
    np.testing.assert_allclose(clip.rotations[:, 0], 0, atol=1e-5)
    assert not clip.rotations[:, 22:].any()
    # Forward along x, up along y.
    assert clip.root[-1, 0] - clip.root[0, 0] == pytest.approx(0.9, abs=1e-3)
    (motion,) = read_set(tmp_path / "s" / "x.npz", shapes=1).motions
    assert 1.2 < height(motion.joints) < 1.9


def test_amass_s_rotations_are_interpolated_in_time(tmp_path):
    """At 30 frames a second, most of the 50 lie between two."""
    poses = write_amass(tmp_path / "s" / "x.npz", frames=31, fps=30)
    clip = mocap_files.read_amass(tmp_path / "s" / "x.npz", load_body())
    assert len(clip.rotations) == 51
    np.testing.assert_allclose(clip.rotations[5, 1:22].ravel(), poses[3, 3:66], atol=1e-4)
    middle = clip.rotations[25, 1:22].ravel()  # 0.5 s is frame 15
    np.testing.assert_allclose(middle, poses[15, 3:66], atol=1e-4)
    between = clip.rotations[1, 1:22].ravel()  # 0.02 s is frame 0.6
    linear = 0.4 * poses[0, 3:66] + 0.6 * poses[1, 3:66]
    np.testing.assert_allclose(between, linear, atol=1e-3)


def test_z_up_bvh_is_turned(tmp_path):
    write_bvh(tmp_path / "a.bvh", frames=60)
    upright = read_set(tmp_path / "a.bvh").motions[0].joints
    turned = read_set(tmp_path / "a.bvh", up="z").motions[0].joints
    torch.testing.assert_close(turned[..., 2], -upright[..., 1])
    torch.testing.assert_close(turned[..., 1], upright[..., 2])


def test_what_is_wrong_is_told_in_a_sentence(tmp_path):
    def told(file) -> str:
        with pytest.raises(PosecastError) as raised:
            read_set(file)
        assert "\n" not in str(raised.value)
        return str(raised.value)

    write_cmu(tmp_path / "a", "60")
    (tmp_path / "a" / "60.asf").rename(tmp_path / "60.asf")
    assert "has no skeleton beside it" in told(tmp_path / "a")
    assert "a skeleton without motion" in told(tmp_path / "60.asf")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.npz").write_bytes(b"PK\x03\x04 broken")
    assert "not a readable .npz archive" in told(tmp_path / "b")
    good = tmp_path / "c" / "x.npz"
    write_amass(good, width=66)
    with np.load(good) as stored:
        np.savez(good, **{**stored, "poses": stored["poses"][:, :63]})
    assert "poses has the shape (30, 63), not SMPL's" in told(good)
    np.savez(good, poses=np.zeros((5, 156)), trans=np.zeros((5, 3)))
    assert "lacks mocap_framerate" in told(good)
    np.savez(good, poses=np.zeros((5, 156)), trans=np.zeros((4, 3)), mocap_framerate=60)
    assert "trans is an array of shape (4, 3)" in told(good)
    np.savez(good, poses=np.zeros((5, 156)), trans=np.zeros((5, 3)), mocap_framerate=0)
    assert "instead of a positive number" in told(good)
    write_amass(good)
    with pytest.raises(PosecastError, match="can't be thinned to 20"):
        read_set(good, fps=20)


def test_trials_that_are_numbered_are_no_subjects(tmp_path):
    """BMLrub in AMASS: else the trial 0002 of everybody were held out, and nobody's others."""
    for subject in ("rub001", "rub002"):
        for trial in ("0001_walk", "0002_treadmill"):
            write_amass(tmp_path / "BMLrub" / subject / f"{trial}_norm_poses.npz")
    write_amass(tmp_path / "CMU" / "07" / "07_01_poses.npz")
    write_amass(tmp_path / "SFU" / "0005" / "0005_2FeetJump001_poses.npz")
    train = read_set(tmp_path, "train", shapes=1, held_out=("rub002", "7")).motions
    assert {motion.subject for motion in train} == {"rub001", "0005"}
    test = read_set(tmp_path, "test", shapes=1, held_out=("rub002", "7")).motions
    assert sorted(motion.subject for motion in test) == ["7", "rub002", "rub002"]
    with pytest.raises(PosecastError, match=r"name others\. Its own are 0005, 7, rub001, rub002"):
        read_set(tmp_path, "test", held_out=("nobody",))
