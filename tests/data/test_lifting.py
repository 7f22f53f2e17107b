"""Training windows: shapes, seeds, views and noise."""

from itertools import islice

import pytest
import torch

from regressor.data import mocap
from regressor.data.keypoint_noise import LIMBS, DetectorNoise
from regressor.data.lifting import Motion17, Sampler, build_motions
from regressor.errors import PosecastError
from regressor.lifters.windows import MIRROR
from regressor.smpl import load_body
from tests.data import cmu

FRAMES = 9


@pytest.fixture(scope="module")
def motions(tmp_path_factory) -> list[Motion17]:
    file = tmp_path_factory.mktemp("cmu") / "cmu_motion.npz"
    cmu.write(file)
    return build_motions(mocap.load_clips(file), load_body(), shapes=2, fps=12.5)


def test_clips_are_put_on_several_bodies(motions):
    assert len(motions) == 6
    for motion, frames in zip(motions, (30, 30, 20, 20, 25, 25), strict=True):
        assert motion.seen.shape == motion.joints.shape == (frames, 17, 3)
        # What a detector sees lies at the body, near the joints but not on them.
        apart = (motion.seen - motion.joints).norm(dim=-1)
        assert 0.005 < apart.mean() < 0.1
    first, second = (m.joints[0] - m.joints[0, :1] for m in motions[:2])
    assert (first - second).norm(dim=-1).max() > 0.005  # another body


def test_the_same_seed_gives_the_same_windows(motions):
    one, same, other = (list(islice(Sampler(motions, FRAMES, 4, seed), 2)) for seed in (1, 1, 2))
    for (a, b), (c, d) in zip(one, same, strict=True):
        assert torch.equal(a, c) and torch.equal(b, d)
    assert not torch.equal(one[0][0], other[0][0])
    assert not torch.equal(one[0][0], one[1][0])  # and goes on


def test_batches_are_what_a_lifter_takes(motions):
    inputs, targets = Sampler(motions, FRAMES, 16, 0).draw()
    assert inputs.shape == (16, FRAMES, 17, 2) and targets.shape == (16, FRAMES, 17, 3)
    assert torch.isfinite(inputs).all() and torch.isfinite(targets).all()
    torch.testing.assert_close(targets[:, :, 0], torch.zeros(16, FRAMES, 3))
    spread = (inputs - inputs.mean(2, keepdim=True)).square().sum(-1).mean(dim=(1, 2)).sqrt()
    torch.testing.assert_close(spread, torch.full((16,), 0.5), atol=1e-4, rtol=0)
    height = targets[..., 1].amax(dim=2) - targets[..., 1].amin(dim=2)
    assert 0.8 < height.mean() < 2.2  # metres of a person


def test_clips_shorter_than_a_window_end_with_their_last_frame(motions):
    short = Motion17(motions[0].seen[:6], motions[0].joints[:6])
    inputs, targets = Sampler([short], FRAMES, 4, 0, noise=0.0).draw()
    torch.testing.assert_close(targets[:, 5:], targets[:, 5:6].expand(4, 4, 17, 3))
    torch.testing.assert_close(inputs[:, 5:], inputs[:, 5:6].expand(4, 4, 17, 2))


def test_without_noise_the_input_is_the_target_s_picture(motions):
    """Flattened along the line of sight, targets and inputs differ by perspective alone."""

    def misfit(noise):
        inputs, targets = Sampler(motions, FRAMES, 32, 3, noise).draw()
        seen = inputs - inputs[:, :, :1]
        flat = targets[..., :2]
        scale = (seen * flat).sum(dim=(1, 2, 3)) / flat.square().sum(dim=(1, 2, 3))
        assert (scale > 0).all()
        rest = seen - scale[:, None, None, None] * flat
        return float((rest.square().sum(-1).mean(dim=(1, 2)).sqrt()).median())

    assert misfit(0.0) < 0.12
    assert misfit(1.0) > misfit(0.0) + 0.01
    assert misfit(3.0) > misfit(1.0)


def test_no_noise_is_no_noise(motions):
    class Silent(Sampler):
        def detector_noise(self, clean):
            errors, confidence = super().detector_noise(clean)
            return 0 * errors, confidence

    wanted, _ = Silent(motions, FRAMES, 8, 5, noise=1.0).draw()
    clean, _ = Sampler(motions, FRAMES, 8, 5, noise=0.0).draw()
    torch.testing.assert_close(clean, wanted)


