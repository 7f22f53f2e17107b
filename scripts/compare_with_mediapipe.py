"""A motion's error beside that of mediapipe's own 3D landmarks, on the same film and joints.

    python scripts/compare_with_mediapipe.py demo/demo.mp4 out/motion.npz demo/demo_truth.npz

Both are measured on Human3.6M's 17 joints in the camera's axes, from the pelvis, in millimetres.
mediapipe's 33 world landmarks become the 17 points by the combination that the lifter's input is
made of; the motion's are the body's own joints.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from compare_motion import at_times, default_joints, from_pelvis, turned

from regressor import detection, metrics
from regressor.errors import PosecastError
from regressor.motion import Motion
from regressor.skeletons import to_h36m17
from regressor.video import open_video


@dataclass
class Options:
    """Compares a motion and mediapipe's own 3D with the true motion."""

    video: tyro.conf.Positional[Path]
    """The film."""
    motion: tyro.conf.Positional[Path]
    """The motion estimated from it (.npz)."""
    truth: tyro.conf.Positional[Path]
    """The true motion (.npz)."""


def seen_from_camera(motion: Motion) -> np.ndarray:
    """The default body's 17 joints (T, 17, 3) in the camera's axes, from the pelvis, metres."""
    if motion.camera_extrinsics is None or motion.body != "default":
        raise PosecastError("Both motions must be of the default body and know their camera.")
    return from_pelvis(turned(default_joints(motion)[1], motion.camera_extrinsics))


def main(options: Options) -> None:
    motion, truth = Motion.load(options.motion), Motion.load(options.truth)
    with open_video(options.video) as video:
        track = detection.detect(video, "mediapipe").tracks[0]
    world = track.world
    if world is None:
        raise PosecastError("The detector gives no 3D landmarks of its own.")
    world = from_pelvis(to_h36m17(track.skeleton) @ world)[track.observed]
    rows = {
        "this motion": (seen_from_camera(motion), motion.times),
        "mediapipe": (world, track.times[track.observed]),
    }
    print(f"{'mm':<14}{'MPJPE':>8}{'PA-MPJPE':>10}{'frames':>8}")
    for name, (joints, times) in rows.items():
        target = at_times(seen_from_camera(truth), truth.times, times)
        error, aligned = metrics.mpjpe(joints, target), metrics.p_mpjpe(joints, target)
        print(f"{name:<14}{1000 * error:>8.1f}{1000 * aligned:>10.1f}{len(joints):>8}")


if __name__ == "__main__":
    try:
        main(tyro.cli(Options))
    except PosecastError as error:
        sys.exit(str(error))
