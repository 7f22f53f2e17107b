"""Another shape or another body for what is animated already; edits of its keys are kept."""

import bpy
import numpy as np

from . import results
from .action import fcurves, key_correctives, leg_length, rest_joints, scaled_path
from .body import BodyData, mesh_of, replace_body, set_betas, shaped_joints
from .body_axes import from_blender, to_blender
from .chosen_body import betas_for
from .results import actions_of, active_action, recorded_shape

SAME_M = 1e-4
PATH = 'pose.bones["pelvis"].location'


def reshape(armature: bpy.types.Object, betas: np.ndarray) -> None:
    """Gives a body other betas (10,), and its actions the path that its new legs walk."""
    before = rest_joints(armature)
    set_betas(armature, mesh_of(armature), betas)
    _adapt_actions(armature, before)


def play(armature: bpy.types.Object, run: bpy.types.Action) -> None:
    """Plays one of the body's runs; a body in its run's own shape gets the other's."""

    def own() -> np.ndarray:
        return betas_for(armature.data["posecast_body"], recorded_shape(armature), "VIDEO")

    worn = np.abs(rest_joints(armature) - shaped_joints(armature, own())).max() < SAME_M
    results.play(armature, run)
    if worn:
        reshape(armature, own())


def change_body(armature: bpy.types.Object, data: BodyData, betas: np.ndarray) -> None:
    """Puts another body on the armature's bones; its actions walk with the new legs."""
    before = rest_joints(armature)
    mesh = replace_body(armature, data, betas)
    _adapt_actions(armature, before)
    if active_action(armature) is not None:
        key_correctives(armature, mesh)


def _adapt_actions(armature: bpy.types.Object, before: np.ndarray) -> None:
    after = rest_joints(armature)
    scale = leg_length(after) / leg_length(before)
    for action in actions_of(armature):
        curves = {c.array_index: c for c in fcurves(action) if c.data_path == PATH}
        if len(curves) == 3:
            _adapt_path([curves[axis] for axis in range(3)], before[0], after[0], scale)


def _adapt_path(curves: list, before: np.ndarray, after: np.ndarray, scale: float) -> None:
    """The bone's location is the pelvis's place in the world, less its place at rest, in the
    bone's axes: each of its channels becomes a multiple of itself, plus a constant."""
    first = np.array([curve.keyframe_points[0].co[1] for curve in curves])
    ends = np.stack([first, first + 1])
    places = to_blender(ends) + before
    start = places[:1]
    moved = from_blender(scaled_path(np.concatenate([start, places]), scale)[1:] - after)
    slope = moved[1] - moved[0]
    for curve, a, b in zip(curves, slope, moved[0] - slope * first, strict=True):
        _transform_keys(curve, float(a), float(b))


def _transform_keys(curve: bpy.types.FCurve, a: float, b: float) -> None:
    points = curve.keyframe_points
    for name in ("co", "handle_left", "handle_right"):
        flat = np.empty(2 * len(points), np.float32)
        points.foreach_get(name, flat)
        flat[1::2] = a * flat[1::2] + b
        points.foreach_set(name, flat)
    curve.update()
