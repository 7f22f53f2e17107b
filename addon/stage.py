"""The scenes that the preview is rendered in: the body alone, and on a floor from the side."""

import bpy
import numpy as np

from .action import ensure_action, write_keys
from .body import nodes_of

FLOOR_SQUARE_M = 0.5
FLOOR_MARGIN_M = 30.0
FLOOR_COLOURS = ((0.70, 0.73, 0.76), (0.84, 0.86, 0.88))
SHADOW_COLOUR = (0.36, 0.38, 0.41)
BACKGROUND = (0.66, 0.69, 0.72)
LIGHT_SLANT = (0.35, 0.25)  # how far shadows fall in x and y for 1 m of height
SIDE_ANGLE_DEG = 60.0  # from the video's camera around the person
SIDE_PITCH_DEG = 9.0
SIDE_FOV_DEG = 32.0
FOLLOW_S = 0.4  # how slowly the side camera follows
MARGIN_M = 0.25  # beyond the joints: hands, feet, hair and some air


def new_scene(scene: bpy.types.Scene, name: str) -> bpy.types.Scene:
    """An empty scene with the frames and the rate of `scene` and plain colours."""
    made = bpy.data.scenes.new(name)
    made.frame_start, made.frame_end = scene.frame_start, scene.frame_end
    made.render.fps, made.render.fps_base = scene.render.fps, scene.render.fps_base
    made.view_settings.view_transform = "Standard"
    made.world = _world()
    return made


def remove_scene(scene: bpy.types.Scene) -> None:
    """Takes away a scene made here with what only it holds."""
    own = [item for item in scene.collection.objects if len(item.users_scene) == 1]
    world = scene.world
    bpy.data.scenes.remove(scene)
    bpy.data.batch_remove(own + ([world] if world else []))


def overlay_scene(scene: bpy.types.Scene, bodies: list[tuple], transparent: bool):
    """The bodies alone, seen by the camera of `scene`."""
    made = new_scene(scene, "Posecast overlay")
    _link_bodies(made, bodies)
    made.render.film_transparent = transparent
    made.camera = scene.camera
    if scene.camera is not None:
        made.collection.objects.link(scene.camera)
    _add_sun(made)
    return made


def side_scene(
    scene: bpy.types.Scene, bodies: list[tuple], joints: np.ndarray, frames, size, shadows=True
):
    """The bodies on a floor, seen from the side by a camera that follows them.

    joints (T, N, 3) m are where the bodies are at `frames`; size (width, height) px gives the
    picture's shape. `shadows` are for Workbench: Cycles makes its own.
    """
    made = new_scene(scene, "Posecast side view")
    _link_bodies(made, bodies)
    _add_floor(made, joints)
    for _, mesh in bodies if shadows else ():
        _add_shadow(made, mesh)
    _add_sun(made)
    rate = scene.render.fps / scene.render.fps_base
    forward = _view_direction(scene.camera)
    made.camera = _following_camera(made, joints, frames, size, rate, forward)
    return made


def joint_paths(scene: bpy.types.Scene, armatures: list, frames) -> np.ndarray:
    """(T, 24 per armature, 3) m: where the joints are at each of `frames`."""
    paths = []
    for frame in frames:
        scene.frame_set(frame)
        heads = [a.matrix_world @ bone.head for a in armatures for bone in a.pose.bones]
        paths.append(np.array(heads))
    return np.stack(paths)


def _link_bodies(scene: bpy.types.Scene, bodies: list[tuple]) -> None:
    for armature, mesh in bodies:
        scene.collection.objects.link(armature)
        scene.collection.objects.link(mesh)


def _world() -> bpy.types.World:
    world = bpy.data.worlds.new("Posecast preview")
    world.color = BACKGROUND  # Workbench's
    background = nodes_of(world).get("Background")
    background.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    background.inputs["Strength"].default_value = 0.5
    return world


def _add_sun(scene: bpy.types.Scene) -> None:
    """Light for Cycles; Workbench brings its own."""
    sun = bpy.data.objects.new("Posecast sun", bpy.data.lights.new("Posecast sun", "SUN"))
    sun.data.energy, sun.data.angle = 1.6, 0.1
    sun.rotation_euler = (np.arctan(-LIGHT_SLANT[1]), np.arctan(LIGHT_SLANT[0]), 0.0)
    scene.collection.objects.link(sun)


def _flat_material(name: str, colour) -> bpy.types.Material:
    material = bpy.data.materials.get(name) or bpy.data.materials.new(name)
    material.diffuse_color = (*colour, 1.0)
    material.specular_intensity = 0.0
    material.roughness = 1.0
    shader = nodes_of(material).get("Principled BSDF")
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = 1.0
    return material


