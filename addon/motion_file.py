"""Reading a Motion: SMPL through time, as an .npz with AMASS's keys. Without bpy.

The world is in metres with z up. Posecast's own files say more than AMASS's (camera, contacts,
which frames were observed); whatever is missing is filled in or None.
"""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

JOINTS = 24
BETAS = 10
VERSION = 1


class MotionFileError(Exception):
    """The file is no Motion; the text is one sentence for the user."""


@dataclass(frozen=True)
class Camera:
    """image_size (width, height) px; intrinsics (3, 3) px; extrinsics (T, 4, 4) world to camera, m.

    The camera's axes are OpenCV's: x right, y down, z forward.
    """

    image_size: tuple[int, int]
    intrinsics: np.ndarray
    extrinsics: np.ndarray


@dataclass(frozen=True)
class Motion:
    """SMPL through T frames.

    poses (T, 72) axis-angle, the pelvis first; trans (T, 3) m; betas (10,); times (T,) s from the
    start of the video, frames (T,) its frame numbers; observed (T,) False where a gap was filled.
    """

    poses: np.ndarray
    trans: np.ndarray
    betas: np.ndarray
    gender: str
    fps: float
    frames: np.ndarray
    times: np.ndarray
    observed: np.ndarray
    joints: np.ndarray | None = None
    contacts: np.ndarray | None = None
    camera: Camera | None = None
    body: str = ""  # "default", a body file's name, or nothing where the file doesn't say
    method: str = ""
    video: str = ""
    person: int = 1

    def __len__(self) -> int:
        return len(self.poses)

    def quaternions(self) -> np.ndarray:
        """(T, 24, 4) w x y z: each joint's rotation in its parent's frame; no jumps of sign."""
        return continuous(rotvec_to_quaternion(self.poses.reshape(-1, JOINTS, 3)))


def rotvec_to_quaternion(rotvec: np.ndarray) -> np.ndarray:
    """(..., 3) axis-angle to (..., 4) unit quaternions, w first."""
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    # sin(a/2)/a, which numpy's sinc gives without a division by zero at a = 0.
    return np.concatenate([np.cos(angle / 2), rotvec * (np.sinc(angle / 2 / np.pi) / 2)], axis=-1)


def continuous(quaternions: np.ndarray) -> np.ndarray:
    """(T, ..., 4), negated where a key lies in the other hemisphere than the one before it.

    q and -q are the same rotation, but a curve from one to the other spins the bone around.
    """
    turns = (quaternions[1:] * quaternions[:-1]).sum(-1, keepdims=True) < 0
    signs = np.where(np.cumsum(turns, axis=0) % 2, -1.0, 1.0)
    return np.concatenate([quaternions[:1], quaternions[1:] * signs])


