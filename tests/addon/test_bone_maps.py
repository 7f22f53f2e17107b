"""Bone maps: each family's, the guess on armatures as users have them, the user's own as files."""

import json
from itertools import product

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")


from addon.retarget import presets  # noqa: E402
from addon.retarget.bone_names import opposite, read_name  # noqa: E402
from addon.retarget.chains import spine_joints  # noqa: E402
from addon.retarget.guess import guess, partial_guess, recognise  # noqa: E402
from addon.retarget.maps import FAMILIES  # noqa: E402
from addon.retarget.read import read_rig  # noqa: E402
from addon.retarget.rig import RetargetError, Rig  # noqa: E402
from addon.retarget.topology import by_topology  # noqa: E402
from addon.skeleton import JOINTS  # noqa: E402
from tests.addon import rigs  # noqa: E402

SKELETONS = tuple(kind for kind in rigs.KINDS if kind != "rigify")
CONTROLS = ("autorig", "rigify")  # two sets of bones: their shape alone doesn't tell which to use
OPTIONS = [
    {"pose": pose, "axis": axis, "scale": scale, "roll_seed": seed, "facing": facing}
    | {"legs": legs, "arms": arms}
    for (pose, axis), (scale, seed, facing, legs, arms) in product(
        product("TA", "ZY"),
        [(0.01, 1, 90, 0.75, 1.2), (100, 2, 215, 1.25, 0.8)],
    )
]


def renamed(rig: Rig, names) -> Rig:
    return Rig(**{**vars(rig), "names": tuple(names)})


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.identifier)
def test_each_family_names_joints_once_and_bones_once(family):
    bones = [name for names in family.joints.values() for name in names]
    assert set(family.joints) <= set(JOINTS)
    assert len(bones) == len(set(bones))
    assert set(family.fingerprint) - set(family.illegal)
    assert len({one.identifier for one in FAMILIES}) == len(FAMILIES)
    needed = {"pelvis", "left_hip", "right_hip", "left_elbow", "right_elbow", "head"}
    assert needed <= set(family.joints)


@pytest.mark.parametrize("kind", SKELETONS)
def test_the_bones_are_found_whatever_the_rest_pose(scene, kind):
    truth = rigs.truth(kind)
    for options in OPTIONS:
        rig = read_rig(rigs.build(kind, **options))
        assert guess(rig) == truth, options
        if kind in CONTROLS:
            continue
        shaped = by_topology(rig)
        for side in ("left", "right"):
            if kind == "mpfb":  # which of the toes it takes doesn't matter
                assert shaped[f"{side}_foot"].startswith("toe")
                shaped[f"{side}_foot"] = truth[f"{side}_foot"]
        assert shaped == {joint: truth[joint] for joint in truth if "hand" not in joint}, options


def test_names_of_no_known_kind(scene):
    rig = read_rig(rigs.build("unreal", pose="A", roll_seed=3))
    words = {"calf": "Unterschenkel", "thigh": "Oberschenkel", "hand": "Hand", "foot": "Fuss"}
    sides = {"_l": ".Links", "_r": ".Rechts"}
    names = []
    for name in rig.names:
        for old, new in (words | sides).items():
            name = name.replace(old, new) if old in words or name.endswith(old) else name
        names.append(name)
    other = dict(zip(rig.names, names, strict=True))
    assert guess(renamed(rig, names)) == {
        joint: other[bone] for joint, bone in rigs.truth("unreal").items()
    }


def test_character_lying_in_the_world_is_still_read(scene):
    armature = rigs.build("odd", axis="Y")
    armature.rotation_euler.x = 0
    bpy.context.view_layer.update()
    assert guess(read_rig(armature)) == rigs.truth("odd")


def test_rigify_is_recognised_and_its_metarig_refused(scene):
    rig = read_rig(rigs.build("rigify"))
    assert recognise(rig) == "rigify"
    assert guess(rig) == rigs.truth("rigify")
    metarig = read_rig(rigs.build("rigify_metarig"))
    for identifier in ("AUTO", "rigify"):
        with pytest.raises(RetargetError, match="Generate Rig"):
            presets.find(identifier, metarig)


def test_kinds_are_recognised(scene):
    known = {kind: recognise(read_rig(rigs.build(kind))) for kind in SKELETONS}
    assert known.pop("odd") is None
    assert known.pop("game_engine") == "unreal"
    assert known.pop("valve") is None
    assert all(kind == found for kind, found in known.items())


def test_namespaces_and_short_spines(scene):
    rig = read_rig(rigs.build("mixamo"))
    names = [name.replace("mixamorig:", "Bob:mixamorig9:") for name in rig.names]
    assert guess(renamed(rig, names))["left_elbow"] == "Bob:mixamorig9:LeftForeArm"
    short = read_rig(rigs.build("unity"))
    names = [name.replace("UpperChest", "Other") for name in short.names]
    found = presets.find("unity", renamed(short, names))
    assert (found["spine1"], found["spine3"]) == ("Spine", "Chest")
    assert "spine2" not in found


