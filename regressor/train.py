r"""Trains the networks.

python -m regressor.train lifter --model mixste --data cmu_motion.npz --output FOLDER --minutes 60
python -m regressor.train lifter --model mixste --preset paper --data h36m --output FOLDER
python -m regressor.train adapt --lifter mixste --source cmu_motion.npz --target FOLDER_OF_VIDEOS \
    --output mine.safetensors
python -m regressor.train dsr --data FOLDER --preset dsr --output FOLDER
python -m regressor.train dsr --preset cpu --people 8000 --poses poses.npz --output FOLDER
python -m regressor.train perspose --people 12000 --poses poses.npz --minutes 60 --output FOLDER

A lifter learns from a data set, or from mocap on random bodies through random cameras with a
detector's noise; adapt makes one for footage of which only 2D keypoints are known; dsr and
perspose, the image regressors, see labelled pictures, synthetic people, or both
(`regressor.training`). Trainings last for given minutes, steps or epochs, and resume where they
stopped.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import tyro

from regressor.errors import PosecastError
from regressor.training.adapt.options import AdaptTraining
from regressor.training.lifters.options import LifterTraining
from regressor.training.options import DsrTraining
from regressor.training.perspose.options import PersPoseTraining


@contextmanager
def needing_lightning() -> Iterator[None]:
    """Says what to install where Lightning or TensorBoard is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("lightning", "tensorboard"):
            raise
        raise PosecastError(
            f"Training needs {error.name}, which isn't installed: pip install 'posecast[train]'."
        ) from error


def lifter(options: Annotated[LifterTraining, tyro.conf.arg(name="")]) -> None:
    """Trains a 2D-to-3D lifter on a data set or on mocap."""
    with needing_lightning():
        from regressor.training.lifters.run import train_lifter
    train_lifter(options)


def adapt(options: Annotated[AdaptTraining, tyro.conf.arg(name="")]) -> None:
    """Trains a lifter for a data set or footage of your own without 3D, by PoseDA."""
    with needing_lightning():
        from regressor.training.adapt.run import adapt_lifter
    adapt_lifter(options)


def dsr(options: Annotated[DsrTraining, tyro.conf.arg(name="")]) -> None:
    """Trains the regressor from pictures to SMPL, with DSR's losses or without them."""
    with needing_lightning():
        from regressor.training.run import train_regressor
    train_regressor(options)


def perspose(options: Annotated[PersPoseTraining, tyro.conf.arg(name="")]) -> None:
    """Trains PersPose, which sees the camera, on wide-angle synthetic people or data sets."""
    with needing_lightning():
        from regressor.training.perspose.run import train_perspose
    train_perspose(options)


def main() -> None:
    try:
        tyro.extras.subcommand_cli_from_dict(
            {"lifter": lifter, "adapt": adapt, "dsr": dsr, "perspose": perspose},
            prog="python -m regressor.train",
        )
    except PosecastError as error:
        sys.exit(str(error))
    except OSError as error:  # of what others write as it goes, such as the curves
        sys.exit(
            f"A file can't be read or written ({error.strerror or error}); "
            "after that is mended the same command goes on from the last saved state."
        )
    except KeyboardInterrupt:
        sys.exit("Stopped; the same command goes on from the last saved state.")


if __name__ == "__main__":
    main()
