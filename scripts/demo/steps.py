"""The legs: footprints, planted and swinging feet, and two-bone inverse kinematics above them."""

from dataclasses import dataclass

import numpy as np

from scripts.demo.clock import CLOCK, RATE
from scripts.demo.curves import frame, hermite, turn

DOUBLE_SUPPORT_S = 0.12
SIDES = {"left": 1, "right": -1}
# Footprints: when the heel strikes (s), which foot, the step's length (m), where it points (degrees
# about y; 90 walks to the picture's right, 0 towards the camera), half the stance's width (m).
STEPS = [
    (-1.00, "left", 0.58, 92, 0.07),
    (-0.46, "right", 0.58, 92, 0.07),
    (0.08, "left", 0.58, 90, 0.07),
    (0.62, "right", 0.58, 80, 0.07),
    (1.16, "left", 0.57, 62, 0.07),
    (1.70, "right", 0.52, 38, 0.075),
    (2.26, "left", 0.38, 12, 0.09),
    (2.86, "right", 0.02, -12, 0.10),
]
FIRST_PRINT = np.array([-3.05, 0.0, -1.05])


@dataclass(frozen=True)
class Print:
    """A planted foot: where its ankle stands above (3,), its heading, and when it stands (s)."""

    side: str
    place: np.ndarray
    centre: np.ndarray  # the path's middle beside it
    heading: float
    strike: float
    off: float


def footprints() -> list[Print]:
    prints, centre = [], FIRST_PRINT
    for index, (strike, side, length, heading, width) in enumerate(STEPS):
        before = STEPS[max(index - 1, 0)][3]
        centre = centre + length * turn(1, (heading + before) / 2) @ [0, 0, 1]
        place = centre + SIDES[side] * width * turn(1, heading) @ [1, 0, 0]
        following = STEPS[index + 1][0] if index + 1 < len(STEPS) else np.inf
        stays = index + 2 >= len(STEPS)
        off = np.inf if stays else following + DOUBLE_SUPPORT_S
        prints.append(Print(side, place, centre, heading, strike, off))
    return prints


@dataclass(frozen=True)
class Leg:
    """A leg at rest: vectors thigh and shin, and of the foot from the ankle to its points (3,)."""

    hip: np.ndarray
    thigh: np.ndarray
    shin: np.ndarray
    ball: np.ndarray  # the foot joint, about which the foot rolls off
    heel: np.ndarray  # where the heel strikes
    ankle_height: float

    @staticmethod
    def of(rest: np.ndarray, side: str, sole: float) -> "Leg":
        hip, knee, ankle, foot = rest[[1, 4, 7, 10] if side == "left" else [2, 5, 8, 11]]
        heel = np.array([0.0, sole - ankle[1], -0.045])
        return Leg(hip - rest[0], knee - hip, ankle - knee, foot - ankle, heel, ankle[1] - sole)


def stance(leg: Leg, foot: Print, t: np.ndarray):
    """Ankle (N, 3) and pitch (N,) of a planted foot: heel strike, flat, rolling over the ball."""
    whole = min(foot.off, foot.strike + 0.66) - foot.strike
    s = (t - foot.strike) / whole
    leaving = np.isfinite(foot.off)
    strike_pitch = -19.0 if foot.strike < 2.0 else -6.0
    pitch = strike_pitch * np.clip(1 - s / 0.16, 0, None) ** 2
    if leaving:
        roll = np.clip((s - 0.38) / 0.62, 0, None)
        pitch = pitch + (50.0 if foot.off < 2.2 else 34.0) * roll**1.7
    facing = turn(1, np.full_like(pitch, foot.heading + 3 * SIDES[foot.side]))
    rolled = facing @ turn(0, pitch)
    pivot = np.where((pitch < 0)[:, None], leg.heel, leg.ball)
    ankle = foot.place + [0, leg.ankle_height, 0]
    ankle = ankle + (facing @ pivot[..., None] - rolled @ pivot[..., None])[..., 0]
    return ankle, pitch


def swing(leg: Leg, back: Print, front: Print, t: np.ndarray):
    """Ankle, pitch and heading between two prints, leaving and landing as their stances do."""
    span, step = front.strike - back.off, 1 / RATE
    u = (t - back.off) / span
    ends = []
    for foot, at, direction in ((back, back.off, -1), (front, front.strike, 1)):
        ankle, pitch = stance(leg, foot, np.array([at, at + direction * step]))
        rate = direction * span / step
        ends.append(
            (ankle[0], np.diff(ankle, axis=0)[0] * rate, pitch[0], np.diff(pitch)[0] * rate)
        )
    (a, va, p, vp), (b, vb, q, vq) = ends
    ankle = hermite(u[:, None], a, b, va, vb)
    length = np.linalg.norm(b - a)
    ankle[:, 1] += (0.025 - 0.035 * min(length / 1.2, 1)) * np.sin(np.pi * u) ** 2
    heading = back.heading + (front.heading - back.heading) * u * u * (3 - 2 * u)
    return ankle, hermite(u, p, q, vp, vq), heading


