"""One call that renders a batch of meshes into many channels, by either back end."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from . import hard, soft
from .cameras import project
from .zbuffer import layers

Mode = Literal["hard", "soft"]
Backend = Literal["torch", "pytorch3d"]


@dataclass(frozen=True)
class Rendering:
    """values (B, C, H, W); silhouette (B, H, W) in 0..1, how much of each pixel the mesh covers.

    The rest is seen at the pixels' centres, and without gradient: face (B, H, W), -1 where nothing
    is; depth (B, H, W) m, inf where nothing is; visible (B, F), which triangles are seen anywhere.
    """

    values: Tensor
    silhouette: Tensor
    face: Tensor
    depth: Tensor
    visible: Tensor


def rasterize(
    vertices: Tensor, faces: Tensor, intrinsics: Tensor, size: tuple[int, int], *,
    vertex_values: Tensor | None = None, face_values: Tensor | None = None,
    background: Tensor | None = None, mode: Mode = "hard", samples: int = 2,
    sigma: float = 1e-5, gamma: float = 0.1, near: float = 0.05, far: float = 100.0,
    backend: Backend = "torch",
) -> Rendering:
    """Renders vertices (B, V, 3) m in the camera's axes (OpenCV's) with faces (F, 3).

    intrinsics (3, 3) or (B, 3, 3) px; size (width, height) px. vertex_values (V, C) or (B, V, C) are
    interpolated over the surface, face_values (F, C) or (B, F, C) are constant on it; both together
    make the channels, in this order.

    mode "hard": the nearest surface, averaged over samples x samples points a pixel, with
    derivatives at outlines and borders (hard.py). mode "soft": SoftRas with `sigma` and `gamma`, over
    a black background (soft.py). The back end "pytorch3d" needs that package; its hard mode has no
    derivative by the vertices. Raises ValueError for shapes that don't fit.
    """  # fmt: skip
    if vertices.dim() != 3 or faces.dim() != 2 or faces.shape[1] != 3:
        raise ValueError(
            f"vertices are {tuple(vertices.shape)} and faces {tuple(faces.shape)}; "
            "they have to be (B, V, 3) and (F, 3)"
        )
    if mode not in ("hard", "soft") or backend not in ("torch", "pytorch3d"):
        raise ValueError(f"there is no mode {mode!r} of back end {backend!r}")
    count = len(vertices)
    values = (
        _batched("vertex_values", vertex_values, count, vertices.shape[1]),
        _batched("face_values", face_values, count, len(faces)),
    )
    if background is None:
        background = vertices.new_zeros(sum(v.shape[2] for v in values if v is not None))
    clip = (near, far)
    if backend == "pytorch3d":
        from . import pytorch3d_backend

        render = getattr(pytorch3d_backend, mode)
        return render(vertices, faces, intrinsics, size, values, background, samples, sigma, gamma, clip)
    xy, z = project(vertices, intrinsics), vertices[..., 2]
    if mode == "hard":
        return _hard(xy, z, faces, size, values, background, samples, clip)
    return _soft(xy, z, faces, size, values, sigma, gamma, clip)


def _batched(name: str, values: Tensor | None, count: int, items: int) -> Tensor | None:
    """(N, C) or (B, N, C) as (B, N, C)."""
    if values is None:
        return None
    if values.dim() == 2:
        values = values.expand(count, -1, -1)
    if values.shape[:2] != (count, items):
        raise ValueError(f"{name} are {tuple(values.shape)} instead of ({count}, {items}, channels)")
    return values


def _hard(xy, z, faces, size, values, background, samples, clip) -> Rendering:
    picture, silhouette, seen = hard.render(xy, z, faces, *size, *values, samples, background, *clip)
    # The sample at or right below a pixel's centre stands for it.
    middle = slice(samples // 2, None, samples)
    face, depth = seen.face[:, middle, middle], seen.depth[:, middle, middle]
    return Rendering(picture, silhouette, face, depth, _visible(seen.face, len(faces)))


def _soft(xy, z, faces, size, values, sigma, gamma, clip) -> Rendering:
    width, height = size
    pictures, silhouettes = [], []
    for i in range(len(xy)):  # one after another: together they would leave the caches
        part = slice(i, i + 1)
        found = soft.fragments(xy[part], z[part], faces, width, height, sigma, *clip)
        picture, silhouette = soft.blend(
            found, soft.fragment_values(found, faces, *(None if v is None else v[part] for v in values)),
            width * height, gamma,
        )  # fmt: skip
        pictures.append(picture.view(height, width, -1).permute(2, 0, 1))
        silhouettes.append(silhouette.view(height, width))
    seen, _ = layers(xy.detach(), z.detach(), faces, width, height, *clip)
    return Rendering(
        torch.stack(pictures), torch.stack(silhouettes), seen.face, seen.depth,
        _visible(seen.face, len(faces)),
    )  # fmt: skip


def _visible(face: Tensor, count: int) -> Tensor:
    """(B, F) whether a triangle is seen in face (B, H, W)."""
    seen = torch.zeros(len(face), count + 1, dtype=torch.bool, device=face.device)
    seen.scatter_(1, face.flatten(1) + 1, True)
    return seen[:, 1:]
