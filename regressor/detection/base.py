"""What a detector is, and the table of their names."""

import importlib
from pathlib import Path
from typing import Any, Protocol

from regressor.detection.track import Pose
from regressor.errors import PosecastError
from regressor.video import VideoFrame

# A new detector is one file and one line here; files are imported when they are asked for.
DETECTORS = {
    "mediapipe": ("regressor.detection.mediapipe_pose", "MediapipePose"),
    "rtmlib": ("regressor.detection.rtmlib_pose", "RtmlibPose"),
}


class Detector(Protocol):
    """Finds the people in a frame; may remember what it saw in the frames before."""

    name: str
    skeleton: str  # key of skeletons.JOINTS

    def __call__(self, frame: VideoFrame) -> list[Pose]: ...

    def reset(self) -> None:
        """Forget what was seen: the next frame belongs to another shot."""
        ...

    def close(self) -> None: ...


def names() -> list[str]:
    return list(DETECTORS)


def create(name: str, **options: Any) -> Detector:
    """The detector of that name; its options are those of its class. Raises PosecastError."""
    if name not in DETECTORS:
        raise PosecastError(f"There is no detector {name!r}; choose one of: {', '.join(names())}.")
    module, cls = DETECTORS[name]
    return getattr(importlib.import_module(module), cls)(**options)


def models_of(name: str, files: list[Path]) -> dict[str, Path]:
    """The options of a detector that runs model files of the user's: the pose model, or two.

    Raises PosecastError where they lack.
    """
    if name != "rtmlib":
        return {}
    if not 1 <= len(files) <= 2:
        raise PosecastError(
            "rtmlib runs models of your own: name the pose model, or the person detector and the "
            "pose model, with --detector-models."
        )
    return dict(zip(("pose_model", "detector_model"), reversed(files), strict=False))
