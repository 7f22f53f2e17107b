"""Setting up the estimator, checking it, and clearing what is kept of earlier runs."""

import shutil
from pathlib import Path

import bpy
from bpy.types import Context

from .. import environment, installation, job, preferences, setup_job
from ..estimator import EstimatorError
from ..setup_plan import Plan
from .base import Told

OFFLINE = "Blender may not go online yet; allow it in Preferences > System > Network."


class POSECAST_OT_set_up(Told, bpy.types.Operator):
    """Make a Python environment with the estimator in your user folder, and check it"""

    bl_idname = "posecast.set_up"
    bl_label = "Set Up"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        if setup_job.current() is not None or job.current() is not None:
            cls.poll_message_set("Something of Posecast's is running; wait for it or cancel it.")
            return False
        if not bpy.app.online_access:
            cls.poll_message_set(OFFLINE)
        return bpy.app.online_access

    def run(self, context: Context) -> str | None:
        return setup_job.begin(installation.install(plan(context)))


class POSECAST_OT_check_setup(Told, bpy.types.Operator):
    """See what is installed, which device will be used, and what is missing"""

    bl_idname = "posecast.check_setup"
    bl_label = "Check"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        return setup_job.current() is None

    def run(self, context: Context) -> str | None:
        python = environment.find_python(preferences.get(context).python)
        return setup_job.begin(installation.check(python, environment.user_folder()))


class POSECAST_OT_cancel_setup(Told, bpy.types.Operator):
    """Stop; what is downloaded so far is kept for the next try"""

    bl_idname = "posecast.cancel_setup"
    bl_label = "Cancel"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        work = setup_job.current()
        return work is not None and not work.stopping

    def run(self, context: Context) -> None:
        setup_job.cancel()


class POSECAST_OT_open_setup_log(Told, bpy.types.Operator):
    """Open all that was said while setting up"""

    bl_idname = "posecast.open_setup_log"
    bl_label = "Open Log"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        return (log := setup_job.log()) is not None and log.is_file()

    def run(self, context: Context) -> None:
        bpy.ops.wm.path_open(filepath=str(setup_job.log()))


class POSECAST_OT_clear_cache(Told, bpy.types.Operator):
    """Delete what is kept of earlier runs, so that they begin anew; scenes stay as they are"""

    bl_idname = "posecast.clear_cache"
    bl_label = "Clear Cache"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        return job.current() is None

    def run(self, context: Context) -> str:
        folder = environment.user_folder() / "cache"
        files = [file for file in folder.rglob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in files)
        shutil.rmtree(folder, ignore_errors=True)
        return f"{size / 1e6:.0f} MB of earlier runs were deleted."


def plan(context: Context) -> Plan:
    """What the preferences ask for; raises EstimatorError where there is nothing to install."""
    chosen = preferences.get(context)
    shipped = Path(environment.__file__).parent / "estimator"
    wheels = sorted(shipped.glob("posecast-*.whl"))
    root = environment.clone()
    if chosen.source:
        source = Path(chosen.source)
    elif wheels:
        source = wheels[-1]
    elif root:
        source = root
    else:
        raise EstimatorError(
            "This add-on comes without an estimator; install the extension's zip again, "
            "or name a folder with Posecast's repository."
        )
    beside = (shipped if source in wheels else source) / "constraints.txt"
    constraints = beside if beside.is_file() else None
    folder = environment.user_folder()
    version = environment.version()
    return Plan(folder, source, constraints, version, chosen.torch, chosen.base_python)


CLASSES = (
    POSECAST_OT_set_up,
    POSECAST_OT_check_setup,
    POSECAST_OT_cancel_setup,
    POSECAST_OT_open_setup_log,
    POSECAST_OT_clear_cache,
)
