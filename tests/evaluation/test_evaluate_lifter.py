"""`evaluate lifter`: errors to their golden numbers, the papers' windows, the command's files."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from regressor import checkpoints, images, lifters, skeletons
from regressor.data import mocap, mocap_files
from regressor.data.lifting import Motion17
from regressor.data.sequences import LiftingSequence
from regressor.errors import PosecastError
from regressor.evaluation.lifters import costs
from regressor.evaluation.lifters.predict import Candidate, check, load_candidates, predict
from regressor.evaluation.lifters.scores import Errors, score, summarise
from regressor.evaluation.lifters.seen import TestSet as SeenSet
from regressor.evaluation.lifters.seen import View, read_test_set, see
from regressor.evaluation.options import LifterEvaluation
from regressor.evaluation.run import evaluate
from regressor.lifters.blocks import keypoints_of
from regressor.lifters.gla_gcn import HUMANEVA15_EDGES
from regressor.lifters.windows import LifterInput
from regressor.progress import Progress
from tests.data import cmu
from tests.data.lifting_files import write_humaneva
from tests.data.mocap_writers import write_bvh
from tests.golden.fill import uniform

GOLDEN = Path(__file__).parents[1] / "golden"
SMALL = {"frames": 9, "dim": 16, "depth": 1, "heads": 2}


def drawn(name):
    return (2 * uniform(name, 510) - 1).reshape(10, 17, 3).astype(np.float32)


def test_errors_are_the_published_code_s():
    target = drawn("target")
    target[:, 0] = 0
    found = score(drawn("predicted"), target)
    golden = json.loads((GOLDEN / "lifting_metrics.json").read_text())
    wanted = [golden[n] for n in ("mpjpe", "p_mpjpe", "n_mpjpe", "mean_velocity_error")]
    values = [found.values[n] for n in ("mpjpe", "p_mpjpe", "n_mpjpe", "velocity")]
    np.testing.assert_allclose(values, 1000 * np.array(wanted), atol=0.01)
    assert found.joints.mean() == pytest.approx(found.values["mpjpe"])


def test_pck_is_that_of_mpi_inf_3dhp():
    """Errors of the golden file laid out as 40 frames, about a root that is elsewhere."""
    golden = json.loads((GOLDEN / "lifting_data.json").read_text())
    errors = np.load(GOLDEN / "lifting_data.npz")["errors_3dhp_mm"].T / 1000
    target = np.zeros((40, 17, 3))
    predicted = np.zeros((40, 17, 3))
    predicted[:, :14, 1] = errors[:, :14]
    found = score(predicted + 0.3, target, "mpi_inf_3dhp17", 14).values
    assert found["pck150"] == pytest.approx(golden["pck_150"], abs=1e-4)
    assert found["auc"] == pytest.approx(golden["auc_0_150"], abs=1e-4)


def test_only_valid_frames_count():
    target, predicted = np.zeros((6, 17, 3)), np.zeros((6, 17, 3))
    predicted[2] = 5.0
    predicted[4:, :, 0] = 0.1
    found = score(predicted, target, valid=np.array([1, 1, 0, 1, 1, 1], bool))
    assert found.frames == 5
    assert found.values["mpjpe"] == pytest.approx(40)
    assert found.values["velocity"] == pytest.approx(100 / 3)  # of the steps 0-1, 3-4 and 4-5


def test_long_actions_weigh_more_only_over_all_frames():
    def of(frames, mm):
        keys = ("mpjpe", "p_mpjpe", "n_mpjpe", "velocity", "pck150", "auc")
        return Errors(frames, dict.fromkeys(keys, mm), np.full(17, mm))

    errors = [of(10, 30.0), of(30, 50.0), of(10, 80.0)]
    found = summarise(errors, ["Walking", "Walking", "Directions"])
    assert list(found.groups) == ["Directions", "Walking"]  # as the papers' tables
    assert found.groups["Walking"].values["mpjpe"] == pytest.approx(45)
    assert found.mean_of_groups.values["mpjpe"] == pytest.approx(62.5)
    assert found.frame_weighted.values["mpjpe"] == pytest.approx(52)
    assert found.frame_weighted.frames == 50
    assert list(summarise(errors, ["s 17", "s 2", "s 3"]).groups) == ["s 2", "s 3", "s 17"]


class Echo(nn.Module):
    """Answers x, y and 0: joints that tell which frame they were seen in."""

    frames, joints, channels = 9, 17, 2

    def __init__(self, answers):
        super().__init__()
        self.answers = answers
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, windows):
        joints = torch.cat([windows, 0 * windows[..., :1]], -1) * self.weight
        half = self.frames // 2
        cut = {
            "window": slice(None),
            "centre": slice(half, half + 1),
            "valid": slice(half, joints.shape[1] - half),
        }
        return joints[:, cut[self.answers]]


def echo(answers="window", method="mixste", metres: float | None = 1.0):
    network = Echo(answers)
    expects = LifterInput("screen", 50.0)
    return Candidate("echo", Path("echo"), method, network, expects, metres=metres)


def numbered(length):
    """A sequence whose keypoints' y is the frame's number, in normalised coordinates."""
    keypoints = np.zeros((length, 17, 2), np.float32)
    keypoints[..., 0], keypoints[..., 1] = 500, 500 + 500 * np.arange(length)[:, None]
    joints = np.zeros((length, 17, 3), np.float32)
    return LiftingSequence("", "S9", "Walking", keypoints, joints, 50.0, 1000, 1000)


def set_of(skeleton="h36m17", **more):
    return SeenSet("set", skeleton, 0, "action", [], {}, {}, **more)


@pytest.mark.parametrize("length", [20, 9, 5])
def test_published_windows_follow_each_other(length):
    golden = json.loads((GOLDEN / "lifting_data.json").read_text())
    number = {20: 0, 9: 1, 5: 2}[length]
    windows = np.array(golden["ktpformer_eval_windows_T9"][str(length)]) - 100 * number
    found = predict(echo(), numbered(length), set_of(), "published")
    np.testing.assert_array_equal(found.frames, windows.ravel())
    np.testing.assert_allclose(found.joints[:, 5, 1], windows.ravel(), atol=1e-4)


@pytest.mark.parametrize("length", [20, 9, 5])
def test_hot_has_the_recording_in_the_middle(length):
    chunks = json.loads((GOLDEN / "lifting_data.json").read_text())["chunks_seq9"]
    number = {20: 0, 9: 1, 5: 2}[length]
    wanted = [np.arange(a, b) for n, a, b, flip in chunks if n == number and not flip]
    wanted = np.clip(np.concatenate(wanted), 0, length - 1)
    found = predict(echo(method="hot_mixste"), numbered(length), set_of(), "published")
    np.testing.assert_array_equal(found.frames, wanted)
    assert (found.joints[:, 0] == 0).all()  # and its root is set to 0
    np.testing.assert_allclose(found.joints[:, 1, 1], wanted, atol=1e-4)


@pytest.mark.parametrize("answers", ["centre", "valid"])
def test_networks_of_a_frame_answer_for_each(answers):
    for length in (1, 20):
        found = predict(echo(answers), numbered(length), set_of(), "published")
        np.testing.assert_array_equal(found.frames, np.arange(length))
        np.testing.assert_allclose(found.joints[:, 5, 1], np.arange(length), atol=1e-4)


def test_mpi_inf_3dhp_counts_each_frame_once_in_millimetres():
    found = predict(
        echo(metres=None), numbered(20),
        SeenSet("3DHP", "mpi_inf_3dhp17", 14, "sequence", [], {}, {}, "mpi_inf_3dhp17", 0.001),
        "published",
    )  # fmt: skip
    np.testing.assert_allclose(found.joints[:, 0, 1], 0.001 * np.arange(20), atol=1e-6)
    assert (found.joints[:, 14] == 0).all()


def test_sides_of_other_skeletons_change_places():
    """A network that sees the right side only is told the left one by the mirrored person."""

    class Right(Echo):
        def forward(self, windows):
            names = skeletons.MPI_INF_3DHP17
            right = torch.tensor([name.startswith("right") for name in names])
            return super().forward(windows) * right[:, None]

    candidate = echo()
    candidate.network = Right("window")
    skeleton = "mpi_inf_3dhp17"
    found = predict(
        candidate, numbered(9), set_of(skeleton, keypoint_skeleton=skeleton), "published"
    )
    sides = [found.joints[8, skeletons.side(which, skeleton), 1] for which in ("left", "right")]
    np.testing.assert_allclose(sides, 4.0, atol=1e-4)


def test_lifted_frames_are_each_there_once():
    found = predict(echo(), numbered(20), set_of(), "lifted")
    np.testing.assert_array_equal(found.frames, np.arange(20))
    np.testing.assert_allclose(found.joints, 0, atol=1e-4)  # all joints are in one point


@pytest.fixture(scope="module")
def motion():
    generator = torch.Generator().manual_seed(0)
    joints = torch.rand(61, 17, 3, generator=generator) * 0.6 + torch.tensor([0, 0.6, 0])
    return Motion17(joints + 0.01, joints)


def test_whole_motions_are_seen_by_one_camera(motion):
    clean, noisy, noisier = see(motion, [0, 1, 2], 12.5, 3)
    assert clean.keypoints.shape == (61, 17, 3) and (clean.keypoints[..., 2] == 1).all()
    assert clean.joints[..., 2].min() > 0.3
    # All conditions have one camera, and errors of one kind.
    np.testing.assert_array_equal(clean.joints, noisy.joints)
    error = noisy.keypoints[..., :2] - clean.keypoints[..., :2]
    twice = noisier.keypoints[..., :2] - clean.keypoints[..., :2]
    np.testing.assert_allclose(twice, 2 * error, atol=0.05)
    assert (noisy.keypoints[..., 2] < 1).mean() > 0.9
    # Distances in the picture are those of the points, but for the guess of the focal length.
    rays = clean.joints[..., :2] / clean.joints[..., 2:]
    assert clean.intrinsics is not None
    scale = np.ptp(clean.keypoints[..., 0]) / np.ptp(rays[..., 0]) / clean.intrinsics[0, 0]
    assert 0.6 < scale < 1.6


def test_errors_have_a_detector_s_size_from_end_to_end(motion):
    """Pieces fade into each other: the fade isn't quieter, and there is no jump."""
    clean, noisy = see(motion, [0, 1], 12.5, 3)
    error = (noisy.keypoints - clean.keypoints)[..., :2]
    spread = clean.keypoints[..., :2] - clean.keypoints[..., :2].mean(1, keepdims=True)
    relative = np.linalg.norm(error, axis=-1) / np.linalg.norm(spread, axis=-1).mean()
    assert (relative.mean(axis=1) > 0.01).all()
    assert 0.03 < np.median(relative) < 0.15


