"""The evaluations as the command runs them: from options to files."""

from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np

from regressor.command import check_output
from regressor.data.tally import Tally
from regressor.data.threedpw import load_split
from regressor.errors import PosecastError
from regressor.evaluation import report
from regressor.evaluation.bodies import REGRESSOR, Bodies
from regressor.evaluation.joints import evaluate_joints
from regressor.evaluation.lifters.command import evaluate_lifters
from regressor.evaluation.motions import by_motions
from regressor.evaluation.options import (
    JointsEvaluation,
    LifterEvaluation,
    PeopleEvaluation,
    ThreeDpwEvaluation,
)
from regressor.evaluation.people import evaluate_people
from regressor.evaluation.pictures import draw_worst
from regressor.evaluation.predictions import Prediction, by_network
from regressor.evaluation.scores import Scores
from regressor.evaluation.threedpw import LARGEST_GAP_MM, Judged, judge
from regressor.images.predict import load_network
from regressor.progress import Progress


@singledispatch
def evaluate(options: Any, progress: Progress) -> tuple[str, list[Path]]:
    """What to tell of an evaluation, and the files that it wrote."""
    raise TypeError(type(options))


@evaluate.register
def _(options: ThreeDpwEvaluation, progress: Progress) -> tuple[str, list[Path]]:
    _check(options)
    people = load_split(options.root, options.split, images=options.motions is None)
    bodies = Bodies(None if options.default_body else options.smpl)
    _need_bodies(bodies, options.truth)
    tally, remarks = Tally("unreadable"), []
    if options.motions is not None:
        predictions, remarks = by_motions(options.motions, people, bodies)
        source = f"Motion files in {options.motions}"
    else:
        network = load_network(options.method, options.checkpoint, options.device, "--checkpoint")
        source = f"{options.method}, {options.checkpoint or 'shipped weights'}"
        how = (bodies, options.root, options.workers, progress, tally)
        predictions = by_network(network, people, *how)
    _same_family(predictions, bodies)
    judged = judge(people, predictions, bodies, options.truth, progress)
    if not len(judged.scores):
        raise PosecastError("No frame that counts has a prediction, so there is nothing to score.")
    remarks += _remarks(options, judged, tally)
    protocol = describe(options, judged, predictions, source, remarks)
    paths = _write(options, judged.scores, protocol)
    if options.worst:
        progress.update("pictures", 0, options.worst)
        folder = options.output / "worst"
        paths += draw_worst(
            folder, options.root, judged.scores, people, predictions, bodies, options.truth,
            options.worst,
        )  # fmt: skip
    heading = f"3DPW {options.split}, {protocol['truth']} truth; {source}."
    return "\n".join([heading, report.table(judged.scores), *remarks]), paths


def _check(options: ThreeDpwEvaluation) -> None:
    if options.checkpoint is not None and options.motions is not None:
        raise PosecastError("Give --checkpoint or --motions, not both.")
    if options.smpl is None and not options.default_body:
        raise PosecastError(
            "3DPW's truth is of SMPL's bodies: name the folder of your SMPL files by --smpl "
            "(--default-body is for sets that were made with the default body)."
        )
    if options.output.exists() and not options.output.is_dir():
        raise PosecastError(f"{options.output} can't be the output: it is no folder.")
    check_output(options.output / "scores.json", ".json", "a file of scores")
    if options.workers < 0 or options.worst < 0:
        raise PosecastError("--workers and --worst can't be below 0.")
    if options.motions is not None and not options.motions.is_dir():
        raise PosecastError(f"There is no folder {options.motions}: name that of the motions.")


def _need_bodies(bodies: Bodies, truth: str) -> None:
    """Says now, not after an hour of predicting, that a file is missing."""
    for gender in ("male", "female") if truth == "gendered" else ("neutral",):
        bodies.regressor(bodies.get(gender))


def _same_family(predictions: list[Prediction | None], bodies: Bodies) -> None:
    if bodies.smpl is None and any(found and found.body != "default" for found in predictions):
        raise PosecastError(
            "The predictions are of SMPL's body, and the truth of the default body: give --smpl."
        )


def _remarks(options: ThreeDpwEvaluation, judged: Judged, tally: Tally) -> list[str]:
    found = []
    if count := tally["unreadable"]:
        found.append(f"{count} pictures can't be read, so their frames have no prediction.")
    gap = judged.truth_gap_mm
    if options.truth == "gendered" and gap is not None and gap > LARGEST_GAP_MM:
        found.append(
            f"The truth's joints are {gap:.1f} mm from the set's own: are these the bodies that it "
            "was made with?"
        )
    if not np.isfinite(judged.scores.column("pve_root")).any():
        found.append("PVE is left out: prediction and truth are of different meshes.")
    return found


def describe(
    options: ThreeDpwEvaluation,
    judged: Judged,
    predictions: list[Prediction | None],
    source: str,
    remarks: list[str],
) -> dict[str, Any]:
    """Everything that a number depends on, in words."""
    family = "the default body" if options.default_body else "SMPL"
    own = "the default body's own regressor to Human3.6M's joints"
    predicted = sorted({found.body for found in predictions if found is not None})
    return {
        "set": "3DPW",
        "split": options.split,
        "frames": "campose_valid, and at least one 2D detection; only those with a prediction",
        "samples": len(judged.scores),
        "prediction": source,
        "prediction_bodies": predicted,
        "boxes": "Motion files" if options.motions else "2D detections (poses2d), side 1.2 extents",
        "truth": options.truth if not options.default_body else "default body's",
        "truth_body": family,
        "truth_joints_from_jointPositions_mm": judged.truth_gap_mm,
        "regressor": own if options.default_body else f"{REGRESSOR} (the default body: {own})",
        "joints": "14 (LSP's), about the regressed pelvis; mean over joints, then over frames",
        "pa_mpjpe": "rotation, scale and shift of every frame",
        "pve_unaligned": "vertices of both at zero translation (DSR, PARE, VIBE)",
        "pve_pelvis": "about the regressed pelvis (PersPose)",
        "pve_root": "about SMPL's root joint (HybrIK)",
        "acceleration": "14 joints about the pelvis, second differences, 30 Hz",
        "challenge": "24 SMPL joints about the root; PCK of 12 limb joints at 50 mm, AUC 0 to "
        "199 mm; MPJAE of 9 parts; only this split, only frames with a prediction",
        "remarks": remarks,
    }  # fmt: skip


def _write(options: ThreeDpwEvaluation, scores: Scores, protocol: dict[str, Any]) -> list[Path]:
    folder = options.output
    paths = [folder / "scores.json", folder / "scores.csv", folder / "frames.csv"]
    report.write_json(paths[0], scores, protocol)
    report.write_csv(paths[1], scores)
    report.write_frames(paths[2], scores)
    if options.plot:
        overall = scores.overall()
        title = (
            f"3DPW {options.split}, {protocol['truth']} truth, {overall['coverage']:.1%} covered"
        )
        report.write_plot(folder / "errors.png", scores, title)
        paths.append(folder / "errors.png")
    return paths


@evaluate.register
def _(options: PeopleEvaluation, progress: Progress) -> tuple[str, list[Path]]:
    return evaluate_people(options, progress)


@evaluate.register
def _(options: JointsEvaluation, progress: Progress) -> tuple[str, list[Path]]:
    return evaluate_joints(options, progress)


@evaluate.register
def _(options: LifterEvaluation, progress: Progress) -> tuple[str, list[Path]]:
    return evaluate_lifters(options, progress)
