"""RTMPose by rtmlib on onnxruntime, from model files that the user has."""

import contextlib
import importlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from regressor.detection.track import Pose, box_around
from regressor.errors import FileFormatError, PosecastError
from regressor.video import VideoFrame

SKELETONS = {17: "coco17", 26: "halpe26"}
PERSON_SCORE = 0.3  # mean confidence of the joints, below which nobody is there
LOOK_WIDER = 0.15  # without a person detector: how far around the last pose the next is looked for


class RtmlibPose:
    """RTMPose on each person that a detector finds; without one, on a single person.

    pose_model: an RTMPose .onnx file of 17 (COCO) or 26 (Halpe, body with feet) keypoints;
    detector_model: a YOLOX or RTMDet .onnx file; device: as rtmlib names them (cpu, cuda, mps).
    Without a detector the person should fill most of the first frame, and is followed from there.
    Raises PosecastError when rtmlib is missing, FileFormatError when a file doesn't fit.
    """

    name = "rtmlib"

    def __init__(
        self,
        pose_model: str | Path | None = None,
        detector_model: str | Path | None = None,
        device: str = "cpu",
    ):
        if pose_model is None:
            raise PosecastError(
                "rtmlib needs an RTMPose model; name its .onnx file (and a person detector's)."
            )
        # rtmlib would try to download a file that it doesn't find.
        paths = [_existing(path) for path in (pose_model, detector_model) if path is not None]
        rtmlib = _import_rtmlib()
        self._pose = _load(rtmlib.RTMPose, paths[0], device)
        self._detector = None
        if detector_model is not None:
            kind = rtmlib.RTMDet if "rtmdet" in paths[1].name.lower() else rtmlib.YOLOX
            self._detector = _load(kind, paths[1], device)
        self.skeleton = self._skeleton(paths[0])
        self._last: np.ndarray | None = None

    def __call__(self, frame: VideoFrame) -> list[Pose]:
        """The people in this frame."""
        image = np.ascontiguousarray(frame.image[..., ::-1])  # rtmlib reads OpenCV's BGR
        boxes = self._boxes(image)
        if not len(boxes):
            return []
        keypoints, scores = self._pose(image, bboxes=boxes)
        people = [
            Pose(
                keypoints=np.asarray(points, np.float32),
                confidence=np.clip(np.asarray(score, np.float32), 0, 1),
                box=box_around(np.asarray(points)),
                score=float(np.clip(score, 0, 1).mean()),
            )
            for points, score in zip(keypoints, scores, strict=True)
        ]
        people = [pose for pose in people if pose.score >= PERSON_SCORE]
        best = max(people, key=lambda pose: pose.score, default=None)
        self._last = None if best is None else best.box
        return people

    def reset(self) -> None:
        """The next frame belongs to another shot."""
        self._last = None

    def close(self) -> None:
        """Nothing to close: onnxruntime ends with the object."""

    def _boxes(self, image: np.ndarray) -> list[list[float]]:
        height, width = image.shape[:2]
        if self._detector is not None:
            return [list(map(float, box[:4])) for box in self._detector(image)]
        if self._last is None:
            return [[0.0, 0.0, float(width), float(height)]]
        border = LOOK_WIDER * float(max(self._last[2:] - self._last[:2]))
        low = np.clip(self._last[:2] - border, 0, (width, height))
        high = np.clip(self._last[2:] + border, 0, (width, height))
        return [[*map(float, low), *map(float, high)]]

    def _skeleton(self, path: Path) -> str:
        """Which skeleton the model speaks, found by running it on an empty picture."""
        keypoints, _ = self._pose(np.zeros((64, 64, 3), np.uint8), bboxes=[[0, 0, 64, 64]])
        count = np.shape(keypoints)[1]
        if count not in SKELETONS:
            raise FileFormatError(
                f"{path.name} gives {count} keypoints; choose an RTMPose model of 17 or 26."
            )
        return SKELETONS[count]


def _import_rtmlib() -> Any:
    try:
        importlib.import_module("onnxruntime")
        return importlib.import_module("rtmlib")
    except ImportError as error:
        raise PosecastError(
            f"The rtmlib detector can't be used ({error}); install it with: "
            "pip install 'posecast[rtmlib]'."
        ) from error


def _existing(path: str | Path) -> Path:
    if not Path(path).is_file():
        raise PosecastError(f"The model file {path} doesn't exist; give the path of an .onnx file.")
    return Path(path)


def _load(kind: Any, path: Path, device: str) -> Any:
    """An rtmlib model whose input size is the file's own."""
    try:
        # It prints where standard output may carry the progress.
        with contextlib.redirect_stdout(io.StringIO()):
            model = kind(str(path), backend="onnxruntime", device=device)
        height, width = model.session.get_inputs()[0].shape[2:4]
    except Exception as error:  # onnxruntime has exception classes of its own
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise FileFormatError(
            f"{path.name} can't be used as a model ({reason[0][:120]}); give an .onnx file that "
            "rtmlib reads."
        ) from error
    if isinstance(height, int) and isinstance(width, int):
        model.model_input_size = (width, height)
    return model
