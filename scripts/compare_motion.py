"""How far a motion is from the true one: errors in millimetres, frame matched to frame by time.

    python scripts/compare_motion.py out/motion.npz demo/demo_truth.npz

MPJPE is measured from the pelvis, as the camera sees the person when both motions know their camera
(where north lies can't be told from a video), otherwise after the first frame's heading is aligned.
PA-MPJPE aligns rotation, scale and place in every frame. The world error aligns the heading and the
place on the floor in the first frame alone, so that drift and sliding count.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import roma
import torch
import tyro

from regressor import metrics
from regressor.errors import PosecastError
from regressor.motion import Motion
from regressor.smpl import load_body
from regressor.smpl.body import chain
from regressor.smpl.landmarks import RidingLandmarks


@dataclass
class Options:
    """Compares a motion with the true one."""

    motion: tyro.conf.Positional[Path]
    """The motion to be judged (.npz)."""
    truth: tyro.conf.Positional[Path]
    """The true motion (.npz)."""
    json: Path | None = None
    """Where to write the figures, for programs."""


def main(options: Options) -> None:
    """Prints the table, and writes it as JSON when asked to."""
    result = compare(Motion.load(options.motion), Motion.load(options.truth))
    print(f"{result['frames']} of {result['of']} frames compared, {result['frame']}")
    print(f"{'mm':<16}{'MPJPE':>8}{'PA-MPJPE':>10}{'world':>8}{'per frame':>11}")
    for skeleton, errors in result["mm"].items():
        columns = (errors[key] for key in ("mpjpe", "pa_mpjpe", "world_mpjpe", "velocity"))
        print("{:<16}{:>8.1f}{:>10.1f}{:>8.1f}{:>11.2f}".format(skeleton, *columns))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def compare(motion: Motion, truth: Motion) -> dict:
    """The errors in mm of every skeleton that both motions have, over the time that both cover."""
    times = motion.times
    shared = (times >= truth.times[0] - 1e-6) & (times <= truth.times[-1] + 1e-6)
    if not shared.any():
        raise PosecastError("The two motions share no time: give the motions of one video.")
    cameras = motion.camera_extrinsics is not None and truth.camera_extrinsics is not None
    result = {"frames": int(shared.sum()), "of": len(motion), "mm": {}}
    result["frame"] = "as the camera sees them" if cameras else "headings aligned in the first"
    for skeleton, points in skeletons_of(motion, truth).items():
        predicted = points(motion)[shared]
        target = at_times(points(truth), truth.times, times[shared])
        world = first_frame_aligned(predicted, target)
        seen, seen_target = world, target
        if motion.camera_extrinsics is not None and truth.camera_extrinsics is not None:
            seen = turned(predicted, motion.camera_extrinsics[shared])
            nearest = np.abs(truth.times[None] - times[shared][:, None]).argmin(1)
            seen_target = turned(target, truth.camera_extrinsics[nearest])
        result["mm"][skeleton] = {
            "mpjpe": 1000 * metrics.mpjpe(from_pelvis(seen), from_pelvis(seen_target)),
            "pa_mpjpe": 1000 * metrics.p_mpjpe(predicted, target),
            "world_mpjpe": 1000 * metrics.mpjpe(world, target),
            "velocity": 1000 * metrics.velocity_error(world, target) if len(world) > 1 else 0.0,
        }
    return result


def skeletons_of(motion: Motion, truth: Motion) -> dict:
    """Name -> function from a Motion to its joints (T, J, 3) m, for what both can give."""
    if motion.body == truth.body == "default":
        return {
            "SMPL, 24": lambda m: default_joints(m)[0],
            "H36M, 17": lambda m: default_joints(m)[1],
        }
    if motion.joints is None or truth.joints is None:
        raise PosecastError("A motion without joints can't be compared: estimate it again.")
    return {"SMPL, 24": lambda m: m.joints}


def default_joints(motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """The default body's 24 joints and Human3.6M's 17, both (T, J, 3) m in the world."""
    body = load_body()
    betas = torch.from_numpy(motion.betas).expand(len(motion), -1)
    trans = torch.from_numpy(motion.trans)
    rotations = roma.rotvec_to_rotmat(torch.from_numpy(motion.poses).unflatten(1, (24, 3)))
    rotation, joints = chain(rotations, body.joints_at_rest(betas))
    human = RidingLandmarks(body, "h36m17")(rotation, joints, betas)
    return (joints + trans[:, None]).numpy(), (human + trans[:, None]).numpy()


def at_times(joints: np.ndarray, times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(T, J, 3) joints at `times` s, interpolated to the times wanted."""
    flat = joints.reshape(len(joints), -1)
    columns = [np.interp(wanted, times, column) for column in flat.T]
    return np.stack(columns, axis=-1).reshape(len(wanted), *joints.shape[1:])


def turned(joints: np.ndarray, extrinsics: np.ndarray) -> np.ndarray:
    """(T, J, 3) world joints in the camera's axes; (T, 4, 4) extrinsics."""
    return joints @ np.swapaxes(extrinsics[:, :3, :3], 1, 2)


def from_pelvis(joints: np.ndarray) -> np.ndarray:
    """(T, J, 3) minus their first joint."""
    return joints - joints[:, :1]


def first_frame_aligned(predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(T, J, 3): turned about z and moved on the floor so that the first frame fits best."""
    start, goal = predicted[0, :, :2], target[0, :, :2]
    middle, goal_middle = start.mean(0), goal.mean(0)
    one, other = start - middle, goal - goal_middle
    angle = np.arctan2(
        (one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]).sum(), (one * other).sum()
    )
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    aligned = predicted.copy()
    aligned[..., :2] = (predicted[..., :2] - middle) @ turn.T + goal_middle
    return aligned


if __name__ == "__main__":
    try:
        main(tyro.cli(Options))
    except PosecastError as error:
        sys.exit(str(error))
