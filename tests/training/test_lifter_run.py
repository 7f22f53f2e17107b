"""Trainings of lifters of a few steps: small networks, tiny mocap."""

import functools
import subprocess
import sys

import numpy as np
import pytest
import torch

from regressor import checkpoints, lifters, train
from regressor.errors import FileFormatError, PosecastError
from regressor.evaluation.options import LifterEvaluation
from regressor.evaluation.run import evaluate
from regressor.lifters.windows import Picture, lift
from regressor.lifting import load_lifter
from regressor.progress import Progress
from regressor.training.lifters.options import LifterTraining
from tests.data import cmu
from tests.data.lifting_files import write_3dhp, write_h36m
from tests.training.tiny import losses

pytest.importorskip("lightning")
pytest.importorskip("tensorboard")

from regressor.training.lifters.module import Lifting, answer, disturbed
from regressor.training.lifters.run import train_lifter

TINY = {"frames": 9, "dim": 16, "depth": 2, "heads": 2}


@pytest.fixture
def options(tmp_path):
    cmu.write(tmp_path / "cmu_motion.npz", subjects=(1, 2, 3))

    def make(output, **changes) -> LifterTraining:
        made = {
            "data": tmp_path / "cmu_motion.npz", "output": tmp_path / output, "model": "mixste",
            **TINY, "batch": 4, "shapes": 1, "steps": 4, "log_every": 1, "check_windows": 0,
            "accelerator": "cpu",
        }  # fmt: skip
        return LifterTraining(**{**made, **changes})

    return make


def test_its_weights_lift_a_track(options, capsys):
    made = options("small.safetensors", model="ktpformer", check_windows=2)
    found = train_lifter(made)
    assert set(found) == {"clean_mpjpe", "clean_p_mpjpe", "noisy_mpjpe", "noisy_p_mpjpe"}
    network, expects = load_lifter("ktpformer", made.output, "cpu")
    assert (expects.coordinates, expects.fps) == ("centred", 12.5)
    points = 100 + 50 * np.random.default_rng(0).normal(size=(5, 17, 2)).astype(np.float32)
    picture = Picture(np.array([[500.0, 0, 100], [0, 500, 100], [0, 0, 1]]), 200)
    joints = lift(network, expects, points, np.arange(5) / 25, picture)
    assert joints.shape == (5, 17, 3) and np.isfinite(joints).all()
    card = checkpoints.load(made.output)[1]["card"]
    assert card["steps"] == 4 and card["held_out_mm"] == found and card["windows_per_step"] == 4
    told = capsys.readouterr().out
    assert "2 motions" in told and "held out: clean_mpjpe" in told and "samples a second" in told
    assert list((made.output.parent / "small").glob("curves/events*"))


@pytest.mark.parametrize("model", [name for name in lifters.names() if name != "ktpformer"])
def test_every_lifter_learns(options, model):
    try:
        lifters.option_names(model)
    except ModuleNotFoundError:
        pytest.skip("not written yet")
    made = options("run", model=model, steps=2)
    for name in ("frames", "dim", "depth", "heads"):
        own = name != "frames" and model == "gla_gcn"
        if own or name not in lifters.option_names(model):
            setattr(made, name, None)
    train_lifter(made)
    assert all(np.isfinite(list(losses(made.folder).values())))
    assert checkpoints.load(made.weights)[0].answers in ("window", "centre", "valid")


def test_a_killed_training_resumes_to_the_same_losses(options, monkeypatch):
    train_lifter(options("whole", steps=5))
    whole = losses(options("whole").folder)
    real = Lifting.training_step

    def dying(self, batch, index):
        if self.global_step == 3:
            raise RuntimeError("killed")
        return real(self, batch, index)

    killed = options("killed", steps=5, save_minutes=0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Lifting, "training_step", dying)
        with pytest.raises(RuntimeError, match="killed"):
            train_lifter(killed)
    assert not killed.weights.exists()
    train_lifter(killed)
    assert losses(killed.folder) == pytest.approx(whole, rel=1e-6)
    one, other = (checkpoints.load(options(n).weights)[0] for n in ("whole", "killed"))
    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[name], msg=name)


