"""One call that renders a batch of meshes into many channels, by either back end."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from numbers import Integral
from typing import Literal

import torch
from torch import Tensor

from . import hard, soft
from .cameras import project
from .zbuffer import layers, perspective_weights, screen_weights, unpack

Mode = Literal["hard", "soft"]
Backend = Literal["torch", "pytorch3d"]
# By whether it is a GPU: what fits the caches of a CPU, and what fills a GPU.
FACES_AT_ONCE = {False: 1 << 15, True: 1 << 20}


@dataclass(frozen=True)
class Rendering:
    """values (B, C, H, W); silhouette (B, H, W) in 0..1, how much of each pixel the mesh covers.

    The rest is seen at one sample a pixel, the one at or right below its centre: face (B, H, W),
    -1 where nothing is; depth (B, H, W) m, inf where nothing is, with derivatives by the corners'
    depths. visible (B, F) says which triangles are seen at any sample.
    """

    values: Tensor
    silhouette: Tensor
    face: Tensor
    depth: Tensor
    visible: Tensor

    def visible_vertices(self, faces: Tensor, count: int) -> Tensor:
        """(B, V) which of `count` vertices belong to a triangle that is seen."""
        seen = torch.zeros(len(self.visible), count, dtype=torch.bool, device=faces.device)
        batch, face = self.visible.nonzero(as_tuple=True)
        seen[batch[:, None], faces[face]] = True
        return seen


@dataclass(frozen=True)
class Scene:
    """What a back end draws, checked: meshes before a camera, their values, and how to draw them.

    vertices (B, V, 3) m; faces (F, 3); intrinsics (B, 3, 3) px; vertex_values (B, V, C) or None;
    face_values (B, F, C) or None; background (C,).
    """

    vertices: Tensor
    faces: Tensor
    intrinsics: Tensor
    width: int
    height: int
    vertex_values: Tensor | None
    face_values: Tensor | None
    background: Tensor
    samples: int
    sigma: float
    gamma: float
    near: float
    far: float


def rasterize(
    vertices: Tensor,
    faces: Tensor,
    intrinsics: Tensor,
    size: tuple[int, int],
    *,
    vertex_values: Tensor | None = None,
    face_values: Tensor | None = None,
    background: Tensor | None = None,
    mode: Mode = "hard",
    samples: int = 2,
    sigma: float = 1e-5,
    gamma: float = 0.1,
    near: float = 0.05,
    far: float = 100.0,
    backend: Backend = "torch",
) -> Rendering:
    """Renders vertices (B, V, 3) m in the camera's axes (OpenCV's) with faces (F, 3).

    intrinsics (3, 3) or (B, 3, 3) px; size (width, height) px. vertex_values (V, C) or (B, V, C)
    are interpolated over the surface, face_values (F, C) or (B, F, C) are constant on it; both
    together make the channels, in this order, over `background` (C,), black where none is given.

    mode "hard": the nearest surface, averaged over samples x samples points a pixel, with
    derivatives at outlines and borders (hard.py). mode "soft": SoftRas with `sigma` and `gamma`,
    over a black background (soft.py). Triangles that reach before `near` or behind `far` m, or have
    a corner that isn't a number, are left out. All is computed in single precision.

    The back end "pytorch3d" needs that package; its hard mode has no derivative by the vertices.
    Raises ValueError for arguments that don't fit, and ImportError where PyTorch3D isn't installed.
    """  # fmt: skip
    render = _backend(backend, mode)
    if vertices.dim() != 3 or faces.dim() != 2 or (vertices.shape[2], faces.shape[1]) != (3, 3):
        raise ValueError(
            f"vertices are {tuple(vertices.shape)} and faces {tuple(faces.shape)}; "
            "they have to be (B, V, 3) and (F, 3)"
        )
    count, (width, height) = len(vertices), size
    if intrinsics.shape not in ((3, 3), (count, 3, 3)):
        raise ValueError(f"intrinsics are {tuple(intrinsics.shape)} instead of ({count}, 3, 3)")
    _check_faces(faces, vertices.shape[1])
    if not all(isinstance(n, Integral) for n in (width, height, samples)):
        raise ValueError(f"size {size} and samples {samples} have to be whole numbers")
    if not (sigma > 0 and gamma > 0):
        raise ValueError(f"sigma {sigma} and gamma {gamma} have to be above zero")
    if width < 1 or height < 1 or samples < 1 or not 0 < near < far:
        raise ValueError(
            f"size {size}, samples {samples}, near {near} and far {far} have to be above zero, "
            "and near below far"
        )
    of_vertices = _batched("vertex_values", vertex_values, count, vertices.shape[1])
    of_faces = _batched("face_values", face_values, count, len(faces))
    channels = sum(v.shape[2] for v in (of_vertices, of_faces) if v is not None)
    background = vertices.new_zeros(channels) if background is None else background
    if background.shape != (channels,) or (mode == "soft" and background.any()):
        raise ValueError(
            f"background is {tuple(background.shape)}: it needs one value for each of {channels} "
            "channels, and zeros in soft mode"
        )
    return render(
        Scene(
            _before_camera(vertices.float(), near), faces.long(),
            intrinsics.float().expand(count, 3, 3), width, height,
            of_vertices, of_faces, background.float(), samples, sigma, gamma, near, far,
        )
    )  # fmt: skip


def _backend(backend: str, mode: str) -> Callable[[Scene], Rendering]:
    if mode not in ("hard", "soft") or backend not in ("torch", "pytorch3d"):
        raise ValueError(f"there is no mode {mode!r} of back end {backend!r}")
    if backend == "torch":
        return partial(_in_parts, {"hard": _hard, "soft": _soft}[mode])
    try:
        from . import pytorch3d_backend
    except ImportError as error:
        raise ImportError(
            "the back end 'pytorch3d' needs PyTorch3D, which isn't installed; "
            "the back end 'torch' draws the same without it"
        ) from error
    return pytorch3d_backend.MODES[mode]


def _check_faces(faces: Tensor, count: int) -> None:
    """A corner that isn't there would end a process on a GPU, not raise."""
    if faces.is_floating_point():
        raise ValueError(f"faces are {faces.dtype}; they have to be whole numbers")
    if faces.numel():
        low, high = faces.aminmax()
        if low < 0 or high >= count:
            raise ValueError(
                f"faces name vertices from {int(low)} to {int(high)}; there are {count}, "
                "counted from 0"
            )


