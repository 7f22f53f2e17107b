"""The people of a folder of pictures, picture beside picture, each before a camera of its own."""

from pathlib import Path

import numpy as np

from . import scene
from .motion_file import Motion, read_motion
from .shared_world import in_world_of

GAP_M = 0.8  # between the people of two pictures
ARM_M = 0.7  # how far an arm reaches, where a Motion doesn't tell its joints


def add_pictures(context, files: list[Path], folder: Path, settings) -> list:
    """Motion files of a folder's pictures as `scene.add_result`; returns the armatures."""
    pictures: dict[Path, list[tuple[Path, Motion]]] = {}
    for file in files:  # all are read before anything in the scene is changed
        motion = read_motion(file)
        pictures.setdefault(folder / Path(motion.video).name, []).append((file, motion))
    made, edge = [], 0.0
    for picture, people in pictures.items():
        left, right = reach([motion for _, motion in people])
        here = edge - left if made else 0.0
        own = [file for file, _ in people]
        made += scene.add_result(context, own, picture, settings, here)
        edge = here + right + GAP_M
    scene.make_active(context, made)
    return made


def reach(motions: list[Motion]) -> tuple[float, float]:
    """The least and the largest x (m) of a picture's people, in the world of the first."""
    places = []
    for motion in motions:
        motion = in_world_of(motions[0], motion)
        arms = np.add.outer((-ARM_M, ARM_M), motion.trans[:, 0])
        places.append(arms if motion.joints is None else motion.joints[..., 0])
    return min(float(x.min()) for x in places), max(float(x.max()) for x in places)
