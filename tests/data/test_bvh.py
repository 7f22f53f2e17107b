"""BVH: forward kinematics against SciPy's rotations, names of several makers, broken files."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from regressor.data import bvh
from regressor.errors import FileFormatError
from regressor.skeletons import H36M17
from tests.data.mocap_writers import BONES, ORDER, joints_in_order, write_bvh


def kinematics(places: np.ndarray, angles: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Positions (T, 3) of every joint."""
    parents, offsets = {b[0]: b[1] for b in BONES}, {b[0]: np.array(b[2]) for b in BONES}
    turned, placed = {}, {}
    for name in joints_in_order():
        own = angles.get(name, np.zeros((len(places), 3)))
        turn = Rotation.from_euler(ORDER, own, degrees=True)
        parent = parents[name]
        turned[name] = turned[parent] * turn if parent else turn
        step = turned[parent].apply(offsets[name]) if parent else places
        placed[name] = placed[parent] + step if parent else places
    return placed


def test_joints_are_where_the_angles_put_them(tmp_path):
    places, angles = write_bvh(tmp_path / "a.bvh")
    recording = bvh.read_bvh(tmp_path / "a.bvh")
    wanted = kinematics(places, angles)
    assert recording.fps == pytest.approx(60, rel=1e-3)
    assert recording.names == joints_in_order()
    for number, name in enumerate(recording.names):
        np.testing.assert_allclose(recording.positions[:, number], wanted[name], atol=1e-3)


@pytest.mark.parametrize(("prefix", "scale"), [("", 1), ("mixamorig:", 0.01), ("Character_", 10)])
def test_the_17_joints_are_found_by_name_and_measured_by_the_legs(tmp_path, prefix, scale):
    file = tmp_path / "a.bvh"
    prefix = "" if prefix == "Character_" else prefix
    places, angles = write_bvh(file, prefix=prefix, scale=scale)
    found = bvh.to_h36m17(bvh.read_bvh(file), file, None)
    joints = {n: v / 100 for n, v in kinematics(places / scale, angles).items()}
    ours = dict(zip(H36M17, np.moveaxis(found, 1, 0), strict=True))
    for name, theirs in (
        *(("left_hip", "LeftUpLeg"), ("right_knee", "RightLeg"), ("left_ankle", "LeftFoot")),
        *(("right_shoulder", "RightArm"), ("left_elbow", "LeftForeArm")),
        *(("left_wrist", "LeftHand"), ("thorax", "Neck"), ("nose", "Head")),
        ("head_top", "Head_end"),
    ):
        np.testing.assert_allclose(ours[name], joints[theirs], atol=1e-4)
    middle = (joints["LeftUpLeg"] + joints["RightUpLeg"]) / 2
    np.testing.assert_allclose(ours["pelvis"], middle, atol=1e-4)
    # On the chain, between Spine and Spine1, where it is 47 % of the way up.
    lower, upper = joints["Spine"], joints["Spine1"]
    share = ((ours["spine"] - lower) * (upper - lower)).sum(-1) / ((upper - lower) ** 2).sum(-1)
    np.testing.assert_allclose(share, (0.47 * (15 + 40) - 15) / 15, atol=1e-3)


@pytest.mark.parametrize(
    ("names", "hip", "shoulder"),
    [
        ("lThigh lShin lFoot lCollar lShldr lForeArm lHand", "lThigh", "lShldr"),
        ("LeftHip LeftKnee LeftAnkle LeftCollar LeftShoulder LeftElbow LeftWrist", *("LeftHip",),
         "LeftShoulder"),
        ("left_hip left_knee left_ankle left_collar left_shoulder left_elbow left_wrist",
         "left_hip", "left_shoulder"),
        ("thigh_l calf_l foot_l clavicle_l upperarm_l lowerarm_l hand_l", "thigh_l", "upperarm_l"),
        ("LHipJoint LeftUpLeg LeftLeg LeftFoot LeftShoulder LeftArm LeftForeArm LeftHand",
         "LeftUpLeg", "LeftArm"),
    ],
)  # fmt: skip
def test_names_of_several_makers_are_known(names, hip, shoulder):
    words = names.split()
    found = bvh.find_joints(words)
    assert found["left_hip"] == words.index(hip)
    assert found["left_shoulder"] == words.index(shoulder)
    assert {f"left_{part}" for part in bvh.PARTS} <= found.keys()


