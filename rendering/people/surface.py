"""The mesh that people are drawn with: a body, coarser where it is needlessly fine, and sheets.

Clothes that lie on the body are the body itself, pushed outwards, and coloured by where on the body
a pixel lies. What hangs free has a sheet of its own: the skirt (of skirts, dresses and coats), long
hair, and a hat's brim. A sheet that isn't worn is put behind the camera.

Places on the body are told by two coordinates at rest, so that clothes fit every body in T-pose:
`height` is -2 at the ankles, -1 at the knees, 0 at the hips, 1 at the neck, 2 at the head's top;
`arm` is 0 at the shoulders, 1 at the elbows, 2 at the wrists, and -1 off the arms.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from rendering.normals import vertex_normals

# SMPL's joints by which clothes are placed.
PELVIS, LEFT_HIP, LEFT_KNEE, LEFT_ANKLE, NECK, HEAD = 0, 1, 4, 7, 12, 15
LEFT_SHOULDER, LEFT_ELBOW, LEFT_WRIST = 16, 18, 20
ARMS = slice(16, 24)
BODY, SKIRT, LOCKS, BRIM = range(4)  # the pieces
SKIRT_GRID, LOCKS_GRID, BRIM_GRID = (14, 40), (10, 24), (2, 32)  # rows, columns
LEVELS = 40  # heights at which the body's outline is known


@dataclass
class Outline:
    """The outermost vertices of a part of the body by level and direction.

    vertex (L, C) indices; centre (L, 2) x and z, m; weights (L, 24) of the part there; direction
    (C, 2) in x and z; level (L,) heights in m.
    """

    vertex: Tensor
    centre: Tensor
    weights: Tensor
    direction: Tensor
    level: Tensor

    def to(self, device: torch.device | str) -> "Outline":
        return Outline(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


@dataclass
class Surface:
    """Vertices (V, 3) m at rest and faces (F, 3) of the body and then the sheets.

    kept (B,): which of the given body's vertices are the mesh's first B; nearest (N,): for each of
    the given body's, its place among them. weights (B, 24); normals (B, 3) of the smoothed body,
    and hollow (B,), m, how deep the body itself lies beneath that. height and arm (V,); piece (V,)
    and face_piece (F,).
    face_points: places of "eye", "mouth", "nose" and "ear" on the left half of the face, m.
    """

    vertices: Tensor
    faces: Tensor
    kept: Tensor
    nearest: Tensor
    weights: Tensor
    normals: Tensor
    hollow: Tensor
    height: Tensor
    arm: Tensor
    piece: Tensor
    face_piece: Tensor
    heights: Tensor
    half: Outline
    head: Outline
    face_points: dict[str, Tensor]

    def to(self, device: torch.device | str) -> "Surface":
        moved = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "face_points"}
        points = {name: point.to(device) for name, point in self.face_points.items()}
        return Surface(**{k: v.to(device) for k, v in moved.items()}, face_points=points)


def build_surface(
    body: Mapping[str, np.ndarray],
    face_points: Mapping[str, np.ndarray] | None = None,
    detail: float = 0.008,
) -> Surface:
    """The mesh for a body in SMPL's format: v_template, f, weights, J_regressor.

    face_points: left "eye", left "mouth" corner, "nose" and left "ear" at rest, m; guessed from the
    head where None. Vertices closer than `detail` m become one.
    """
    template = np.asarray(body["v_template"], np.float32)
    joints = np.asarray(body["J_regressor"]) @ template
    kept, nearest, faces = coarser(template, np.asarray(body["f"], np.int64), detail)
    vertices, weights = template[kept], np.asarray(body["weights"], np.float32)[kept]
    soft = torch.as_tensor(smoothed(vertices, faces, 30))
    normals = vertex_normals(soft, torch.as_tensor(faces))
    hollow = ((soft - torch.as_tensor(vertices)) * normals).sum(1).clamp(min=0)
    heights = np.array([joints[j, 1] for j in (LEFT_ANKLE, LEFT_KNEE, LEFT_HIP, NECK)])
    heights = np.append(heights, vertices[:, 1].max()).astype(np.float32)
    arm = arm_coordinate(vertices, weights, joints)
    sheets = [(SKIRT, SKIRT_GRID), (LOCKS, LOCKS_GRID), (BRIM, BRIM_GRID)]
    all_faces, piece, face_piece = [faces], [np.full(len(kept), BODY)], [np.full(len(faces), BODY)]
    for name, grid in sheets:
        own = grid_faces(*grid) + sum(map(len, piece))
        all_faces.append(own)
        piece.append(np.full(grid[0] * grid[1], name))
        face_piece.append(np.full(len(own), name))
    loose = sum(map(len, piece)) - len(kept)
    legs = weights[:, ARMS].sum(1) < 0.5
    half = outline(vertices, weights, legs & (vertices[:, 0] > -0.02), SKIRT_GRID[1], mirrored=True)
    free = weights[:, 13:15].sum(1) + weights[:, ARMS].sum(1) < 0.5
    head = outline(vertices, weights, free, BRIM_GRID[1], mirrored=False)
    return Surface(
        vertices=torch.as_tensor(np.concatenate([vertices, np.zeros((loose, 3), np.float32)])),
        faces=torch.as_tensor(np.concatenate(all_faces)),
        kept=torch.as_tensor(kept),
        nearest=torch.as_tensor(nearest),
        weights=torch.as_tensor(weights),
        normals=normals,
        hollow=hollow,
        height=torch.as_tensor(
            np.append(height_of(vertices[:, 1], heights), np.zeros(loose))
        ).float(),
        arm=torch.as_tensor(np.append(arm, np.full(loose, -1))).float(),
        piece=torch.as_tensor(np.concatenate(piece)),
        face_piece=torch.as_tensor(np.concatenate(face_piece)),
        heights=torch.as_tensor(heights),
        half=half,
        head=head,
        face_points={
            name: torch.as_tensor(np.asarray(point, np.float32))
            for name, point in (face_points or guessed_face(vertices, joints)).items()
        },
    )


def guessed_face(vertices: np.ndarray, joints: np.ndarray) -> dict[str, np.ndarray]:
    """Where eyes, mouth, nose and ears are, from the head's size and its foremost point."""
    above = vertices[vertices[:, 1] > joints[HEAD, 1] - 0.02]
    nose, size = above[above[:, 2].argmax()], above[:, 1].max() - joints[HEAD, 1]
    side = above[:, 0].max()
    return {
        "nose": nose,
        "eye": nose + np.array([0.2, 0.22, -0.22]) * size,
        "mouth": nose + np.array([0.15, -0.14, -0.18]) * size,
        "ear": np.array([side, nose[1] + 0.05 * size, joints[HEAD, 2] + 0.01]),
    }