def _add_floor(scene: bpy.types.Scene, joints: np.ndarray) -> None:
    """A chequered floor at z = 0 under all of the path and well beyond it."""
    low = joints[..., :2].min((0, 1)) - FLOOR_MARGIN_M
    high = joints[..., :2].max((0, 1)) + FLOOR_MARGIN_M
    square = FLOOR_SQUARE_M * max(1, round((high - low).max() / 200))
    xs, ys = (
        np.arange(np.floor(a / square), np.ceil(b / square) + 1)
        for a, b in zip(low, high, strict=True)
    )
    grid = np.stack([*np.meshgrid(xs * square, ys * square), np.zeros((len(ys), len(xs)))], -1)
    corner = np.arange(len(ys) * len(xs)).reshape(len(ys), len(xs))
    faces = np.stack([corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]], -1)
    mesh = bpy.data.meshes.new("Posecast floor")
    mesh.from_pydata(grid.reshape(-1, 3).tolist(), [], faces.reshape(-1, 4).tolist())
    for number, colour in enumerate(FLOOR_COLOURS):
        mesh.materials.append(_flat_material(f"Posecast floor {number}", colour))
    chequers = np.add.outer(ys[:-1], xs[:-1]) % 2
    mesh.polygons.foreach_set("material_index", chequers.ravel().astype(np.int32))
    scene.collection.objects.link(bpy.data.objects.new("Posecast floor", mesh))


def _add_shadow(scene: bpy.types.Scene, body: bpy.types.Object) -> None:
    """The body's shadow on the floor, as a mesh: Workbench's own shadows take seconds on a CPU."""
    shadow = bpy.data.objects.new("Posecast shadow", bpy.data.meshes.new("Posecast shadow"))
    shadow.modifiers.new("Shadow", "NODES").node_group = _shadow_nodes(body)
    shadow.visible_shadow = False
    shadow.hide_render = False
    scene.collection.objects.link(shadow)


def _shadow_nodes(body: bpy.types.Object) -> bpy.types.NodeTree:
    """Geometry nodes: the body's vertices (x, y, z) go to (x + a z, y + b z, just above 0)."""
    tree = bpy.data.node_groups.new("Posecast shadow", "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")

    def node(kind: str, **values):
        made = tree.nodes.new(kind)
        for name, value in values.items():
            setattr(made, name, value)
        return made

    source = node("GeometryNodeObjectInfo", transform_space="RELATIVE")
    source.inputs["Object"].default_value = body
    split = node("ShaderNodeSeparateXYZ")
    join = node("ShaderNodeCombineXYZ")
    join.inputs["Z"].default_value = 0.004
    move = node("GeometryNodeSetPosition")
    paint = node("GeometryNodeSetMaterial")
    paint.inputs["Material"].default_value = _flat_material("Posecast shadow", SHADOW_COLOUR)
    links = tree.links
    links.new(node("GeometryNodeInputPosition").outputs[0], split.inputs[0])
    for axis, slant in zip("XY", LIGHT_SLANT, strict=True):
        slanted = node("ShaderNodeMath", operation="MULTIPLY_ADD")
        links.new(split.outputs["Z"], slanted.inputs[0])
        slanted.inputs[1].default_value = slant
        links.new(split.outputs[axis], slanted.inputs[2])
        links.new(slanted.outputs[0], join.inputs[axis])
    links.new(source.outputs["Geometry"], move.inputs["Geometry"])
    links.new(join.outputs[0], move.inputs["Position"])
    links.new(move.outputs[0], paint.inputs["Geometry"])
    links.new(paint.outputs[0], node("NodeGroupOutput").inputs[0])
    return tree


def _view_direction(camera: bpy.types.Object | None) -> np.ndarray:
    """(2,) where the camera looks on the floor plan, as a unit vector; +y without a camera."""
    if camera is None:
        return np.array([0.0, 1.0])
    forward = -np.array(camera.matrix_world)[:2, 2]
    length = np.linalg.norm(forward)
    return forward / length if length > 1e-3 else np.array([0.0, 1.0])


def _following_camera(scene, joints, frames, size, rate: float, forward: np.ndarray):
    """A camera at a constant offset from the smoothed middle of the joints, keyed."""
    middle = (joints.min(1) + joints.max(1)) / 2
    target = _smooth(middle, FOLLOW_S * rate)
    away = np.abs(joints - target[:, None])
    wide = np.hypot(away[..., 0], away[..., 1]).max() + MARGIN_M
    tall = away[..., 2].max() + MARGIN_M
    data = bpy.data.cameras.new("Posecast side camera")
    camera = bpy.data.objects.new("Posecast side camera", data)
    scene.collection.objects.link(camera)
    data.sensor_fit = "VERTICAL" if size[1] <= size[0] else "HORIZONTAL"
    data.angle = np.radians(SIDE_FOV_DEG)
    half = np.tan(np.radians(SIDE_FOV_DEG) / 2)
    shape = np.array(size) / min(size)
    distance = max(wide / (half * shape[0]), tall / (half * shape[1])) + 0.3 * wide
    turn, pitch = np.radians(SIDE_ANGLE_DEG), np.radians(SIDE_PITCH_DEG)
    look = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ forward
    back = np.array([-look[0] * np.cos(pitch), -look[1] * np.cos(pitch), np.sin(pitch)])
    camera.rotation_euler = (np.pi / 2 - pitch, 0.0, np.arctan2(-look[0], look[1]))
    ensure_action(camera, camera.name)
    write_keys(camera, "location", np.array(frames, float), target + distance * back)
    return camera


def _smooth(path: np.ndarray, sigma: float) -> np.ndarray:
    """(T, 3) smoothed by a Gaussian of `sigma` frames, held at both ends."""
    reach = max(1, int(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-6)) ** 2)
    padded = np.pad(path, ((reach, reach), (0, 0)), mode="edge")
    columns = [np.convolve(column, kernel / kernel.sum(), "valid") for column in padded.T]
    return np.stack(columns, axis=1)
