"""`evaluate lifter`: several networks on one set, from options to files."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from regressor.command import check_output
from regressor.data import mocap
from regressor.data.sequences import LiftingSequence
from regressor.errors import PosecastError, first_few
from regressor.evaluation.lifters import costs, report
from regressor.evaluation.lifters.predict import (
    Candidate,
    Protocol,
    check,
    default_protocol,
    load_candidates,
    predict,
)
from regressor.evaluation.lifters.scores import Scores, score, summarise
from regressor.evaluation.lifters.seen import TestSet, View, read_test_set
from regressor.evaluation.options import LifterEvaluation
from regressor.progress import Progress
from regressor.refine import REFINEMENTS

TIMED_FRAMES = 540


def evaluate_lifters(options: LifterEvaluation, progress: Progress) -> tuple[str, list[Path]]:
    """What to tell, and the files: scores.json, scores.csv and errors.png."""
    _check(options)
    candidates = load_candidates(options.checkpoint, options.method, options.device)
    view = View(options.fps, options.cameras, options.seed)
    found = read_test_set(
        options.data, options.detections, options.noise, view, options.as_h36m, **options.reading()
    )
    for candidate in candidates:
        check(candidate, found)
    protocol = options.protocol or default_protocol(found)
    if protocol == "lifted" != default_protocol(found):
        raise PosecastError(
            f"{found.name} isn't of Human3.6M's 17 joints, so videos can't be lifted to it: leave "
            "--protocol out."
        )
    if options.refine:
        if protocol != "lifted":
            raise PosecastError(
                "--refine works on videos of Human3.6M's 17 joints as they are lifted: leave "
                "--protocol published out, or give --as-h36m."
            )
        title = REFINEMENTS[options.refine][0]
        candidates = [
            version for one in candidates
            for version in (one, replace(one, label=f"{one.label} + {title}", refined=True))
        ]  # fmt: skip
    rows = [
        report.Row(
            one.label, _about(one), costs.count(one.network),
            {name: _judge(one, found, sequences, protocol, options, progress, name)
             for name, sequences in found.conditions.items()},
        )
        for one in candidates
    ]  # fmt: skip
    if options.rounds:
        progress.update("timing", 0, 1)
        taken = _times(candidates, found, protocol, options)
        for row in rows:
            row.costs.ms_frame = round(taken[row.label], 4)
    remarks = [s for one in candidates if not one.refined for s in _remarks(one, found)]
    described = describe(options, found, protocol) | {"remarks": remarks}
    comparison = report.Comparison(rows, found.skeleton, found.grouped_by, described)
    told = "\n".join([_told(comparison, found), *remarks])
    return told, _write(options, comparison, found)


def _check(options: LifterEvaluation) -> None:
    check_output(options.output / "scores.json", ".json", "a file of scores")
    if not 1 <= options.cameras <= 50 or options.rounds < 0 or options.seed < 0:
        raise PosecastError("--cameras has to be 1 to 50; --rounds and --seed not below 0.")
    if not (1 <= options.fps <= mocap.FPS and (mocap.FPS / options.fps).is_integer()):
        raise PosecastError(f"--fps {options.fps:g} is no divisor of 50, motions' frame rate.")
    if options.noise is not None and (
        not options.noise or not all(0 <= level <= 100 for level in options.noise)
    ):
        raise PosecastError("--noise takes numbers from 0 to 100: 0 is clean, 1 a detector's.")
    if options.noise is not None and len(set(options.noise)) < len(options.noise):
        raise PosecastError("--noise has the same number twice.")


def _about(one: Candidate) -> dict[str, Any]:
    return {
        "file": one.file.name,
        "method": one.method,
        "frames": int(one.network.frames),  # type: ignore[arg-type]
        "answers": one.network.answers,
        "coordinates": one.expects.coordinates,
        "fps": one.expects.fps,
        "refined": one.refined,
        "card": one.card,
    }


def _remarks(one: Candidate, found: TestSet) -> list[str]:
    """What makes its numbers others than they look."""
    if one.in_picture and next(iter(found.conditions.values()))[0].scale is None:
        return [
            f"{one.label} answers in the scale of its crop, not in metres: only its P-MPJPE can be "
            "compared."
        ]
    kept = _held_out(one.card)
    if one.card.get("held_out") == "the test split":  # it learned from a data set, not from motions
        return []
    if seen := [subject for subject in found.subjects if subject not in kept]:
        said = f"only {first_few(kept)} as held out" if kept else "nobody as held out"
        return [
            f"{one.label} may have learned from subject {first_few(seen)}: its card names {said}, "
            "and --held-out says whom to judge on."
        ]
    return []


def _held_out(card: dict[str, Any]) -> list[str]:
    """The subjects whom the training left out, as far as its card names them."""
    if "held_out_subjects" in card:
        return [str(subject) for subject in card["held_out_subjects"]]
    word, _, names = str(card.get("held_out", "")).partition(" ")
    return names.split(", ") if word == "subjects" else []


def _judge(
    candidate: Candidate,
    found: TestSet,
    sequences: list[LiftingSequence],
    protocol: Protocol,
    options: LifterEvaluation,
    progress: Progress,
    condition: str,
) -> Scores:
    errors = []
    for number, sequence in enumerate(sequences):
        lifted = predict(candidate, sequence, found, protocol, options.flip, options.precision)
        joints = sequence.joints[lifted.frames]
        target = joints - joints[:, found.root : found.root + 1]
        valid = None if sequence.valid is None else sequence.valid[lifted.frames]
        errors.append(score(lifted.joints, target, found.skeleton, found.root, valid))
        progress.update(f"{candidate.label}, {condition}", number + 1, len(sequences))
    return summarise(errors, found.groups)


def _times(
    candidates: list[Candidate], found: TestSet, protocol: Protocol, options: LifterEvaluation
) -> dict[str, float]:
    """Milliseconds a frame of a video at each network's own frame rate."""
    first = next(iter(found.conditions.values()))[0]
    seen = np.resize(first.keypoints, (TIMED_FRAMES, *first.keypoints.shape[1:]))
    joints = np.resize(first.joints, (TIMED_FRAMES, *first.joints.shape[1:]))
    calls = {}
    for one in candidates:
        video = LiftingSequence(
            "", "", "", seen, joints, one.expects.fps, first.width, first.height, first.intrinsics
        )
        calls[one.label] = partial(
            predict, one, video, found, protocol, options.flip, options.precision
        )
    return costs.time_frames(calls, TIMED_FRAMES, options.rounds)