def test_two_processes_agree_with_one(options):
    """64 windows are drawn together: two processes with 64 see what one with 128 does."""
    same = {"average": 0.0, "steps": 3}
    one = options("one", batch=128, **same)
    train_lifter(one)
    command = [
        sys.executable, "-m", "regressor.train", "lifter", "--data", one.data, "--model", "mixste",
        "--output", one.output.parent / "two", "--batch", "64", "--steps", "3", "--average", "0",
        "--frames", "9", "--dim", "16", "--depth", "2", "--heads", "2", "--shapes", "1",
        "--check-windows", "0", "--accelerator", "cpu", "--devices", "2", "--log-every", "1",
    ]  # fmt: skip
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    both = losses(one.output.parent / "two")
    assert both == pytest.approx(losses(one.folder), rel=1e-4)


def test_a_data_set_is_learned_by_the_paper_s_recipe(options, tmp_path):
    write_3dhp(tmp_path / "3dhp")
    made = options(
        "set", data=tmp_path / "3dhp", preset="paper", model="ktpformer", batch=2, steps=2,
        check_windows=4,
    )  # fmt: skip
    found = train_lifter(made)
    assert set(found) == {"mpjpe", "p_mpjpe"}
    card = checkpoints.load(made.weights)[1]["card"]
    assert card["coordinates"] == "screen" and card["skeleton"] == "mpi_inf_3dhp17"


def test_the_detector_s_own_joints_are_in_the_card(options, tmp_path):
    """So that weights for COCO's keypoints are judged on these, and on no rearranged ones."""
    write_h36m(tmp_path / "h36m", "detectron_pt_coco")
    data = {"data": tmp_path / "h36m", "detections": "detectron_pt_coco"}
    made = options("coco", **data, preset="paper", model="mixste", batch=2, steps=1)
    train_lifter(made)
    judged = {
        **data, "checkpoint": (made.weights,), "rounds": 0, "plot": False,
        "output": tmp_path / "scores", "device": "cpu",
    }  # fmt: skip
    message, _ = evaluate(LifterEvaluation(**judged), Progress("none"))
    assert "published" in message
    with pytest.raises(PosecastError, match="it knows keypoints of coco17"):
        evaluate(LifterEvaluation(**judged, as_h36m=True), Progress("none"))
    with pytest.raises(PosecastError, match=r"another skeleton \(coco17\)"):
        load_lifter("mixste", made.weights, "cpu")


@pytest.mark.parametrize(("columns", "known"), [(0, True), (3, True), (2, False)])
def test_confidences_are_read_as_they_were_learned_from(options, tmp_path, columns, known):
    """Of motion capture (0) they are drawn; data sets may have them in a third column."""
    more = {}
    if columns:
        write_h36m(tmp_path / "h36m")
        file = tmp_path / "h36m" / "data_2d_h36m_cpn_ft_h36m_dbb.npz"
        stored = dict(np.load(file, allow_pickle=True))
        for actions in stored["positions_2d"].item().values():
            for name, views in actions.items():
                actions[name] = [np.pad(v, ((0, 0), (0, 0), (0, columns - 2))) for v in views]
        np.savez(file, **stored)
        more = {"data": tmp_path / "h36m", "detections": "cpn_ft_h36m_dbb"}
    made = options("sure", model="motionbert", **more, steps=1)
    train_lifter(made)
    assert load_lifter("motionbert", made.weights, "cpu")[1].confidence == known
    train_lifter(plain := options("plain", **more, steps=1))
    assert not load_lifter("mixste", plain.weights, "cpu")[1].confidence


def test_time_is_kept_and_bfloat16_learns(options):
    made = options("short", steps=100000, minutes=0.0001, precision="bf16-mixed")
    train_lifter(made)
    assert checkpoints.load(made.weights)[1]["card"]["steps"] == 1
    before = made.weights.read_bytes()
    train_lifter(made)
    assert made.weights.read_bytes() == before


