"""Motion of a body onto a character of the user's, and the bone map that it takes."""

import bpy
from bpy.props import EnumProperty, StringProperty
from bpy.types import Context, Object

from .. import results
from ..retarget import bake, link, presets, rows
from ..retarget.bone_names import opposite
from ..retarget.rig import RetargetError
from ..skeleton import JOINTS
from .base import Told


class WithTarget:
    """For operators that need a character; their poll says so in the button's tip."""

    @classmethod
    def poll(cls, context: Context) -> bool:
        if context.scene.posecast.target is None:
            cls.poll_message_set("Choose the character's armature first")
            return False
        return True


class POSECAST_OT_retarget(WithTarget, Told, bpy.types.Operator):
    """Put the body's motion onto the character"""

    bl_idname = "posecast.retarget"
    bl_label = "Retarget"
    bl_description = "Put the body's motion onto the character"

    def run(self, context: Context) -> str:
        settings = context.scene.posecast
        source, target = source_of(context), character(context)
        bone_map = rows.checked(settings, target)
        if settings.mode == "LIVE":
            link.add(source, target, bone_map)
            return f"{target.name} follows {source.name}."
        return baked(settings, source, target, bone_map)


class POSECAST_OT_remove_link(WithTarget, Told, bpy.types.Operator):
    """Let the character go; it is as it was before"""

    bl_idname = "posecast.remove_link"
    bl_label = "Remove Live Link"
    bl_description = "Let the character go; it is as it was before"

    def run(self, context: Context) -> str:
        target = linked(context)
        link.remove(target)
        return f"{target.name} follows nobody any more."


class POSECAST_OT_bake_link(WithTarget, Told, bpy.types.Operator):
    """Write what the link shows as keyframes, feet included if they are kept, and remove it"""

    bl_idname = "posecast.bake_link"
    bl_label = "Bake Live Link"
    bl_description = "Write the motion as keyframes and remove the link"

    def run(self, context: Context) -> str:
        settings, target = context.scene.posecast, linked(context)
        bone_map = rows.checked(settings, target)
        return baked(settings, source_of(context), target, bone_map)


class POSECAST_OT_guess_bones(WithTarget, Told, bpy.types.Operator):
    """Find the character's bones by their names and by where they are"""

    bl_idname = "posecast.guess_bones"
    bl_label = "Guess Again"
    bl_description = "Find the character's bones by their names and by where they are"

    def run(self, context: Context) -> str:
        settings, target = context.scene.posecast, character(context)
        settings.preset = presets.AUTO  # which fills the rows
        found = len(rows.read(settings))
        if not found:
            raise RetargetError(rows.problem(settings, target))
        return f"{found} bones were found. {rows.problem(settings, target)}".strip()


class POSECAST_OT_mirror_bones(WithTarget, Told, bpy.types.Operator):
    """Fill the right side's rows with the bones named like the left side's"""

    bl_idname = "posecast.mirror_bones"
    bl_label = "Mirror Left to Right"
    bl_description = "Fill the right side's rows with the bones named like the left side's"

    def run(self, context: Context) -> str:
        settings, target = context.scene.posecast, character(context)
        bone_map, names = rows.read(settings), tuple(bone.name for bone in target.data.bones)
        left = {joint: bone for joint, bone in bone_map.items() if joint.startswith("left_")}
        found = {
            joint.replace("left_", "right_"): other
            for joint, bone in left.items()
            if (other := opposite(bone, names))
        }
        if not found:
            raise RetargetError(
                "No bone of the left side has one of the same name on the right; pick them by hand."
            )
        rows.write(settings, bone_map | found)
        return f"{len(found)} of {len(left)} bones have one on the right side."


