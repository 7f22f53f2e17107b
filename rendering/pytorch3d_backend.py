"""The same renderings by PyTorch3D (its 0.7.9), where it is installed."""

import torch
from pytorch3d.renderer import PerspectiveCameras
from pytorch3d.renderer.mesh.rasterizer import MeshRasterizer, RasterizationSettings
from pytorch3d.structures import Meshes
from torch import Tensor

from . import soft
from .cameras import OPENCV_TO_PYTORCH3D
from .rasterize import Rendering, _visible

FACES_PER_PIXEL = 50  # the tutorials' choice; with a larger sigma it cuts triangles off


def fragments(vertices, faces, intrinsics, size, blur_radius: float, faces_per_pixel: int, clip):
    """PyTorch3D's fragments of vertices (B, V, 3) m in OpenCV's axes."""
    width, height = size
    count = len(vertices)
    intrinsics = intrinsics.expand(count, 3, 3)
    cameras = PerspectiveCameras(
        focal_length=torch.stack([intrinsics[:, 0, 0], intrinsics[:, 1, 1]], 1),
        principal_point=intrinsics[:, :2, 2],
        image_size=torch.tensor([[height, width]]).expand(count, 2),
        in_ndc=False,
        device=vertices.device,
    )
    turned = vertices @ OPENCV_TO_PYTORCH3D.to(vertices)
    settings = RasterizationSettings(
        image_size=(height, width),
        blur_radius=blur_radius,
        faces_per_pixel=faces_per_pixel,
        bin_size=0 if vertices.device.type == "cpu" else None,
        perspective_correct=True,
        clip_barycentric_coords=True,
        cull_backfaces=False,
        z_clip_value=clip[0],
    )
    meshes = Meshes(list(turned), [faces] * count)
    return MeshRasterizer(cameras=cameras, raster_settings=settings)(meshes)


def _flat(found, faces: Tensor):
    """PyTorch3D's (B, H, W, K) fragments as the list that `soft` blends."""
    batch, row, column, _ = place = (found.pix_to_face >= 0).nonzero(as_tuple=True)
    height, width = found.pix_to_face.shape[1:3]
    pixel = (batch * height + row) * width + column
    face = found.pix_to_face[place] - batch * len(faces)
    return place, pixel, batch, face


def hard(vertices, faces, intrinsics, size, values, background, samples, sigma, gamma, clip):
    width, height = size
    finer = intrinsics.clone()
    finer[..., :2, :] *= samples
    found = fragments(vertices, faces, finer, (width * samples, height * samples), 0.0, 1, clip)
    place, _, batch, face = _flat(found, faces)
    seen = torch.full(found.pix_to_face.shape, -1, device=face.device)
    seen[place] = face
    depth = torch.where(seen >= 0, found.zbuf, torch.inf)[..., 0]
    shown = soft.Fragments(face, batch, face, face, face, found.bary_coords[place])
    image = torch.cat([background.new_zeros(1), background]).expand(*depth.shape, -1)
    of_mesh = soft.fragment_values(shown, faces, *values)
    image = image.index_put(place[:3], torch.cat([torch.ones_like(of_mesh[:, :1]), of_mesh], 1))
    picture = torch.nn.functional.avg_pool2d(image.permute(0, 3, 1, 2), samples)
    middle = slice(samples // 2, None, samples)
    return Rendering(
        picture[:, 1:], picture[:, 0], seen[:, middle, middle, 0], depth[:, middle, middle],
        _visible(seen[..., 0], len(faces)),
    )  # fmt: skip


def soft_(vertices, faces, intrinsics, size, values, background, samples, sigma, gamma, clip):
    width, height = size
    found = fragments(
        vertices, faces, intrinsics, size, soft.reach(sigma), FACES_PER_PIXEL, clip
    )
    place, pixel, batch, face = _flat(found, faces)
    weight = torch.sigmoid(-found.dists[place] / sigma)
    # Its gradient goes through the barycentric weights and explodes on triangles seen edge on.
    nearness = (clip[1] - found.zbuf[place].detach()) / (clip[1] - clip[0])
    flat = soft.Fragments(pixel, batch, face, weight, nearness, found.bary_coords[place].detach())
    shown = soft.fragment_values(flat, faces, *values)
    picture, silhouette = soft.blend(flat, shown, len(vertices) * height * width, gamma)
    front = found.pix_to_face[..., 0]
    first = torch.arange(len(vertices), device=front.device)[:, None, None] * len(faces)
    seen = torch.where(front >= 0, front - first, -1)
    depth = torch.where(seen >= 0, found.zbuf[..., 0], torch.inf)
    return Rendering(
        picture.view(len(vertices), height, width, -1).permute(0, 3, 1, 2),
        silhouette.view(len(vertices), height, width),
        seen, depth, _visible(seen, len(faces)),
    )  # fmt: skip
