"""mediapipe's two pose graphs: finding people, and placing landmarks in a region.

They are the parts that its PoseLandmarker is put together from. The wheel's own .tflite files
serve as models once mediapipe's MetadataWriter has told them how their input is normalised.
"""

import contextlib
import importlib
import os
import re
import sys
import tempfile
import types
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from regressor.detection.track import Pose, box_around
from regressor.errors import PosecastError

# Name in the bundle: (file in the wheel, mean and deviation of the input).
MODELS = {
    "pose_detector.tflite": ("modules/pose_detection/pose_detection.tflite", 127.5, 127.5),
    "pose_landmarks_detector.tflite": (
        "modules/pose_landmark/pose_landmark_full.tflite",
        0.0,
        255.0,
    ),
}
PERSON_SCORE = 0.5  # below this, the landmark model says that its region holds no person
CANDIDATE_SCORE = 0.3  # from here on, a detection is worth a look by the landmark model
OVERLAP = 0.3  # of two detections that overlap more than this, one is kept
# mediapipe imports these for drawing, recording and camera demos only. cv2 wants system libraries
# that a bare server lacks, and together they take longer to import than all the rest.
ONLY_FOR_SHOW = ("cv2", "matplotlib", "matplotlib.pyplot", "sounddevice")
# What its C++ parts write to standard error whenever they start.
NOISE = re.compile(rb"^(WARNING: All log messages before absl|[IW]\d{4} |INFO: Created TensorFlow)")

Box = tuple[int, int, int, int]  # x0 y0 x1 y1 pixels


@dataclass(frozen=True)
class Candidate:
    """Somebody, as the detector sees them: the region of the whole body and the head in it.

    rect (NormalizedRect); head (2,) px, its middle; size of the region, px; score in 0..1.
    """

    rect: Any
    head: np.ndarray
    size: float
    score: float


