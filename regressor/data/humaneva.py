"""HumanEva-I in the archives that lifters are trained from (VideoPose3D's), 15 joints.

data_3d_humaneva15.npz: `positions_3d`, "Train/S1" -> "Walking 1 chunk0" -> (F, 15, 3) m in the
world. data_2d_humaneva15_NAME.npz: `positions_2d`, the same names -> three arrays, one a camera,
(F, K, 2 or 3) px; and `metadata`. Sigal et al., "HumanEva" (2010). The left side comes first.
"""

from pathlib import Path

from regressor import skeletons
from regressor.data.archives import Tree, load_archive
from regressor.data.h36m import cut, keypoint_skeleton
from regressor.data.lifting_cameras import cameras
from regressor.data.sequences import LiftingSequence, LiftingSet
from regressor.errors import PosecastError

PARTS = {"train": "Train", "test": "Validate"}
ACTIONS = ("Walk", "Jog", "Box")  # the beginnings of their names
FPS = 60.0


def read(
    path: Path, split: str, detections: str = "gt", *, actions: tuple[str, ...] = ACTIONS
) -> LiftingSet:
    """The set whose archives lie in the folder `path`, or beside the file `path`.

    Its cameras' intrinsics aren't known, so that its own projection ("gt") is an archive too.
    """
    folder = path if path.is_dir() else path.parent
    file = folder / "data_3d_humaneva15.npz" if path.is_dir() else path
    seen_file = folder / f"data_2d_humaneva15_{detections}.npz"
    if not seen_file.is_file():
        raise PosecastError(f"{folder} has no {seen_file.name}, the 2D keypoints.")
    world = Tree(file, *load_archive(file, "positions_3d"))
    positions, metadata = load_archive(seen_file, "positions_2d", "metadata")
    skeleton = keypoint_skeleton(Tree(seen_file, metadata, "its metadata"), detections)
    count, sequences = len(skeletons.JOINTS[skeleton]), []
    for part, recordings in world.items():
        subject = part.removeprefix(f"{PARTS[split]}/")
        if subject not in cameras("humaneva"):
            continue  # the other split, or unlabelled
        for name, recorded in recordings.items():
            if not name.startswith(actions):
                continue
            points = recorded.array(None, 15, 3)
            for number, camera in enumerate(cameras("humaneva")[subject]):
                detected = Tree(seen_file, positions).at(part).at(name).at(number)
                sequences.append(
                    LiftingSequence(
                        name=f"{part} {name} {camera.name}",
                        subject=subject,
                        action=next(action for action in actions if name.startswith(action)),
                        keypoints=cut(detected, len(points), count),
                        joints=camera.see(points),
                        fps=FPS,
                        width=camera.width,
                        height=camera.height,
                    )
                )
    return LiftingSet("HumanEva-I", sequences, "humaneva15", skeleton)
