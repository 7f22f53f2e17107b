"""Training and test windows against the published generators'."""

import numpy as np
import pytest

from regressor.data.chunks import (
    Chunks,
    chunk_table,
    draw_from,
    flip_camera,
    flip_points,
    subset_of,
)
from tests.lifters.published import golden

FACTS, ARRAYS = golden("lifting_data")
LENGTHS = (20, 9, 5)


def sequences(channels: int) -> list[np.ndarray]:
    """The value frame + 100 * sequence everywhere."""
    return [
        np.tile(np.arange(n, dtype=np.float32)[:, None, None] + 100 * i, (1, 17, channels))
        for i, n in enumerate(LENGTHS)
    ]


@pytest.mark.parametrize(("frames", "name"), [(1, "chunks_stride1"), (9, "chunks_seq9")])
def test_chunks_are_the_published_ones(frames, name):
    assert chunk_table(LENGTHS, frames, flips=True).tolist() == FACTS[name]
    plain = [row for row in FACTS[name] if row[3] == 0]
    assert chunk_table(LENGTHS, frames).tolist() == plain


def test_the_first_batch_is_the_published_one():
    """Shuffled by the published seed, with repeated edges and mirrored copies."""
    one = Chunks(sequences(2), sequences(3), frames=1, batch=4, pad=4, flips=True)
    inputs, targets, cameras = next(iter(one))
    assert targets is not None and cameras is None
    assert np.array_equal(inputs[:, :, 0, 0], ARRAYS["first_batch_2d_stride1_joint0_x"])
    assert np.array_equal(targets[:, :, 0, 0], ARRAYS["first_batch_3d_stride1_joint0_x"])
    many = Chunks(sequences(2), sequences(3), frames=9, batch=4, flips=True)
    inputs, _, _ = next(iter(many))
    assert np.array_equal(inputs[:, :, 0, 0], ARRAYS["first_batch_2d_seq9_joint0_x"])


def test_an_epoch_has_every_window_once_and_the_next_another_order():
    chunks = Chunks(sequences(2), None, frames=1, batch=7, pad=1)
    first, second = ([batch for batch, _, _ in chunks] for _ in range(2))
    assert len(first) == len(chunks) == 5 and len(first[-1]) == 34 - 28
    seen = np.concatenate(first)[:, 1, 0, 0]  # the middle frame is the one predicted
    assert sorted(seen) == sorted(np.concatenate([s[:, 0, 0] for s in sequences(2)]))
    assert not np.array_equal(seen, np.concatenate(second)[:, 1, 0, 0])


def test_subsets_are_the_published_ones():
    for arguments, wanted in FACTS["deterministic_random"].items():
        low, high, length = (int(word) for word in arguments.split(","))
        assert draw_from(length, low, high) == wanted
    part = subset_of(1383, 0.1)
    assert part.stop - part.start == 138 and part.start == draw_from(1383, 0, 1383 - 138 + 1)
    assert subset_of(10, 1, 5) == slice(0, 10, 5)
    thin = subset_of(1383, 0.1, 5)
    assert (thin.stop - thin.start) % 5 == 0 and thin.stop <= 1383


def test_flips_are_the_published_ones():
    screen, relative = ARRAYS["screen"], ARRAYS["root_relative"]
    assert np.array_equal(flip_points(screen, "h36m17"), ARRAYS["screen_flipped"])
    assert np.array_equal(flip_points(relative, "h36m17"), ARRAYS["root_relative_flipped"])
    assert np.array_equal(flip_points(flip_points(screen, "coco17"), "coco17"), screen)
    vector = ARRAYS["camera_intrinsic"]
    changed = flip_camera(vector) != vector
    assert changed.nonzero()[0].tolist() == [2, 7]
    assert np.array_equal(flip_camera(vector)[changed], -vector[changed])


def test_inputs_and_targets_have_their_own_sides():
    """Mirrored COCO keypoints go with mirrored Human3.6M joints, and a mirrored camera."""
    inputs = np.zeros((1, 17, 2), np.float32)
    inputs[..., 1] = np.arange(17)
    targets = np.zeros((1, 17, 3), np.float32)
    targets[..., 1] = np.arange(17)
    chunks = Chunks(
        *([inputs], [targets]),
        frames=1,
        batch=2,
        flips=True,
        cameras=[np.arange(1, 10, dtype=np.float32)],
        keypoint_skeleton="coco17",
    )
    seen, wanted, camera = chunks.gather(chunks.table)
    assert wanted is not None and camera is not None
    assert seen[1, 0, :5, 1].tolist() == [0, 2, 1, 4, 3]
    assert wanted[1, 0, :7, 1].tolist() == [0, 4, 5, 6, 1, 2, 3]
    assert camera[1].tolist() == [1, 2, -3, 4, 5, 6, 7, -8, 9]
    assert camera[0].tolist() == list(range(1, 10))
