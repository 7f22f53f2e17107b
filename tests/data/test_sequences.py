"""What a path is, and refusals of what it isn't."""

import numpy as np
import pytest

from regressor import skeletons
from regressor.data.sequences import read_set, recognise
from regressor.errors import FileFormatError, PosecastError
from tests.data import cmu
from tests.data.lifting_files import write_3dhp, write_h36m, write_humaneva
from tests.data.mocap_writers import write_amass, write_bvh, write_cmu


def test_every_set_is_recognised_by_its_folder_and_its_files(tmp_path):
    write_h36m(tmp_path / "h36m", frames=1)
    write_3dhp(tmp_path / "mpi", frames=1)
    write_humaneva(tmp_path / "he", frames=1)
    write_bvh(tmp_path / "bvh" / "deep" / "a.bvh", frames=1)
    write_cmu(tmp_path / "cmu" / "07", frames=1)
    write_amass(tmp_path / "amass" / "s" / "x.npz", frames=2)
    (tmp_path / "set").mkdir()
    cmu.write(tmp_path / "set" / "cmu_motion.npz")
    (tmp_path / "pw" / "sequenceFiles" / "test").mkdir(parents=True)
    for place, module in (
        ("h36m", "h36m"),
        ("h36m/data_3d_h36m.npz", "h36m"),
        ("mpi", "mpi_inf_3dhp"),
        ("mpi/data_train_3dhp.npz", "mpi_inf_3dhp"),
        ("he", "humaneva"),
        ("he/data_3d_humaneva15.npz", "humaneva"),
        ("bvh", "mocap_files"),
        ("bvh/deep/a.bvh", "mocap_files"),
        ("cmu", "mocap_files"),
        ("cmu/07/07_01.amc", "mocap_files"),
        ("amass", "mocap_files"),
        ("amass/s/x.npz", "mocap_files"),
        ("set", "mocap_files"),
        ("set/cmu_motion.npz", "mocap_files"),
        ("pw", "threedpw_lifting"),
    ):
        assert recognise(tmp_path / place) == module, place


def test_what_is_no_data_set_is_told(tmp_path):
    (tmp_path / "notes.txt").write_text("text")
    np.savez(tmp_path / "other.npz", numbers=np.eye(2))
    (tmp_path / "broken.npz").write_bytes(b"PK")
    for name in ("", "notes.txt", "other.npz", "broken.npz"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(FileFormatError, match="no data set that lifters can use: give"):
            read_set(tmp_path / (name or "empty"))
    with pytest.raises(FileFormatError, match="there is no such file or folder"):
        read_set(tmp_path / "nothing")
    with pytest.raises(PosecastError, match="no split 'all': choose train or test"):
        read_set(tmp_path, "all")


@pytest.mark.parametrize("skeleton", skeletons.JOINTS)
def test_sides_are_a_skeleton_s_mirror(skeleton):
    left, right = skeletons.side("left", skeleton), skeletons.side("right", skeleton)
    swapped = skeletons.mirror(skeleton)
    assert swapped[left].tolist() == right and swapped[right].tolist() == left
    rest = set(range(len(swapped))) - {*left, *right}
    assert all(swapped[joint] == joint for joint in rest)
