"""Makes the demo clip and its ground truth: the default body walks in, turns and waves.

    python scripts/make_demo.py [--folder demo] [--work FOLDER]      with the bpy wheel
    blender -b -P scripts/make_demo.py -- [the same]

The motion is authored here: footprints and a few keyed angles; the legs follow by two-bone inverse
kinematics between the pelvis and the planted feet. Keyed angles are in degrees. The stage has the
axes of SMPL (y up, metres; the camera looks along -z) until the motion is written, whose world has
z up.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from addon.body import BodyData, default_body_file, read_body, to_blender  # noqa: E402
from regressor.motion import Motion  # noqa: E402

FPS = 30
SECONDS = 5.4
SIZE = (960, 540)
FOV_DEG = 50.0
CAMERA = np.array([0.2, 1.5, 4.7])  # on the stage
PITCH_DEG = 5.0  # downwards
BETAS = np.array([0.5, -0.6, 0.7, 0.4, -0.5, 0.3, 0.6, -0.3, 0.2, 0.4])

# ---------------------------------------------------------------------------------- the motion

RATE = 240  # Hz at which the motion is authored; the film takes every eighth
CLOCK = np.arange(round(-1.0 * RATE), round((SECONDS + 0.5) * RATE)) / RATE
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


def turn(axis: int, degrees) -> np.ndarray:
    """(..., 3, 3) rotations about one of the axes 0, 1, 2, of angles (...)."""
    angle = np.radians(np.asarray(degrees, float))
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[..., axis, axis] = 1
    one, two = (axis + 1) % 3, (axis + 2) % 3
    matrix[..., one, one] = matrix[..., two, two] = np.cos(angle)
    matrix[..., two, one], matrix[..., one, two] = np.sin(angle), -np.sin(angle)
    return matrix


def smooth(values: np.ndarray, sigma_s: float) -> np.ndarray:
    """(N, ...) values on the clock under a Gaussian of `sigma_s`; the ends are held."""
    reach = int(4 * sigma_s * RATE)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (sigma_s * RATE)) ** 2)
    flat = values.reshape(len(values), -1)
    padded = np.pad(flat, ((reach, reach), (0, 0)), mode="edge")
    columns = [np.convolve(column, kernel / kernel.sum(), "valid") for column in padded.T]
    return np.stack(columns, axis=1).reshape(values.shape)


def keyed(keys: dict[float, float], sigma_s: float = 0.1) -> np.ndarray:
    """(N,) a channel: straight between keys {s: value}, then smoothed."""
    return smooth(np.interp(CLOCK, list(keys), list(keys.values())), sigma_s)


def hermite(u, start, end, start_slope, end_slope) -> np.ndarray:
    """Cubic between two values with given slopes, u in 0 … 1."""
    h01 = u * u * (3 - 2 * u)
    return (
        start * (1 - h01) + end * h01 + start_slope * u * (1 - u) ** 2 - end_slope * u * u * (1 - u)
    )


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


def pelvis_path(prints: list[Print]):
    """Place on the floor (N, 3) and heading (N,) in degrees, and the gait's phase (N,): 1 when the
    left foot strikes, -1 when the right one does, 0 when standing."""
    times, places, headings, beats = [], [], [], []
    for before, foot in zip(prints, prints[1:], strict=False):
        times += [foot.strike + 0.06, (foot.strike + 0.06) + 0.27]
        places += [(before.centre + foot.centre) / 2, (foot.centre + foot.place) / 2]
        headings += [(before.heading + foot.heading) / 2, foot.heading]
        beats += [SIDES[foot.side], 0]
    last = prints[-1]
    beats[-2:] = [-0.25, 0]
    places[-1] = (prints[-2].place + last.place) / 2
    place = np.stack([np.interp(CLOCK, times, column) for column in np.array(places).T], axis=1)
    heading, phase = np.interp(CLOCK, times, headings), np.interp(CLOCK, times, beats)
    return smooth(place, 0.10), smooth(heading, 0.18), smooth(phase, 0.07)


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


def transposed(matrices: np.ndarray) -> np.ndarray:
    return np.swapaxes(matrices, -1, -2)


def frame(along: np.ndarray, side: np.ndarray) -> np.ndarray:
    """(N, 3, 3) orthonormal columns: `along`, `side` made square to it, and the third."""
    along = along / np.linalg.norm(along, axis=-1, keepdims=True)
    side = side - (side * along).sum(-1, keepdims=True) * along
    side = side / np.linalg.norm(side, axis=-1, keepdims=True)
    return np.stack([along, side, np.cross(along, side)], axis=-1)


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


def upper_body(phase, heading, pelvis_yaw, pelvis_roll, gaze) -> dict[int, np.ndarray]:
    """Rotations (N, 3, 3) of the spine, head and arms by joint number."""
    wave = keyed({2.45: 0, 3.15: 1}, 0.12)  # 0 the arm hangs, 1 it is raised
    beat = keyed({3.05: 0, 3.3: 1}, 0.08) * np.sin(2 * np.pi * 1.75 * (CLOCK - 3.05))
    drag = keyed({3.05: 0, 3.3: 1}, 0.08) * np.cos(2 * np.pi * 1.75 * (CLOCK - 3.05))
    breath = np.sin(2 * np.pi * 0.27 * CLOCK)
    walk = keyed({1.9: 1, 3.0: 0}, 0.2)
    rotations = {}
    yaw, roll = -1.9 * pelvis_yaw + 4 * wave, -1.1 * pelvis_roll + 2.5 * wave + 1.2 * beat
    lean = 0.5 * walk + 0.8 * breath - 1.5 * wave
    for joint, share in ((3, 0.3), (6, 0.3), (9, 0.4)):
        rotations[joint] = turn(1, share * yaw) @ turn(2, share * roll) @ turn(0, share * lean)
    look = np.clip(gaze - heading - pelvis_yaw - yaw, -62, 62)
    nod = keyed({0: 2, 1.3: 2, 2.2: -1, 3.0: -3, 3.5: -1, 4.2: -3, 4.7: 0}, 0.15) - lean
    tilt = keyed({2.6: 0, 3.4: 6, 4.3: 2, 5.0: 5}, 0.2) + 1.5 * beat
    tilt = tilt - 0.6 * roll - 0.5 * pelvis_roll
    rotations[12] = turn(1, 0.4 * look) @ turn(0, 0.4 * nod) @ turn(2, 0.4 * tilt)
    rotations[15] = turn(1, 0.6 * look) @ turn(0, 0.6 * nod) @ turn(2, 0.6 * tilt)
    for side, sign in SIDES.items():
        raised = wave if side == "right" else 0 * wave
        # The arm swings with the other leg: the right one is forward when the left foot strikes.
        forward = -sign * phase * 23 + 1 * walk + 2 * breath
        arm(rotations, side, sign, forward, raised, beat, drag)
    return rotations


def arm(rotations, side: str, sign: int, forward, raised, beat, drag) -> None:
    """One arm into `rotations`. forward (N,) degrees of swing; raised (N,) 0 … 1 of the wave."""
    collar, shoulder, elbow, wrist, hand = np.array([13, 16, 18, 20, 22]) + (side == "right")
    hangs = 1 - raised
    slow = smooth(forward, 0.06)
    rotations[collar] = turn(2, sign * (-3 * hangs + 16 * raised)) @ turn(1, -sign * 0.12 * slow)
    lower = 71 * hangs - (4 + 2 * beat) * raised
    twist = 4 * hangs - 78 * raised  # inwards while hanging, outwards while waving
    ahead = 3 * hangs + 24 * raised
    rotations[shoulder] = (
        turn(0, -forward * hangs) @ turn(1, -sign * ahead) @ turn(2, -sign * lower) @ turn(0, twist)
    )
    bend = (15 + 0.5 * np.clip(slow + 6, 0, None)) * hangs + (88 + 21 * beat) * raised
    bend = bend + 42 * np.sin(np.pi * raised) ** 2
    rotations[elbow] = turn(1, -sign * bend)
    flexed = 4 * hangs - 6 * raised
    rotations[wrist] = turn(1, sign * 10 * drag * raised) @ turn(2, -sign * flexed)
    rotations[hand] = turn(2, -sign * (22 * hangs - 4 * raised))


def author(data: BodyData):
    """The motion at FPS: local rotations (T, 24, 3, 3), pelvis (T, 3), feet planted (T, 2)."""
    rest = data.rest_joints(BETAS)
    vertices = data.template + data.shapedirs @ BETAS
    legs = {side: Leg.of(rest, side, vertices[:, 1].min()) for side in SIDES}
    prints = footprints()
    tracks = feet(legs, prints)
    place, heading, phase = pelvis_path(prints)
    sway = keyed({2.9: 0, 3.3: 0.05, 3.9: 0.036, 4.5: 0.052, 5.2: 0.038}, 0.2)  # onto the left leg
    place = place + turn(1, heading) @ [1, 0, 0] * sway[:, None]
    speed = smooth(np.linalg.norm(np.gradient(place, 1 / RATE, axis=0), axis=1), 0.3)
    walking = np.clip(speed / 1.1, 0, 1)
    pelvis_yaw = -6 * phase + keyed({2.9: 0, 3.4: 5, 4.4: 2, 5.2: 5}, 0.2)
    # The hip above the only standing leg is the higher one.
    left, right = (tracks[side][4].astype(float) for side in SIDES)
    pelvis_roll = 80 * sway + 2.5 * smooth(left - right, 0.07) * walking
    turned = turn(1, heading + pelvis_yaw) @ turn(0, 0.5 * walking) @ turn(2, pelvis_roll)
    limit = highest_pelvis(legs, tracks, place, turned)
    near = round(0.06 * RATE)  # the least of the neighbourhood, so that smoothing stays below it
    shifted = [np.roll(np.pad(limit, near, mode="edge"), by) for by in range(-near, near + 1)]
    height = smooth(np.min(shifted, axis=0)[near:-near], 0.025)
    pelvis = place + height[:, None] * [0, 1, 0]
    to_camera = np.degrees(np.arctan2(*(CAMERA - pelvis)[:, [0, 2]].T))
    gaze = heading + keyed({1.3: 0, 2.3: 1}, 0.15) * (to_camera - heading)
    rotations = upper_body(phase, heading, pelvis_yaw, pelvis_roll, gaze)
    rotations[0] = turned
    for side, (hip, knee, ankle, toe) in {"left": (1, 4, 7, 10), "right": (2, 5, 8, 11)}.items():
        leg, (target, foot, toes, *_) = legs[side], tracks[side]
        facing = turned[..., 2] + turn(1, tracks[side][3])[..., 2]
        thigh, bend = solve_leg(leg, pelvis + turned @ leg.hip, target, facing)
        rotations[hip] = transposed(turned) @ thigh
        rotations[knee] = turn(0, np.degrees(bend))
        rotations[ankle] = transposed(thigh @ rotations[knee]) @ foot
        rotations[toe] = turn(0, toes)
    still = np.broadcast_to(np.eye(3), (len(CLOCK), 3, 3))
    chosen = np.flatnonzero(np.isclose(CLOCK, 0))[0] + np.arange(round(SECONDS * FPS)) * RATE // FPS
    local = np.stack([rotations.get(joint, still) for joint in range(24)], axis=1)
    planted = np.stack([tracks[side][4] for side in SIDES], axis=1)
    return local[chosen], pelvis[chosen], planted[chosen]


def world_rotations(local: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """(T, 24, 3, 3) rotations relative to the parent to rotations in the stage."""
    turned = local.copy()
    for joint in range(1, 24):
        turned[:, joint] = turned[:, parents[joint]] @ local[:, joint]
    return turned


def joint_places(turned, pelvis, rest, parents) -> np.ndarray:
    """(T, 24, 3) joints on the stage."""
    places = np.repeat(pelvis[:, None], 24, axis=1)
    for joint in range(1, 24):
        parent = parents[joint]
        places[:, joint] = places[:, parent] + turned[:, parent] @ (rest[joint] - rest[parent])
    return places


def matrix_to_rotvec(matrix: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotations of less than half a turn to (..., 3) axis-angle, rad."""
    axis = np.stack(
        [
            matrix[..., (i + 2) % 3, (i + 1) % 3] - matrix[..., (i + 1) % 3, (i + 2) % 3]
            for i in range(3)
        ],
        axis=-1,
    )
    sine = np.linalg.norm(axis, axis=-1, keepdims=True) / 2
    cosine = (np.trace(matrix, axis1=-2, axis2=-1)[..., None] - 1) / 2
    angle = np.arctan2(sine, cosine)
    return axis / 2 * np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 1.0)


