"""The same renderings by PyTorch3D (its 0.7.9), where it is installed."""

import torch
import torch.nn.functional as F
from pytorch3d.renderer import PerspectiveCameras
from pytorch3d.renderer.mesh.rasterizer import MeshRasterizer, RasterizationSettings
from pytorch3d.structures import Meshes
from torch import Tensor

from . import soft
from .cameras import OPENCV_TO_PYTORCH3D
from .rasterize import Rendering, Scene, visible

FACES_PER_PIXEL = 50  # the tutorials' choice; with a larger sigma it cuts triangles off


def _fragments(scene: Scene, samples: int, blur_radius: float, faces_per_pixel: int):
    """PyTorch3D's fragments, with `samples` times as many pixels in either direction."""
    count, size = len(scene.vertices), (scene.height * samples, scene.width * samples)
    focal = torch.stack([scene.intrinsics[:, 0, 0], scene.intrinsics[:, 1, 1]], 1)
    cameras = PerspectiveCameras(
        focal_length=focal * samples,
        principal_point=scene.intrinsics[:, :2, 2] * samples,
        image_size=torch.tensor([size]).expand(count, 2),
        in_ndc=False,
        device=scene.vertices.device,
    )
    settings = RasterizationSettings(
        image_size=size,
        blur_radius=blur_radius,
        faces_per_pixel=faces_per_pixel,
        bin_size=0 if scene.vertices.device.type == "cpu" else None,
        perspective_correct=True,
        clip_barycentric_coords=True,
        cull_backfaces=False,
        z_clip_value=scene.near,
    )
    turned = scene.vertices * OPENCV_TO_PYTORCH3D.diagonal().to(scene.vertices)
    meshes = Meshes(list(turned), [scene.faces] * count)
    return MeshRasterizer(cameras=cameras, raster_settings=settings)(meshes)


def _flat(found, faces: Tensor):
    """Where PyTorch3D's (B, H, W, K) fragments are; their pixel, batch and face as in `soft`."""
    place = (found.pix_to_face >= 0).nonzero(as_tuple=True)
    batch, row, column, _ = place
    height, width = found.pix_to_face.shape[1:3]
    pixel = (batch * height + row) * width + column
    return place, pixel, batch, found.pix_to_face[place] - batch * len(faces)


def _nearest(found, faces: Tensor) -> tuple[Tensor, Tensor]:
    """(B, H, W) face, -1 for none, and depth, inf for none."""
    front = found.pix_to_face[..., 0]
    first = torch.arange(len(front), device=front.device)[:, None, None] * len(faces)
    depth = torch.where(front >= 0, found.zbuf[..., 0], torch.inf)
    return torch.where(front >= 0, front - first, -1), depth


def _hard(scene: Scene) -> Rendering:
    found = _fragments(scene, scene.samples, 0.0, 1)
    place, pixel, batch, face = _flat(found, scene.faces)
    one = torch.ones(len(face), device=face.device)
    flat = soft.Fragments(pixel, batch, face, one, one, found.bary_coords[place])
    shown = soft.fragment_values(flat, scene.faces, scene.vertex_values, scene.face_values)
    nothing = torch.cat([scene.background.new_zeros(1), scene.background])
    seen, depth = _nearest(found, scene.faces)
    image = nothing.expand(*seen.shape, -1)
    image = image.index_put(place[:3], torch.cat([one[:, None], shown], 1))
    picture = F.avg_pool2d(image.permute(0, 3, 1, 2), scene.samples)
    middle = slice(scene.samples // 2, None, scene.samples)
    return Rendering(
        picture[:, 1:], picture[:, 0], seen[:, middle, middle], depth[:, middle, middle],
        visible(seen, len(scene.faces)),
    )  # fmt: skip


def _soft(scene: Scene) -> Rendering:
    found = _fragments(scene, 1, soft.reach(scene.sigma), FACES_PER_PIXEL)
    place, pixel, batch, face = _flat(found, scene.faces)
    weight = torch.sigmoid(-found.dists[place] / scene.sigma)
    # Its gradient goes through the barycentric weights and explodes on triangles seen edge on.
    nearness = (scene.far - found.zbuf[place].detach()) / (scene.far - scene.near)
    surface = found.bary_coords[place].detach()
    flat = soft.Fragments(pixel, batch, face, weight, nearness, surface)
    shown = soft.fragment_values(flat, scene.faces, scene.vertex_values, scene.face_values)
    shape = (len(scene.vertices), scene.height, scene.width)
    picture, silhouette = soft.blend(flat, shown, shape[0] * shape[1] * shape[2], scene.gamma)
    seen, depth = _nearest(found, scene.faces)
    picture = picture.view(*shape, -1).permute(0, 3, 1, 2)
    return Rendering(picture, silhouette.view(shape), seen, depth, visible(seen, len(scene.faces)))


MODES = {"hard": _hard, "soft": _soft}
