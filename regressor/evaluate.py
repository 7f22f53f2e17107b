"""Measures estimates against the truth.

python -m regressor.evaluate 3dpw 3DPW --smpl SMPL --checkpoint model_checkpoint.pt --method spin

python -m regressor.evaluate 3dpw 3DPW --smpl SMPL --motions estimates

python -m regressor.evaluate joints SETS --set h36m-p2 --smpl SMPL --checkpoint weights.pt

python -m regressor.evaluate people --checkpoint weights.safetensors --poses poses.npz

python -m regressor.evaluate lifter --checkpoint A.safetensors B.safetensors --data cmu_motion.npz

python -m regressor.evaluate lifter --checkpoint A.safetensors --data FOLDER_OF_BVH --held-out ann
"""

if __name__ == "__main__":  # Ctrl-C is answered from here on, also while the rest is imported
    from regressor.stopping import Listener

    listener = Listener()

from typing import TYPE_CHECKING, Annotated, Any

import tyro

from regressor import command
from regressor.evaluation.options import (
    JointsEvaluation,
    LifterEvaluation,
    PeopleEvaluation,
    ThreeDpwEvaluation,
)
from regressor.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from regressor.stopping import Listener

Evaluation = (
    Annotated[ThreeDpwEvaluation, tyro.conf.subcommand("3dpw")]
    | Annotated[JointsEvaluation, tyro.conf.subcommand("joints")]
    | Annotated[PeopleEvaluation, tyro.conf.subcommand("people")]
    | Annotated[LifterEvaluation, tyro.conf.subcommand("lifter")]
)


def main(listener: "Listener | None" = None, arguments: list[str] | None = None) -> None:
    """The command, with `regressor.estimate`'s exit statuses."""
    options: Any = tyro.cli(
        Evaluation,  # pyright: ignore[reportArgumentType]
        prog="python -m regressor.evaluate",
        description=__doc__,
        args=arguments,
    )

    def work(progress: Progress) -> "tuple[str, list[Path]]":
        # Imported when the work begins, not for --help.
        from regressor.evaluation.run import evaluate

        return evaluate(options, progress)

    command.run(options, work, listener, options.reads())


if __name__ == "__main__":
    main(listener)