def test_half_of_the_windows_are_mirrored(motions):
    sampler = Sampler(motions, FRAMES, 400, 0)
    inputs, targets = torch.ones(400, FRAMES, 17, 2), torch.ones(400, FRAMES, 17, 3)
    inputs[..., 0] = torch.arange(17.0)
    turned, moved = sampler.flip(inputs, targets)
    mirrored = moved[:, 0, 0, 0] < 0
    assert 150 < mirrored.sum() < 250
    assert torch.equal(turned[mirrored][0, 0, :, 0], -torch.arange(17.0)[MIRROR])
    assert torch.equal(turned[~mirrored], inputs[~mirrored])


def test_noise_is_as_large_as_a_detector_s(motions):
    sampler = Sampler(motions, 27, 64, 0)
    clean = torch.zeros(64, 27, 17, 2)
    clean[..., 0] = torch.linspace(-1, 1, 17)
    noise = sampler.detector_noise(clean)[0].norm(dim=-1)
    assert 0.03 < noise.median() < 0.12
    assert noise.max() > 0.5  # bursts


def test_confidence_tells_how_large_the_jitter_is(motions):
    sampler = Sampler(motions, 27, 256, 0, channels=3)
    clean = torch.zeros(256, 27, 17, 2)
    errors, confidence = sampler.detector_noise(clean)
    assert confidence is not None and confidence.shape == (256, 27, 17)
    assert 0 < confidence.min() < confidence.max() < 1
    quick = errors.diff(dim=1).norm(dim=-1)
    lower = torch.minimum(confidence[:, 1:], confidence[:, :-1])
    parts = [quick[(low <= lower) & (lower < high)] for low, high in ((0.5, 0.8), (0.95, 1))]
    assert parts[0].median() > 1.5 * parts[1].median()
    plain = Sampler(motions, 27, 256, 0).detector_noise(clean)[0].diff(dim=1)
    assert 0.8 < errors.diff(dim=1).square().mean() / plain.square().mean() < 1.25


def test_with_confidence_some_joints_are_missing(motions):
    inputs, _ = Sampler(motions, FRAMES, 64, 0, channels=3, dropped=0.1).draw()
    assert inputs.shape == (64, FRAMES, 17, 3)
    missing = inputs[..., 2] == 0
    assert 0.08 < missing.float().mean() < 0.12
    assert (inputs[missing] == 0).all() and (inputs[~missing][:, 2] > 0).all()
    clean, _ = Sampler(motions, FRAMES, 64, 0, noise=0.0, channels=3, dropped=0.1).draw()
    assert (clean[..., 2] == 1).all()


def test_bursts_move_limbs_away_hold_them_and_exchange_them():
    noise = DetectorNoise(torch.Generator().manual_seed(0))
    clean = torch.arange(12.0)[:, None, None] + torch.arange(17.0)[:, None] / 100
    clean = clean.expand(300, 12, 17, 2)  # everybody walks by 1 a frame
    errors = torch.zeros(300, 12, 17, 2)
    noise.lose_limbs(errors, clean, None)
    touched = errors.abs().amax(dim=(2, 3)) > 0
    assert 0.3 < touched.any(dim=1).float().mean() < 0.5
    limbs = {tuple(j.nonzero()[:, 0].tolist()) for j in errors.abs().amax(dim=(1, 3)) > 0}
    assert limbs - {()} == set(LIMBS)
    still = (errors + clean).diff(dim=1).abs().amax(dim=-1) < 1e-5
    assert still.any()  # frozen, where all others walk
    errors = torch.zeros(300, 12, 17, 2)
    noise.swap_sides(errors, clean)
    moved = errors.abs().amax(dim=-1) > 0
    assert 0.03 < moved.any(dim=2).any(dim=1).float().mean() < 0.15
    seen = errors + clean
    torch.testing.assert_close(seen[moved], clean[:, :, MIRROR][moved])


def test_motions_too_short_for_any_window_are_told(motions):
    with pytest.raises(PosecastError, match="half a window of 900 frames"):
        Sampler(motions, 900, 4, 0)
