"""Each lifter's error end to end on one film: detected once, then lifted, fitted and refined.

    python scripts/compare_lifters.py [--weights-folder FOLDER] [--models ktpformer mixste]

Takes the demo clip and its true motion unless told otherwise. A lifter's weights are the first file
in the folder whose name begins with the lifter's (ktpformer_small.safetensors, …), else those that
are shipped; a lifter without weights is left out, and named. Errors are those of compare_motion.py,
in millimetres.
"""

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tyro

sys.path.insert(0, str(Path(__file__).parents[1]))
from regressor import checkpoints, estimate, lifters
from regressor.errors import PosecastError
from regressor.files import replacing
from regressor.motion import Motion
from regressor.progress import Progress
from scripts.compare_motion import compare

DEMO = Path(__file__).parents[1] / "demo"


@dataclass
class Options:
    """Compares the lifters on one film."""

    video: Path = DEMO / "demo.mp4"
    """The film."""
    truth: Path = DEMO / "demo_truth.npz"
    """Its true motion."""
    weights_folder: Path | None = None
    """Weights that go before the shipped ones."""
    models: tuple[str, ...] = ()
    """Lifters; all that have weights by default."""
    cache: Path | None = None
    """A folder that keeps the detections for the next run as well."""
    device: str = "auto"
    """Where the lifters run: auto, cpu, cuda."""
    output: Path | None = None
    """A JSON file of the same figures."""


def weights_of(name: str, folder: Path | None) -> Path | None:
    """The file for a lifter in the folder, or the shipped one.

    Raises FileFormatError for a file in the folder that Posecast didn't make.
    """
    for file in sorted(folder.glob(f"{name}*.safetensors")) if folder else []:
        if checkpoints.read_metadata(file)["name"] == name:
            return file
    return lifters.shipped_weights(name)


def main(options: Options) -> None:
    if options.weights_folder and not options.weights_folder.is_dir():
        raise PosecastError(f"{options.weights_folder} is no folder: name one with weights in it.")
    files = {
        name: weights_of(name, options.weights_folder) for name in options.models or lifters.names()
    }
    if not any(files.values()):
        raise PosecastError("None of these lifters has weights: name a --weights-folder.")
    truth, rows = Motion.load(options.truth), {}
    print(f"{'':<16}{'17 joints, mm':>20}{'24 joints, mm':>20}")
    print(f"{'':<16}{'MPJPE':>10}{'PA-MPJPE':>10}{'MPJPE':>10}{'PA-MPJPE':>10}{'s':>8}  weights")
    with tempfile.TemporaryDirectory() as scratch:
        cache = options.cache or Path(scratch)
        for name, file in files.items():
            if file is None:
                continue
            started = time.perf_counter()
            errors = errors_of(name, file, options, truth, Path(scratch), cache)
            seconds = time.perf_counter() - started
            rows[name] = {"weights": file.name, "seconds": seconds, "mm": errors}
            figures = [
                errors[skeleton][key]
                for skeleton in ("H36M, 17", "SMPL, 24")
                if skeleton in errors
                for key in ("mpjpe", "pa_mpjpe")
            ]
            columns = "".join(f"{figure:>10.1f}" for figure in figures)
            print(f"{name:<16}{columns}{seconds:>8.1f}  {file.name}", flush=True)
    if without := [name for name, file in files.items() if file is None]:
        print(f"Without weights: {', '.join(without)}.")
    if options.output:
        with replacing(options.output) as beside:
            beside.write_text(json.dumps(rows, indent=1) + "\n")


def errors_of(
    name: str, weights: Path, options: Options, truth: Motion, scratch: Path, cache: Path
) -> dict[str, dict[str, float]]:
    """Errors in mm by skeleton, of the Motion that `regressor.estimate` makes by this lifter."""
    job = estimate.Options(
        options.video,
        output=scratch / f"{name}.npz",
        method=name,
        weights=weights,
        cache=cache,
        device=options.device,
        progress="none",
    )
    _, paths = estimate.estimate(job, Progress("none", None))
    return compare(Motion.load(paths[0]), truth)["mm"]


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except PosecastError as error:
        sys.exit(str(error))
