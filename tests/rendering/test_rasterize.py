"""The hard rasteriser: what is seen where, against a plain raster and PyTorch3D's silhouettes."""

import math
import sys

import numpy as np
import pytest
import torch
import trimesh

from rendering.cameras import pinhole, project
from rendering.normals import vertex_normals
from rendering.rasterize import rasterize
from tests.rendering.bodies import DIRECTIONS, SILHOUETTES, iou, silhouette

SIZE = (40, 28)  # width, height
CAMERA = pinhole(60.0, *SIZE)


def ball(x=0.0, y=0.0, z=2.0, radius=0.3) -> tuple[torch.Tensor, torch.Tensor]:
    """A closed mesh of 80 triangles: vertices (1, V, 3) m and faces (F, 3)."""
    mesh = trimesh.creation.icosphere(subdivisions=1, radius=radius)
    place = torch.tensor([x, y, z])
    return torch.tensor(mesh.vertices)[None].float() + place, torch.tensor(mesh.faces)


def two_balls() -> tuple[torch.Tensor, torch.Tensor]:
    """One ball that hides a part of another."""
    (near, faces), (far, _) = ball(x=-0.1, z=1.5), ball(x=0.25, y=0.1)
    return torch.cat([near, far], 1), torch.cat([faces, faces + near.shape[1]])


def plain_raster(vertices, faces, size, camera, samples):
    """Face and depth at samples (nH, nW), point by point in double precision."""
    width, height = size
    z = vertices[0, :, 2].double().numpy()
    xy = project(vertices.double(), camera.double())[0].numpy()
    face, depth = np.full((height * samples, width * samples), -1), np.full(1, np.inf)
    depth = np.full(face.shape, np.inf)
    for row, column in np.ndindex(*face.shape):
        p = np.array([column + 0.5, row + 0.5]) / samples
        for k, corners in enumerate(faces.tolist()):
            matrix = np.vstack([xy[corners].T, np.ones(3)])
            weights = np.linalg.solve(matrix, np.append(p, 1))
            if (weights >= 0).all() and (at := 1 / (weights / z[corners]).sum()) < depth[
                row, column
            ]:
                face[row, column], depth[row, column] = k, at
    return face, depth


def test_the_same_as_trying_every_triangle_at_every_sample():
    vertices, faces = two_balls()
    got = rasterize(vertices, faces, CAMERA, SIZE, samples=1)
    face, depth = plain_raster(vertices, faces, SIZE, CAMERA, 1)
    assert (got.face[0].numpy() != face).sum() <= 1  # a sample on an edge
    np.testing.assert_allclose(got.depth[0].numpy(), depth, rtol=1e-4)
    assert (got.silhouette[0].numpy() == (face >= 0)).all()
    assert set(got.visible[0].nonzero()[:, 0].tolist()) == set(face[face >= 0].tolist())
    seen = got.visible_vertices(faces, vertices.shape[1])[0]
    assert set(seen.nonzero()[:, 0].tolist()) == set(faces[face[face >= 0]].flatten().tolist())


def test_a_pixel_is_the_mean_of_its_samples():
    vertices, faces = two_balls()
    of_faces, background = torch.rand(len(faces), 2), torch.tensor([0.3, 0.7])
    got = rasterize(
        vertices, faces, CAMERA, SIZE, face_values=of_faces, background=background, samples=2
    )
    face, depth = plain_raster(vertices, faces, SIZE, CAMERA, 2)
    shown = torch.cat([of_faces, background[None]])[torch.tensor(face)]  # -1 is the last
    expected = torch.nn.functional.avg_pool2d(shown.permute(2, 0, 1), 2)
    assert (got.values[0] - expected).abs().amax(0).gt(1e-5).sum() <= 1
    np.testing.assert_allclose(got.depth[0].numpy(), depth[1::2, 1::2], rtol=1e-4)


