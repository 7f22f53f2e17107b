"""Every network over tracks of any length: in batches as one window at a time, in flat memory."""

import numpy as np
import pytest
import torch
from torch import nn

from regressor import lifters
from regressor.lifters import inference
from regressor.lifters.windows import MIRROR, LifterInput, Picture, lift

FRAMES = 9
PICTURE = Picture(np.array([[800.0, 0, 480], [0, 800.0, 270], [0, 0, 1]]), 960)
FPS = 25.0


class Window(nn.Module):
    """A frame's joints depend on the whole window, and on the frame's place in it."""

    frames, channels, answers = FRAMES, 2, "window"

    def __init__(self, channels=2):
        super().__init__()
        self.channels = channels
        generator = torch.Generator().manual_seed(0)
        mix = torch.randn(self.frames, self.frames, generator=generator) / self.frames
        self.mix = nn.Parameter(mix)
        self.to_joints = nn.Linear(17 * channels, 51)
        nn.init.normal_(self.to_joints.weight, generator=generator)
        self.sizes = []

    def forward(self, windows):
        assert windows.shape[1:] == (self.frames, 17, self.channels)
        self.sizes.append(windows.shape)
        mixed = torch.einsum("st,btc->bsc", self.mix, windows.flatten(2))
        return self.to_joints(mixed).unflatten(-1, (17, 3))