def test_a_compiled_network_learns_the_same(options, monkeypatch):
    captured = functools.partial(torch.compile, backend="eager")  # needs no C++ compiler
    monkeypatch.setattr(torch, "compile", captured)
    for compiled in (False, True):
        train_lifter(options(f"{compiled}", depth=1, steps=3, compiled=compiled))
    plain, compiled = (
        checkpoints.load(options(f"{c}").weights)[0].state_dict() for c in (False, True)
    )
    for name, value in plain.items():
        torch.testing.assert_close(compiled[name], value, rtol=0, atol=2e-4)


def test_what_cannot_be_is_told_in_a_sentence(options, tmp_path):
    (tmp_path / "odd.npz").write_text("hello")
    with pytest.raises(FileFormatError, match="no data set"):
        train_lifter(options("odd", data=tmp_path / "odd.npz"))
    with pytest.raises(PosecastError, match="no lifter called"):
        train_lifter(options("odd", model="mixture"))
    with pytest.raises(PosecastError, match="--batch 0 has to be above 0"):
        train_lifter(options("odd", batch=0))
    with pytest.raises(PosecastError, match="--precision odd isn't known"):
        train_lifter(options("odd", precision="odd"))
    with pytest.raises(PosecastError, match="--minutes nan has to be at least 0"):
        train_lifter(options("odd", minutes=float("nan")))
    with pytest.raises(PosecastError, match="has no option"):
        train_lifter(options("odd", options={"wings": 2}))
    with pytest.raises(PosecastError, match="13"):
        train_lifter(options("odd", fps=13.0))
    with pytest.raises(PosecastError, match="--minutes 0 leaves no time"):
        train_lifter(options("odd", minutes=0.0))
    assert not (tmp_path / "odd").exists()
    train_lifter(options("one", steps=1))
    with pytest.raises(FileFormatError, match="another model"):
        train_lifter(options("one", steps=2, model="ktpformer"))


@pytest.mark.parametrize("text", ["{", "[]", "\udcff"], ids=["cut", "no table", "no text"])
def test_damaged_files_of_a_training_are_told_in_a_sentence(options, text):
    one = options("one", steps=1)
    one.folder.mkdir()
    settings, state = one.folder / "training.json", one.folder / "last.ckpt"
    torch.save({"state_dict": {"weight": torch.zeros(50)}}, state)
    settings.write_text(text, errors="surrogateescape")
    with pytest.raises(FileFormatError, match=r"training.json is damaged, .* another folder"):
        train_lifter(one)
    settings.unlink()
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(FileFormatError, match=r"last.ckpt is damaged, .* begin anew"):
        train_lifter(one)
    state.unlink()
    train_lifter(one)


def test_without_lightning_it_says_what_to_install(options, monkeypatch):
    for name in [n for n in sys.modules if n.startswith("regressor.training.")]:
        if name.rsplit(".", 1)[1] in ("run", "module", "timing", "trainer", "learning", "checks"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lightning", None)
    with pytest.raises(PosecastError, match=r"posecast\[train\]"):
        train.lifter(options("never"))
    assert not options("never").output.exists()


def test_networks_that_keep_frames_are_compared_with_these():
    class Keeper(torch.nn.Module):
        frames, answers = 5, "centre"

        def forward_kept(self, inputs):
            return inputs[:, [1, 3]], torch.tensor([[1, 3]]).expand(len(inputs), -1)

    target = torch.randn(2, 5, 17, 3)
    ((joints, meant),) = answer(Keeper(), target, target)
    assert torch.equal(joints, meant)


def test_disturbed_targets_are_turned_and_scaled_a_little():
    torch.manual_seed(0)
    target = torch.randn(64, 3, 17, 3)
    after = disturbed(target)
    assert torch.equal(after[..., 2], target[..., 2])
    ratio = after[..., :2].norm(dim=-1) / target[..., :2].norm(dim=-1)
    torch.testing.assert_close(ratio, ratio[:, :1, :1].expand_as(ratio))
    assert sorted({round(float(r), 2) for r in ratio[:, 0, 0]}) == [0.95, 1.0, 1.05]