def _batched(name: str, values: Tensor | None, count: int, items: int) -> Tensor | None:
    """(N, C) or (B, N, C) as (B, N, C)."""
    if values is None:
        return None
    batched = values.expand(count, -1, -1) if values.dim() == 2 else values
    if batched.dim() != 3 or batched.shape[:2] != (count, items):
        raise ValueError(
            f"{name} are {tuple(values.shape)} instead of ({count}, {items}, channels)"
        )
    return batched.float()


def _before_camera(vertices: Tensor, near: float) -> Tensor:
    """Vertices that can't be seen are put behind the camera, where no gradient divides by zero."""
    fine = vertices.isfinite().all(2) & (vertices[..., 2] > near)
    return torch.where(fine[..., None], vertices, vertices.new_tensor([0.0, 0.0, -1.0]))


def _hard(scene: Scene) -> Rendering:
    xy, z = project(scene.vertices, scene.intrinsics), scene.vertices[..., 2]
    picture, silhouette, seen = hard.render(
        xy, z, scene.faces, scene.width, scene.height, scene.vertex_values, scene.face_values,
        scene.samples, scene.background, scene.near, scene.far,
    )  # fmt: skip
    step, first = scene.samples, scene.samples // 2
    face, _ = unpack(seen[:, first::step, first::step])
    depth = surface_depth(face, xy * step, z, scene.faces, (step, first + 0.5))
    return Rendering(picture, silhouette, face, depth, visible(unpack(seen)[0], len(scene.faces)))


def _soft(scene: Scene) -> Rendering:
    xy, z = project(scene.vertices, scene.intrinsics), scene.vertices[..., 2]
    shape = (len(xy), scene.height, scene.width)
    size, clip = (scene.width, scene.height), (scene.near, scene.far)
    found = soft.fragments(xy, z, scene.faces, *size, scene.sigma, *clip)
    shown = soft.fragment_values(found, scene.faces, scene.vertex_values, scene.face_values)
    picture, silhouette = soft.blend(found, shown, shape[0] * shape[1] * shape[2], scene.gamma)
    seen, _ = layers(xy.detach(), z.detach(), scene.faces, *size, *clip)
    face, _ = unpack(seen)
    depth = surface_depth(face, xy, z, scene.faces, (1, 0.5))
    picture = picture.view(*shape, picture.shape[1]).permute(0, 3, 1, 2)
    return Rendering(picture, silhouette.view(shape), face, depth, visible(face, len(scene.faces)))


def _in_parts(render: Callable[[Scene], Rendering], scene: Scene) -> Rendering:
    """Draws as many meshes at once as are fast together."""
    at_once = max(1, FACES_AT_ONCE[scene.vertices.is_cuda] // max(1, len(scene.faces)))
    batched = ("vertices", "intrinsics", "vertex_values", "face_values")
    split = {
        name: value.split(at_once)
        for name in batched
        if (value := getattr(scene, name)) is not None
    }
    count = len(split["vertices"])
    parts = [
        render(replace(scene, **{name: v[i] for name, v in split.items()})) for i in range(count)
    ]
    if len(parts) == 1:
        return parts[0]
    names = [field.name for field in fields(Rendering)]
    return Rendering(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})


def surface_depth(face: Tensor, xy: Tensor, z: Tensor, faces: Tensor, grid) -> Tensor:
    """(B, H, W) m of the triangles in face (B, H, W), inf where there is none.

    Pixel (row, column) is seen at (column, row) * grid[0] + grid[1] of xy (B, V, 2).
    """
    place = (face >= 0).nonzero(as_tuple=True)
    batch, corners = place[0][:, None], faces[face[place]]
    with torch.no_grad():
        at = torch.stack([place[2], place[1]], 1) * grid[0] + grid[1]
        weights = perspective_weights(screen_weights(xy[batch, corners], at), z[batch, corners])
    depth = torch.full(face.shape, torch.inf, device=z.device)
    return depth.index_put(place, (weights * z[batch, corners]).sum(1))


def visible(face: Tensor, count: int) -> Tensor:
    """(B, F) whether a triangle is seen in face (B, H, W)."""
    seen = torch.zeros(len(face), count + 1, dtype=torch.bool, device=face.device)
    seen.scatter_(1, face.flatten(1) + 1, True)
    return seen[:, 1:]
