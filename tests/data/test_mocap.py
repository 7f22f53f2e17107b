"""The CMU set's coding is read; its bones lie on the body as they lay in the recording."""

import numpy as np
import pytest
import torch

from regressor.data import mocap
from regressor.errors import FileFormatError
from regressor.skeletons import SMPL24
from regressor.smpl import load_body
from regressor.smpl.body import chain, local_rotations
from tests.data import cmu

BODY = load_body()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    file = tmp_path_factory.mktemp("cmu") / "cmu_motion.npz"
    return file, cmu.write(file)


def test_a_file_in_the_set_s_coding_is_read(written):
    file, content = written
    clips = mocap.load_clips(file)
    assert [(c.name, c.subject, len(c.root)) for c in clips] == [
        ("clip_0", 1, 120),
        ("clip_1", 2, 80),
        ("clip_2", 3, 100),
    ]
    together = np.concatenate([clip.rotations for clip in clips])
    np.testing.assert_allclose(together, content["rotations"], atol=1e-6)
    np.testing.assert_array_equal(np.concatenate([clip.root for clip in clips]), content["root"])


def test_sums_that_pass_16_bits_wrap(tmp_path):
    file = tmp_path / "a.npz"
    cmu.write(file, lengths=(4,), subjects=(1,))
    with np.load(file) as stored:
        arrays = dict(stored)
    wanted = np.array([30000, -30000, 100, -20000])  # the steps between don't fit into 16 bits
    arrays["rotvec_d"][0] = np.diff(wanted, prepend=0).astype(np.int16)
    np.savez(file, **arrays)
    clip = mocap.load_clips(file)[0]
    np.testing.assert_allclose(clip.rotations[:, 0, 0], wanted * cmu.UNIT, rtol=1e-6)


@pytest.mark.parametrize(
    "write",
    [
        lambda file: None,
        lambda file: file.write_text("hello"),
        lambda file: file.write_bytes(b"PK\x03\x04 cut"),
        lambda file: np.savez(file, poses=np.zeros(3)),
    ],
)
def test_another_file_is_answered_in_a_sentence(tmp_path, write):
    write(tmp_path / "a.npz")
    with pytest.raises(FileFormatError, match="is not the CMU motion set"):
        mocap.load_clips(tmp_path / "a.npz")


def test_on_the_same_skeleton_the_motion_is_the_recording_s(written):
    clip = mocap.load_clips(written[0])[0]
    world, root = mocap.pose_body(clip, BODY)
    wanted, _ = chain(
        mocap.roma.rotvec_to_rotmat(torch.as_tensor(clip.rotations)), torch.zeros(24, 3)
    )
    torch.testing.assert_close(world, wanted, atol=1e-5, rtol=0)
    torch.testing.assert_close(root, torch.as_tensor(clip.root), atol=1e-5, rtol=0)
    thinned, _ = mocap.pose_body(clip, BODY, step=4)
    torch.testing.assert_close(thinned, world[::4])


def test_an_a_pose_s_bones_keep_their_directions(written):
    """Legs that are spread at rest in the recording stay so on a body whose legs hang straight."""
    clip = mocap.load_clips(written[0])[0]
    clip.rotations = np.zeros_like(clip.rotations)
    knee, ankle = SMPL24.index("left_knee"), SMPL24.index("left_ankle")
    clip.rest_offset[knee] = clip.rest_offset[ankle] = 0.5 * np.array([0.3, -0.95, 0.1])
    world, _ = mocap.pose_body(clip, BODY)
    _, joints = chain(local_rotations(world), BODY.rest_joints)
    leg = joints[:, ankle] - joints[:, SMPL24.index("left_hip")]
    wanted = clip.rest_offset[knee] / np.linalg.norm(clip.rest_offset[knee])
    direction = torch.nn.functional.normalize(leg, dim=-1)
    assert (direction @ torch.as_tensor(wanted).float()).min() > 0.999


def test_the_root_s_height_follows_the_legs(written):
    clip = mocap.load_clips(written[0])[0]
    clip.rest_offset = 2 * clip.rest_offset
    _, root = mocap.pose_body(clip, BODY)
    torch.testing.assert_close(root, 0.5 * torch.as_tensor(clip.root), atol=1e-5, rtol=0)