def coarser(
    vertices: np.ndarray, faces: np.ndarray, detail: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One vertex a cube of `detail` m: which are kept, each one's stand-in, and the faces."""
    _, cube = np.unique(np.floor(vertices / detail).astype(int), axis=0, return_inverse=True)
    cube = cube.ravel()
    count = np.bincount(cube)
    centre = np.stack([np.bincount(cube, vertices[:, k]) for k in range(3)], 1) / count[:, None]
    order = np.lexsort((np.linalg.norm(vertices - centre[cube], axis=1), cube))
    kept = order[np.cumsum(count) - count]
    faces = cube[faces]
    whole = (faces != np.roll(faces, 1, axis=1)).all(1)
    return kept, cube, faces[whole]


def smoothed(vertices: np.ndarray, faces: np.ndarray, times: int) -> np.ndarray:
    """Vertices moved to the mean of their neighbours, `times` times."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.concatenate([edges, edges[:, ::-1]])
    count = np.bincount(edges[:, 0], minlength=len(vertices)).clip(1)[:, None]
    for _ in range(times):
        total = np.stack([np.bincount(edges[:, 0], vertices[edges[:, 1], k]) for k in range(3)], 1)
        vertices = (vertices + total / count) / 2
    return vertices.astype(np.float32)


def height_of(y: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """y at rest to -2 .. 2, and on below the ankles."""
    below = -2 + (y - heights[0]) / (heights[1] - heights[0])
    return np.where(y < heights[0], below, np.interp(y, heights, np.arange(-2, 3)))


def arm_coordinate(vertices: np.ndarray, weights: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """0 at the shoulders, 1 at the elbows, 2 at the wrists, -1 off the arms."""
    shoulder, elbow, wrist = (abs(joints[j, 0]) for j in (LEFT_SHOULDER, LEFT_ELBOW, LEFT_WRIST))
    out = np.abs(vertices[:, 0])
    along = np.where(
        out < elbow, (out - shoulder) / (elbow - shoulder), 1 + (out - elbow) / (wrist - elbow)
    )
    return np.where(weights[:, ARMS].sum(1) > 0.3, along, -1.0)


def grid_faces(rows: int, columns: int) -> np.ndarray:
    """Triangles of a grid of vertices, row by row; rows aren't closed to rings."""
    first = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    right, below = first + 1, first + columns
    return np.concatenate(
        [np.stack([first, right, below], 1), np.stack([right, below + 1, below], 1)]
    )


def outline(
    vertices: np.ndarray, weights: np.ndarray, part: np.ndarray, columns: int, mirrored: bool
) -> Outline:
    """The outline of the vertices in `part`, level by level.

    Directions start at the front (+z) and go by the left (+x). The outline of a left half is that
    of both halves where it is `mirrored`: its centre leaves the middle with the leg.
    """
    own = np.flatnonzero(part)
    y = vertices[own, 1]
    level = np.linspace(y.min() + 0.03, y.max() - 0.01, LEVELS).astype(np.float32)
    angle = np.linspace(0, 2 * np.pi, columns)
    direction = np.stack([np.sin(angle), np.cos(angle)], 1).astype(np.float32)
    vertex, centre, shares = [], [], []
    for height in level:
        band = own[np.abs(y - height) < 0.03]
        points = vertices[band][:, [0, 2]]
        middle = (points.min(0) + points.max(0)) / 2 if mirrored else points.mean(0)
        middle[0] = max(middle[0] - 0.06, 0) if mirrored else 0.0
        vertex.append(band[((points - middle) @ direction.T).argmax(0)])
        centre.append(middle)
        shares.append(weights[band].mean(0))
    centre = np.stack(
        [
            np.convolve(np.pad(np.array(centre)[:, k], 2, "edge"), np.full(5, 0.2), "valid")
            for k in (0, 1)
        ],
        1,
    )
    return Outline(
        torch.as_tensor(np.array(vertex)),
        torch.as_tensor(centre, dtype=torch.float32),
        torch.as_tensor(np.array(shares), dtype=torch.float32),
        torch.as_tensor(direction),
        torch.as_tensor(level),
    )
