"""What all operators share: an error becomes one sentence, never a traceback on the screen."""

import traceback
from typing import TYPE_CHECKING

from bpy.types import Context

from ..body import BodyFileError
from ..estimator import EstimatorError
from ..export import ExportError
from ..motion_file import MotionFileError
from ..retarget.rig import RetargetError
from ..scene import VideoError

TOLD = (BodyFileError, EstimatorError, ExportError, MotionFileError, RetargetError, VideoError)


class Told:
    """Mixed into an operator: `execute` runs `run`, which returns one sentence for the status bar.

    What `run` raises of TOLD is told as it stands; anything else is told in one sentence too, and
    its traceback goes to the console.
    """

    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Context) -> set[str]:
        try:
            said = self.run(context)
        except TOLD as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        except Exception as error:
            traceback.print_exc()
            self.report({"ERROR"}, unforeseen(error))
            return {"CANCELLED"}
        if said:
            self.report({"INFO"}, said)
        return {"FINISHED"}

    def run(self, context: Context) -> str | None:
        raise NotImplementedError

    if TYPE_CHECKING:

        def report(self, kind: set[str], text: str) -> None: ...


def unforeseen(error: Exception) -> str:
    """One sentence for an error that nobody thought of."""
    reason = (str(error).strip().splitlines() or [""])[-1].rstrip(".")
    return (
        f"Something went wrong in Posecast itself ({type(error).__name__}: {reason}); "
        "the console shows where."
    )
