"""Smoothing keeps what is steady, up to the ends, and takes noise away."""

import numpy as np
import pytest
import roma
import torch

from regressor.refine.smoothing import smooth, smooth_by_trust, smooth_path, smooth_rotations

FPS = 30.0


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 40])
@pytest.mark.parametrize("seconds", [0.0, 0.04, 0.5])
def test_a_linear_motion_stays(frames, seconds):
    line = np.linspace([0, 1, -2], [5, 1, 3], frames)
    np.testing.assert_allclose(smooth(line, seconds, FPS), line, atol=1e-9)


def test_noise_is_reduced_by_what_a_gaussian_promises():
    noise = np.random.default_rng(0).normal(0, 1, (2000, 3))
    sigma = 0.05 * FPS
    expected = 1 / np.sqrt(2 * np.sqrt(np.pi) * sigma)
    np.testing.assert_allclose(smooth(noise, 0.05, FPS)[20:-20].std(), expected, rtol=0.1)


def test_the_constant_is_in_seconds():
    def swing(fps):
        times = np.arange(round(4 * fps)) / fps
        return smooth(np.sin(5 * times)[:, None], 0.1, fps)[:: round(fps / 25)]

    np.testing.assert_allclose(swing(100)[5:-5], swing(25)[5:-5], atol=0.02)


def test_a_path_straight_through_the_room_stays_and_its_depth_is_smoothed_most():
    frames = 300
    straight = np.linspace([0, 0.5, 4], [0, 0.5, 3], frames)
    np.testing.assert_allclose(smooth_path(straight, 0.05, FPS)[:, 2], straight[:, 2], atol=1e-6)
    noise = np.random.default_rng(1).normal(0, 0.02, (frames, 3))
    shaken = smooth_path(np.array([0.0, 0.0, 4.0]) + noise, 0.05, FPS)[20:-20].std(0)
    assert shaken[2] < 0.7 * shaken[:2].min() and shaken.max() < 0.02
    assert smooth_path(straight, 0, FPS) is straight  # turned off


def test_a_turn_at_constant_speed_stays():
    angles = torch.linspace(0, 9.0, 80)[:, None, None]  # more than once around
    vectors = angles * torch.tensor([0.0, 1.0, 0.0])
    smoothed = smooth_rotations(vectors, 0.1, FPS)
    apart = roma.rotmat_geodesic_distance(
        roma.rotvec_to_rotmat(smoothed), roma.rotvec_to_rotmat(vectors)
    )
    assert apart[15:-15].max() < 0.005
    assert apart.max() < 0.06


def test_rotations_shake_less():
    generator = torch.Generator().manual_seed(0)
    still = torch.tensor([0.3, -0.4, 3.0])  # near half a turn, where rotation vectors jump
    shaking = roma.rotvec_to_rotmat(0.1 * torch.randn(100, 24, 3, generator=generator))
    noisy = roma.rotmat_to_rotvec(roma.rotvec_to_rotmat(still) @ shaking)
    wanted = roma.rotvec_to_rotmat(still)

    def error(vectors):
        return roma.rotmat_geodesic_distance(roma.rotvec_to_rotmat(vectors), wanted).mean()

    assert error(smooth_rotations(noisy, 0.1, FPS)) < 0.5 * error(noisy)


def test_what_moves_steadily_stays_however_much_its_frames_are_trusted():
    line = np.linspace([0, 1, -2], [5, 1, 3], 40)
    trust = np.random.default_rng(0).uniform(1e-3, 1, 40)
    trust[10:16] = 1e-3
    found = smooth_by_trust(line, trust, 0.07, FPS)
    np.testing.assert_allclose(found, line, atol=0.02)  # of 0.13 from frame to frame
    np.testing.assert_allclose(found[[0, -1]], line[[0, -1]], atol=0.02)


def test_frames_that_are_trusted_alike_are_smoothed_by_a_gaussian():
    noise = np.random.default_rng(1).normal(0, 1, (60, 2))
    even = smooth_by_trust(noise, np.full(60, 0.3), 0.07, FPS)
    np.testing.assert_allclose(even[9:-9], smooth(noise, 0.07, FPS)[9:-9], atol=1e-3)


def test_a_frame_that_is_not_trusted_hardly_counts():
    values, trust = np.zeros((30, 1)), np.ones(30)
    values[12], trust[12] = 5.0, 0.01
    assert np.abs(smooth_by_trust(values, trust, 0.07, FPS)).max() < 0.02