def quaternion_to_matrix(quaternions: np.ndarray) -> np.ndarray:
    """(..., 4) unit quaternions, w first, to (..., 3, 3) rotation matrices."""
    w, x, y, z = np.moveaxis(quaternions, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def matrix_to_quaternion(matrix: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotation matrices to (..., 4) unit quaternions, w first.

    They are the dominant eigenvectors of a symmetric 4 x 4 matrix (Bar-Itzhack 2000), which needs
    no choice of the largest entry.
    """
    m = np.asarray(matrix, np.float64)
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    k = np.zeros((*m.shape[:-2], 4, 4))
    k[..., 1:, 1:] = m + np.swapaxes(m, -1, -2) - trace[..., None, None] * np.eye(3)
    k[..., 0, 0] = trace
    for i, (a, b) in enumerate(((2, 1), (0, 2), (1, 0)), 1):
        k[..., 0, i] = k[..., i, 0] = m[..., a, b] - m[..., b, a]
    return np.linalg.eigh(k)[1][..., -1]


def read_motion(path: str | Path) -> Motion:
    """The Motion in `path` (.npz of Posecast's or AMASS's).

    Raises MotionFileError when the file is missing, of another kind, incomplete or not finite.
    """
    arrays = _load(Path(path))
    name = Path(path).name
    try:
        return _motion(arrays, name)
    except (ValueError, TypeError) as error:
        raise MotionFileError(
            f"{name} doesn't hold a motion that can be read ({error}); estimate it again."
        ) from error


def _load(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise MotionFileError(f"There is no motion file {path}; check the path.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, TypeError, zlib.error, zipfile.BadZipFile):
        # TypeError: of an .npy under this name numpy makes a plain array, which isn't opened.
        raise MotionFileError(
            f"{path.name} is not a motion file (.npz with AMASS's keys); "
            "give the file that the estimator wrote."
        ) from None


def _motion(arrays: dict[str, np.ndarray], name: str) -> Motion:
    rate_key = "mocap_framerate" if "mocap_framerate" in arrays else "mocap_frame_rate"
    missing = [key for key in ("poses", "trans", "betas", rate_key) if key not in arrays]
    if missing:
        raise MotionFileError(
            f"{name} lacks {', '.join(missing)}; a motion file has AMASS's keys poses, trans, "
            "betas and mocap_framerate."
        )
    if int(arrays.get("version", VERSION)) > VERSION:
        raise MotionFileError(f"{name} comes from a newer Posecast; update this one.")
    poses = _poses(arrays["poses"], name)
    count = len(poses)
    trans = _checked(arrays["trans"], (count, 3), "trans", name)
    fps = float(arrays[rate_key])
    if not 0 < fps < 10000:
        raise MotionFileError(
            f"{name} gives {fps:g} frames per second, which can't be; correct it."
        )
    frames = np.asarray(arrays.get("frames", np.arange(count))).astype(np.int64)
    times = np.asarray(arrays.get("times", frames / fps)).astype(np.float64)
    observed = np.asarray(arrays.get("observed", np.ones(count))).astype(bool)
    return Motion(
        poses=poses,
        trans=trans,
        betas=_betas(arrays["betas"], name),
        gender=_text(arrays.get("gender", "neutral")),
        fps=fps,
        frames=_checked(frames, (count,), "frames", name),
        times=_checked(times, (count,), "times", name),
        observed=_checked(observed, (count,), "observed", name),
        joints=_optional(arrays, "joints", (count, JOINTS, 3), name),
        contacts=_optional(arrays, "contacts", (count, 2), name),
        body=_text(arrays.get("body", "")),
        method=_text(arrays.get("method", "")),
        video=_text(arrays.get("video", "")),
        person=int(arrays.get("person", 1)),
        camera=_camera(arrays, count, name),
    )


def _poses(poses: np.ndarray, name: str) -> np.ndarray:
    """(T, 72): SMPL's own, or the first 22 joints of SMPL-H's and SMPL-X's, hands at rest."""
    if poses.ndim != 2 or poses.shape[1] < 66 or poses.shape[1] % 3:
        raise MotionFileError(
            f"The poses in {name} have the shape {poses.shape}; SMPL's are (frames, 72)."
        )
    if len(poses) == 0:
        raise MotionFileError(f"{name} has no frames; estimate the motion again.")
    kept = np.zeros((len(poses), 3 * JOINTS))
    used = 72 if poses.shape[1] == 72 else 66
    kept[:, :used] = poses[:, :used]
    return _checked(kept, kept.shape, "poses", name)


def _betas(betas: np.ndarray, name: str) -> np.ndarray:
    flat = np.zeros(BETAS)
    given = np.asarray(betas, np.float64).ravel()[:BETAS]
    flat[: len(given)] = given
    return _checked(flat, (BETAS,), "betas", name)


def _camera(arrays: dict[str, np.ndarray], count: int, name: str) -> Camera | None:
    keys = ("camera_intrinsics", "camera_extrinsics", "image_size")
    if not set(keys) <= arrays.keys():
        return None
    intrinsics = _checked(arrays[keys[0]], (3, 3), keys[0], name)
    extrinsics = _checked(arrays[keys[1]], (count, 4, 4), keys[1], name)
    width, height = (int(side) for side in arrays["image_size"])
    if min(width, height, intrinsics[0, 0]) <= 0:
        raise MotionFileError(f"The camera in {name} can't be; estimate the motion again.")
    return Camera((width, height), intrinsics, extrinsics)


def _optional(arrays: dict[str, np.ndarray], key: str, shape: tuple, name: str):
    return _checked(arrays[key], shape, key, name) if key in arrays else None


def _checked(array: np.ndarray, shape: tuple, key: str, name: str) -> np.ndarray:
    if array.shape != shape:
        raise MotionFileError(
            f"The {key} in {name} have the shape {array.shape} instead of {shape}; "
            "estimate the motion again."
        )
    if not np.isfinite(array).all():
        raise MotionFileError(
            f"The {key} in {name} hold values that aren't numbers; estimate the motion again."
        )
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _text(value) -> str:
    value = np.asarray(value).item()
    return value.decode() if isinstance(value, bytes) else str(value)