def sunk(leg: Leg, ankle, pitch, toes) -> np.ndarray:
    """(N,) how far the lowest of heel, ball and toe tip is below the floor."""
    foot = turn(0, pitch)
    below = np.array([0, leg.heel[1] - leg.ball[1], 0])
    tip = foot @ leg.ball + (foot @ turn(0, toes) @ (below + [0, 0, 0.085]))
    heights = [foot @ leg.heel, foot @ (leg.ball + below), tip]
    return np.clip(-ankle[:, 1] - np.min([point[:, 1] for point in heights], axis=0), 0, None)


def feet(legs: dict[str, Leg], prints: list[Print]):
    """By side: ankle (N, 3), foot rotation (N, 3, 3), toe bend, heading (N,) deg, planted (N,)."""
    tracks = {}
    for side, leg in legs.items():
        own = [foot for foot in prints if foot.side == side]
        ankle, pitch = np.zeros((len(CLOCK), 3)), np.zeros(len(CLOCK))
        heading, toes = np.zeros(len(CLOCK)), np.zeros(len(CLOCK))
        planted = np.zeros(len(CLOCK), bool)
        for index, foot in enumerate(own):
            first = -np.inf if index == 0 else foot.strike
            now = (first <= CLOCK) & (CLOCK < foot.off)
            ankle[now], pitch[now] = stance(leg, foot, np.maximum(CLOCK[now], foot.strike))
            heading[now], planted[now] = foot.heading, True
            toes[now] = -np.clip(pitch[now], 0, None)  # the toes stay flat
            if index + 1 < len(own):
                now = (foot.off <= CLOCK) & (CLOCK < own[index + 1].strike)
                ankle[now], pitch[now], heading[now] = swing(leg, foot, own[index + 1], CLOCK[now])
                u = (CLOCK[now] - foot.off) / (own[index + 1].strike - foot.off)
                last = -stance(leg, foot, np.array([foot.off]))[1][0]
                toes[now] = last * np.clip(1 - u / 0.6, 0, 1) ** 1.5 + 6 * np.sin(np.pi * u) ** 2
                ankle[now, 1] += sunk(leg, ankle[now], pitch[now], toes[now])
        rotation = turn(1, heading + 3 * SIDES[side]) @ turn(0, pitch)
        tracks[side] = ankle, rotation, toes, heading, planted
    return tracks


def reach(leg: Leg) -> tuple[float, float, float]:
    """base, top and shift of the squared hip-ankle distance: base + top cos(knee - shift)."""
    (ux, uy, uz), (lx, ly, lz) = leg.thigh, leg.shin
    base = leg.thigh @ leg.thigh + leg.shin @ leg.shin + 2 * ux * lx
    a, b = uy * ly + uz * lz, uz * ly - uy * lz
    return float(base), float(2 * np.hypot(a, b)), float(np.arctan2(b, a))


def solve_leg(leg: Leg, hip: np.ndarray, ankle: np.ndarray, forward: np.ndarray):
    """World rotation of the thigh (N, 3, 3) and knee angle (N,) rad: a hinge about x that bends
    towards `forward` (N, 3). Raises ValueError where the ankle is out of reach."""
    way = ankle - hip
    base, top, shift = reach(leg)
    cosine = ((way**2).sum(-1) - base) / top
    if cosine.max() > 1:
        raise ValueError(f"A foot is out of reach at {CLOCK[cosine.argmax()]:.2f} s.")
    knee = shift + np.arccos(cosine)
    bent = leg.thigh + (turn(0, np.degrees(knee)) @ leg.shin)
    own = frame(bent, np.broadcast_to([1.0, 0, 0], bent.shape))
    wanted = frame(way, np.cross(np.broadcast_to([0, 1.0, 0], way.shape), forward))
    return wanted @ np.swapaxes(own, -1, -2), knee


def highest_pelvis(legs, tracks, floor_place: np.ndarray, turned: np.ndarray) -> np.ndarray:
    """(N,) the pelvis's height at which the tauter leg's knee is still bent by 4 degrees."""
    heights = []
    for side, leg in legs.items():
        base, top, shift = reach(leg)
        longest = base + top * np.cos(np.radians(4) - shift)
        hip = turned @ leg.hip
        gap = tracks[side][0] - (floor_place + hip)
        level = gap[:, 0] ** 2 + gap[:, 2] ** 2
        heights.append(tracks[side][0][:, 1] + np.sqrt(longest - level) - hip[:, 1])
    return np.min(heights, axis=0)