@pytest.mark.parametrize("size", [112, 224])
def test_the_body_s_outline_is_pytorch3d_s_from_all_around(size):
    """Their hard raster at one sample a pixel, stored: bodies.py says how it was drawn."""
    with np.load(SILHOUETTES) as stored:
        packed = np.unpackbits(stored[str(size)])
    theirs = torch.as_tensor(packed[: len(DIRECTIONS) * size**2]).view(-1, size, size).float()
    with torch.no_grad():
        for direction, expected in zip(DIRECTIONS, theirs, strict=True):
            assert iou(silhouette(*direction, size), expected) >= 0.998, direction


def test_pytorch3d_draws_the_same():
    pytest.importorskip("pytorch3d", reason="PyTorch3D is not installed")
    vertices, faces = two_balls()
    values = {"vertex_values": vertices[0] * 2, "face_values": torch.rand(len(faces), 2)}
    background = torch.linspace(0, 1, 5)
    ours, theirs = (
        rasterize(
            vertices, faces, CAMERA, SIZE, **values, background=background, samples=2, backend=name
        )
        for name in ("torch", "pytorch3d")
    )
    assert (ours.face != theirs.face).sum() <= 2
    for name in ("values", "silhouette"):
        assert (getattr(ours, name) - getattr(theirs, name)).abs().gt(1e-3).float().mean() < 2e-3
    same = ours.face == theirs.face
    torch.testing.assert_close(ours.depth[same], theirs.depth[same], rtol=1e-4, atol=1e-4)
    assert (ours.visible != theirs.visible).sum() <= 2