class PoseGraphs:
    """Both graphs, ready to run.

    Each runs on a single thread, and lets go of Python's lock: so where several people are looked
    at, there is a landmark graph a core.
    """

    def __init__(self, people: int):
        with quiet():
            mp = import_mediapipe()
            from mediapipe.framework.formats import rect_pb2
            from mediapipe.python import packet_creator, packet_getter

            self._rect = rect_pb2.NormalizedRect
            self._create, self._get = packet_creator, packet_getter
            self._format = mp.ImageFormat.SRGB
            models = load_models(mp)
            self._detector = _detector_graph(models["pose_detector.tflite"], people)
            self._landmark_model = models["pose_landmarks_detector.tflite"]
            self._landmarkers = [_landmark_graph(self._landmark_model)]
            self._lanes = max(1, min(people, os.cpu_count() or 1))
            self._pool = ThreadPoolExecutor(self._lanes)
            self._warm_up()

    def detect(self, pixels: np.ndarray, part: Box) -> list[Candidate]:
        """People in a part of the picture, the surest first."""
        x0, y0, x1, y1 = part
        # The detector gives a wrong aspect for regions of a picture, so the part is cut out.
        whole = self._rect(x_center=0.5, y_center=0.5, width=1, height=1)
        image = self._image(np.ascontiguousarray(pixels[y0:y1, x0:x1]))
        result = self._detector.process({"image": image, "rect": self._create.create_proto(whole)})
        if result["rects"].is_empty():
            return []
        rects = self._get.get_proto_list(result["rects"])
        detections = self._get.get_proto_list(result["detections"])
        return [
            self._candidate(rect, detection, part, pixels.shape)
            for rect, detection in zip(rects, detections, strict=True)
            if rect.width > 0
        ]

    def landmarks(self, pixels: np.ndarray, rects: list[Any]) -> list[tuple[Pose, Any] | None]:
        """For each region the pose in it and the region to look at next, None without a person."""
        if not rects:
            return []
        image = self._image(pixels)
        lanes = min(self._lanes, len(rects))
        if len(self._landmarkers) < lanes:
            with quiet():
                more = lanes - len(self._landmarkers)
                self._landmarkers += [_landmark_graph(self._landmark_model) for _ in range(more)]
        found: list[tuple[Pose, Any] | None] = [None] * len(rects)

        def work(lane: int) -> None:
            for i in range(lane, len(rects), lanes):
                found[i] = self._pose(self._landmarkers[lane], image, rects[i], pixels.shape)

        if len(rects) == 1:
            work(0)
        else:
            list(self._pool.map(work, range(lanes)))
        return found

    def close(self) -> None:
        self._pool.shutdown()
        for graph in (self._detector, *self._landmarkers):
            graph.close()

    def _image(self, pixels: np.ndarray) -> Any:
        return self._create.create_image(pixels, image_format=self._format)

    def _candidate(self, rect: Any, detection: Any, part: Box, shape: tuple[int, ...]) -> Candidate:
        """What was detected in a part of the picture, in the whole."""
        (x0, y0, x1, y1), (height, width) = part, shape[:2]
        box = detection.location_data.relative_bounding_box  # of the head
        head = box.xmin + 0.5 * box.width, box.ymin + 0.5 * box.height
        return Candidate(
            rect=self._rect(
                x_center=(x0 + rect.x_center * (x1 - x0)) / width,
                y_center=(y0 + rect.y_center * (y1 - y0)) / height,
                width=rect.width * (x1 - x0) / width,
                height=rect.height * (y1 - y0) / height,
                rotation=rect.rotation,
            ),
            head=np.array([x0 + head[0] * (x1 - x0), y0 + head[1] * (y1 - y0)]),
            size=rect.width * (x1 - x0),
            score=detection.score[0],
        )

    def _pose(
        self, graph: Any, image: Any, rect: Any, shape: tuple[int, ...]
    ) -> tuple[Pose, Any] | None:
        result = graph.process({"image": image, "rect": self._create.create_proto(rect)})
        score = self._get.get_float(result["score"])
        if score < PERSON_SCORE or result["landmarks"].is_empty():
            return None
        points = self._get.get_proto(result["landmarks"]).landmark
        world = self._get.get_proto(result["world"]).landmark
        size = (shape[1], shape[0])
        keypoints = np.array([(p.x * size[0], p.y * size[1]) for p in points], np.float32)
        pose = Pose(
            keypoints=keypoints,
            # Sure only of what lies in the picture (presence) and isn't hidden (visibility).
            confidence=np.array([min(p.visibility, p.presence) for p in points], np.float32),
            box=box_around(keypoints),
            score=score,
            world=np.array([(p.x, p.y, p.z) for p in world], np.float32),
        )
        return pose, self._get.get_proto(result["next"])

    def _warm_up(self) -> None:
        """The first run of each graph is slow, and noisy."""
        blank = np.zeros((64, 64, 3), np.uint8)
        self.detect(blank, (0, 0, 64, 64))
        whole = self._rect(x_center=0.5, y_center=0.5, width=1, height=1)
        self.landmarks(blank, [whole])


def _graph(kind: str, inputs: list[str], outputs: list[str], options: Any) -> Any:
    from mediapipe.python._framework_bindings import task_runner
    from mediapipe.tasks.python.core.task_info import TaskInfo

    task = TaskInfo(kind, inputs, outputs, types.SimpleNamespace(to_pb2=lambda: options))
    return task_runner.TaskRunner.create(task.generate_graph_config(), None)


def _detector_graph(model: bytes, people: int) -> Any:
    from mediapipe.tasks.cc.vision.pose_detector.proto import pose_detector_graph_options_pb2

    options = pose_detector_graph_options_pb2.PoseDetectorGraphOptions(
        min_detection_confidence=CANDIDATE_SCORE,
        min_suppression_threshold=OVERLAP,
        num_poses=2 * people,
    )
    options.base_options.model_asset.file_content = model
    return _graph(
        "mediapipe.tasks.vision.pose_detector.PoseDetectorGraph",
        ["IMAGE:image", "NORM_RECT:rect"],
        ["DETECTIONS:detections", "EXPANDED_POSE_RECTS:rects", "POSE_RECTS:tight", "IMAGE:out"],
        options,
    )


