"""Human3.6M in the file that MotionBERT is trained and tested on.

h36m_sh_conf_cam_source_final.pkl, "train" and "test", each a dictionary of arrays over the frames
of all recordings, 50 a second: `joint_2d` (N, 17, 2) px, a fine-tuned Stacked Hourglass' keypoints;
`confidence` (N, 17) or (N, 17, 1); `joint3d_image` (N, 17, 3), x and y in px, z in the same unit;
`camera_name`; `source`, as in s_09_act_02_subact_01_ca_01. In "test" alone: `action`;
`joints_2.5d_image` (N, 17, 3) mm, which is `joint3d_image` times `2.5d_factor` (N,), mm a pixel at
the root's depth. That is what scores are of: networks learn and answer in the picture's units, and
the factor, which no network knows, makes millimetres of them.
"""

from pathlib import Path

import numpy as np

from regressor.data.archives import Tree
from regressor.data.h36m import FPS
from regressor.data.lifting_cameras import cameras
from regressor.data.sequences import LiftingSequence, LiftingSet
from regressor.errors import FileFormatError, PosecastError
from regressor.safe_pickle import load_pickle

FILE = "h36m_sh_conf_cam_source_final.pkl"
# Recordings whose labels are broken: MotionBERT's scores are without them.
LEFT_OUT = ("s_09_act_05_subact_02", "s_09_act_10_subact_02", "s_09_act_13_subact_01")


def read(path: Path, split: str, detections: str = "gt") -> LiftingSet:
    """A split of the file `path`, or of the file of that name in the folder `path`.

    detections: "sh" for the file's own, with confidence; "gt" for x and y of the labels. Joints
    to learn from are in half widths of the picture, those to test on in metres, where `scale` is
    what answers are multiplied by.
    """
    if detections not in ("gt", "sh"):
        raise PosecastError(f"{FILE} has no detections {detections!r}: choose gt or sh.")
    file = path / FILE if path.is_dir() else path
    stored = Tree(file, load_pickle(file)).at(split)
    sources = _texts(stored, "source")
    count = len(sources)
    points, names = _keypoints(stored, detections, count), _texts(stored, "camera_name", count)
    learned = split == "train"
    joints = stored.at("joint3d_image" if learned else "joints_2.5d_image").array(count, 17, 3)
    factors = None if learned else stored.at("2.5d_factor").array(count)
    actions = None if learned else _texts(stored, "action", count)
    sequences = []
    for part in runs(sources):
        source, name = sources[part.start], names[part.start]
        if source.startswith(LEFT_OUT):
            continue
        subject = f"S{int(source[2:4])}" if source[2:4].isdigit() else source
        placed = {camera.name: camera for camera in cameras("human36m").get(subject, [])}
        if name not in placed:
            raise FileFormatError(f"{file}: {source} is of no camera that is known: {name}.")
        camera = placed[name]
        half = camera.width / 2
        sequences.append(
            LiftingSequence(
                name=source,
                subject=subject,
                action=actions[part.start] if actions else "",
                keypoints=points[part],
                joints=joints[part] / (half if learned else 1000),
                fps=FPS,
                width=camera.width,
                height=camera.height,
                intrinsics=camera.intrinsics,
                scale=None if factors is None else factors[part] * half / 1000,
            )
        )
    return LiftingSet("Human3.6M (MotionBERT's)", sequences, unit="picture" if learned else "m")


def _keypoints(stored: Tree, detections: str, count: int) -> np.ndarray:
    """(N, 17, 2) px, or (N, 17, 3) with confidence."""
    if detections == "gt":
        return stored.at("joint3d_image").array(count, 17, 3)[..., :2]
    points, sure = stored.at("joint_2d").array(count, 17, 2), stored.at("confidence")
    column = np.ndim(sure.content) == 3
    sure = sure.array(count, 17, 1) if column else sure.array(count, 17)[..., None]
    return np.concatenate([points, sure], axis=-1)


def _texts(stored: Tree, key: str, count: int | None = None) -> list[str]:
    """One text a frame."""
    found = stored.at(key)
    texts = found.content if isinstance(found.content, list | tuple | np.ndarray) else []
    if len(texts) != (count or len(texts)):
        raise found.wrong(f"has {len(texts)} entries for {count} frames")
    return [str(text) for text in texts]


def runs(sources: list[str]) -> list[slice]:
    """The frames of each recording, which are those in a row with the same source."""
    starts = [i for i, one in enumerate(sources) if i == 0 or one != sources[i - 1]]
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], len(sources)], strict=True)]