def test_the_same_seed_shows_the_same(motion):
    one, same, other = (see(motion, [1], 12.5, seed)[0].keypoints for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 10


@pytest.fixture(scope="module")
def motions(tmp_path_factory):
    file = tmp_path_factory.mktemp("cmu") / "cmu_motion.npz"
    cmu.write(file, (120, 80, 100), (2, 7, 1))
    return file


def test_subjects_held_out_are_judged(motions):
    found = read_test_set(motions.parent, "gt", None, View(cameras=2))
    assert found.groups == ["subject 2"] * 2 + ["subject 7"] * 2
    assert list(found.conditions) == ["clean", "noisy"]
    assert [len(one) for one in found.conditions["clean"]] == [30, 30, 20, 20]


def test_motions_are_seen_at_the_rate_asked_for_on_one_body(motions, tmp_path):
    """Frames of a motion are so many a second of it, whatever file it is in."""
    write_bvh(tmp_path / "ann" / "walk.bvh", frames=51, fps=25)  # two seconds
    write_bvh(tmp_path / "bob" / "turn.bvh", frames=26, fps=25)
    for path, held, wanted in (
        (motions, mocap_files.HELD_OUT, {12.5: [30, 20], 25: [60, 40]}),
        (tmp_path, ("bob", "ann"), {12.5: [26, 13], 25: [51, 26]}),
    ):
        for fps, lengths in wanted.items():
            found = read_test_set(path, "gt", (0.0,), View(fps, cameras=1), held_out=held)
            assert [len(one) for one in found.conditions["clean"]] == lengths
            assert {one.fps for one in found.conditions["clean"]} == {fps}
    # Their own joints are seen, not landmarks of a body.
    assert found.detector is None and "joints themselves" in found.notes["keypoints"]
    assert (
        found.groups == ["subject ann", "subject bob"] == [f"subject {s}" for s in found.subjects]
    )


def test_subjects_whom_a_training_knew_are_told(tmp_path, motions):
    mine = save(tmp_path, "mine", "videopose3d", held_out="subjects 1, 3")
    options = {
        "data": motions, "checkpoint": (mine,), "cameras": 1, "rounds": 0, "plot": False,
        "output": tmp_path / "out", "device": "cpu", "noise": (0.0,),
    }  # fmt: skip
    message, paths = evaluate(LifterEvaluation(**options), Progress("none"))
    told = "mine may have learned from subject 2, 7: its card names only 1, 3 as held out"
    assert told in message and told in paths[0].read_text()
    message, paths = evaluate(LifterEvaluation(**options, held_out=("1",)), Progress("none"))
    assert "may have learned" not in message and "subject 1" in message
    refused("--held-out is for motion capture", **{
        **options, "data": write_sequences(tmp_path / "3dhp"), "held_out": ("1",), "noise": None
    })  # fmt: skip


def write_sequences(folder):
    folder.mkdir()
    write_3dhp(folder)
    return folder


def save(folder, name, method="ktpformer", **more):
    options = dict(SMALL)
    if method == "videopose3d":
        options = {"frames": 9, "dim": 16}
    torch.manual_seed(len(name))
    network = lifters.create(method, **options)
    card = {"coordinates": "centred", "fps": 12.5, "held_out": "subjects 2, 7, 17, 55, 127"}
    card |= more
    checkpoints.save(
        network, folder / f"{name}.safetensors", name=method, options=options, card=card
    )
    return folder / f"{name}.safetensors"


def test_one_table_for_several_networks(tmp_path, motions):
    files = (save(tmp_path, "mine"), save(tmp_path, "theirs", "videopose3d"))
    options = LifterEvaluation(
        data=motions, checkpoint=files, cameras=1, rounds=1, output=tmp_path / "out", device="cpu"
    )
    message, paths = evaluate(options, Progress("none"))
    assert "mine" in message and "theirs" in message and "subject 7" in message
    assert [path.name for path in paths] == ["scores.json", "scores.csv", "errors.png"]
    assert all(path.stat().st_size > 100 for path in paths)
    found = json.loads(paths[0].read_text())["networks"]
    rows = list(csv.DictReader(paths[1].open()))
    assert len(rows) == 2 * 2 * (2 + 2)  # networks, conditions, two means and two subjects
    for name, network in found.items():
        for condition, groups in network["conditions"].items():
            one = groups["subject 2"]
            assert one["frames"] == 30
            assert np.mean(list(one["joints_mpjpe_mm"].values())) == pytest.approx(
                one["mpjpe_mm"], abs=0.01
            )
            both = [groups[f"subject {n}"]["mpjpe_mm"] for n in (2, 7)]
            assert groups["mean of subjects"]["mpjpe_mm"] == pytest.approx(np.mean(both), abs=0.01)
            row = next(r for r in rows if r["network"] == name and r["condition"] == condition)
            assert float(row["mpjpe_mm"]) == groups["mean of subjects"]["mpjpe_mm"]
        assert network["ms_frame"] > 0


def test_before_and_after_uao_are_beside_each_other(tmp_path, motions):
    """Weights of any training, adapted or not, on a set of one's choice, by one command."""
    files = (save(tmp_path, "before", "videopose3d"), save(tmp_path, "adapted", "videopose3d"))
    options = LifterEvaluation(
        data=motions, checkpoint=files, cameras=1, noise=(1.0,), rounds=1, refine="uao",
        output=tmp_path / "out", device="cpu", plot=False,
    )  # fmt: skip
    message, paths = evaluate(options, Progress("none"))
    found = json.loads(paths[0].read_text())["networks"]
    assert list(found) == ["before", "before + UAO", "adapted", "adapted + UAO"]
    assert [one["refined"] for one in found.values()] == [False, True, False, True]
    errors = [one["conditions"]["noisy"]["all frames"]["mpjpe_mm"] for one in found.values()]
    assert len(set(errors)) == 4 and all(name in message for name in found)
    assert found["before + UAO"]["ms_frame"] > found["before"]["ms_frame"]
    refused("--refine works on videos", **{**vars(options), "protocol": "published"})


def write_3dhp(folder) -> dict:
    """MPI-INF-3DHP's test as in its archive, of frames without sense."""
    rng = np.random.default_rng(0)
    sequences = {
        name: {
            "data_2d": rng.uniform(0, 2048, (frames, 17, 2)),
            "data_3d": rng.uniform(-500, 500, (frames, 17, 3)) + [0, 0, 4000],
            "valid": np.arange(frames) % 3 > 0,
        }
        for name, frames in (("TS1", 21), ("TS5", 12))
    }
    np.savez(folder / "data_test_3dhp.npz", data=np.array(sequences, dtype=object))
    return sequences


def test_a_lifter_of_human36m_s_joints_meets_mpi_inf_3dhp(tmp_path):
    """Joints that correspond change places: what is scored is what was stored."""
    stored = write_3dhp(tmp_path)["TS5"]
    found = read_test_set(tmp_path, "gt", None, View(), as_h36m=True)
    one = found.conditions["gt"][1]
    for name in ("pelvis", "thorax", "left_wrist", "right_ankle", "head_top"):
        theirs = skeletons.MPI_INF_3DHP17.index({"thorax": "neck"}.get(name, name))
        mine = skeletons.H36M17.index(name)
        np.testing.assert_allclose(one.joints[:, mine], stored["data_3d"][:, theirs] / 1000, 1e-5)
        np.testing.assert_allclose(one.keypoints[:, mine], stored["data_2d"][:, theirs], 1e-5)
    mine = save(tmp_path, "mine", "videopose3d", coordinates="screen", fps=25.0)
    options = {"data": tmp_path, "checkpoint": (mine,), "rounds": 0, "output": tmp_path / "out",
               "device": "cpu", "plot": False}  # fmt: skip
    refused("--as-h36m rearranges", **options)
    message, paths = evaluate(
        LifterEvaluation(**options, as_h36m=True, refine="uao"), Progress("none")
    )
    assert "lifted" in message and "mean of sequences" in message
    networks = json.loads(paths[0].read_text())["networks"]
    assert list(networks) == ["mine", "mine + UAO"]
    counted = networks["mine"]["conditions"]["gt"]
    assert [counted[name]["frames"] for name in ("TS1", "TS5")] == [14, 8]


def test_networks_of_human36m_s_joints_count_in_metres_everywhere(tmp_path):
    """Authors' weights that meet MPI-INF-3DHP on rearranged joints weren't trained in its unit."""
    write_3dhp(tmp_path)
    found = read_test_set(tmp_path, "gt", None, View(), as_h36m=True)
    one = found.conditions["gt"][0]
    published = predict(echo(metres=None), one, found, "published", flip=False)
    screen = one.keypoints / (one.width / 2) - 1
    np.testing.assert_allclose(published.joints[:9, 3, :2], screen[:9, 3], atol=1e-5)


def test_costs_are_those_of_the_products():
    class Linear(nn.Module):
        frames, joints, channels, answers = 9, 17, 2, "window"

        def __init__(self):
            super().__init__()
            self.head = nn.Linear(2, 3)

        def forward(self, keypoints):
            return self.head(keypoints)

    found = costs.count(Linear())
    assert found.parameters == 9
    assert found.multiply_adds_window == 9 * 17 * 6
    assert found.multiply_adds_frame == 17 * 6


def test_a_convolution_s_frame_costs_less_than_its_window():
    found = costs.count(lifters.create("videopose3d", frames=27, dim=8).eval())
    first, hidden, last = 34 * 3 * 8, 2 * (8 * 8 * 3 + 8 * 8), 8 * 51
    assert found.multiply_adds_frame == first + hidden + last
    assert found.multiply_adds_window > found.multiply_adds_frame


@pytest.mark.parametrize("name", lifters.names())
def test_every_lifter_s_costs_can_be_counted(name):
    small = {"frames": 1 if name == "uao" else 9, "dim": 16, "depth": 2, "heads": 2}
    known = lifters.option_names(name)
    network = lifters.create(name, **{k: v for k, v in small.items() if k in known})
    found = costs.count(network.requires_grad_(False).eval())
    assert 0 < found.multiply_adds_frame <= found.multiply_adds_window


def authors_file(folder):
    """KTPFormer as its authors save it."""
    network = lifters.create("ktpformer", **{**SMALL, "heads": 8})
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    torch.save({"epoch": 1, "model_pos": state}, folder / "authors.bin")
    return folder / "authors.bin"


def test_authors_weights_on_mpi_inf_3dhp(tmp_path):
    sequences = write_3dhp(tmp_path)
    options = LifterEvaluation(
        data=tmp_path, checkpoint=(authors_file(tmp_path),), method="ktpformer", rounds=0,
        output=tmp_path / "out", device="cpu", plot=False,
    )  # fmt: skip
    message, paths = evaluate(options, Progress("none"))
    assert "published" in message and "mean of sequences" in message
    found = json.loads(paths[0].read_text())["networks"]["authors"]["conditions"]["gt"]
    assert [found[name]["frames"] for name in ("TS1", "TS5", "all frames")] == [14, 8, 22]
    assert found["TS1"]["joints_mpjpe_mm"]["pelvis"] == 0
    # Untrained, in millimetres, it says next to nothing: the error is as far as the joints are.
    target = sequences["TS1"]["data_3d"] - sequences["TS1"]["data_3d"][:, 14:15]
    reach = np.linalg.norm(target, axis=-1)[sequences["TS1"]["valid"]].mean()
    assert found["TS1"]["mpjpe_mm"] == pytest.approx(reach, abs=5)
    refused(
        "can't be lifted", data=tmp_path, checkpoint=(tmp_path / "authors.bin",),
        method="ktpformer", protocol="lifted", output=tmp_path / "out", device="cpu",
    )  # fmt: skip
    refused(
        "--noise is for motions", data=tmp_path, checkpoint=(tmp_path / "authors.bin",),
        method="ktpformer", noise=(0.0, 1.0), output=tmp_path / "out", device="cpu",
    )  # fmt: skip
    sequences["TS1"]["valid"][:] = sequences["TS5"]["valid"][:] = False
    np.savez(tmp_path / "data_test_3dhp.npz", data=np.array(sequences, dtype=object))
    refused(
        "no frame that counts", data=tmp_path, checkpoint=(tmp_path / "authors.bin",),
        method="ktpformer", output=tmp_path / "out", device="cpu",
    )  # fmt: skip


def test_authors_weights_on_humaneva_that_read_cocos_keypoints(tmp_path):
    write_humaneva(tmp_path, "detectron_pt_coco", frames=9)
    file, known = tmp_path / "authors.bin", {"frames": 27, "dim": 16, "joints": 15}
    network = lifters.create("videopose3d", keypoints=17, **known)
    torch.save({"model_pos": network.state_dict()}, file)
    options = {
        "data": tmp_path, "checkpoint": (file,), "method": "videopose3d", "rounds": 0,
        "output": tmp_path / "out", "device": "cpu", "plot": False,
    }  # fmt: skip
    detected = LifterEvaluation(**options, detections="detectron_pt_coco")
    message, paths = evaluate(detected, Progress("none"))
    assert "published" in message and "subject and action" in message
    found = json.loads(paths[0].read_text())["networks"]["authors"]["conditions"]
    assert found["detectron_pt_coco"]["all frames"]["frames"] == 6 * 9
    write_humaneva(tmp_path, frames=9)
    refused("knows 17 keypoints, and HumanEva-I has 15", **options)
    torch.save({"model_pos": lifters.create("videopose3d", frames=27, dim=16).state_dict()}, file)
    refused("knows 17 joints, and HumanEva-I has 15", **vars(detected))


def test_gla_gcn_s_weights_on_humaneva_read_cocos_keypoints_too(tmp_path):
    """Their file is that of the weights for 15 keypoints; what runs them differs."""
    write_humaneva(tmp_path, frames=9)
    write_humaneva(tmp_path, "detectron_pt_coco", frames=9)
    network = lifters.create("gla_gcn", frames=9, dim=8, joints=15, edges=HUMANEVA15_EDGES)
    torch.save({"model_pos": network.state_dict()}, tmp_path / "authors.bin")
    for name, reads in (("gt", 15), ("detectron_pt_coco", 17)):
        found = read_test_set(tmp_path, name, None, View())
        (one,) = load_candidates((tmp_path / "authors.bin",), "gla_gcn", "cpu")
        check(one, found)
        assert keypoints_of(one.network) == reads
        sequence = found.conditions[name][0]
        joints = predict(one, sequence, found, "published", flip=True).joints
        assert joints.shape == (9, 15, 3) and np.isfinite(joints).all()


def test_human36m_by_action_and_from_coco(tmp_path):
    rng = np.random.default_rng(0)
    motion = rng.uniform(-0.5, 0.5, (12, 32, 3)).astype(np.float32) + [0, 0, 1]
    actions = {"Walking 1": motion, "Walking": motion[:6], "Eating": motion}
    world = {"S9": actions, "S11": {"Eating": motion}}
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d=np.array(world, dtype=object))
    seen = {
        subject: {name: [rng.uniform(0, 1000, (12, 17, 2))] * 4 for name in actions}
        for subject in world
    }
    np.savez(
        tmp_path / "data_2d_h36m_detectron_pt_coco.npz",
        positions_2d=np.array(seen, dtype=object),
        metadata=np.array(
            {"num_joints": 17, "layout_name": "coco",
             "keypoints_symmetry": [[*range(1, 17, 2)], [*range(2, 17, 2)]]}, dtype=object
        ),
    )  # fmt: skip
    mine = save(tmp_path, "mine", coordinates="screen", fps=50.0)
    options = {
        "data": tmp_path, "checkpoint": (mine,), "rounds": 0, "output": tmp_path / "out",
        "device": "cpu", "plot": False,
    }  # fmt: skip
    message, paths = evaluate(LifterEvaluation(**options), Progress("none"))
    found = json.loads(paths[0].read_text())["networks"]["mine"]["conditions"]["gt"]
    names = ["mean of actions", "all frames", "Eating", "Walking"]
    assert list(found) == names
    assert [found[name]["frames"] for name in names] == [168, 168, 96, 72]
    detected = {**options, "detections": "detectron_pt_coco"}
    refused("--as-h36m rearranges", **detected)
    message, paths = evaluate(LifterEvaluation(**detected, as_h36m=True), Progress("none"))
    assert "lifted" in message
    other = json.loads(paths[0].read_text())["networks"]["mine"]["conditions"]
    assert list(other) == ["detectron_pt_coco"]
    message, _ = evaluate(LifterEvaluation(**options, protocol="published"), Progress("none"))
    assert "published" in message


