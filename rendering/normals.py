"""Normals of meshes, for shading and as channels to render."""

import torch
from torch import Tensor


def face_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """(..., F, 3) normals of triangles, as long as twice their area: vertices (..., V, 3)."""
    a, b, c = (vertices[..., faces[:, k], :] for k in range(3))
    return torch.linalg.cross(b - a, c - a)


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """(..., V, 3) unit normals, by area the mean of the triangles around; zero where none are.

    vertices (..., V, 3), faces (F, 3) counter-clockwise from outside, as SMPL's are.
    """
    of_faces = face_normals(vertices, faces)
    total = torch.zeros_like(vertices)
    for k in range(3):
        total = total.index_add(-2, faces[:, k], of_faces)
    return torch.nn.functional.normalize(total, dim=-1, eps=1e-12)