class POSECAST_OT_pick_bone(WithTarget, Told, bpy.types.Operator):
    """Take the character's active bone for this joint"""

    bl_idname = "posecast.pick_bone"
    bl_label = "Take the Active Bone"
    bl_description = "Take the character's active bone for this joint"

    joint: EnumProperty(name="Joint", items=[(joint, rows.label(joint), "") for joint in JOINTS])

    def run(self, context: Context) -> None:
        settings, target = context.scene.posecast, character(context)
        active = target.data.bones.active
        if active is None:
            raise RetargetError(
                f"Click a bone of {target.name} in pose mode first, then press this button."
            )
        rows.write(settings, rows.read(settings) | {self.joint: active.name})


class POSECAST_OT_save_bone_map(WithTarget, Told, bpy.types.Operator):
    """Keep the bone map under a name, for other characters of this kind"""

    bl_idname = "posecast.save_bone_map"
    bl_label = "Save Bone Map"
    bl_description = "Keep the bone map under a name, for other characters of this kind"

    name: StringProperty(name="Name", description="Name of the bone map")

    def invoke(self, context: Context, event) -> set[str]:
        self.name = self.name or context.scene.posecast.target.name
        return context.window_manager.invoke_props_dialog(self)

    def run(self, context: Context) -> str:
        settings = context.scene.posecast
        kept = presets.save(self.name, rows.read(settings), rows.folder())
        settings.preset = kept
        return f"The bone map {self.name.strip()} is saved."


class POSECAST_OT_delete_bone_map(Told, bpy.types.Operator):
    """Forget the chosen bone map, which you saved"""

    bl_idname = "posecast.delete_bone_map"
    bl_label = "Delete Bone Map"
    bl_description = "Forget the chosen bone map, which you saved"
    bl_options = {"REGISTER"}  # the file is gone for good

    @classmethod
    def poll(cls, context: Context) -> bool:
        if not context.scene.posecast.preset.startswith(presets.OWN):
            cls.poll_message_set("Only bone maps that you saved can be deleted")
            return False
        return True

    def invoke(self, context: Context, event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def run(self, context: Context) -> str:
        settings = context.scene.posecast
        name, bone_map = settings.preset.removeprefix(presets.OWN), rows.read(settings)
        presets.delete(name, rows.folder())
        settings.preset = presets.AUTO
        rows.write(settings, bone_map)  # which stay as they are
        return f"The bone map {name} is deleted."


def source_of(context: Context) -> Object:
    """The body whose motion is meant: the chosen one, else the active, else the scene's last."""
    found = results.bodies(context.scene)
    chosen = context.scene.posecast.source
    body = chosen if chosen in found else results.active_body(context)
    if body is None and found:
        body = found[-1]
    if body is None:
        raise RetargetError(
            "There is no body with a motion in the scene; estimate a video or load a motion first."
        )
    return body


def character(context: Context) -> Object:
    target = context.scene.posecast.target
    if target is None or target.name not in context.scene.objects:
        raise RetargetError("Choose the character's armature, which has to be in the scene.")
    return target


def linked(context: Context) -> Object:
    target = character(context)
    if not link.is_linked(target):
        raise RetargetError(f"{target.name} follows no body: there is no live link.")
    return target


def baked(settings, source: Object, target: Object, bone_map) -> str:
    """Writes the keyframes as the settings say; returns what to tell of it."""
    tolerance = settings.tolerance_mm if settings.decimate else None
    done = bake.retarget(
        source, target, bone_map, keep_feet=settings.keep_feet, tolerance_mm=tolerance
    )
    keys = f"; {done.keys} of {done.keys_before} keys are left" if settings.decimate else ""
    return f"{target.name} has {done.frames} frames on {done.bones} bones{keys}."


CLASSES = (
    POSECAST_OT_retarget,
    POSECAST_OT_remove_link,
    POSECAST_OT_bake_link,
    POSECAST_OT_guess_bones,
    POSECAST_OT_mirror_bones,
    POSECAST_OT_pick_bone,
    POSECAST_OT_save_bone_map,
    POSECAST_OT_delete_bone_map,
)
