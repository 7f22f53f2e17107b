"""CMU's ASF and AMC: forward kinematics against SciPy's rotations, and broken files."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from regressor.data import asf_amc
from regressor.errors import FileFormatError
from regressor.skeletons import H36M17
from tests.data.mocap_writers import CMU_BONES, write_cmu


def ends_of(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """(T, 3) ends in the file's units, frame by frame."""
    frames = len(values["root"])
    turned = {"root": Rotation.from_euler("xyz", values["root"][:, 3:], degrees=True)}
    ends = {"root": values["root"][:, :3]}
    for name, parent, direction, length, axis, freedoms in CMU_BONES:
        own = np.zeros((frames, 3))
        for column, freedom in enumerate(freedoms.split()):
            own[:, "xyz".index(freedom[1])] = values[name][:, column]
        axes = Rotation.from_euler("xyz", axis, degrees=True)
        motion = Rotation.from_euler("xyz", own, degrees=True)
        turned[name] = turned[parent] * axes * motion * axes.inv()
        ends[name] = ends[parent] + turned[name].apply(np.array(direction) * length)
    return ends


def test_bones_end_where_the_angles_put_them(tmp_path):
    values = write_cmu(tmp_path)
    skeleton = asf_amc.read_asf(tmp_path / "07.asf")
    assert skeleton.metres_per_unit == pytest.approx(0.0564444, abs=1e-6)
    found = asf_amc.forward(skeleton, asf_amc.read_amc(tmp_path / "07_01.amc", skeleton))
    for name, wanted in ends_of(values).items():
        np.testing.assert_allclose(found[name], wanted * 0.0254 / 0.45, atol=1e-5)


def test_the_17_joints_are_ends_of_cmu_s_bones(tmp_path):
    values = write_cmu(tmp_path)
    ends = {name: end * 0.0254 / 0.45 for name, end in ends_of(values).items()}
    joints = asf_amc.to_h36m17(ends, tmp_path / "07_01.amc")
    assert joints.shape == (6, 17, 3) and joints.dtype == np.float32
    ours = dict(zip(H36M17, np.moveaxis(joints, 1, 0), strict=True))
    for name, theirs in (("left_knee", "lfemur"), ("right_wrist", "rwrist"), ("nose", "upperneck")):
        np.testing.assert_allclose(ours[name], ends[theirs], atol=1e-5)
    np.testing.assert_allclose(ours["thorax"], (ends["thorax"] + ends["lowerneck"]) / 2, atol=1e-5)
    del ends["lwrist"], ends["head"]
    with pytest.raises(FileFormatError, match="it has no head, lwrist"):
        asf_amc.to_h36m17(ends, tmp_path / "07_01.amc")


def test_radians_are_read(tmp_path):
    values = write_cmu(tmp_path)
    amc, skeleton = tmp_path / "07_01.amc", asf_amc.read_asf(tmp_path / "07.asf")
    amc.write_text(amc.read_text().replace(":DEGREES", ":RADIANS"))
    read = asf_amc.read_amc(amc, skeleton)
    np.testing.assert_allclose(read["ltibia"], np.degrees(values["ltibia"]), rtol=1e-4)
    np.testing.assert_allclose(read["root"][:, :3], values["root"][:, :3], atol=1e-5)


def test_broken_skeletons_are_told_in_a_sentence(tmp_path):
    write_cmu(tmp_path)
    file = tmp_path / "07.asf"
    text = file.read_text()
    for broken, told in (
        ("", "it has no units"),
        (text[:500], "it has no hierarchy"),
        (text.replace("length 0.45", "length 0"), "unit of length is 0"),
        (text.replace("direction 0 1 0\n", "direction 0 one 0\n", 1), "could not convert"),
        (text.replace("direction 0 1 0\n", "direction 0 1\n", 1), "one of its lines is cut off"),
        (text.replace("dof rx", "dof qx", 1), "'qx' is no degree of freedom"),
        (text.replace("0  XYZ", "0  XXX", 1), "'XXX' is no order of axes"),
        (text.replace("    root lowerback", "    root nobone"), "it has no nobone"),
        (text.replace("    thorax lowerneck", "    thorax upperback"), "upperback has two parents"),
        (text.replace("    root lowerback", "    tail lowerback"), "tail has children before"),
        (text.replace("axis 0 0 0  XYZ", "axis 0 0 0", 1), "one of its lines is cut off"),
    ):
        file.write_text(broken)
        with pytest.raises(FileFormatError, match=told) as raised:
            asf_amc.read_asf(file)
        assert "\n" not in str(raised.value)
    with pytest.raises(FileFormatError, match="No such file"):
        asf_amc.read_asf(tmp_path / "none.asf")


def test_broken_motions_are_told_in_a_sentence(tmp_path):
    write_cmu(tmp_path)
    file, skeleton = tmp_path / "07_01.amc", asf_amc.read_asf(tmp_path / "07.asf")
    text = file.read_text()
    last = text.rindex("rwrist")
    for broken, told in (
        ("", "it has no frames with a root"),
        (text[:last], "rwrist has not 1 values in each of the 6 frames"),
        (text.replace("head ", "tail ", 1), "its skeleton has no bone tail"),
        (text.replace("ltibia ", "ltibia 1 ", 1), "ltibia has not 1 values"),
        (text.replace("ltibia ", "ltibia x", 1), "could not convert"),
        (text[: last + 7] + "nan\n", "rwrist has values that are no numbers"),
    ):
        file.write_text(broken)
        with pytest.raises(FileFormatError, match=told) as raised:
            asf_amc.read_amc(file, skeleton)
        assert "\n" not in str(raised.value)
