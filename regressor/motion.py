"""Motion: SMPL through time, in AMASS's keys, with what was seen beside it.

The world is in metres with z up. `poses` and `trans` are such that a body called as smplx calls it
(`global_orient=poses[:, :3], body_pose=poses[:, 3:], transl=trans`) stands in that world.
"""

import io
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from regressor.errors import FileFormatError
from regressor.files import replacing

VERSION = 1

# Every array's type and shape; T is the number of frames, J is free, None is any number.
_ARRAYS: dict[str, tuple[type, tuple]] = {
    "poses": (np.float32, ("T", 72)),
    "trans": (np.float32, ("T", 3)),
    "betas": (np.float32, (10,)),
    "frames": (np.int64, ("T",)),
    "times": (np.float64, ("T",)),
    "observed": (np.bool_, ("T",)),
    "joints": (np.float32, ("T", 24, 3)),
    "keypoints": (np.float32, ("T", "J", 2)),
    "confidence": (np.float32, ("T", "J")),
    "contacts": (np.bool_, ("T", 2)),
    "image_size": (np.int64, (2,)),
    "camera_intrinsics": (np.float32, (3, 3)),
    "camera_extrinsics": (np.float32, ("T", 4, 4)),
}
_FINITE = ("poses", "trans", "betas", "times", "joints", "camera_intrinsics", "camera_extrinsics")
# Default of fields that a Motion always has once it is made.
_FILLED_IN: Any = None


@dataclass
class Motion:
    """One person's SMPL parameters over T frames; raises ValueError where a shape or value is off.

    Without `frames`, `times` and `observed`, the frames are 0 … T-1 at `mocap_framerate`, all seen.
    """

    poses: np.ndarray  # (T, 72) axis-angle, rad; the first 3 are the pelvis in the world
    trans: np.ndarray  # (T, 3) m, as smplx's `transl`
    betas: np.ndarray  # (10,)
    mocap_framerate: float  # frames per second
    gender: str = "neutral"
    frames: np.ndarray = _FILLED_IN  # (T,) numbers of the video's frames
    times: np.ndarray = _FILLED_IN  # (T,) s from the start of the video
    observed: np.ndarray = _FILLED_IN  # (T,) False where a gap was filled
    joints: np.ndarray | None = None  # (T, 24, 3) m, the body's joints in the world
    keypoints: np.ndarray | None = None  # (T, J, 2) px
    confidence: np.ndarray | None = None  # (T, J) in 0 … 1
    skeleton: str = ""  # which skeleton J is: a key of skeletons.JOINTS
    contacts: np.ndarray | None = None  # (T, 2) whether the left and the right foot stand
    image_size: np.ndarray | None = None  # (2,) px, width and height
    camera_intrinsics: np.ndarray | None = None  # (3, 3) px
    camera_extrinsics: np.ndarray | None = None  # (T, 4, 4) world to camera, OpenCV's axes
    camera_moves: bool = False
    fov_source: str = ""  # "given", "metadata", "lines" or "assumed"
    method: str = ""  # the lifter that made it
    body: str = "default"  # file name of the body
    video: str = ""  # file name of the video
    person: int = 1  # counted from 1, the largest first
    version: int = VERSION

    def __post_init__(self):
        self.mocap_framerate = float(self.mocap_framerate)
        if not self.mocap_framerate > 0:
            raise ValueError(f"mocap_framerate is {self.mocap_framerate:g}")
        if self.frames is None:
            self.frames = np.arange(len(self.poses))
        if self.times is None:
            self.times = self.frames / self.mocap_framerate
        if self.observed is None:
            self.observed = np.ones(len(self.poses), bool)
        sizes: dict[Any, int] = {}
        for name in _ARRAYS:
            if getattr(self, name) is not None:
                setattr(self, name, _checked(name, getattr(self, name), sizes))
        if sizes["T"] == 0:
            raise ValueError("it has no frames")

    def __len__(self) -> int:
        return len(self.poses)

    def save(self, file: str | Path) -> None:
        """Writes the .npz, whole or not at all; raises PosecastError where it can't be written."""
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        present = {name: value for name, value in content.items() if value is not None}
        archive = io.BytesIO()  # NumPy's own writing to a full disk ends in a traceback
        np.savez_compressed(archive, **present)
        with replacing(file) as partial:
            partial.write_bytes(archive.getbuffer())

    @classmethod
    def load(cls, file: str | Path) -> "Motion":
        """Reads a Motion or a file of AMASS; raises FileFormatError when it is neither.

        AMASS's hands are put to rest (SMPL-H has more joints there), and of its betas the first 10
        are kept.
        """
        content = read_arrays(file)
        if "mocap_frame_rate" in content:  # as SMPL-X's files spell it
            content.setdefault("mocap_framerate", content["mocap_frame_rate"])
        needed = ("poses", "trans", "betas", "gender", "mocap_framerate")
        if missing := [name for name in needed if name not in content]:
            raise FileFormatError(f"{file} is not a motion: it has no {' and no '.join(missing)}.")
        try:
            if content.get("version", VERSION) > VERSION:
                raise ValueError(f"it is of version {content['version']}, newer than this Posecast")
            content["poses"] = _smpl_poses(content["poses"])
            content["betas"] = _ten(content["betas"])
            names = {field.name for field in fields(cls)}
            return cls(**{name: value for name, value in content.items() if name in names})
        except (ValueError, TypeError) as error:
            raise FileFormatError(f"{file} is not a motion: {error}.") from error


def _checked(name: str, value: np.ndarray, sizes: dict[Any, int]) -> np.ndarray:
    """`value` in the type of the table; `sizes` collects what T and J are."""
    dtype, shape = _ARRAYS[name]
    array = np.asarray(value).astype(dtype)
    expected = tuple(
        sizes.setdefault(n, array.shape[axis]) if isinstance(n, str) and axis < array.ndim else n
        for axis, n in enumerate(shape)
    )
    if array.shape != expected:
        raise ValueError(f"{name} has the shape {array.shape} instead of {expected}")
    if name in _FINITE and not np.isfinite(array).all():
        raise ValueError(f"{name} holds numbers that are not finite")
    return array


def read_arrays(file: str | Path) -> dict[str, Any]:
    """The arrays of an .npz by name; single values as Python's own."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            # AMASS's files hold more; an array of objects among that isn't touched.
            names = {field.name for field in fields(Motion)} | {"mocap_frame_rate"}
            content = {name: archive[name] for name in archive.files if name in names}
    except FileNotFoundError as error:
        raise FileFormatError(f"{file} can't be read: there is no such file.") from error
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise FileFormatError(
            f"{file} is not a motion: a Motion or a file of AMASS (.npz) is needed."
        ) from error
    return {name: value if value.ndim else _plain(value.item()) for name, value in content.items()}


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _smpl_poses(poses: np.ndarray) -> np.ndarray:
    """(T, 72): SMPL's own, or the 22 joints that SMPL-H and SMPL-X share with it and open hands."""
    if poses.ndim != 2 or poses.shape[1] < 66:
        raise ValueError(f"poses has the shape {poses.shape} instead of (frames, 72)")
    if poses.shape[1] == 72:
        return poses
    return np.pad(poses[:, :66], ((0, 0), (0, 6)))


def _ten(betas: np.ndarray) -> np.ndarray:
    """(10,): longer or shorter shapes cut off or filled up with zeros."""
    flat = np.ravel(betas)[:10]
    return np.pad(flat, (0, 10 - len(flat)))