def _landmark_graph(model: bytes) -> Any:
    from mediapipe.tasks.cc.vision.pose_landmarker.proto import (
        pose_landmarks_detector_graph_options_pb2 as options_pb2,
    )

    options = options_pb2.PoseLandmarksDetectorGraphOptions(min_detection_confidence=PERSON_SCORE)
    options.base_options.model_asset.file_content = model
    return _graph(
        "mediapipe.tasks.vision.pose_landmarker.SinglePoseLandmarksDetectorGraph",
        ["IMAGE:image", "NORM_RECT:rect"],
        [
            "LANDMARKS:landmarks",
            "WORLD_LANDMARKS:world",
            "AUXILIARY_LANDMARKS:aux",
            "POSE_RECT_NEXT_FRAME:next",
            "PRESENCE:present",
            "PRESENCE_SCORE:score",
        ],
        options,
    )


def load_models(mp: types.ModuleType) -> dict[str, bytes]:
    """The two models with their metadata, from the user's cache or made now (half a second).

    The cache is a .task bundle as mediapipe's own tools read it: a zip, stored.
    """
    bundle = cache_folder() / f"mediapipe-pose-{mp.__version__}.task"
    try:
        with zipfile.ZipFile(bundle) as file:
            return {name: file.read(name) for name in MODELS}
    except (OSError, KeyError, zipfile.BadZipFile):
        pass  # not there yet, or broken: made anew
    models = {name: _with_metadata(mp, *entry) for name, entry in MODELS.items()}
    with contextlib.suppress(OSError):  # without a place to keep it, it is made every time
        _save_bundle(models, bundle)
    return models


def _with_metadata(mp: types.ModuleType, file: str, mean: float, deviation: float) -> bytes:
    from mediapipe.tasks.python.metadata.metadata_writers import metadata_writer

    path = Path(str(mp.__file__)).parent / file
    if not path.is_file():
        raise PosecastError(
            f"This mediapipe ({mp.__version__}) has no {path.name}; install mediapipe 0.10.21."
        )
    writer = metadata_writer.MetadataWriter.create(bytearray(path.read_bytes()))
    writer.add_image_input([mean], [deviation])
    return bytes(writer.populate()[0])


def _save_bundle(models: dict[str, bytes], bundle: Path) -> None:
    bundle.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=bundle.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            for name, content in models.items():
                archive.writestr(name, content)
        Path(beside).replace(bundle)
    except OSError:
        Path(beside).unlink(missing_ok=True)
        raise


def cache_folder() -> Path:
    """Where this user's programs keep what can be made again."""
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given) / "posecast"
    try:
        home = Path.home()
    except RuntimeError:
        return Path(tempfile.gettempdir()) / "posecast"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "posecast"
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "posecast"


def import_mediapipe() -> types.ModuleType:
    """mediapipe without the packages that it imports for show (0.3 s instead of 0.9, no libGL).

    Raises PosecastError, naming what is missing, when it can't be imported at all.
    """
    if "mediapipe" in sys.modules:
        return sys.modules["mediapipe"]
    before = set(sys.modules)
    try:
        with _stand_ins():
            return importlib.import_module("mediapipe")
    except Exception:
        # Another mediapipe may use them while it is imported: then they are wanted after all.
        for name in set(sys.modules) - before:
            if name.partition(".")[0] == "mediapipe":
                del sys.modules[name]
    try:
        return importlib.import_module("mediapipe")
    except ImportError as error:
        raise PosecastError(
            f"mediapipe can't be loaded ({error}): install mediapipe 0.10.21, and on a bare Linux "
            "also the system packages libgl1 and libglib2.0-0."
        ) from error


@contextlib.contextmanager
def _stand_ins() -> Iterator[None]:
    """Empty modules in place of ONLY_FOR_SHOW while mediapipe is imported."""
    names = [name for name in ONLY_FOR_SHOW if name not in sys.modules]
    for name in names:
        sys.modules[name] = types.ModuleType(name)
        parent, _, child = name.rpartition(".")
        if parent in names:
            setattr(sys.modules[parent], child, sys.modules[name])
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Holds back standard error, and lets through afterwards what isn't mediapipe's usual noise."""
    try:
        saved = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            held.seek(0)
            for line in held:
                if not NOISE.match(line):
                    os.write(saved, line)
            os.close(saved)
