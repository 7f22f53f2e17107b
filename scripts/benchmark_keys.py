"""Times the keyframes of 24 bones, in bulk and by keyframe_insert, and prints the ratio.

    python scripts/benchmark_keys.py [FRAMES [FRAMES_BY_INSERT]]
    blender -b -P scripts/benchmark_keys.py -- [FRAMES [FRAMES_BY_INSERT]]

Inserting grows with the square of the number of frames, so it is timed on fewer.
"""

import os
import sys
import time
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from addon import action, body
from addon.motion_file import BETAS, JOINTS, Motion


def random_motion(frames: int) -> Motion:
    rng = np.random.default_rng(0)
    index = np.arange(frames)
    return Motion(
        poses=rng.normal(size=(frames, 3 * JOINTS)) * 0.2,
        trans=rng.normal(size=(frames, 3)),
        betas=np.zeros(BETAS),
        gender="neutral",
        fps=30.0,
        frames=index,
        times=index / 30,
        observed=np.ones(frames, bool),
    )


def seconds_in_bulk(frames: int) -> float:
    motion = random_motion(frames)
    armature, mesh = body.create_body(body.read_body(body.default_body_file()), motion.betas)
    started = time.perf_counter()
    action.apply_motion(motion, armature, mesh, action.frame_numbers(motion, 30))
    return time.perf_counter() - started


def seconds_by_insert(frames: int) -> float:
    motion = random_motion(frames)
    armature, _ = body.create_body(body.read_body(body.default_body_file()), motion.betas)
    quaternions = motion.quaternions()
    started = time.perf_counter()
    for frame in range(frames):
        for joint, name in enumerate(body.JOINTS):
            bone = armature.pose.bones[name]
            bone.rotation_quaternion = quaternions[frame, joint]
            bone.keyframe_insert("rotation_quaternion", frame=frame)
    return time.perf_counter() - started


def main() -> None:
    inside = Path(sys.argv[0]).name != Path(__file__).name
    words = sys.argv[sys.argv.index("--") + 1 :] if inside and "--" in sys.argv else []
    words = words if inside else sys.argv[1:]
    counts = [int(word) for word in words] + [10_000, 1_000][len(words) :]
    frames, fewer = counts[:2]
    print(f"Blender {bpy.app.version_string}")
    print(f"{frames} frames in bulk: {seconds_in_bulk(frames):.2f} s")
    bulk, inserted = seconds_in_bulk(fewer), seconds_by_insert(fewer)
    print(
        f"{fewer} frames: in bulk {bulk:.3f} s, by keyframe_insert {inserted:.2f} s, "
        f"{inserted / bulk:.0f} times as long"
    )


main()
sys.stdout.flush()
os._exit(0)