def refused(sentence, **options):
    with pytest.raises(PosecastError, match=sentence):
        evaluate(LifterEvaluation(**{"rounds": 0, **options}), Progress("none"))


def test_what_cannot_be_judged_is_one_sentence(tmp_path, motions):
    mine = save(tmp_path, "mine")
    good = {"data": motions, "checkpoint": (mine,), "output": tmp_path / "out"}
    refused("no such file", **{**good, "checkpoint": (tmp_path / "gone.safetensors",)})
    refused("no such file or folder", **{**good, "data": tmp_path / "gone"})
    refused("given twice", **{**good, "checkpoint": (mine, mine)})
    refused("no divisor of 50", **{**good, "fps": 30.0})
    refused("from 0 to 100", **{**good, "noise": (-1.0,)})
    refused("same number twice", **{**good, "noise": (1.0, 1.0)})
    refused("1 to 50", **{**good, "cameras": 0})
    (tmp_path / "authors.bin").write_bytes(b"no network")
    refused("name it by --method", **{**good, "checkpoint": (tmp_path / "authors.bin",)})
    refused(
        "not a readable checkpoint",
        **{**good, "checkpoint": (tmp_path / "authors.bin",), "method": "mixste"},
    )
    refused("another skeleton: it knows mpi", **{
        **good, "checkpoint": (save(tmp_path, "other", skeleton="mpi_inf_3dhp17"),)
    })  # fmt: skip
    network = images.create("hmr", depth=18, hidden=16)
    file = tmp_path / "image.safetensors"
    options = {"depth": 18, "hidden": 16}
    checkpoints.save(network, file, name="dsr", options=options, card={"crops": "dsr"})
    refused("lifts no keypoints", **{**good, "checkpoint": (file,)})
    nobody = tmp_path / "nobody"
    nobody.mkdir()
    cmu.write(nobody / "cmu_motion.npz", (60,), (1,))
    refused("subjects held out: name others. Its own are 1", **{**good, "data": nobody})
    assert not (tmp_path / "out").exists()
    assert 1 not in mocap.HELD_OUT
