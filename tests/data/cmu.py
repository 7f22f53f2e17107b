"""Writes a tiny file in the coding of the CMU motion set."""

from pathlib import Path

import numpy as np

from regressor.smpl import load_body

UNIT = np.pi / 8192


def clip_rotations(frames: int, seed: int) -> np.ndarray:
    """(frames, 24, 3) axis-angle of somebody who swings all joints a little."""
    rng = np.random.default_rng(seed)
    phase = np.arange(frames)[:, None, None] / 50 * 5 + rng.uniform(0, 6, (24, 3))
    return np.sin(phase) * rng.uniform(-0.4, 0.4, (24, 3))


def write(file: Path, lengths=(120, 80, 100), subjects=(1, 2, 3)) -> dict[str, np.ndarray]:
    """The file, and what is in it: rotations (N, 24, 3) in whole units, root (N, 3), rest (24, 3).

    Whole numbers of 16 bits, as differences from frame to frame through the whole file: sums wrap.
    """
    rest_joints = load_body().rest_joints.numpy()
    parents = np.array(
        [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]
    )
    rest = rest_joints - rest_joints[parents]
    rotations = np.concatenate([clip_rotations(n, i) for i, n in enumerate(lengths)])
    coded = np.round(rotations / UNIT).astype(np.int64)
    flat = coded.reshape(-1, 72).T
    steps = np.diff(flat, axis=1, prepend=0).astype(np.int16)
    times = np.arange(len(rotations))[:, None] / 50
    root = (times * [0.5, 0, 0.2] + [0, 0.95, 0]).astype(np.float32)
    np.savez(
        file,
        rotvec_d=steps,
        rotvec_unit=UNIT,
        root_pos=root,
        clip_offset=np.cumsum([0, *lengths]),
        clip_name=np.array([f"clip_{i}" for i in range(len(lengths))]),
        clip_subject=np.array(subjects, np.int16),
        rest_offset=np.tile(rest, (len(lengths), 1, 1)).astype(np.float32),
    )
    return {"rotations": coded * UNIT, "root": root, "rest": rest}