class Centre(Window):
    answers = "centre"

    def forward(self, windows):
        return super().forward(windows)[:, self.frames // 2, None]


class Kept(Window):
    """Keeps the centre and the frames in which the first joint is furthest to the left."""

    answers = "centre"

    def forward(self, windows):
        joints, keep = self.forward_kept(windows)
        return joints[keep == self.frames // 2][:, None]

    def forward_kept(self, windows, keep=None, noise=None):
        if keep is None:
            places = windows[:, :, 0, 0].clone()
            places[:, self.frames // 2] = -torch.inf
            keep = places.argsort(1)[:, :3].sort(1).values
        joints = super().forward(windows) + keep.sum(1)[:, None, None, None]
        return joints.gather(1, keep[..., None, None].expand(-1, -1, 17, 3)), keep


class Valid(nn.Module):
    """Two convolutions in time, without padding."""

    frames, channels, answers = FRAMES, 2, "valid"

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.convolutions = nn.Sequential(
            nn.Conv1d(34, 16, 3), nn.ReLU(), nn.Conv1d(16, 51, 3, dilation=3)
        )
        self.sizes = []

    def forward(self, windows):
        self.sizes.append(windows.shape)
        return self.convolutions(windows.flatten(2).mT).mT.unflatten(-1, (17, 3))


STAND_INS = {
    "window": Window,
    "centre": Centre,
    "kept": Kept,
    "valid": Valid,
    "confidence": lambda: Window(3),
}
# What keeps a published network small; each takes those of them that it knows.
SMALL = {
    "frames": 27, "dim": 16, "depth": 2, "heads": 2, "dim_rep": 16, "dim_time": 34, "hidden": 32,
    "keep": 9, "kept": 9,
}  # fmt: skip


def small(name):
    """A tiny network with random parameters, in double precision so that selections are stable."""
    torch.manual_seed(0)
    known = set(lifters.option_names(name)) - ({"frames"} if name == "uao" else set())  # sees one
    network = lifters.create(name, **{k: v for k, v in SMALL.items() if k in known})
    return network.eval().double()


def seen(frames, seed=0):
    """(T, 17, 2) px and times (T,) s of somebody who moves."""
    rng = np.random.default_rng(seed)
    pose = rng.normal(0, 60, (17, 2)) + [400, 250]
    swing = np.sin(np.arange(frames)[:, None, None] / 7 + rng.uniform(0, 6, (17, 2)))
    return (pose + 20 * swing).astype(np.float32), np.arange(frames) / FPS


def both(network, frames, coordinates, **options):
    # On a busy machine a trial of both precisions may well end with bfloat16.
    given = network, LifterInput(coordinates, FPS), *seen(frames), PICTURE
    options = {"precision": "float32", **options}
    return lift(*given, **options), lift(*given, one_by_one=True, **options)


@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize("coordinates", ["screen", "centred"])
@pytest.mark.parametrize("frames", [1, 8, 9, 10, 50])
@pytest.mark.parametrize("kind", STAND_INS)
def test_batches_are_one_window_after_the_other(kind, frames, coordinates, flip, monkeypatch):
    monkeypatch.setitem(inference._KEYPOINTS, "cpu", 4 * FRAMES * 17)  # several batches
    monkeypatch.setattr(inference, "_CHUNK", 20)
    for overlap in (True, False):
        network = STAND_INS[kind]()
        batched, plain = both(network, frames, coordinates, flip=flip, overlap=overlap)
        assert batched.shape == (frames, 17, 3)
        np.testing.assert_allclose(batched, plain, atol=1e-4)


@pytest.mark.parametrize("frames", [1, 26, 27, 28])
@pytest.mark.parametrize("name", lifters.names())
def test_every_network_lifts_tracks_of_any_length(name, frames):
    network = small(name)
    for coordinates in ("screen", "centred"):
        batched, plain = both(network, frames, coordinates)
        assert batched.shape == (frames, 17, 3) and np.isfinite(batched).all()
        np.testing.assert_allclose(batched, plain, atol=1e-5 * max(1, np.abs(plain).max()))


@pytest.mark.parametrize("coordinates", ["screen", "centred"])
@pytest.mark.parametrize("kind", STAND_INS)
def test_ten_thousand_frames_come_in_batches_as_small_as_a_thousand_s(kind, coordinates):
    """Memory stays flat: no call of the network is larger, there are only more of them."""
    largest = []
    for frames in (3_000, 10_000):
        network = STAND_INS[kind]()
        joints = lift(network, LifterInput(coordinates, FPS), *seen(frames), PICTURE)
        assert joints.shape == (frames, 17, 3) and np.isfinite(joints).all()
        largest.append(max(size.numel() for size in network.sizes))
    assert largest[0] == largest[1]


def test_each_answer_is_the_pose_of_its_own_frame():
    """An impulse in one frame is seen in the results around it, and nowhere else."""
    for kind in ("centre", "valid"):
        network = STAND_INS[kind]()
        points, times = seen(60)
        moved = points.copy()
        moved[30] += 50
        expects = LifterInput("screen", FPS)
        change = lift(network, expects, moved, times, PICTURE) - lift(
            network, expects, points, times, PICTURE
        )
        touched = np.flatnonzero(np.abs(change).max((1, 2)) > 1e-6)
        assert touched[0] == 30 - FRAMES // 2 and touched[-1] == 30 + FRAMES // 2


def test_a_convolution_sees_the_whole_track_in_one_call():
    network = Valid()
    both_ways = lift(network, LifterInput("screen", FPS), *seen(500), PICTURE)
    assert len(network.sizes) == 1 and both_ways.shape == (500, 17, 3)


def test_whole_windows_follow_each_other_and_half_windows_overlap():
    for overlap, starts in ((True, [0, 4, 8, 12]), (False, [0, 9, 12])):
        assert inference.layout(Window(), 21, True, overlap).starts == starts


@pytest.mark.parametrize("length", [1, 8, 9, 10, 14, 90, 91])
def test_windows_cover_everything(length):
    calls = inference.layout(Window(), length, True, overlap=True)
    covered = {s + i - calls.skipped for s in calls.starts for i in range(calls.answers)}
    assert covered >= set(range(length))
    steps = zip(calls.starts, calls.starts[1:], strict=False)
    assert all(0 < b - a <= FRAMES // 2 for a, b in steps)


class Confidence(Window):
    """Answers with the third channel that it is shown."""

    def forward(self, windows):
        self.shown = windows[..., 2]
        return torch.nn.functional.pad(windows[..., 2:], (2, 0))


@pytest.mark.parametrize("trained, expected", [(True, 0.25), (False, 1.0)])
def test_the_detector_s_confidence_reaches_those_who_know_it(trained, expected):
    network = Confidence(3)
    points, times = seen(20)
    confidence = np.full((20, 17), 0.25)
    lift(
        network, LifterInput("screen", FPS, trained), points, times, PICTURE, confidence=confidence
    )
    torch.testing.assert_close(network.shown, torch.full_like(network.shown, expected))
    lift(network, LifterInput("screen", FPS, trained), points, times, PICTURE)
    torch.testing.assert_close(network.shown, torch.ones_like(network.shown))


def test_the_mirrored_window_keeps_the_same_frames():
    network = Kept()
    windows = torch.randn(5, FRAMES, 17, 2, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        joints = inference.answer(network, windows, flip=True)
        straight, kept = network.forward_kept(windows)
        back, _ = network.forward_kept(inference.mirrored(windows), keep=kept)
    both_ways = 0.5 * (straight + back[:, :, MIRROR] * torch.tensor([-1.0, 1, 1]))
    middle = [row.index(FRAMES // 2) for row in kept.tolist()]
    expected = torch.stack([both_ways[i, place, None] for i, place in enumerate(middle)])
    torch.testing.assert_close(joints, expected)


class Coarse(Window):
    """In half precision it is off by a share of the true answer."""

    error = 0.0

    def forward(self, windows):
        joints = super().forward(windows.float()).float()
        if torch.is_autocast_enabled("cpu"):
            return joints * (1 + self.error)
        return joints


@pytest.fixture
def clock(monkeypatch):
    """Seconds by hand: a call in half precision takes `clock.half`, another one 1 s."""

    class Clock:
        now, half, calls = 0.0, 0.5, 0

        def __call__(self):
            return self.now

    clock = Clock()
    answer = inference.answer

    def timed(network, windows, flip):
        clock.calls += 1
        clock.now += clock.half if torch.is_autocast_enabled("cpu") else 1.0
        return answer(network, windows, flip)

    monkeypatch.setattr(inference, "answer", timed)
    monkeypatch.setattr(inference.time, "perf_counter", clock)
    return clock


@pytest.mark.parametrize(
    "half, error, chosen", [(0.5, 0.0, True), (0.95, 0.0, False), (0.5, 0.02, False)]
)
def test_half_precision_is_taken_where_it_is_faster_and_close(clock, half, error, chosen):
    network, windows = Coarse(), torch.randn(4, FRAMES, 17, 2)
    clock.half, network.error = half, error
    with torch.inference_mode():
        assert inference.in_half(network, lambda: windows, True, calls=10) is chosen
        tried = clock.calls
        assert inference.in_half(network, lambda: windows, True, calls=10) is chosen
    assert clock.calls == tried  # once for each network


def test_precision_can_be_told():
    network, windows = Coarse(), torch.randn(4, FRAMES, 17, 2)

    def never():
        raise AssertionError("this needs no trial")

    assert inference.in_half(network, never, True, "bfloat16", 10)
    assert not inference.in_half(network, never, True, "float32", 10)
    assert not inference.in_half(network, never, True, "auto", 1)  # too little to do
    assert not inference.in_half(network.double(), lambda: windows.double(), True, "auto", 10)


def test_deterministic_runs_try_nothing():
    torch.use_deterministic_algorithms(True)
    try:
        assert not inference.in_half(Coarse(), lambda: torch.zeros(0), True, "auto", 10)
    finally:
        torch.use_deterministic_algorithms(False)


def test_half_precision_moves_joints_little():
    """bfloat16 on a network of random parameters, against the plain path."""
    torch.manual_seed(0)
    network = lifters.create("ktpformer", frames=27, dim=32, depth=2, heads=4).eval()
    given = network, LifterInput("centred", FPS), *seen(60), PICTURE
    half = lift(*given, precision="bfloat16")
    plain = lift(*given, one_by_one=True)
    assert not np.array_equal(half, plain)
    change = np.linalg.norm(half - plain) / np.linalg.norm(plain)
    assert change < 2 * inference.TOLERANCE
