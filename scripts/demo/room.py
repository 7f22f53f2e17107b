"""What stands before the camera: the person's and the room's meshes, materials and lights."""

import bpy
import numpy as np
from mathutils import Vector

from scripts.demo.looks import Piece

WALL = 2.6  # y of the wall behind, in the world


def material(name: str, *, colour=None, bump=(0.0, 1.0), roughness=0.8, stripes=None, cut=False):
    """A cloth, skin or wall: vertex colours or one colour, bumps (strength, size) by rest place,
    stripes (per metre, colours) along the `stripe` attribute."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    nodes, links = made.node_tree.nodes, made.node_tree.links
    shader = nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value = roughness
    shader.inputs["Specular IOR Level"].default_value = 0.25

    def attribute(key: str, output: str):
        node = nodes.new("ShaderNodeAttribute")
        node.attribute_name = key
        return node.outputs[output]

    def maths(operation: str, value, second: float):
        node = nodes.new("ShaderNodeMath")
        node.operation = operation
        links.new(value, node.inputs[0])
        node.inputs[1].default_value = second
        return node.outputs[0]

    if colour is not None:
        shader.inputs["Base Color"].default_value = (*colour, 1)
    elif stripes is None:
        links.new(attribute("tint", "Color"), shader.inputs["Base Color"])
    else:
        ramp = nodes.new("ShaderNodeValToRGB")
        ramp.color_ramp.interpolation = "CONSTANT"
        ramp.color_ramp.elements[1].position = stripes[1]
        for element, paint in zip(ramp.color_ramp.elements, stripes[2:], strict=True):
            element.color = (*paint, 1)
        along = maths("FRACT", maths("MULTIPLY", attribute("stripe", "Fac"), stripes[0]), 0)
        links.new(along, ramp.inputs[0])
        links.new(ramp.outputs[0], shader.inputs["Base Color"])
    if cut:
        links.new(maths("GREATER_THAN", attribute("edge", "Fac"), 0), shader.inputs["Alpha"])
    if bump[0]:
        noise, bumped = nodes.new("ShaderNodeTexNoise"), nodes.new("ShaderNodeBump")
        links.new(attribute("rest", "Vector"), noise.inputs["Vector"])
        noise.inputs["Scale"].default_value = bump[1]
        bumped.inputs["Strength"].default_value = 1.0
        bumped.inputs["Distance"].default_value = bump[0]
        links.new(noise.outputs[0], bumped.inputs["Height"])
        links.new(bumped.outputs[0], shader.inputs["Normal"])
    return made


def person_materials() -> dict[str, bpy.types.Material]:
    return {
        "skin": material("skin", roughness=0.55),
        "shirt": material(
            "shirt",
            bump=(0.05, 11),
            stripes=(13.0, 0.62, (0.50, 0.055, 0.045), (0.75, 0.70, 0.60)),
            cut=True,
            roughness=0.9,
        ),
        "trousers": material("trousers", bump=(0.05, 9), cut=True, roughness=0.9),
        "shoes": material("shoes", roughness=0.6),
        "hair": material("hair", bump=(0.012, 60), cut=True, roughness=0.5),
    }


def add_person(pieces: list[Piece]) -> bpy.types.Object:
    """All pieces as one mesh, in the rest pose."""
    mesh = bpy.data.meshes.new("Person")
    starts = np.cumsum([0] + [len(piece.rest) for piece in pieces])
    faces = [piece.faces + start for piece, start in zip(pieces, starts, strict=False)]
    rest = np.concatenate([piece.rest for piece in pieces])
    mesh.from_pydata(rest.tolist(), [], np.concatenate(faces).tolist())
    materials = person_materials()
    for made in materials.values():
        mesh.materials.append(made)
    slots = list(materials)
    index = np.repeat([slots.index(piece.name) for piece in pieces], [len(f) for f in faces])
    mesh.polygons.foreach_set("material_index", index.astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(index), bool))
    tint = np.concatenate([piece.colour for piece in pieces])
    tint = np.concatenate([tint, np.ones((len(tint), 1))], axis=1)
    for key, kind, field, values in (
        ("rest", "FLOAT_VECTOR", "vector", rest),
        ("tint", "FLOAT_COLOR", "color", tint),
        ("edge", "FLOAT", "value", np.concatenate([piece.edge for piece in pieces])),
        ("stripe", "FLOAT", "value", np.concatenate([piece.stripe for piece in pieces])),
    ):
        layer = mesh.attributes.new(key, kind, "POINT")
        layer.data.foreach_set(field, values.astype(np.float32).ravel())
    person = bpy.data.objects.new("Person", mesh)
    bpy.context.scene.collection.objects.link(person)
    return person


def box(name: str, low, high, made) -> None:
    """An axis-aligned box between two corners of the world (z up, metres)."""
    mesh = bpy.data.meshes.new(name)
    corners = [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    low, high = np.array(low, float), np.array(high, float)
    mesh.from_pydata(
        (low + np.array(corners) * (high - low)).tolist(),
        [],
        [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)],
    )
    mesh.materials.append(made)
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(name, mesh))


def planks() -> bpy.types.Material:
    """A wooden floor."""
    made = material("floor", roughness=0.5, colour=(0.4, 0.3, 0.2))
    nodes, links = made.node_tree.nodes, made.node_tree.links
    place, brick = nodes.new("ShaderNodeNewGeometry"), nodes.new("ShaderNodeTexBrick")
    links.new(place.outputs["Position"], brick.inputs["Vector"])
    for socket, value in (
        ("Scale", 1.0),
        ("Brick Width", 1.4),
        ("Row Height", 0.16),
        ("Mortar Size", 0.004),
        ("Color1", (0.36, 0.22, 0.12, 1)),
        ("Color2", (0.28, 0.165, 0.085, 1)),
        ("Mortar", (0.10, 0.06, 0.035, 1)),
    ):
        brick.inputs[socket].default_value = value
    links.new(brick.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])
    return made


def add_room() -> None:
    wall, white = (
        material("wall", colour=(0.50, 0.56, 0.56)),
        material("white", colour=(0.75, 0.74, 0.71)),
    )
    paints = [(0.65, 0.40, 0.10), (0.10, 0.28, 0.38), (0.55, 0.16, 0.12), (0.75, 0.68, 0.5)]
    paint = [material("paint", colour=colour) for colour in paints]
    box("floor", (-6, -6, -0.05), (6, WALL, 0), planks())
    box("wall", (-6, WALL, 0), (6, WALL + 0.1, 4), wall)
    box("skirting", (-6, WALL - 0.02, 0), (6, WALL, 0.12), white)
    box("rail", (-6, WALL - 0.015, 0.98), (6, WALL, 1.03), white)
    for x in np.arange(-4.2, 4.3, 0.7):
        box("panel", (x - 0.02, WALL - 0.012, 0.12), (x + 0.02, WALL, 0.98), white)
    dark = material("dark", colour=(0.05, 0.05, 0.06))
    for x, width, height, paint_order in (
        (-2.6, 0.8, 0.6, (0, 1, 2)),
        (-0.9, 0.5, 0.7, (1, 2, 3)),
        (1.05, 0.9, 0.6, (2, 3, 0)),
    ):
        framed_picture(x, width, height, [paint[i] for i in paint_order], dark, white)
    wood = material("wood", colour=(0.22, 0.11, 0.055), roughness=0.5)
    box("board", (2.35, WALL - 0.45, 0.1), (3.9, WALL - 0.03, 0.75), wood)
    for x, height, which in ((2.5, 0.25, 1), (2.68, 0.30, 2), (2.80, 0.22, 0), (3.4, 0.35, 1)):
        low = np.array([x, WALL - 0.35, 0.75])
        box("book", low, low + [0.09, 0.25, height], paint[which])


def framed_picture(x: float, width: float, height: float, paints, frame, sheet) -> None:
    """Bars of three colours, on the wall with the lower left corner at x."""
    low = np.array([x, WALL - 0.04, 1.45])
    high = low + [width, 0.04, height]
    box("frame", low, high, frame)
    box("sheet", low + [0.04, -0.004, 0.04], high - [0.04, 0.01, 0.04], sheet)
    for index, paint in enumerate(paints):
        inner = low + [0.1 + index * 0.2 * width, -0.008, 0.1]
        top = 0.12 + (0.18 if index % 2 else 0.3) * height
        box("bar", inner, inner + [0.17 * width, 0.004, top], paint)


def add_light(name: str, place, aim, size: float, watts: float, colour=(1, 1, 1)) -> None:
    data = bpy.data.lights.new(name, "AREA")
    data.size, data.energy, data.color = size, watts, colour
    light = bpy.data.objects.new(name, data)
    light.location = place
    light.rotation_euler = (Vector(aim) - Vector(place)).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(light)
