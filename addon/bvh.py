"""BVH as other programs expect it: y up, facing +z, in metres. Without bpy.

Blender's own exporter writes its z-up axes and leaves out what the object itself is turned and
scaled by; hence this writer.
"""

from pathlib import Path

import numpy as np

from .body_axes import from_blender

MOVES_M = 1e-4  # a bone that slides in its parent by more than this gets channels for it
ORDER = "ZXY"


def write(path: Path, names, parents, rest: np.ndarray, posed: np.ndarray, tails, fps: float):
    """Writes a skeleton and its movement.

    names (N,); parents (N,) -1 for a root, parents first; rest (N, 4, 4) and posed (T, N, 4, 4) of
    the bones in a z-up world, m; tails (N, 3) the bones' ends at rest, m.
    """
    heads, turned = from_blender(rest[:, :3, 3]), _y_up_rotations(rest, posed)
    places = from_blender(posed[..., :3, 3])
    children = [[i for i, parent in enumerate(parents) if parent == n] for n in range(len(names))]
    offsets = np.array([heads[n] - heads[p] if p >= 0 else heads[n] for n, p in enumerate(parents)])
    lines, columns = ["HIERARCHY"], []

    def visit(bone: int, depth: int) -> None:
        parent, tab = parents[bone], "\t" * depth
        position, rotation = _local(bone, parent, places, turned)
        moves = parent < 0 or np.abs(position - offsets[bone]).max() > MOVES_M
        channels = ["Xposition", "Yposition", "Zposition"] if moves else []
        channels += [f"{axis}rotation" for axis in ORDER]
        columns.extend([position] if moves else [])
        columns.append(np.degrees(matrix_to_zxy(rotation)))
        lines.append(f"{tab}{'JOINT' if parent >= 0 else 'ROOT'} {names[bone].replace(' ', '_')}")
        lines.append(f"{tab}{{")
        lines.append(f"{tab}\tOFFSET {_numbers(offsets[bone])}")
        lines.append(f"{tab}\tCHANNELS {len(channels)} {' '.join(channels)}")
        for child in children[bone]:
            visit(child, depth + 1)
        if not children[bone]:
            end = from_blender(tails[bone]) - heads[bone]
            lines.append(f"{tab}\tEnd Site")
            lines.append(f"{tab}\t{{")
            lines.append(f"{tab}\t\tOFFSET {_numbers(end)}")
            lines.append(f"{tab}\t}}")
        lines.append(f"{tab}}}")

    for root in np.flatnonzero(np.asarray(parents) < 0):
        visit(int(root), 0)
    lines += ["MOTION", f"Frames: {len(posed)}", f"Frame Time: {1 / fps:.8f}"]
    lines += [_numbers(row) for row in np.concatenate(columns, axis=1)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def matrix_to_zxy(matrix: np.ndarray) -> np.ndarray:
    """(T, 3, 3) to (T, 3) rad: turns about z, x and y whose product, in this order, it is; without
    jumps from frame to frame."""
    x = np.arcsin(np.clip(matrix[:, 2, 1], -1, 1))
    z = np.arctan2(-matrix[:, 0, 1], matrix[:, 1, 1])
    y = np.arctan2(-matrix[:, 2, 0], matrix[:, 2, 2])
    locked = np.abs(matrix[:, 2, 1]) > 1 - 1e-9  # z and y turn about the same axis
    z = np.where(locked, np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0]), z)
    y = np.where(locked, 0.0, y)
    return np.unwrap(np.stack([z, x, y], axis=1), axis=0)


def _y_up_rotations(rest: np.ndarray, posed: np.ndarray) -> np.ndarray:
    """(T, N, 3, 3): how each bone is turned from its rest, in the y-up world."""
    turns = _rotation(posed) @ np.swapaxes(_rotation(rest), -1, -2)
    axes = from_blender(np.eye(3)).T
    return axes @ turns @ axes.T


def _rotation(matrices: np.ndarray) -> np.ndarray:
    return matrices[..., :3, :3] / np.linalg.norm(matrices[..., :3, :3], axis=-2, keepdims=True)


def _local(bone: int, parent: int, places: np.ndarray, turned: np.ndarray) -> tuple:
    """(T, 3) place and (T, 3, 3) rotation of a bone in its parent, whose rest has the world's
    axes."""
    if parent < 0:
        return places[:, bone], turned[:, bone]
    back = np.swapaxes(turned[:, parent], -1, -2)
    place = np.einsum("tij,tj->ti", back, places[:, bone] - places[:, parent])
    return place, back @ turned[:, bone]


def _numbers(values) -> str:
    return " ".join(f"{value:.6f}" for value in values)
