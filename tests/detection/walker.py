"""A walking stick figure with known left and right, for tests."""

import numpy as np

from regressor.detection.track import Track, box_around
from regressor.skeletons import JOINTS

PX_PER_M = 250.0
FINGERS = (("pinky", 0.08, -0.2), ("index", 0.09, 0.1), ("thumb", 0.05, 0.4))


def walking_joints(seconds: np.ndarray, pace_hz: float = 0.9) -> dict[str, np.ndarray]:
    """Named joints (T, 3) in metres: x to the person's left, y up, z ahead."""
    phase = 2 * np.pi * pace_hz * seconds
    joints = {"nose": _at(0, 1.62, 0.1, seconds)}
    for name, x, y, z in (
        ("eye_inner", 0.015, 1.66, 0.09),
        ("eye", 0.03, 1.66, 0.085),
        ("eye_outer", 0.045, 1.66, 0.075),
        ("ear", 0.075, 1.63, 0.0),
        ("mouth", 0.025, 1.57, 0.085),
    ):
        joints[f"left_{name}"] = _at(x, y, z, seconds)
        joints[f"right_{name}"] = _at(-x, y, z, seconds)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        leg = phase + (0.0 if sign > 0 else np.pi)
        joints |= _leg(side, sign, 0.5 * np.sin(leg), 0.5 + 0.5 * np.cos(leg))
        joints |= _arm(side, sign, -0.45 * np.sin(leg), 0.5 + 0.2 * np.sin(-leg))
    return joints


def track(
    yaw: np.ndarray | float,
    seconds: float = 4.0,
    fps: float = 30.0,
    noise: float = 0.008,
    skeleton: str = "mediapipe33",
    seed: int = 0,
) -> Track:
    """The walker seen from afar; yaw 0 is from the front, pi / 2 from the side; noise in metres."""
    times = np.arange(round(seconds * fps)) / fps
    joints = walking_joints(times)
    yaw = np.broadcast_to(yaw, times.shape)
    points = []
    for name in JOINTS[skeleton]:
        x, y, z = joints[name].T
        points.append(np.stack([np.cos(yaw) * x + np.sin(yaw) * z, -y], axis=-1))
    metres = np.stack(points, axis=1)
    metres += np.random.default_rng(seed).normal(0, noise, metres.shape)
    keypoints = (metres * PX_PER_M + (400, 500)).astype(np.float32)
    return Track(
        frames=np.arange(len(times)),
        times=times,
        boxes=np.stack([box_around(points) for points in keypoints]),
        keypoints=keypoints,
        confidence=np.full(keypoints.shape[:2], 0.9, np.float32),
        observed=np.ones(len(times), bool),
        skeleton=skeleton,
        world=np.zeros((len(times), 33, 3), np.float32),
    )


def _at(x: float, y: float, z: float, seconds: np.ndarray) -> np.ndarray:
    return np.tile([x, y, z], (len(seconds), 1)).astype(float)


def _leg(side: str, sign: float, swing: np.ndarray, bend: np.ndarray) -> dict[str, np.ndarray]:
    hip = _at(0.09 * sign, 0.92, 0, swing)
    knee = hip + 0.42 * _down(swing)
    shin = swing - 0.9 * bend
    ankle = knee + 0.42 * _down(shin)
    return {
        f"{side}_hip": hip,
        f"{side}_knee": knee,
        f"{side}_ankle": ankle,
        f"{side}_heel": ankle + 0.06 * _down(shin - 0.6),
        f"{side}_toe": ankle + 0.18 * _down(shin + 1.2),
    }


def _arm(side: str, sign: float, swing: np.ndarray, bend: np.ndarray) -> dict[str, np.ndarray]:
    shoulder = _at(0.18 * sign, 1.42, 0, swing)
    elbow = shoulder + 0.29 * _down(swing)
    wrist = elbow + 0.25 * _down(swing + bend)
    hand = {
        f"{side}_{finger}": wrist + reach * _down(swing + bend + turn)
        for finger, reach, turn in FINGERS
    }
    return {f"{side}_shoulder": shoulder, f"{side}_elbow": elbow, f"{side}_wrist": wrist, **hand}


def _down(angle: np.ndarray) -> np.ndarray:
    """(T, 3) unit vectors that hang down, swung ahead by `angle`."""
    return np.stack([np.zeros_like(angle), -np.cos(angle), np.sin(angle)], axis=-1)
