"""Scores on Human3.6M and MPI-INF-3DHP, whose truth is joints and not bodies.

By SPIN's files and protocol (Kolotouros et al. 2019, eval.py): 14 joints of the mesh by its
regressor of 17, for MPI-INF-3DHP all of them, about the regressed pelvis; MPI-INF-3DHP's PCK and
AUC are over 14 joints (Mehta et al. 2017). PersPose's own tables are of true meshes and of boxes
about them, here are the files' joints and boxes. The cameras are Human3.6M's and MPI-INF-3DHP's
own, without their distortion.
"""

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from regressor import metrics
from regressor.command import check_output
from regressor.data.images import Records
from regressor.data.lifting_cameras import cameras
from regressor.data.spin import EXTRAS, FOLDERS, load_spin
from regressor.data.tally import Tally
from regressor.errors import FileFormatError, PosecastError
from regressor.evaluation.bodies import Bodies
from regressor.evaluation.options import JointsEvaluation
from regressor.evaluation.predictions import Boxed, Found, find_bodies
from regressor.evaluation.protocols import distances, joint_errors
from regressor.files import replacing
from regressor.images.joints import H36M_TO_J17, J24, J24_TO_J17
from regressor.images.perspose import PersPose
from regressor.images.predict import DEFAULT_BODY, load_network
from regressor.progress import Progress
from regressor.smpl.body import Body

FILES = {
    "h36m-p1": ("h36m", "h36m_valid_protocol1.npz"),
    "h36m-p2": ("h36m", "h36m_valid_protocol2.npz"),
    "mpi-inf-3dhp": ("mpi-inf-3dhp", "mpi_inf_3dhp_valid.npz"),
}
LITERATURE = 14  # joints of the 17 that most protocols count
PELVIS = J24.index("pelvis_mpii")
BLOCK = 128  # people whose meshes are in memory at once
# MPI-INF-3DHP's test cameras (its test_util/camera_calibration): fx, fy, cx, cy, px.
_TEST_CAMERAS = {
    **dict.fromkeys(("TS1", "TS2", "TS3", "TS4"), (1500.17, 1500.83, 1017.39, 1043.03)),
    **dict.fromkeys(("TS5", "TS6"), (1683.98, 1672.59, 939.86, 560.14)),
}


def evaluate_joints(options: JointsEvaluation, progress: Progress) -> tuple[str, list[Path]]:
    """What to tell, and the files: scores.json and people.csv."""
    if options.workers < 0:
        raise PosecastError("--workers can't be below 0.")
    check_output(options.output / "scores.json", ".json", "a file of scores")
    name, file = FILES[options.set]
    records = load_spin(options.root / EXTRAS / file, options.root / FOLDERS / name, options.set)
    count = 17 if name == "mpi-inf-3dhp" else LITERATURE
    truth = true_joints(records, count)
    network = load_network(options.method, options.checkpoint, options.device, "--checkpoint")
    default = network.body == DEFAULT_BODY
    if options.smpl is None and not default:
        raise PosecastError(
            "The network knows SMPL's shapes: name your SMPL files' folder by --smpl."
        )
    bodies = Bodies(options.smpl)
    body = bodies.get("neutral", default=default)
    bodies.regressor(body)  # says now that it is missing, not after an hour
    turning = isinstance(network.network, PersPose)
    needed = turning or getattr(network.network, "by_camera", False)
    seen_by = [camera_of(str(image), needed) for image in records.imgname]
    people = Boxed(records.root, records.imgname, records.center, records.scale, np.array(seen_by))
    tally = Tally("unreadable")
    found = find_bodies(network, people, body, options.workers, progress, tally)
    read = found.read.numpy()
    columns = measure(found, truth[read], bodies, body, progress)
    groups = np.array([group_of(str(image)) for image in records.imgname[read]])
    scores = {"all": summary(columns, slice(None), count)}
    scores |= {str(g): summary(columns, groups == g, count) for g in np.unique(groups)}
    protocol = {
        "set": options.set,
        "file": file,
        "people": f"{int(read.sum())} of {len(read)}; the others' pictures can't be read",
        "prediction": f"{options.method}, {options.checkpoint or 'shipped weights'}",
        "boxes": "of the file",
        "joints": f"{count}, about the regressed pelvis; mean over joints, then over people",
        "pa_mpjpe": "rotation, scale and shift of everybody",
    }
    paths = [options.output / "scores.json", options.output / "people.csv"]
    _write(paths, protocol, scores, columns, records.imgname[read])
    told = ", ".join(f"{key} {value:.1f}" for key, value in scores["all"].items())
    remark = f" {tally['unreadable']} pictures can't be read." if tally["unreadable"] else ""
    return f"{options.set}: {told}.{remark}", paths