def test_what_is_no_humanoid_is_answered(scene):
    rig = read_rig(rigs.build("odd"))
    keep = [0, 1]
    stump = Rig(rig.names[:2], rig.parents[keep], rig.rest[keep], rig.lengths[keep])
    assert partial_guess(stump) == {}
    with pytest.raises(RetargetError, match="humanoid"):
        guess(stump)


def test_legs_alone_are_a_partial_map(scene):
    rig = read_rig(rigs.build("odd"))
    truth = rigs.truth("odd")
    legs = {joint: bone for joint, bone in truth.items() if joint.split("_")[-1] in
            ("pelvis", "hip", "knee", "ankle", "foot")}  # fmt: skip
    parent = {name: rig.parents[rig.index(name)] for name in rig.names}
    keep = sorted({rig.index(bone) for bone in legs.values()} | {parent[truth["pelvis"]]})
    number = {old: new for new, old in enumerate(keep)}
    half = Rig(
        tuple(rig.names[index] for index in keep),
        np.array([number.get(rig.parents[index], -1) for index in keep]),
        rig.rest[keep],
        rig.lengths[keep],
    )
    assert guess(half) == legs


def test_spines_of_any_length():
    assert spine_joints(np.array([])) == {}
    assert spine_joints(np.array([0.3])) == {"spine3": 0}
    assert spine_joints(np.array([0.15, 0.5])) == {"spine3": 1, "spine1": 0}
    assert spine_joints(np.array([0.45, 0.7])) == {"spine3": 1, "spine2": 0}
    assert spine_joints(np.linspace(0.1, 0.9, 9)) == {"spine3": 8, "spine1": 1, "spine2": 4}


@pytest.mark.parametrize(
    "name, side, words",
    [
        ("mixamorig:LeftForeArm", "left", ["fore", "arm"]),
        ("DEF-upper_arm.R.001", "right", ["upper", "arm", "001"]),
        ("Bip01 L Thigh", "left", ["thigh"]),
        ("lShldrBend", "left", ["shldr", "bend"]),
        ("CC_Base_R_Calf", "right", ["calf"]),
        ("Lowerback", "", ["lowerback"]),
        ("左ひじ", "left", ["ひじ"]),
    ],
)
def test_names_are_read(name, side, words):
    assert read_name(name) == (side, words)


def test_bones_of_the_other_side():
    names = ("lShin", "rShin", "J_Bip_L_Hand", "J_Bip_R_Hand", "spine", "arm.l", "arm_twist.r")
    assert opposite("lShin", names) == "rShin"
    assert opposite("J_Bip_R_Hand", names) == "J_Bip_L_Hand"
    assert opposite("spine", names) is None
    assert opposite("arm.l", names) is None


def test_users_maps_round_trip(scene, tmp_path):
    rig, folder = read_rig(rigs.build("odd")), tmp_path / "maps"
    identifier = presets.save(" My rig: 1/2 ", rigs.truth("odd"), folder)
    assert presets.user_presets(folder) == ["My rig: 1/2"]
    assert identifier in [name for name, _, _ in presets.names(folder)]
    assert presets.find(identifier, rig, folder) == rigs.truth("odd")
    with pytest.raises(RetargetError, match="none of the bones"):
        presets.find(identifier, read_rig(rigs.build("mixamo")), folder)
    presets.delete("My rig: 1/2", folder)
    assert presets.user_presets(folder) == [] and not list(folder.iterdir())
    with pytest.raises(RetargetError, match="any more"):
        presets.find(identifier, rig, folder)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"bones": []}', '{"bones": {"tail": "a"}}', '{"bones": {"head": 3}}',
     "[" * 50_000, " " * 200_000, '{"bones": {"head": "' + "a" * 300 + '"}}'],
)  # fmt: skip
def test_files_that_are_no_maps(tmp_path, text):
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(RetargetError, match="isn't a bone map"):
        presets.load("bad", tmp_path)


def test_what_cannot_be_saved(tmp_path):
    for name in ("", "  ", "a" * 61, "a\nb"):
        with pytest.raises(RetargetError, match="name"):
            presets.save(name, {"head": "Head"}, tmp_path)
    with pytest.raises(RetargetError, match="No bone"):
        presets.save("empty", {"head": ""}, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RetargetError, match="can't be written"):
        presets.save("a", {"head": "Head"}, tmp_path / "file")
    presets.save("../up", {"head": "Head"}, tmp_path / "maps")
    assert [path.name for path in tmp_path.rglob("*.json")] == ["%2E%2E%2Fup.json"]
    assert json.loads(next(tmp_path.rglob("*.json")).read_text()) == {"bones": {"head": "Head"}}


def test_unknown_map_names_those_there_are(scene):
    with pytest.raises(RetargetError, match="mixamo"):
        presets.find("maximo", read_rig(rigs.build("odd")))
