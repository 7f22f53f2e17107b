"""Adapting lifters in a few steps: tiny mocap as source, the estimator's cache as target."""

import sys

import numpy as np
import pytest
import torch

from regressor import checkpoints, lifters, methods, train
from regressor.adapt import targets
from regressor.adapt.poseda import AdaptedWindows, Scheme, Source
from regressor.cache import Cache
from regressor.data.sequences import read_set
from regressor.detection import Detections, Track
from regressor.errors import FileFormatError, PosecastError
from regressor.lifters.windows import Picture, lift
from regressor.lifting import load_lifter
from regressor.skeletons import JOINTS
from regressor.training.adapt.options import AdaptTraining
from tests.data import cmu
from tests.training.tiny import losses

FRAMES = 12


def keypoints(count: int = 17, frames: int = FRAMES) -> np.ndarray:
    """People of 300 pixels in the left half of a picture of 1280 x 720."""
    random = np.random.default_rng(0)
    return (random.uniform(-150, 150, (frames, count, 2)) + (400, 350)).astype(np.float32)


def write_tracks(folder) -> None:
    """What the estimator's cache holds of a video with one person in it, as mediapipe sees them."""
    count = len(JOINTS["mediapipe33"])
    track = Track(
        np.arange(FRAMES), np.arange(FRAMES) / 25, np.zeros((FRAMES, 4), np.float32),
        keypoints(count), np.full((FRAMES, count), 0.9, np.float32), np.arange(FRAMES) > 1,
        "mediapipe33",
    )  # fmt: skip
    found = Detections([track], FRAMES, 25.0, np.arange(FRAMES) / 25, 1280, 720, [], False,
                       np.zeros((FRAMES, 2)))  # fmt: skip
    Cache(folder, 10).keep_detections("detections-0", found, None)


@pytest.fixture
def options(tmp_path):
    cmu.write(tmp_path / "cmu_motion.npz", subjects=(1, 2, 3))
    write_tracks(tmp_path / "footage")

    def make(output, **changes) -> AdaptTraining:
        made = {
            "lifter": "videopose3d", "source": tmp_path / "cmu_motion.npz",
            "target": tmp_path / "footage", "output": tmp_path / output, "frames": 9, "dim": 16,
            "batch": 4, "shapes": 1, "steps": 3, "lpa_steps": 3, "lpa_batch": 8, "log_every": 1,
            "check_windows": 2, "accelerator": "cpu",
        }  # fmt: skip
        return AdaptTraining(**{**made, **changes})

    return make


@pytest.fixture
def adapt_lifter():
    pytest.importorskip("lightning")
    pytest.importorskip("tensorboard")
    from regressor.training.adapt.run import adapt_lifter

    return adapt_lifter


def source(tmp_path, frames: int = 9, batch: int = 8) -> Source:
    cmu.write(tmp_path / "cmu_motion.npz")
    data = read_set(tmp_path / "cmu_motion.npz", shapes=1, held_out=())
    return Source(data, frames, batch, 0, 12.5)


def test_tracks_are_seen_as_by_the_estimator(tmp_path):
    write_tracks(tmp_path)
    found = targets.read_targets(tmp_path)
    assert len(found) == FRAMES - 2 and found.guessed  # not where nobody was observed
    x, y = found.keypoints.mean(dim=(0, 1))
    assert float(x) == pytest.approx(400 / 640 - 1, abs=0.1)
    assert float(y) == pytest.approx((350 - 360) / 640, abs=0.1)
    assert found.cameras.shape == (FRAMES - 2, 4) and float(found.heights[0]) == 720 / 1280
    given = targets.read_targets(tmp_path, fov_deg=90.0)
    torch.testing.assert_close(given.cameras[0], torch.tensor([1.0, 1, 0, 0]))
    assert not given.guessed


