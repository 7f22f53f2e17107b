"""The motion: somebody walks in, turns to the camera and waves.

Authored by footprints and a few keyed angles (degrees); the legs follow the planted feet.
"""

from typing import TYPE_CHECKING

import numpy as np

from scripts.demo.clock import CLOCK, RATE, keyed, smooth
from scripts.demo.curves import transposed, turn
from scripts.demo.stage import BETAS, CAMERA, FPS, SECONDS
from scripts.demo.steps import SIDES, Leg, Print, feet, footprints, highest_pelvis, solve_leg

if TYPE_CHECKING:  # importing it needs Blender
    from addon.body import BodyData


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


def author(data: "BodyData"):
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