@pytest.mark.parametrize(
    ("names", "used"),
    [
        (  # SMPL's ends lie beyond ankles and wrists
            "left_hip left_knee left_ankle left_foot left_collar left_shoulder left_elbow "
            "left_wrist left_hand neck head",
            "left_hip left_knee left_ankle left_shoulder left_elbow left_wrist neck head",
        ),
        (
            "Bip01_L_Thigh Bip01_L_Calf Bip01_L_Foot Bip01_L_Toe0 Bip01_L_Clavicle "
            "Bip01_L_UpperArm Bip01_L_Forearm Bip01_L_Hand Bip01_Neck Bip01_Head",
            "Bip01_L_Thigh Bip01_L_Calf Bip01_L_Foot Bip01_L_UpperArm Bip01_L_Forearm "
            "Bip01_L_Hand Bip01_Neck Bip01_Head",
        ),
        (
            "J_Bip_L_UpperLeg J_Bip_L_LowerLeg J_Bip_L_Foot J_Bip_L_Shoulder J_Bip_L_UpperArm "
            "J_Bip_L_LowerArm J_Bip_L_Hand J_Bip_C_Neck J_Bip_C_Head",
            "J_Bip_L_UpperLeg J_Bip_L_LowerLeg J_Bip_L_Foot J_Bip_L_UpperArm J_Bip_L_LowerArm "
            "J_Bip_L_Hand J_Bip_C_Neck J_Bip_C_Head",
        ),
        (
            "l_up_leg l_low_leg l_foot l_shoulder l_up_arm l_low_arm l_hand neck_1 neck_2 head",
            "l_up_leg l_low_leg l_foot l_up_arm l_low_arm l_hand neck_1 head",
        ),
        (
            "lThighBend lThighTwist lShin lFoot lCollar lShldrBend lShldrTwist lForearmBend lHand "
            "neckLower neckUpper head",
            "lThighBend lShin lFoot lShldrBend lForearmBend lHand neckLower head",
        ),
        (
            "thigh_l calf_l foot_l clavicle_l upperarm_l lowerarm_l hand_l neck_01 head",
            "thigh_l calf_l foot_l upperarm_l lowerarm_l hand_l neck_01 head",
        ),
    ],
)
def test_which_of_the_joints_are_taken(names, used):
    words = names.split()
    found = bvh.find_joints(words)
    wanted = ["left_hip", "left_knee", "left_ankle", "left_shoulder", "left_elbow", "left_wrist"]
    assert [words[found[name]] for name in [*wanted, "neck", "head"]] == used.split()


def test_a_head_without_an_end_has_a_crown_all_the_same(tmp_path):
    file = tmp_path / "a.bvh"
    write_bvh(file)
    recording = bvh.read_bvh(file)
    recording.names[recording.names.index("Head_end")] = "Hair"
    nose, crown, thorax = bvh.to_h36m17(recording, file, None)[:, [9, 10, 8]].transpose(1, 0, 2)
    np.testing.assert_allclose(np.linalg.norm(crown - nose, axis=-1), 0.14 * 0.85, atol=1e-4)
    assert (((crown - nose) * (nose - thorax)).sum(-1) > 0).all()


def test_a_skeleton_without_a_person_s_joints_is_refused(tmp_path):
    file = tmp_path / "a.bvh"
    write_bvh(file)
    file.write_text(file.read_text().replace("LeftForeArm", "Fin").replace("Neck", "Stalk"))
    with pytest.raises(FileFormatError, match="looks like left_elbow, neck; it has Hips, Spine"):
        bvh.to_h36m17(bvh.read_bvh(file), file, None)


def test_broken_files_are_told_in_a_sentence(tmp_path):
    file = tmp_path / "a.bvh"
    write_bvh(file)
    text = file.read_text()
    for broken, told in (
        ("", "doesn't begin with HIERARCHY"),
        ("HIERARCHY\nROOT", "hierarchy is cut off"),
        ("HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\n}\n}\n}\n", "hierarchy is cut off"),
        (text[: text.index("JOINT Spine1")], "ends before it is closed"),
        (text[: len(text) - 40], "values for 12 frames"),
        (text.replace("Frame Time: ", "Frame Time: x"), "could not convert"),
        (text.replace("Frames: 12", "Frames: 0"), "values for 0 frames"),
        (text.replace("OFFSET 0 10 0", "OFFSET 0 ten 0", 1), "could not convert"),
        (text.replace("JOINT Spine\n", "JOINT Spine\nWINGS\n", 1), "'WINGS' has no meaning"),
        (text.replace("CHANNELS 3 Z", "CHANNELS -2 Z", 1), "channels that are none"),
        (text.replace("Zrotation", "Wrotation", 1), "Hips has channels that are none"),
        (text.replace("MOTION", "NOTHING"), "has no meaning"),
        (text[:-10] + "nan\n", "no numbers of a motion"),
        ("HIERARCHY\n" + "ROOT a { OFFSET 0 0 0 " * 2000, "more than 1000 joints"),
    ):
        file.write_text(broken)
        with pytest.raises(FileFormatError, match=told) as raised:
            bvh.read_bvh(file)
        assert "\n" not in str(raised.value)
    with pytest.raises(FileFormatError, match="No such file"):
        bvh.read_bvh(tmp_path / "none.bvh")
    file.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(FileFormatError, match="doesn't begin with HIERARCHY"):
        bvh.read_bvh(file)