def test_frames_that_nobody_can_use_do_not_count():
    unsure = targets.Seen(keypoints(), np.full((FRAMES, 17), 0.2), 1280, 720, None)
    tiny = targets.Seen(keypoints() / 1000, None, 1280, 720, None)
    with pytest.raises(PosecastError, match="Nobody is seen well enough in both"):
        targets.gather([unsure, tiny], "both")


def test_windows_stand_where_the_target_does(tmp_path):
    target = targets.gather([targets.Seen(keypoints(), None, 1280, 720, None)], "one", 60.0)
    scheme = Scheme("screen", noise=0.0)
    windows = AdaptedWindows(source(tmp_path), target, None, scheme)
    joints, seen, _ = windows.source.draw()
    placed, screen, cameras = windows.place(joints, seen, target)
    near = (screen[:, 4, :1] - target.keypoints[None, :, 0]).norm(dim=-1).min(dim=1).values
    assert (near < 1e-4).all()  # each root lies on one of the target's
    relative = (w - w[:, 4:5, :1] for w in (placed, joints))
    torch.testing.assert_close(*relative, atol=1e-5, rtol=1e-4)  # moved, and nothing else
    torch.testing.assert_close(cameras, target.cameras[:1].expand(8, 4))
    inputs, answers = windows.draw()
    assert inputs.shape == (8, 9, 17, 2) and answers.shape == (8, 9, 17, 3)
    torch.testing.assert_close(answers[:, :, 0], torch.zeros(8, 9, 3))


def test_a_source_that_cannot_be_placed_is_told(tmp_path):
    target = targets.gather([targets.Seen(keypoints() + 5000, None, 1280, 720, None)], "far")
    windows = AdaptedWindows(source(tmp_path), target, None, Scheme())
    with pytest.raises(PosecastError, match="No pose of the source"):
        windows.draw()


def test_the_lifter_is_one_that_estimate_takes(options, adapt_lifter, capsys):
    made = options("mine.safetensors")
    found = adapt_lifter(made)
    assert set(found) == {"mpjpe", "p_mpjpe"}
    assert [m["name"] for m in methods.methods(made.output) if m["name"] == "videopose3d"]
    network, expects = load_lifter("videopose3d", made.output, "cpu")
    assert (expects.coordinates, expects.fps) == ("centred", 12.5)
    picture = Picture(np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]]), 1280)
    joints = lift(network, expects, keypoints(), np.arange(FRAMES) / 25, picture)
    assert np.isfinite(joints).all()
    card = checkpoints.read_metadata(made.output)["card"]
    assert card["adapted"]["by"] == "PoseDA: GPA and LPA" and card["steps"] == 3
    assert card["held_out_subjects"] == list(made.held_out)
    told = capsys.readouterr().out
    assert "10 frames" in told and "the generator first" in told and "held out: mpjpe" in told


@pytest.mark.parametrize("model", ["uao", "mixste", "motionbert"])
def test_other_lifters_go_on_from_their_weights(options, adapt_lifter, model):
    small = {"uao": {"frames": None}, "mixste": {"depth": 1, "heads": 2},
             "motionbert": {"depth": 1, "heads": 2, "options": {"dim_rep": 8}}}[model]  # fmt: skip
    same = {"lifter": model, "lpa": False, "steps": 1, "check_windows": 0, **small}
    first = options("first.safetensors", coordinates="screen", **same)
    adapt_lifter(first)
    second = options("second.safetensors", start=first.output, **same)
    adapt_lifter(second)
    before, after = (checkpoints.load(o.output) for o in (first, second))
    assert after[1]["options"] == before[1]["options"]
    assert after[1]["card"]["coordinates"] == "screen"
    assert after[1]["card"]["adapted"]["start"] == "first.safetensors"
    with pytest.raises(PosecastError, match="reads screen coordinates"):
        adapt_lifter(options("third", start=first.output, coordinates="centred", **same))
    with pytest.raises(PosecastError, match="not for gla_gcn"):
        adapt_lifter(options("third", start=first.output, **{**same, "lifter": "gla_gcn"}))