def test_interpolated_values_are_the_surface_s_own_in_perspective():
    """A tilted square whose vertices carry their place: every pixel shows where its ray hits."""
    vertices = torch.tensor([[[-1.0, -1, 2], [1, -1, 3], [1, 1, 5], [-1, 1, 4]]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    got = rasterize(vertices, faces, CAMERA, SIZE, vertex_values=vertices[0], samples=1)
    place = got.values[0].permute(1, 2, 0)[got.face[0] >= 0]
    rows, columns = (got.face[0] >= 0).nonzero(as_tuple=True)
    assert len(place) > 500
    torch.testing.assert_close(place[:, 2], got.depth[0, rows, columns])
    at = torch.stack([columns, rows], 1) + 0.5
    torch.testing.assert_close(project(place, CAMERA), at, atol=1e-2, rtol=0)


def test_depth_follows_the_vertices_depths():
    vertices, faces = ball()
    vertices.requires_grad_()
    depth = rasterize(vertices, faces, CAMERA, SIZE, samples=1).depth
    seen = depth.isfinite()
    (grad,) = torch.autograd.grad(depth[seen].sum(), vertices)
    assert float(grad[..., 2].sum()) == pytest.approx(int(seen.sum()), rel=1e-4)
    assert (grad[..., :2] == 0).all()


def test_values_and_background_are_differentiated():
    vertices, faces = two_balls()
    inputs = [torch.rand(*shape).requires_grad_() for shape in ((84, 2), (160, 1), (3,))]

    def draw(of_vertices, of_faces, background):
        return rasterize(
            vertices, faces, CAMERA, SIZE, vertex_values=of_vertices, face_values=of_faces,
            background=background,
        ).values  # fmt: skip

    weights = torch.rand(1, 3, *SIZE[::-1])
    (draw(*inputs) * weights).sum().backward()
    for i, value in enumerate(inputs):  # the picture is linear in them
        step = torch.rand_like(value)
        moved = [x + step if j == i else x for j, x in enumerate(inputs)]
        change = ((draw(*moved) - draw(*inputs)) * weights).sum()
        assert value.grad is not None
        moved = float((value.grad * step).sum())
        assert moved == pytest.approx(change.item(), rel=1e-3)


@pytest.mark.parametrize("mode", ["hard", "soft"])
def test_a_batch_is_drawn_as_one_by_one(mode):
    meshes = torch.cat([ball(x=x)[0] for x in (-0.2, 0.0, 0.3)])
    faces, cameras = ball()[1], torch.stack([CAMERA * k for k in (1, 1.1, 1.2)])
    cameras[:, 2, 2] = 1
    values = torch.rand(3, len(faces), 2)
    together = rasterize(meshes, faces, cameras, SIZE, face_values=values, mode=mode)
    for i in range(3):
        one = slice(i, i + 1)
        alone = rasterize(
            meshes[one], faces, cameras[i], SIZE, face_values=values[i], mode=mode
        )  # fmt: skip
        for name in ("values", "silhouette", "face", "depth", "visible"):
            torch.testing.assert_close(getattr(together, name)[one], getattr(alone, name))


HARD_CASES = {
    "off screen": lambda v: v + torch.tensor([50.0, 0, 0]),
    "behind the camera": lambda v: v - torch.tensor([0, 0, 4.0]),
    "partly behind the camera": lambda v: v - torch.tensor([0, 0, 2.0]),
    "at the camera": lambda v: v * torch.tensor([1.0, 1.0, 0.0]),
    "tiny": lambda v: v.mean(1, keepdim=True) + (v - v.mean(1, keepdim=True)) * 1e-7,
    "one point": lambda v: v.mean(1, keepdim=True).expand(-1, v.shape[1], -1).clone(),
    "edge on": lambda v: v * torch.tensor([0.0, 1.0, 1.0]),
    "flat": lambda v: v * torch.tensor([1.0, 1.0, 0.0]) + torch.tensor([0, 0, 2.0]),
    "huge": lambda v: (v - torch.tensor([0, 0, 2.0])) * 1e6 + torch.tensor([0, 0, 2e6]),
    "not a number": lambda v: v.index_fill(1, torch.tensor([3]), math.nan),
    "infinite": lambda v: v.index_fill(1, torch.tensor([3]), math.inf),
    "nothing but not a number": lambda v: v * math.nan,
}


@pytest.mark.parametrize("mode", ["hard", "soft"])
@pytest.mark.parametrize("case", HARD_CASES)
def test_no_mesh_gives_what_is_no_number(case, mode):
    vertices, faces = ball()
    vertices = HARD_CASES[case](vertices).requires_grad_()
    got = rasterize(
        vertices, faces, CAMERA, SIZE, mode=mode, face_values=torch.rand(len(faces), 2),
        vertex_values=torch.rand(vertices.shape[1], 1),
    )  # fmt: skip
    depth = got.depth[got.depth.isfinite()]
    loss = (got.values**2).sum() + (got.silhouette**2).sum() + depth.sum()
    assert loss.isfinite() and not got.depth.isnan().any()
    (grad,) = torch.autograd.grad(loss, vertices, allow_unused=True)
    assert grad is None or grad.isfinite().all()
    if case in ("not a number", "infinite"):  # the other triangles are there
        assert got.silhouette.sum() > 0.5 * np.pi * 9**2
    elif case in ("off screen", "behind the camera", "nothing but not a number"):
        assert got.silhouette.max() < 1e-6 and not got.visible.any()


@pytest.mark.parametrize("mode", ["hard", "soft"])
@pytest.mark.parametrize("nothing", ["batch", "faces"])
def test_nothing_to_draw_gives_empty_pictures(nothing, mode):
    vertices, faces = ball()
    vertices, faces = (vertices[:0], faces) if nothing == "batch" else (vertices, faces[:0])
    values = torch.rand(len(faces), 2)
    vertices.requires_grad_()
    got = rasterize(vertices, faces, CAMERA, SIZE, mode=mode, face_values=values)
    count, (width, height) = len(vertices), SIZE
    assert got.values.shape == (count, 2, height, width)
    assert got.depth.shape == got.silhouette.shape == (count, height, width)
    assert got.visible.shape == (count, len(faces))
    assert not got.values.any() and not got.silhouette.any()
    (got.values.sum() + got.silhouette.sum()).backward()


def test_neighbouring_triangles_leave_no_holes():
    """A finely cut square, at odd angles: each sample within is covered, by one triangle."""
    grid = trimesh.creation.box((1, 1, 0.1)).subdivide().subdivide().subdivide()
    vertices = torch.tensor(grid.vertices).float()
    for angle in np.linspace(0.1, 1.5, 12):
        turn = torch.tensor(trimesh.transformations.rotation_matrix(angle, (0.2, 0.1, 1))[:3, :3])
        moved = (vertices @ turn.float().T)[None] + torch.tensor([0, 0, 1.0])
        covered = rasterize(
            moved, torch.tensor(grid.faces), pinhole(200.0, 128, 128), (128, 128), samples=4
        ).silhouette[0]
        assert (covered[44:84, 44:84] == 1).all()


def test_vertex_normals_point_outwards():
    vertices, faces = ball(radius=0.4)
    normals = vertex_normals(vertices, faces)
    outwards = torch.nn.functional.normalize(vertices - vertices.mean(1, keepdim=True), dim=-1)
    torch.testing.assert_close(normals, outwards, atol=0.02, rtol=0)
    vertices = (vertices * 0).requires_grad_()
    vertex_normals(vertices, faces).sum().backward()
    assert vertices.grad is not None and vertices.grad.isfinite().all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"vertices": torch.zeros(5, 3)}, r"vertices are \(5, 3\)"),
        ({"faces": torch.zeros(5, 4).long()}, r"faces \(5, 4\)"),
        (
            {"intrinsics": torch.zeros(2, 3, 3)},
            r"intrinsics are \(2, 3, 3\) instead of \(1, 3, 3\)",
        ),
        ({"faces": torch.tensor([[0, 1, 42]])}, "vertices from 0 to 42; there are 42"),
        ({"faces": torch.tensor([[0, 1, -1]])}, "vertices from -1 to 1"),
        ({"faces": torch.zeros(5, 3)}, "faces are torch.float32; .* whole numbers"),
        ({"size": (40.5, 28)}, r"size \(40.5, 28\) and samples 2 have to be whole"),
        ({"sigma": 0.0}, "sigma 0.0 and gamma 0.1 have to be above zero"),
        ({"gamma": math.nan}, "gamma nan have to be above zero"),
        ({"size": (0, 5)}, r"size \(0, 5\), samples 2, .* above zero"),
        ({"samples": 0}, "samples 0"),
        ({"near": 5.0, "far": 1.0}, "near below far"),
        ({"vertex_values": torch.zeros(7, 2)}, r"vertex_values are \(7, 2\) instead of \(1, 42,"),
        ({"face_values": torch.zeros(80)}, r"face_values are \(80,\) instead of \(1, 80, channels"),
        ({"background": torch.zeros(3)}, r"background is \(3,\): .* each of 0 channels"),
        ({"mode": "wireframe"}, "no mode 'wireframe'"),
        ({"backend": "opengl"}, "back end 'opengl'"),
    ],
)
def test_what_does_not_fit_is_named(change, sentence):
    vertices, faces = ball()
    arguments = {"vertices": vertices, "faces": faces, "intrinsics": CAMERA, "size": SIZE, **change}
    with pytest.raises(ValueError, match=sentence):
        rasterize(**arguments)


def test_a_missing_pytorch3d_is_said_in_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch3d", None)
    for name in [n for n in sys.modules if n.startswith(("pytorch3d.", "rendering.pytorch3d"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(sys.modules["rendering"], "pytorch3d_backend", raising=False)
    vertices, faces = ball()
    with pytest.raises(ImportError, match="needs PyTorch3D, which isn't installed"):
        rasterize(vertices, faces, CAMERA, SIZE, backend="pytorch3d")
