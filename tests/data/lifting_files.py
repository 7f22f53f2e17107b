"""Tiny data sets in the layouts in which lifters' are published."""

import pickle
from pathlib import Path

import numpy as np

from regressor.data.lifting_cameras import cameras

RNG = np.random.default_rng(0)
COCO_SIDES = [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]]


def save(file: Path, **content) -> None:
    """As the authors do: dictionaries go into arrays of objects, which NumPy pickles."""
    file.parent.mkdir(parents=True, exist_ok=True)
    stored = {}
    for key, value in content.items():
        stored[key] = np.empty((), object)
        stored[key][()] = value
    np.savez_compressed(file, **stored)


def write_h36m(
    folder: Path, detections: str = "cpn_ft_h36m_dbb", frames: int = 4, joints: int = 17
) -> tuple[dict, dict]:
    """Two actions of every subject; S9 and the like too. Returns (positions_3d, positions_2d)."""
    world, seen = {}, {}
    for subject in ("S1", "S5", "S6", "S7", "S8", "S9", "S11"):
        world[subject] = {
            name: RNG.uniform(-1, 1, (frames, 32, 3)).astype(np.float32)
            for name in ("Walking 1", "SittingDown")
        }
        seen[subject] = {
            name: [  # detectors' videos are longer
                RNG.uniform(0, 1000, (frames + number, joints, 2)).astype(np.float32)
                for number in range(4)
            ]
            for name in world[subject]
        }
    save(folder / "data_3d_h36m.npz", positions_3d=world)
    sides = {17: [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]}
    sides[16] = [[3, 4, 5, 13, 14, 15], [0, 1, 2, 10, 11, 12]]
    metadata = {"num_joints": joints, "keypoints_symmetry": sides[joints]}
    if "coco" in detections:
        metadata |= {"layout_name": "coco", "keypoints_symmetry": COCO_SIDES}
    if detections != "gt":
        save(folder / f"data_2d_h36m_{detections}.npz", positions_2d=seen, metadata=metadata)
    return world, seen


def write_motionbert(file: Path, frames: int = 6, depth: float = 1000) -> dict:
    """Human3.6M as MotionBERT has it: two recordings of S9, of which one is broken; one of S11."""
    sources = {
        "s_09_act_02_subact_01_ca_01": ("54138969", "Directions"),
        "s_09_act_05_subact_02_ca_03": ("58860488", "Greeting"),
        "s_11_act_16_subact_02_ca_02": ("55011271", "WalkTogether"),
    }
    count = frames * len(sources)
    factors = RNG.uniform(3, 5, count)
    labels = RNG.uniform(0, 1, (count, 17, 3)) * (1000, 1000, depth)

    def each(texts) -> list[str]:
        return [text for text in texts for _ in range(frames)]

    part = {
        "joint_2d": RNG.uniform(0, 1000, (count, 17, 2)),
        "confidence": RNG.uniform(0, 1, (count, 17)),
        "joint3d_image": labels,
        "camera_name": np.array(each(camera for camera, _ in sources.values())),
        "source": each(sources),
    }
    test = {
        "joints_2.5d_image": labels * factors[:, None, None],
        "2.5d_factor": factors,
        "action": each(action for _, action in sources.values()),
    }
    content = {"train": part, "test": part | test}
    file.write_bytes(pickle.dumps(content))
    return content


def write_3dhp(folder: Path, frames: int = 5) -> tuple[dict, dict]:
    """(train, test) of the set: two recordings of one camera or two, and two test sequences."""

    def views() -> dict:
        return {
            "data_2d": RNG.uniform(0, 2048, (frames, 17, 2)),
            "data_3d": RNG.uniform(-900, 900, (frames, 17, 3)),
        }

    train = {"S1 Seq1": [{"0": views(), "8": views()}, 25], "S3 Seq2": [{"4": views()}, 50]}
    valid = np.array([1, 0, 1, 1, 0][:frames])
    test = {name: views() | {"valid": valid} for name in ("TS1", "TS5")}
    save(folder / "data_train_3dhp.npz", data=train)
    save(folder / "data_test_3dhp.npz", data=test)
    return train, test


def write_humaneva(folder: Path, detections: str = "gt", frames: int = 3) -> tuple[dict, dict]:
    """(positions_3d, positions_2d); chunks, gestures, and something unlabelled."""
    names = {
        "Train/S1": ["Walking 1 chunk0", "Gestures 1 chunk0"],
        "Unlabeled/S2": ["Jog 1 chunk1"],
    }
    names |= {"Validate/S1": ["Jog 1 chunk0"], "Validate/S2": ["Box 1 chunk2"]}
    joints = 15 if detections == "gt" else 17
    world, seen = {}, {}
    for part, actions in names.items():
        world[part] = {n: RNG.uniform(-1, 1, (frames, 15, 3)).astype(np.float32) for n in actions}
        seen[part] = {
            n: [RNG.uniform(0, 600, (frames, joints, 2)).astype(np.float32) for _ in range(3)]
            for n in actions
        }
    save(folder / "data_3d_humaneva15.npz", positions_3d=world)
    sides = [[2, 3, 4, 8, 9, 10], [5, 6, 7, 11, 12, 13]] if joints == 15 else COCO_SIDES
    metadata = {"num_joints": joints, "keypoints_symmetry": sides}
    if joints == 17:
        metadata["layout_name"] = "coco"
    save(folder / f"data_2d_humaneva15_{detections}.npz", positions_2d=seen, metadata=metadata)
    return world, seen


def in_camera(data_set: str, subject: str, number: int, points: np.ndarray) -> np.ndarray:
    """World points by rotation matrices, another way than the reader's."""
    camera = cameras(data_set)[subject][number]
    w, x, y, z = camera.orientation.astype(float)
    matrix = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    return (points - camera.position) @ matrix