# -------------------------------------------------------------------------- the person's looks


@dataclass(frozen=True)
class Piece:
    """Skin or a garment at rest, skinned like the body.

    rest (V, 3); faces (F, 3); weights (V, 24); correctives (V, 3, 207); colour (V, 3) linear RGB;
    edge (V,) m, the surface is cut away where it is below 0; stripe (V,) m along which stripes go.
    """

    name: str
    rest: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    correctives: np.ndarray
    colour: np.ndarray
    edge: np.ndarray
    stripe: np.ndarray


class Dresser:
    """Cuts the pieces out of the body's own surface."""

    def __init__(self, data: BodyData):
        self.data = data
        self.rest = data.template + data.shapedirs @ BETAS
        self.joints = data.rest_joints(BETAS)
        self.edges = np.concatenate([data.faces[:, [0, 1]], data.faces[:, [1, 2]]])
        self.part = np.array(data.part_names)[data.part]

    def averaged(self, values: np.ndarray, times: int) -> np.ndarray:
        """(V, ...) each vertex moved half-way to the mean of its neighbours, `times` times."""
        a, b = self.edges.T
        count = np.bincount(np.concatenate([a, b]), minlength=len(values)).clip(1)
        flat = values.reshape(len(values), -1).astype(float)
        for _ in range(times):
            sums = [
                np.bincount(a, column[b], len(column)) + np.bincount(b, column[a], len(column))
                for column in flat.T
            ]
            flat = 0.5 * flat + 0.5 * np.stack(sums, axis=1) / count[:, None]
        return flat.reshape(values.shape)

    def normals(self, vertices: np.ndarray) -> np.ndarray:
        corners = vertices[self.data.faces]
        flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        total = np.zeros_like(vertices)
        for corner in range(3):
            np.add.at(total, self.data.faces[:, corner], flat)
        return total / np.linalg.norm(total, axis=1, keepdims=True).clip(1e-12)

    def shell(self, name, edge, offset, softening: int, colour, stripe=None) -> Piece:
        """The surface where edge (V,) > 0, softened and moved outwards by offset (V,) m."""
        faces = self.data.faces[(edge[self.data.faces] > 0).any(axis=1)]
        used, faces = np.unique(faces, return_inverse=True)
        soft = self.averaged(self.rest, softening)
        moved = soft + self.normals(soft) * offset[:, None]
        stripe = np.zeros(len(edge)) if stripe is None else stripe
        weights = self.averaged(self.data.weights, softening // 2)
        return Piece(
            name,
            moved[used],
            faces.reshape(-1, 3),
            weights[used],
            self.data.posedirs[used],
            np.broadcast_to(colour, (len(edge), 3))[used],
            edge[used],
            stripe[used],
        )

    def shirt_edge(self) -> np.ndarray:
        """(V,) m inside the shirt's hems: below the neck, above the hips, short sleeves."""
        x, y, _ = self.rest.T
        neck, hips, elbow = self.joints[12], self.joints[1], self.joints[18]
        collar = (self.rest - neck - [0, 0.045, 0.02]) * [1, 1.15, 1]
        opening = np.linalg.norm(collar, axis=1) - 0.085
        above = np.where(np.abs(x) < 0.13, neck[1] + 0.02 - y, 1.0)
        inside = [y - hips[1] + 0.045, elbow[0] - 0.045 - np.abs(x), opening, above]
        return np.min(inside, axis=0)

    def shirt(self) -> list[Piece]:
        """Its body and its sleeves, which meet where they are cut."""
        x, y = np.abs(self.rest[:, 0]), self.rest[:, 1]
        hips, elbow = self.joints[1], self.joints[18]
        seam = x - self.joints[16][0] - 0.015
        loose = np.interp(y, [hips[1] - 0.05, 0.12, 0.3], [0.024, 0.014, 0.010])
        sleeve = np.interp(x, [0.2, elbow[0]], [0.010, 0.021])
        offset = loose + (sleeve - loose) * np.clip(seam / 0.04 + 0.5, 0, 1)
        body, arms = np.minimum(self.shirt_edge(), -seam), np.minimum(self.shirt_edge(), seam)
        return [
            self.shell("shirt", body, offset, 14, (1, 1, 1), y),
            # Surfaces that coincide would hide each other where they are cut.
            self.shell("shirt", arms, offset + 0.002, 14, (1, 1, 1), x),
        ]

    def trousers_edge(self) -> np.ndarray:
        y = self.rest[:, 1]
        return np.minimum(0.05 - y, y - self.joints[7][1] - 0.015)

    def trousers(self) -> Piece:
        y = self.rest[:, 1]
        loose = np.interp(y, [-0.85, -0.55, -0.2, 0.0], [0.024, 0.018, 0.010, 0.006])
        return self.shell("trousers", self.trousers_edge(), loose, 10, (0.045, 0.075, 0.16))

    def hair(self) -> Piece:
        x, y, z = self.rest.T
        edge = self.averaged((self.part == "hair").astype(float), 5) - 0.42
        head = self.joints[15]
        volume = 0.004 + 0.025 * np.clip(edge / 0.5, 0, 1) ** 0.9
        top = np.interp(y - head[1], [0.0, 0.06, 0.14], [0.3, 0.55, 1.1])
        tufts = 0.0035 * np.sin(70 * x + 25 * z) + 0.003 * np.sin(55 * z - 40 * x)
        tuft_share = np.clip(edge / 0.3, 0, 1)
        return self.shell("hair", edge, volume * top + tufts * tuft_share, 2, (0.030, 0.016, 0.009))

    def skin(self) -> Piece:
        """The body itself, without what clothes hide, and with a face painted on."""
        faces = self.data.faces
        covered = (self.shirt_edge() > 0.03) | (self.trousers_edge() > 0.03)
        covered |= self.part == "shoes"
        faces = faces[~covered[faces].all(axis=1)]
        count = len(self.rest)
        return Piece(
            "skin",
            self.rest,
            faces,
            self.data.weights,
            self.data.posedirs,
            self.painted(),
            np.ones(count),
            np.zeros(count),
        )

    def painted(self) -> np.ndarray:
        """(V, 3) colours of the skin: lips, brows, cheeks, and the eyeballs' whites and irises."""
        colour = np.tile([0.50, 0.265, 0.17], (len(self.rest), 1))
        template = self.data.template
        spots = {  # in the template's axes: centre, radii, colour, strength
            "lips": ((0, 0.5835, 0.152), (0.026, 0.0085, 0.02), (0.34, 0.09, 0.075), 0.8),
            "cheeks": ((0.042, 0.612, 0.13), (0.022, 0.02, 0.03), (0.52, 0.19, 0.13), 0.35),
            "brows": ((0.033, 0.678, 0.15), (0.021, 0.0046, 0.03), (0.05, 0.028, 0.017), 0.9),
            "lids": ((0.031, 0.655, 0.14), (0.021, 0.011, 0.03), (0.22, 0.10, 0.07), 0.5),
        }
        mirrored = np.abs(template) * [1, 0, 0] + template * [0, 1, 1]
        for centre, radii, paint, strength in spots.values():
            away = np.linalg.norm((mirrored - centre) / radii, axis=1)
            share = strength * np.clip(1.6 - 0.8 * away, 0, 1)[:, None]
            colour = colour * (1 - share) + share * paint
        for side in (1, -1):
            ball = self.eyeball(side)
            centre = (template[ball].min(0) + template[ball].max(0)) / 2
            off_axis = np.linalg.norm((template[ball] - centre)[:, :2], axis=1)
            iris = (off_axis < 0.0085) & (template[ball, 2] > centre[2])
            colour[ball] = np.where(iris[:, None], (0.02, 0.012, 0.008), (0.72, 0.70, 0.68))
        return colour

    def eyeball(self, side: int) -> np.ndarray:
        """Indices of an eyeball's vertices: a small surface of its own around the eye."""
        box = np.abs(self.data.template - [side * 0.030, 0.655, 0.130]) < [0.0165, 0.0155, 0.0185]
        label = np.arange(len(box))
        a, b = self.edges.T
        for _ in range(60):  # the least index spreads through whatever is joined
            least = np.minimum(label[a], label[b])
            np.minimum.at(label, a, least)
            np.minimum.at(label, b, least)
        values, counts = np.unique(label[box.all(axis=1)], return_counts=True)
        found = [v for v, c in zip(values, counts, strict=True) if c == np.sum(label == v)]
        return np.flatnonzero(np.isin(label, found))

    def shoe(self, side: str) -> Piece:
        """A loft of rounded sections around one foot, from heel to toe, on a light sole."""
        ankle, foot = (7, 10) if side == "left" else (8, 11)
        own = (self.part == "shoes") & (np.sign(self.rest[:, 0]) == SIDES[side])
        points = self.rest[own]
        back, front = points[:, 2].min() - 0.008, points[:, 2].max() + 0.010
        floor = self.rest[:, 1].min()
        along = back + (front - back) * (0.5 - 0.5 * np.cos(np.linspace(0.12, np.pi - 0.1, 26)))
        rows = [self.section(points, floor, z, back, front) for z in along]
        rest = np.array(rows)
        count = rest.shape[1]
        rest = np.concatenate([rest.reshape(-1, 3), [rest[0].mean(0), rest[-1].mean(0)]])
        grid = np.arange(26 * count).reshape(26, count)
        a, b = grid[:-1], grid[1:]
        a2, b2 = np.roll(a, -1, axis=1), np.roll(b, -1, axis=1)
        faces = [np.stack(t, -1).reshape(-1, 3) for t in ((a, a2, b2), (a, b2, b))]
        ends = [
            np.stack([np.full(count, len(rest) - 2), np.roll(grid[0], -1), grid[0]], -1),
            np.stack([np.full(count, len(rest) - 1), grid[-1], np.roll(grid[-1], -1)], -1),
        ]
        toes = np.clip((rest[:, 2] - self.joints[foot][2]) / 0.04 + 0.5, 0, 1)
        weights = np.zeros((len(rest), 24))
        weights[:, foot], weights[:, ankle] = toes, 1 - toes
        sole = (rest[:, 1] < floor + 0.022)[:, None]
        colour = np.where(sole, (0.75, 0.74, 0.70), (0.10, 0.105, 0.12))
        blank = np.zeros((len(rest), 3, self.data.posedirs.shape[2]), np.float32)
        ones = np.ones(len(rest))
        return Piece(
            "shoes", rest, np.concatenate(faces + ends), weights, blank, colour, ones, 0 * ones
        )

    @staticmethod
    def section(points, floor: float, z: float, back: float, front: float) -> np.ndarray:
        """(20, 3) outline of the shoe at z: flat below, rounded above, closing at both ends."""
        near = points[np.abs(points[:, 2] - np.clip(z, back + 0.02, front - 0.035)) < 0.012]
        low, high = near[:, 0].min() - 0.007, near[:, 0].max() + 0.007
        closing = np.sqrt(np.clip(min((z - back) / 0.035, (front - z) / 0.05, 1), 0.05, 1))
        height = min(near[:, 1].max() + 0.008, floor + 0.105) - floor
        height = max(height, 0.052) * (0.6 + 0.4 * closing)
        angle = np.linspace(0, 2 * np.pi, 20, endpoint=False) + np.pi / 20
        c, s = np.cos(angle), np.sin(angle)
        x = (low + high) / 2 + (high - low) / 2 * closing * np.sign(c) * np.abs(c) ** 0.6
        up = np.where(s > 0, 0.4 + 0.6 * np.abs(s) ** 0.9, 0.4 - 0.4 * np.abs(s) ** 0.25)
        return np.stack([x, floor + height * up, np.full(20, z)], axis=1)


def dressed(data: BodyData) -> list[Piece]:
    """The pieces of the person, the whole body's vertices first."""
    dresser = Dresser(data)
    clothes = [*dresser.shirt(), dresser.trousers(), dresser.shoe("left"), dresser.shoe("right")]
    return [dresser.skin(), *clothes, dresser.hair()]


class Poser:
    """Linear blend skinning of all pieces, in NumPy, to the world's axes."""

    def __init__(self, pieces: list[Piece], data: BodyData):
        self.rest = np.concatenate([piece.rest for piece in pieces])
        self.weights = np.concatenate([piece.weights for piece in pieces])
        self.correctives = np.concatenate([piece.correctives for piece in pieces])
        self.joints = data.rest_joints(BETAS)

    def __call__(self, local, turned, places) -> np.ndarray:
        """(V, 3) z-up vertices for one frame's rotations (24, 3, 3), twice, and joints (24, 3)."""
        bent = (local[1:] - np.eye(3)).reshape(-1).astype(np.float32)
        shaped = self.rest + self.correctives @ bent
        offsets = places - (turned @ self.joints[..., None])[..., 0]
        blended = np.tensordot(self.weights, turned, 1)
        return to_blender((blended @ shaped[..., None])[..., 0] + self.weights @ offsets)


# ---------------------------------------------------------------------------------- the film


WALL = 2.6  # y of the wall behind, in the world


def material(name: str, *, colour=None, bump=(0.0, 1.0), roughness=0.8, stripes=None, cut=False):
    """A cloth, skin or wall: vertex colours or one colour, bumps (strength, size) by rest place,
    stripes (per metre, colours) along the `stripe` attribute."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    nodes, links = made.node_tree.nodes, made.node_tree.links
    shader = nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value = roughness
    shader.inputs["Specular IOR Level"].default_value = 0.25

    def attribute(key: str, output: str):
        node = nodes.new("ShaderNodeAttribute")
        node.attribute_name = key
        return node.outputs[output]

    def maths(operation: str, value, second: float):
        node = nodes.new("ShaderNodeMath")
        node.operation = operation
        links.new(value, node.inputs[0])
        node.inputs[1].default_value = second
        return node.outputs[0]

    if colour is not None:
        shader.inputs["Base Color"].default_value = (*colour, 1)
    elif stripes is None:
        links.new(attribute("tint", "Color"), shader.inputs["Base Color"])
    else:
        ramp = nodes.new("ShaderNodeValToRGB")
        ramp.color_ramp.interpolation = "CONSTANT"
        ramp.color_ramp.elements[1].position = stripes[1]
        for element, paint in zip(ramp.color_ramp.elements, stripes[2:], strict=True):
            element.color = (*paint, 1)
        along = maths("FRACT", maths("MULTIPLY", attribute("stripe", "Fac"), stripes[0]), 0)
        links.new(along, ramp.inputs[0])
        links.new(ramp.outputs[0], shader.inputs["Base Color"])
    if cut:
        links.new(maths("GREATER_THAN", attribute("edge", "Fac"), 0), shader.inputs["Alpha"])
    if bump[0]:
        noise, bumped = nodes.new("ShaderNodeTexNoise"), nodes.new("ShaderNodeBump")
        links.new(attribute("rest", "Vector"), noise.inputs["Vector"])
        noise.inputs["Scale"].default_value = bump[1]
        bumped.inputs["Strength"].default_value = 1.0
        bumped.inputs["Distance"].default_value = bump[0]
        links.new(noise.outputs[0], bumped.inputs["Height"])
        links.new(bumped.outputs[0], shader.inputs["Normal"])
    return made


def person_materials() -> dict[str, bpy.types.Material]:
    return {
        "skin": material("skin", roughness=0.55),
        "shirt": material(
            "shirt",
            bump=(0.05, 11),
            stripes=(13.0, 0.62, (0.50, 0.055, 0.045), (0.75, 0.70, 0.60)),
            cut=True,
            roughness=0.9,
        ),
        "trousers": material("trousers", bump=(0.05, 9), cut=True, roughness=0.9),
        "shoes": material("shoes", roughness=0.6),
        "hair": material("hair", bump=(0.012, 60), cut=True, roughness=0.5),
    }


def add_person(pieces: list[Piece]) -> bpy.types.Object:
    """All pieces as one mesh, in the rest pose."""
    mesh = bpy.data.meshes.new("Person")
    starts = np.cumsum([0] + [len(piece.rest) for piece in pieces])
    faces = [piece.faces + start for piece, start in zip(pieces, starts, strict=False)]
    rest = np.concatenate([piece.rest for piece in pieces])
    mesh.from_pydata(rest.tolist(), [], np.concatenate(faces).tolist())
    materials = person_materials()
    for made in materials.values():
        mesh.materials.append(made)
    slots = list(materials)
    index = np.repeat([slots.index(piece.name) for piece in pieces], [len(f) for f in faces])
    mesh.polygons.foreach_set("material_index", index.astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(index), bool))
    tint = np.concatenate([piece.colour for piece in pieces])
    tint = np.concatenate([tint, np.ones((len(tint), 1))], axis=1)
    for key, kind, field, values in (
        ("rest", "FLOAT_VECTOR", "vector", rest),
        ("tint", "FLOAT_COLOR", "color", tint),
        ("edge", "FLOAT", "value", np.concatenate([piece.edge for piece in pieces])),
        ("stripe", "FLOAT", "value", np.concatenate([piece.stripe for piece in pieces])),
    ):
        layer = mesh.attributes.new(key, kind, "POINT")
        layer.data.foreach_set(field, values.astype(np.float32).ravel())
    person = bpy.data.objects.new("Person", mesh)
    bpy.context.scene.collection.objects.link(person)
    return person


def box(name: str, low, high, made) -> None:
    """An axis-aligned box between two corners of the world (z up, metres)."""
    mesh = bpy.data.meshes.new(name)
    corners = [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    low, high = np.array(low, float), np.array(high, float)
    mesh.from_pydata(
        (low + np.array(corners) * (high - low)).tolist(),
        [],
        [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)],
    )
    mesh.materials.append(made)
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(name, mesh))


def planks() -> bpy.types.Material:
    """A wooden floor."""
    made = material("floor", roughness=0.5, colour=(0.4, 0.3, 0.2))
    nodes, links = made.node_tree.nodes, made.node_tree.links
    place, brick = nodes.new("ShaderNodeNewGeometry"), nodes.new("ShaderNodeTexBrick")
    links.new(place.outputs["Position"], brick.inputs["Vector"])
    for socket, value in (
        ("Scale", 1.0),
        ("Brick Width", 1.4),
        ("Row Height", 0.16),
        ("Mortar Size", 0.004),
        ("Color1", (0.36, 0.22, 0.12, 1)),
        ("Color2", (0.28, 0.165, 0.085, 1)),
        ("Mortar", (0.10, 0.06, 0.035, 1)),
    ):
        brick.inputs[socket].default_value = value
    links.new(brick.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])
    return made


def add_room() -> None:
    wall, white = (
        material("wall", colour=(0.50, 0.56, 0.56)),
        material("white", colour=(0.75, 0.74, 0.71)),
    )
    paints = [(0.65, 0.40, 0.10), (0.10, 0.28, 0.38), (0.55, 0.16, 0.12), (0.75, 0.68, 0.5)]
    paint = [material("paint", colour=colour) for colour in paints]
    box("floor", (-6, -6, -0.05), (6, WALL, 0), planks())
    box("wall", (-6, WALL, 0), (6, WALL + 0.1, 4), wall)
    box("skirting", (-6, WALL - 0.02, 0), (6, WALL, 0.12), white)
    box("rail", (-6, WALL - 0.015, 0.98), (6, WALL, 1.03), white)
    for x in np.arange(-4.2, 4.3, 0.7):
        box("panel", (x - 0.02, WALL - 0.012, 0.12), (x + 0.02, WALL, 0.98), white)
    dark = material("dark", colour=(0.05, 0.05, 0.06))
    for x, width, height, paint_order in (
        (-2.6, 0.8, 0.6, (0, 1, 2)),
        (-0.9, 0.5, 0.7, (1, 2, 3)),
        (1.05, 0.9, 0.6, (2, 3, 0)),
    ):
        framed_picture(x, width, height, [paint[i] for i in paint_order], dark, white)
    wood = material("wood", colour=(0.22, 0.11, 0.055), roughness=0.5)
    box("board", (2.35, WALL - 0.45, 0.1), (3.9, WALL - 0.03, 0.75), wood)
    for x, height, which in ((2.5, 0.25, 1), (2.68, 0.30, 2), (2.80, 0.22, 0), (3.4, 0.35, 1)):
        low = np.array([x, WALL - 0.35, 0.75])
        box("book", low, low + [0.09, 0.25, height], paint[which])


def framed_picture(x: float, width: float, height: float, paints, frame, sheet) -> None:
    """Bars of three colours, on the wall with the lower left corner at x."""
    low = np.array([x, WALL - 0.04, 1.45])
    high = low + [width, 0.04, height]
    box("frame", low, high, frame)
    box("sheet", low + [0.04, -0.004, 0.04], high - [0.04, 0.01, 0.04], sheet)
    for index, paint in enumerate(paints):
        inner = low + [0.1 + index * 0.2 * width, -0.008, 0.1]
        top = 0.12 + (0.18 if index % 2 else 0.3) * height
        box("bar", inner, inner + [0.17 * width, 0.004, top], paint)


def add_light(name: str, place, aim, size: float, watts: float, colour=(1, 1, 1)) -> None:
    data = bpy.data.lights.new(name, "AREA")
    data.size, data.energy, data.color = size, watts, colour
    light = bpy.data.objects.new(name, data)
    light.location = place
    light.rotation_euler = (Vector(aim) - Vector(place)).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(light)


def add_camera(scene: bpy.types.Scene) -> None:
    data = bpy.data.cameras.new("Camera")
    data.sensor_fit, data.angle = "HORIZONTAL", np.radians(FOV_DEG)
    camera = bpy.data.objects.new("Camera", data)
    camera.location = to_blender(CAMERA)
    camera.rotation_euler = (np.radians(90 - PITCH_DEG), 0, 0)
    scene.collection.objects.link(camera)
    scene.camera = camera


def can_denoise() -> bool:
    """Some distributions build Blender without the denoiser."""
    import _cycles  # exists only inside Blender

    return _cycles.with_openimagedenoise


def set_up(samples: int) -> bpy.types.Scene:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    render = scene.render
    render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = samples, can_denoise()
    scene.cycles.max_bounces, scene.cycles.diffuse_bounces = 2, 1
    scene.cycles.use_adaptive_sampling = False
    if can_denoise():
        scene.cycles.denoising_quality = "BALANCED"
    render.use_persistent_data = True
    render.resolution_x, render.resolution_y = SIZE
    render.fps = FPS
    scene.frame_start, scene.frame_end = 0, round(SECONDS * FPS) - 1
    scene.view_settings.look = "AgX - Medium High Contrast"
    scene.world = bpy.data.worlds.new("World")
    scene.world.use_nodes = True
    sky = scene.world.node_tree.nodes["Background"].inputs
    sky["Color"].default_value, sky["Strength"].default_value = (0.85, 0.93, 1.0, 1), 0.55
    add_camera(scene)
    add_room()
    add_light("key", (-2.6, -3.2, 3.6), (0, 0.4, 0.8), 1.8, 260, (1.0, 0.93, 0.84))
    add_light("fill", (3.5, -2.5, 2.6), (0, 0.5, 1.0), 2.5, 70, (0.85, 0.93, 1.0))
    return scene


@dataclass(frozen=True)
class Region:
    """Pixels x0 … x1, y0 … y1 of the picture, y upwards as Blender counts."""

    x0: int
    y0: int
    x1: int
    y1: int

    @staticmethod
    def around(points_px: np.ndarray) -> "Region":
        """A margin around points (N, 2; y down) that holds the shadow too."""
        low = np.floor(points_px.min(axis=0)).astype(int) - [30, 24]
        high = np.ceil(points_px.max(axis=0)).astype(int) + [100, 24]
        low, high = low.clip(0), np.minimum(high, SIZE)
        return Region(int(low[0]), int(SIZE[1] - high[1]), int(high[0]), int(SIZE[1] - low[1]))

    def limit(self, render) -> None:
        render.use_border = render.use_crop_to_border = True
        # Blender cuts to whole pixels: a quarter of one keeps it from falling to the next below.
        render.border_min_x, render.border_max_x = (
            (self.x0 + 0.25) / SIZE[0],
            (self.x1 + 0.25) / SIZE[0],
        )
        render.border_min_y, render.border_max_y = (
            (self.y0 + 0.25) / SIZE[1],
            (self.y1 + 0.25) / SIZE[1],
        )

    def paste(self, plate: np.ndarray, part: np.ndarray) -> np.ndarray:
        """The picture (H, W, 4) with `part` in this region, fading out over its rim."""
        fades = []
        for low, high, size in ((self.y0, self.y1, SIZE[1]), (self.x0, self.x1, SIZE[0])):
            at = np.arange(low, high)
            fade = np.minimum(at - low if low else 99, high - 1 - at if high < size else 99) / 24
            fades.append(np.clip(fade, 0, 1))
        share = (fades[0][:, None] * fades[1][None, :])[..., None]
        whole = plate.copy()
        window = whole[self.y0 : self.y1, self.x0 : self.x1]
        window[:] = window * (1 - share) + part * share
        return whole


def read_picture(file: Path) -> np.ndarray:
    """(H, W, 4) of 0 … 1 as stored, the lowest row first."""
    image = bpy.data.images.load(str(file))
    values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(values)
    values = values.reshape(image.size[1], image.size[0], 4)
    bpy.data.images.remove(image)
    return values


def write_picture(file: Path, values: np.ndarray) -> None:
    image = bpy.data.images.new("frame", values.shape[1], values.shape[0])
    image.pixels.foreach_set(np.ascontiguousarray(values, np.float32).ravel())
    image.filepath_raw, image.file_format = str(file), "PNG"
    image.save()
    bpy.data.images.remove(image)


def render_frames(person, posed, frames, folder: Path, samples: int) -> None:
    """Pictures frame_0000.png … in `folder`; those that are there already are kept.

    The empty room is rendered once, and of each frame only the region around the person.
    posed(frame) gives vertices (V, 3) in the world and in the picture (V, 2).
    """
    scene = bpy.context.scene
    render = scene.render
    render.image_settings.file_format = "PNG"
    room = folder / "room.png"
    if not room.exists():
        person.hide_render, scene.cycles.samples = True, 4 * samples
        render.filepath = str(room)
        bpy.ops.render.render(write_still=True)
        person.hide_render, scene.cycles.samples = False, samples
    plate = read_picture(room)
    for frame in frames:
        file = folder / f"frame_{frame:04d}.png"
        if file.exists():
            continue
        vertices, pixels = posed(frame)
        person.data.vertices.foreach_set("co", vertices.astype(np.float32).ravel())
        person.data.update()
        region = Region.around(pixels)
        region.limit(render)
        render.filepath = str(folder / "part.png")
        bpy.ops.render.render(write_still=True)
        write_picture(file, region.paste(plate, read_picture(folder / "part.png")))


def encode(folder: Path, count: int, film: Path) -> None:
    """The pictures in `folder` as H.264, their colours unchanged."""
    scene = bpy.data.scenes.new("Film")
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.fps = FPS
    scene.frame_start, scene.frame_end = 1, count
    scene.view_settings.view_transform = "Standard"
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strip = strips.new_image("frames", str(folder / "frame_0000.png"), 1, 1)
    for frame in range(1, count):
        strip.elements.append(f"frame_{frame:04d}.png")
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # 5.0 and later
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    movie = scene.render.ffmpeg
    movie.format, movie.codec = "MPEG4", "H264"
    movie.constant_rate_factor, movie.ffmpeg_preset, movie.gopsize = "HIGH", "BEST", 60
    scene.render.filepath = str(film)
    bpy.ops.render.render(animation=True, scene=scene.name)


# ---------------------------------------------------------------------------------- the truth


def camera_matrices() -> tuple[np.ndarray, np.ndarray]:
    """Intrinsics (3, 3) px, and world (z up) to camera (4, 4) in OpenCV's axes."""
    focal = SIZE[0] / 2 / np.tan(np.radians(FOV_DEG / 2))
    intrinsics = np.array([[focal, 0, SIZE[0] / 2], [0, focal, SIZE[1] / 2], [0, 0, 1]])
    extrinsics = np.eye(4)
    # From z up to OpenCV's axes, then nodding down.
    extrinsics[:3, :3] = turn(0, PITCH_DEG) @ [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    extrinsics[:3, 3] = -extrinsics[:3, :3] @ to_blender(CAMERA)
    return intrinsics, extrinsics


def projected(points: np.ndarray) -> np.ndarray:
    """(..., 3) points of the world to pixels (..., 2), y down."""
    intrinsics, extrinsics = camera_matrices()
    seen = (points @ extrinsics[:3, :3].T + extrinsics[:3, 3]) @ intrinsics.T
    return seen[..., :2] / seen[..., 2:]


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the demo clip and its truth.")
    parser.add_argument("--folder", type=Path, default=ROOT / "demo")
    parser.add_argument("--samples", type=int, help="rays a pixel (4, or 64 without a denoiser)")
    parser.add_argument("--work", type=Path, help="keep the pictures here, and go on from them")
    parser.add_argument("--only", type=int, nargs="+", help="render these frames and no film")
    after = sys.argv.index("--") + 1 if "--" in sys.argv else 1
    options = parser.parse_args(sys.argv[after:])

    data = read_body(default_body_file())
    local, pelvis, planted = author(data)
    turned = world_rotations(local, data.parents)
    rest = data.rest_joints(BETAS)
    places = joint_places(turned, pelvis, rest, data.parents)
    pieces = dressed(data)
    poser = Poser(pieces, data)

    def vertices_at(frame: int) -> np.ndarray:
        return poser(local[frame], turned[frame], places[frame])

    truth(data, local, pelvis, to_blender(places), planted, vertices_at).save(
        options.folder / "demo_truth.npz"
    )

    def posed(frame: int) -> tuple[np.ndarray, np.ndarray]:
        vertices = vertices_at(frame)
        return vertices, projected(vertices)

    samples = options.samples or (4 if can_denoise() else 64)
    set_up(samples)
    person = add_person(pieces)
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        frames = options.only or range(len(local))
        render_frames(person, posed, frames, work, samples)
        if not options.only:
            encode(work, len(local), options.folder / "demo.mp4")


def truth(data, local, pelvis, joints, planted, vertices_at) -> Motion:
    count = len(local)
    intrinsics, extrinsics = camera_matrices()
    local = local.copy()
    local[:, 0] = turn(0, 90) @ local[:, 0]
    with np.load(default_body_file()) as arrays:
        marks = arrays["J_regressor_mediapipe"].astype(float)
    body = slice(0, len(data.template))
    points = np.stack([marks @ vertices_at(frame)[body] for frame in range(count)])
    return Motion(
        poses=matrix_to_rotvec(local).reshape(count, 72),
        trans=to_blender(pelvis) - data.rest_joints(BETAS)[0],
        betas=BETAS,
        mocap_framerate=FPS,
        joints=joints,
        keypoints=projected(points),
        confidence=np.ones(points.shape[:2]),
        skeleton="mediapipe33",
        contacts=planted,
        image_size=np.array(SIZE),
        camera_intrinsics=intrinsics,
        camera_extrinsics=np.tile(extrinsics, (count, 1, 1)),
        fov_source="given",
        method="authored",
        video="demo.mp4",
    )


if __name__ == "__main__":
    main()