def test_authors_weights_are_a_start_if_they_are_of_17_joints(options, adapt_lifter, tmp_path):
    file, same = tmp_path / "authors.bin", {"lpa": False, "steps": 1, "check_windows": 0}
    for joints in (17, 15):
        network = lifters.create("videopose3d", frames=9, dim=16, joints=joints)
        torch.save({"model_pos": network.state_dict()}, file)
        if joints == 17:
            adapt_lifter(options("mine.safetensors", start=file, **same))
    made = checkpoints.read_metadata(tmp_path / "mine.safetensors")
    assert made["options"] == {"frames": 9, "joints": 17, "dim": 16, "channels": 2}
    with pytest.raises(PosecastError, match="another skeleton"):
        adapt_lifter(options("other", start=file, **same))


def test_a_killed_training_resumes_to_the_same_losses(options, adapt_lifter, monkeypatch):
    from regressor.training.adapt.lpa import LpaLearning
    from regressor.training.lifters.module import Lifting

    same = {"check_windows": 0, "save_minutes": 0.0, "steps": 3}
    adapt_lifter(options("whole", **same))
    for kind in (LpaLearning, Lifting):
        real = kind.training_step

        def dying(self, batch, index, real=real):
            if self.global_step == 2:
                raise RuntimeError("killed")
            return real(self, batch, index)

        with monkeypatch.context() as patch:
            patch.setattr(kind, "training_step", dying)
            with pytest.raises(RuntimeError, match="killed"):
                adapt_lifter(options("killed", **same))
    adapt_lifter(options("killed", **same))
    for part in ("lpa", ""):
        one, other = (losses(options(n).output / part) for n in ("whole", "killed"))
        assert other == pytest.approx(one, rel=1e-5) and len(one) == 3
    with pytest.raises(FileFormatError, match="another noise"):
        adapt_lifter(options("killed", noise=0.5, **same))


def test_what_cannot_be_is_told_in_a_sentence(options, adapt_lifter, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileFormatError, match="no data set"):
        adapt_lifter(options("odd", target=tmp_path / "empty"))
    with pytest.raises(PosecastError, match="--augmented has to be from 0"):
        adapt_lifter(options("odd", augmented=1.0))
    with pytest.raises(PosecastError, match="no lifter called"):
        adapt_lifter(options("odd", lifter="mixture"))


def test_the_generator_ends_where_the_lifter_does(options):
    """It has its share of the minutes; where only steps are given, of these."""
    alone = options("mine", lpa_steps=None, steps=300)
    assert alone.lpa_training().steps == 100 and alone.lpa_training().minutes is None
    timed = options("mine", lpa_steps=None, steps=None, minutes=8.0)
    assert timed.lpa_training().minutes == 2.0 and timed.training().minutes == 6.0
    given = options("mine", lpa_steps=None, steps=None, minutes=8.0, generator="before")
    assert given.training().minutes == 8.0


def test_another_training_s_generator_serves(options, adapt_lifter):
    adapt_lifter(options("one"))
    file = options("one").output / "lpa" / "generator.safetensors"
    adapt_lifter(options("two", generator=file, check_windows=0))
    assert not (options("two").output / "lpa").exists()
    with pytest.raises(FileFormatError):
        adapt_lifter(options("three", generator=options("one").training().weights))


def test_without_lightning_it_says_what_to_install(options, monkeypatch):
    for name in [n for n in sys.modules if n.startswith("regressor.training.")]:
        if name.rsplit(".", 1)[1] in ("run", "module", "timing", "trainer", "learning", "checks",
                                      "lpa"):  # fmt: skip
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lightning", None)
    with pytest.raises(PosecastError, match=r"posecast\[train\]"):
        train.adapt(options("never"))
    assert not options("never").output.exists()
