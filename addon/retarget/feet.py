"""Feet that stay on the floor: the legs bent so that the ankles stand where the source's do.

Two bones and the law of cosines, for all frames at once. Without bpy.
"""

from dataclasses import replace

import numpy as np

from ..skeleton import JOINTS
from .transfer import Body, Standing, Wanted, frame_of, smallest_turn

EASE_S = 0.15  # how long a foot takes to leave the floor for the motion's own way
SOFT = 0.004  # of the leg's length: within it of full reach a leg gives way
FORWARD = 0.02  # of the leg's length: how much a straight knee leans to where the thigh looks
STILL_M_S = 0.25
LOW_M = 0.05  # over the lowest that the ankle goes


def keep_feet(
    wanted: Wanted, body: Body, place: Standing, contacts: np.ndarray | None, fps: float
) -> Wanted:
    """The legs bent where a foot stands: contacts (T, 2), left and right, or None to look."""
    standing = find_contacts(body, fps) if contacts is None else contacts.astype(bool)
    rotations = wanted.rotations.copy()
    for side, stands in zip(("left", "right"), standing.T, strict=True):
        leg = [f"{side}_{joint}" for joint in ("hip", "knee", "ankle")]
        if stands.any() and set(leg) <= set(wanted.joints):
            weight = ease(stands, body.frames / fps)
            goal = place(body.joints[:, JOINTS.index(leg[2])])
            thigh, shin = _bent(wanted, body, leg, goal, weight)
            rotations[:, wanted.column(leg[0])] = thigh
            rotations[:, wanted.column(leg[1])] = shin
    return replace(wanted, rotations=rotations)


def find_contacts(body: Body, fps: float) -> np.ndarray:
    """(T, 2) where an ankle is both low and slow."""
    if len(body.frames) < 2:
        return np.zeros((len(body.frames), 2), bool)
    ankles = body.joints[:, [JOINTS.index("left_ankle"), JOINTS.index("right_ankle")]]
    speed = np.linalg.norm(np.gradient(ankles, body.frames / fps, axis=0), axis=-1)
    floor = np.percentile(ankles[..., 2], 2)
    return (speed < STILL_M_S) & (ankles[..., 2] < floor + LOW_M)


def ease(stands: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T,) 1 where a foot stands, falling smoothly to 0 within EASE_S of that; times (T,) s."""
    at = times[stands]
    after = np.searchsorted(at, times)
    near = np.minimum(
        np.abs(times - at[np.clip(after, 0, len(at) - 1)]),
        np.abs(times - at[np.clip(after - 1, 0, len(at) - 1)]),
    )
    share = np.clip(1 - near / EASE_S, 0, 1)
    return share * share * (3 - 2 * share)


def _bent(wanted: Wanted, body: Body, leg: list[str], goal: np.ndarray, weight: np.ndarray):
    """(T, 3, 3) rotations of thigh and shin that bring the ankle to `goal`, by weight (T,)."""
    thigh, shin = wanted.segment(leg[0], leg[1]), wanted.segment(leg[1], leg[2])
    hips = hip_places(wanted, leg[0])
    own = thigh + shin
    upper, lower = float(np.linalg.norm(thigh[0])), float(np.linalg.norm(shin[0]))
    way = own + weight[:, None] * (goal - hips - own)
    asked = np.linalg.norm(way, axis=1)
    before = np.linalg.norm(own, axis=1)
    length = np.maximum(soft_reach(asked, upper + lower), np.minimum(asked, before))
    length = np.clip(length, abs(upper - lower) * 1.001 + 1e-9, (upper + lower) * (1 - 1e-7))
    along = way / np.maximum(asked, 1e-9)[:, None]
    looks = body.turns[:, JOINTS.index(leg[0])] @ _forward(body)
    aside = thigh + FORWARD * (upper + lower) * looks
    aside = aside - along * (aside * along).sum(1, keepdims=True)
    aside = aside / np.maximum(np.linalg.norm(aside, axis=1, keepdims=True), 1e-9)
    cosine = (upper**2 + length**2 - lower**2) / (2 * upper * length)
    cosine = np.clip(cosine, -1, 1)[:, None]
    new_thigh = upper * (cosine * along + np.sqrt(1 - cosine**2) * aside)
    new_shin = length[:, None] * along - new_thigh
    still = (weight == 0)[:, None]
    new_thigh, new_shin = np.where(still, thigh, new_thigh), np.where(still, shin, new_shin)
    return (
        smallest_turn(thigh, new_thigh) @ wanted.rotations[:, wanted.column(leg[0])],
        smallest_turn(shin, new_shin) @ wanted.rotations[:, wanted.column(leg[1])],
    )


def hip_places(wanted: Wanted, hip: str) -> np.ndarray:
    """(T, 3) m, where a thigh begins."""
    return wanted.place + wanted.segment("pelvis", hip)


def soft_reach(asked: np.ndarray, most: float) -> np.ndarray:
    """(T,) as asked, but nearing `most` instead of passing it: a knee that stops would pop."""
    margin = SOFT * most
    over = np.maximum(asked - (most - margin), 0)
    return np.where(over > 0, most - margin * np.exp(-over / margin), asked)


def _forward(body: Body) -> np.ndarray:
    """(3,) where the body looks at rest."""
    return -frame_of(body.places())[:, 1]