def describe(options: LifterEvaluation, found: TestSet, protocol: Protocol) -> dict[str, Any]:
    """Everything that a number depends on, in words."""
    lifted = {
        "protocol": "lifted: every frame of every sequence once, as lifters.windows.lift has it "
        "(windows that overlap by half and are blended, or a window a frame, at the network's own "
        "frame rate), relative to the root, which is 0",
        "published": "published: windows that follow each other, padded and repeated frames "
        "scored (left out in MotionBERT's file), or a window a frame; the root as the network "
        "leaves it (0 for HoT, MHFormer, "
        "MotionBERT and MPI-INF-3DHP, whose frames count once); steps between frames within a "
        "recording alone",
    }
    return {
        "set": found.name,
        "data": options.data.name,
        "protocol": lifted["protocol" if protocol == "lifted" else "published"],
        "skeleton": found.skeleton,
        "grouped_by": found.grouped_by,
        "means": f"'mean of {found.grouped_by}s': of a frame-weighted mean each, as published for "
        "Human3.6M; 'all frames': every frame alike, as published for MPI-INF-3DHP",
        "flip": options.flip,
        "precision": options.precision,
        "velocity": "mm from one frame of the set to the next",
        "pck_auc": "MPI-INF-3DHP's: below 150 mm, and 0 to 150 mm; about the root; without pelvis, "
        "spine and the head's middle",
        "multiply_adds": "linear layers, convolutions and attention products; without flip and "
        "overlap",
        "ms_frame": f"lifting {TIMED_FRAMES} frames at the network's own rate, flip and overlap "
        f"as above; best of {options.rounds} rounds of all networks in turn, on {options.device}",
        **found.notes,
    }  # fmt: skip


def _told(comparison: report.Comparison, found: TestSet) -> str:
    frames = comparison.rows[0].scores[next(iter(found.conditions))].frame_weighted.frames
    heading = f"{found.name}: {len(found.groups)} sequences, {frames} frames scored"
    return f"{heading}; {comparison.protocol['protocol'].partition(':')[0]}.\n" + report.table(
        comparison
    )


def _write(options: LifterEvaluation, comparison: report.Comparison, found: TestSet) -> list[Path]:
    paths = [options.output / name for name in ("scores.json", "scores.csv")]
    report.write_json(paths[0], comparison)
    report.write_csv(paths[1], comparison)
    if options.plot:
        paths.append(options.output / "errors.png")
        report.write_plot(paths[-1], comparison, f"MPJPE, mm: {found.name}")
    return paths