def measure(
    found: Found, truth: np.ndarray, bodies: Bodies, body: Body, progress: Progress
) -> dict[str, np.ndarray]:
    """mpjpe and pa_mpjpe (M,), and the distances of single limb joints (M, 14), m.

    truth (M, J, 3) m, as of `true_joints`; body: the one that was found.
    """
    errors, count = [], len(found.rotations)
    for start in range(0, count, BLOCK):
        part = slice(start, start + BLOCK)
        some = bodies.posed(body, found.rotations[part].numpy(), found.betas[part].numpy())
        own = (some.joints17 - some.joints17[:, :1])[:, H36M_TO_J17[: truth.shape[1]]]
        apart = {"limbs": distances(own, truth[part])[:, :LITERATURE]}
        errors.append(joint_errors(own, truth[part]) | apart)
        progress.update("score", min(start + BLOCK, count), count)
    return {key: np.concatenate([block[key] for block in errors]) for key in errors[0]}


def true_joints(records: Records, count: int) -> np.ndarray:
    """(N, count, 3) m about the pelvis. Raises FileFormatError where a joint isn't known."""
    labelled = records.joints3d.astype(np.float64)
    chosen = labelled[:, J24_TO_J17[:count]]
    if not (chosen[..., 3] > 0).all():
        raise FileFormatError(
            f"{records.name}: not all of the {count} joints in S are known, so nothing can be "
            "scored by them."
        )
    return chosen[..., :3] - labelled[:, PELVIS, None, :3]


def camera_of(image: str, needed: bool) -> np.ndarray:
    """Intrinsics (3, 3) px of the camera that a picture's name tells.

    Raises PosecastError where it tells none and one is needed.
    """
    for camera in cameras("human36m")["S1"]:
        if camera.name in image and camera.intrinsics is not None:
            return camera.intrinsics.astype(np.float64)
    for name, (fx, fy, cx, cy) in _TEST_CAMERAS.items():
        if name in Path(image).parts:
            return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    if needed:
        raise PosecastError(
            f"{image} names no camera (54138969 and so on, or TS1 to TS6), which the network sees."
        )
    return np.array([[1000.0, 0, 500], [0, 1000, 500], [0, 0, 1]])  # of no consequence


def group_of(image: str) -> str:
    """Human3.6M's action or MPI-INF-3DHP's sequence, by a picture's name."""
    found = re.search(r"(TS\d)|S\d+_([A-Za-z]+)", image)
    return (found[1] or found[2]) if found else "others"


def summary(
    columns: dict[str, np.ndarray], chosen: np.ndarray | slice, count: int
) -> dict[str, float]:
    """Means over people, mm; PCK in percent and AUC, 0 to 1, where 17 joints count."""
    found = {f"{name}_mm": 1000 * columns[name][chosen].mean() for name in ("mpjpe", "pa_mpjpe")}
    if count == 17:
        limbs = 1000 * columns["limbs"][chosen]
        found |= {"pck150_percent": 100 * metrics.pck_3dhp(limbs), "auc": metrics.auc_3dhp(limbs)}
    return {name: round(float(value), 3) for name, value in found.items()}


def _write(
    paths: list[Path],
    protocol: dict[str, Any],
    scores: dict[str, dict[str, float]],
    columns: dict[str, np.ndarray],
    images: np.ndarray,
) -> None:
    with replacing(paths[0]) as beside:
        beside.write_text(json.dumps({"protocol": protocol, "scores": scores}, indent=1) + "\n")
    with replacing(paths[1]) as beside, beside.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "mpjpe_mm", "pa_mpjpe_mm"])
        for image, *row in zip(images, columns["mpjpe"], columns["pa_mpjpe"], strict=True):
            writer.writerow([image, *(round(1000 * float(value), 2) for value in row)])
