"""Human3.6M in the archives that lifters are trained from (VideoPose3D's).

data_3d_h36m.npz: `positions_3d`, subject -> action -> (F, 32, 3) m in the world, z up, 50 fps.
data_2d_h36m_NAME.npz: `positions_2d`, subject -> action -> four arrays, one a camera,
(F, K, 2 or 3) px; and `metadata`. Ionescu et al., "Human3.6M" (2014); the split is that of all
lifters, with every frame and camera (543,344 frames to test on).
"""

from pathlib import Path

import numpy as np

from regressor import skeletons
from regressor.data.archives import Tree, load_archive
from regressor.data.keypoint_formats import to_h36m
from regressor.data.lifting_cameras import PlacedCamera, cameras
from regressor.data.sequences import LiftingSequence, LiftingSet
from regressor.errors import PosecastError

SUBJECTS = {"train": ("S1", "S5", "S6", "S7", "S8"), "test": ("S9", "S11")}
ACTIONS = (  # in the order of the published tables
    "Directions Discussion Eating Greeting Phoning Photo Posing Purchases Sitting SittingDown "
    "Smoking Waiting WalkDog Walking WalkTogether"
).split()
FPS = 50.0
# The 17 joints among the recordings' 32.
KEPT = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)


def read(
    path: Path,
    split: str,
    detections: str = "gt",
    *,
    subjects: tuple[str, ...] | None = None,
    as_h36m: bool = False,
) -> LiftingSet:
    """The set whose archives lie in the folder `path`, or beside the file `path`.

    detections: the NAME of a 2D archive; "gt" is projected here where its archive is absent, with
    full distortion, as that archive was. subjects: others than the split's. as_h36m: detections on
    COCO's or MPII's joints are rearranged into Human3.6M's 17; else the keypoints stay the
    detector's, as published networks have them.
    """
    folder = path if path.is_dir() else path.parent
    file = folder / "data_3d_h36m.npz" if path.is_dir() else path
    world = Tree(file, *load_archive(file, "positions_3d"))
    detected, skeleton = _detections(folder, detections)
    sequences = []
    for subject in subjects or SUBJECTS[split]:
        for action, recorded in world.at(subject).items():
            joints = _joints(recorded)
            for number, camera in enumerate(_cameras(subject, world)):
                place = detected and detected.at(subject).at(action).at(number)
                sequence = _sequence(subject, action, camera, joints)
                if place:
                    sequence.keypoints = cut(place, len(joints), len(skeletons.JOINTS[skeleton]))
                if as_h36m:
                    sequence.keypoints = to_h36m(sequence.keypoints, skeleton)
                sequences.append(sequence)
    return LiftingSet("Human3.6M", sequences, keypoint_skeleton="h36m17" if as_h36m else skeleton)


def _cameras(subject: str, world: Tree) -> list[PlacedCamera]:
    known = cameras("human36m")
    if subject not in known:
        raise world.wrong(f"has a subject whose cameras aren't known: {subject}")
    return known[subject]


def _joints(recorded: Tree) -> np.ndarray:
    """(F, 17, 3) of (F, 32, 3), or of 17 already."""
    if np.ndim(recorded.content) == 3 and np.shape(recorded.content)[1] == 17:
        return recorded.array(None, 17, 3)
    return recorded.array(None, 32, 3)[:, KEPT]


def _sequence(
    subject: str, action: str, camera: PlacedCamera, world: np.ndarray
) -> LiftingSequence:
    """Seen by one camera, with projected joints as its keypoints."""
    joints = camera.see(world)
    return LiftingSequence(
        name=f"{subject} {action} {camera.name}",
        subject=subject,
        action=action.split(" ")[0],
        keypoints=camera.project(joints),
        joints=joints,
        fps=FPS,
        width=camera.width,
        height=camera.height,
        intrinsics=camera.intrinsics,
        camera=camera.vector,
    )


def _detections(folder: Path, name: str) -> tuple[Tree | None, str]:
    """What is detected, and on which skeleton; None where it is to be projected."""
    file = folder / f"data_2d_h36m_{name}.npz"
    if not file.is_file():
        if name == "gt":
            return None, "h36m17"
        have = [
            found.stem.removeprefix("data_2d_h36m_")
            for found in sorted(folder.glob("data_2d_h36m_*.npz"))
        ]
        raise PosecastError(
            f"{folder} has no {file.name}" + (f"; there is {', '.join(have)}." if have else ".")
        )
    positions, metadata = load_archive(file, "positions_2d", "metadata")
    return Tree(file, positions), keypoint_skeleton(Tree(file, metadata, "its metadata"), name)


def keypoint_skeleton(metadata: Tree, name: str) -> str:
    """The skeleton of a 2D archive: by its number of joints, its layout's name and its own."""
    count = metadata.at("num_joints").content
    layout = str(dict(metadata.content).get("layout_name", ""))
    named = {16: "mpii16", 17: "coco17" if "coco" in (layout or name) else "h36m17"}
    if count not in (*named, 15):
        raise metadata.wrong(f"tells of {count!r} joints, a layout that isn't known")
    return named.get(count, "humaneva15")


def cut(detected: Tree, frames: int, joints: int) -> np.ndarray:
    """Keypoints (frames, K, 2 or 3): detectors' videos may be longer than the mocap, not
    shorter."""
    columns = np.shape(detected.content)[-1:]
    found = detected.array(None, joints, 3 if columns == (3,) else 2)
    if len(found) < frames:
        raise detected.wrong(f"has {len(found)} frames, and the motion has {frames}")
    return found[:frames]
