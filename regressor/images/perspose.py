"""PersPose: a picture and its camera to SMPL's joints, twists and shape.

"PersPose: 3D Human Pose Estimation with Perspective Encoding and Perspective
Rotation" (ICCV 2025). The crop is cut by a rotation of the camera towards the person
(`rendering.perspective`), and the network sees the crop's own intrinsics, as the direction of the
ray through each of its cells. What it gives are joints in that rotated camera; the rotations of
SMPL follow from them in closed form (`regressor.smpl.analytic_ik`).

The whole of the published network is here but its copy of SMPL, which its checkpoints hold as well:
that part is dropped when one is read, and never written.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from regressor.errors import PosecastError
from regressor.images import hrnet, pyramid
from regressor.images.hmr import rot6d_to_rotmat
from regressor.images.joints import J24
from regressor.skeletons import SMPL24
from regressor.smpl.analytic_ik import LEAVES
from rendering.perspective import SIZE, encoding

CELL = 4  # pixels of the crop to a cell of the finest feature
JOINTS = 25  # SMPL's 24, and the pelvis of Human3.6M
PELVIS = 24
BETAS = 11
DEPTH_M = 1.1  # the most that a joint is before or behind the first one
DENSITY = 0.007  # metres to a pixel of SIZE at the first joint, times e^-1.5 to e^1.5
# Joints that other skeletons have in the same places.
LIMBS = [f"{side}_{joint}" for joint in ("elbow", "wrist", "knee", "ankle")
         for side in ("left", "right")]  # fmt: skip
_LIMBS, _LIMBS_GIVEN = ([every.index(n) for n in LIMBS] for every in (SMPL24, [*J24]))
FLIP = (0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22, 24)
_LEAF_FLIP = (1, 0, 3, 2, 4)


class Heads(NamedTuple):
    """What the network reads off one crop, before anything is computed of it.

    uv (B, 25, 2): joints in the crop's px; depth (B, 25) m behind the first joint; density (B,):
    metres to a pixel at the first joint; twists (B, 25, 3): directions orthogonal to the bones, of
    any length; betas (B, 11); leaves (B, 5, 3, 3): rotations of LEAVES relative to their parents.
    """

    uv: Tensor
    depth: Tensor
    density: Tensor
    twists: Tensor
    betas: Tensor
    leaves: Tensor


class PersPoseOutput(NamedTuple):
    """A person in the crop's camera (x right, y down, z forward), in metres.

    uv, depth, twists, betas and leaves as in Heads; density (B, 25): millimetres to a pixel at each
    joint; joints (B, 25, 3) from the first one; root (B, 3): the first joint. The first of the
    betas is better told by the joints (`analytic_ik`).
    """

    uv: Tensor
    depth: Tensor
    density: Tensor
    joints: Tensor
    root: Tensor
    twists: Tensor
    leaves: Tensor
    betas: Tensor


class PersPose(nn.Module):
    """Crops (B, 3, 256, 256), normalised as `crops.normalize` does, and their cameras.

    backbone: a name of `hrnet.SIZES`, w48 as published, or of `pyramid.DEPTHS`; pixels: the side of
    the crops that it is trained with and should be given, a multiple of 32.
    encoding: whether it sees the crops' intrinsics; rotation: whether its crops are cut with the
    camera turned to the person, which is for those to heed who cut them; keypoints: whether to give
    it those of a detector, where there is one (not published: small networks take left for right);
    first_beta: how much is believed of the first beta that the joints tell, the rest being the
    network's own: all as published, 0 for small networks, whose joints tell nothing of it.
    """

    sees_camera = True

    def __init__(
        self,
        backbone: str = "w48",
        pixels: int = SIZE,
        encoding: bool = True,
        rotation: bool = True,
        keypoints: bool = False,
        first_beta: float = 1.0,
    ):
        super().__init__()
        self.pixels, self.rotation, self.takes_keypoints = pixels, rotation, keypoints
        self.first_beta = first_beta
        self.backbone = backbone_named(backbone)
        features = self.backbone.features
        self.hm_layer = nn.Conv2d(self.backbone.widths[0], JOINTS, 1)
        self.depth_layer_global = nn.Linear(features, JOINTS)
        self.rho0_layer = nn.Linear(features, 1)
        self.twist_layer = nn.Linear(features, 3 * JOINTS)
        self.shape_layer = nn.Linear(features, BETAS)
        self.leaf_rot_layer = nn.Linear(features, 6 * len(LEAVES))
        self.cam_layer = None
        if encoding:
            self.cam_layer = nn.Conv2d(2, self.backbone.stem_width, 1, bias=False)
            nn.init.normal_(self.cam_layer.weight, std=0.01)

    def forward(
        self,
        images: Tensor,
        intrinsics: Tensor,
        encoded: Tensor | None = None,
        mirrored: bool | None = None,
        given: Tensor | None = None,
    ) -> PersPoseOutput:
        """intrinsics (B, 3, 3) of the crops, px.

        encoded (B,): whether a crop's intrinsics are known; those of COCO aren't, and the network
        then sees none. mirrored: whether the mirrored crops are looked at. When training they are
        so instead of the plain ones, half of the time unless told; otherwise besides them, always
        unless told, and both are averaged: that costs a second pass. given (B, 24, 3): keypoints in
        J24's order, x and y in -1..1 of the crop, and above 0 where they are sure: elbows, wrists,
        knees and ankles are there then.
        """
        if self.training:
            mirrored = bool(torch.rand(()) < 0.5) if mirrored is None else mirrored
            one = self.look_mirrored if mirrored else self.look
            return back_project(one(images, intrinsics, encoded), intrinsics)
        seen = self.look(images, intrinsics, encoded)
        if mirrored is None or mirrored:
            other = self.look_mirrored(images, intrinsics, encoded)
            means = ((a + b) / 2 for a, b in zip(seen[:-1], other[:-1], strict=True))
            seen = Heads(*means, leaves=seen.leaves)  # a mean of rotations isn't one
        if given is not None:
            told = given[:, _LIMBS_GIVEN].to(seen.uv)
            places = (told[..., :2] + 1) * (images.shape[-1] / 2)
            uv = seen.uv.clone()
            uv[:, _LIMBS] = torch.where(told[..., 2:] > 0, places, uv[:, _LIMBS])
            seen = seen._replace(uv=uv)
        return back_project(seen, intrinsics)

    def look(self, images: Tensor, intrinsics: Tensor, encoded: Tensor | None = None) -> Heads:
        """One pass over the crops as they are."""
        height, width = images.shape[-2:]
        if width != height or width % 32:
            raise PosecastError(
                "PersPose takes square crops whose sides are multiples of 32 px, not "
                f"{width} x {height}."
            )
        stem = self.backbone.stem(images)
        if self.cam_layer is not None:
            rays = encoding(intrinsics.float(), stem.shape[-1], width)
            if encoded is not None:
                rays = rays * encoded.to(rays)[:, None, None, None]
            stem = stem + self.cam_layer(rays)
        branches = self.backbone.branches(stem)
        places, whole = self.hm_layer(branches[0]), self.backbone.whole(branches)
        # In half precision a soft-max over 4096 cells isn't exact to a pixel.
        depth = 2 * DEPTH_M * (self.depth_layer_global(whole).float().sigmoid() - 0.5)
        density = (3 * (self.rho0_layer(whole).float().sigmoid() - 0.5)).exp()
        return Heads(
            uv=_expectation(places.float()),
            depth=torch.cat([torch.zeros_like(depth[:, :1]), depth[:, 1:]], dim=1),
            density=DENSITY * SIZE / width * density[:, 0],
            twists=self.twist_layer(whole).float().unflatten(1, (JOINTS, 3)),
            betas=self.shape_layer(whole).float(),
            leaves=rot6d_to_rotmat(self.leaf_rot_layer(whole).float().unflatten(1, (-1, 6))),
        )

    def look_mirrored(
        self, images: Tensor, intrinsics: Tensor, encoded: Tensor | None = None
    ) -> Heads:
        """One pass over the mirrored crops; what it gives is mirrored back."""
        width = images.shape[-1]
        camera = intrinsics.clone()
        camera[:, 0, 2] = width - camera[:, 0, 2]
        return _mirrored(self.look(images.flip(-1), camera, encoded), width)

    def published(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """A published file's parameters without those of SMPL, which aren't the network's."""
        return {name: value for name, value in state.items() if not name.startswith("smpl.")}


def backbone_named(name: str) -> hrnet.HRNet | pyramid.Pyramid:
    """Raises PosecastError where there is no such backbone."""
    if name in pyramid.DEPTHS:
        return pyramid.Pyramid(pyramid.DEPTHS[name])
    if name not in hrnet.SIZES:
        known = ", ".join([*hrnet.SIZES, *pyramid.DEPTHS])
        raise PosecastError(f"PersPose has no backbone {name}: choose {known}.")
    return hrnet.HRNet(hrnet.SIZES[name])


def _expectation(places: Tensor) -> Tensor:
    """Scores (B, J, h, w) of cells to the mean place (B, J, 2) in the crop's px."""
    share = places.flatten(2).softmax(dim=2).view_as(places)
    columns, rows = (
        torch.arange(n, device=places.device) for n in (places.shape[3], places.shape[2])
    )
    u = (share.sum(dim=2) * (columns + 0.5)).sum(dim=-1)
    v = (share.sum(dim=3) * (rows + 0.5)).sum(dim=-1)
    return CELL * torch.stack([u, v], dim=-1)


def _mirrored(seen: Heads, width: int) -> Heads:
    """The same person in the mirrored crop of `width` px."""
    across = torch.tensor([-1.0, 1.0, 1.0], device=seen.uv.device)
    u, v = seen.uv[:, FLIP].unbind(-1)
    return Heads(
        uv=torch.stack([width - u, v], dim=-1),
        depth=seen.depth[:, FLIP],
        density=seen.density,
        twists=seen.twists[:, FLIP] * across,
        betas=seen.betas,
        leaves=seen.leaves[:, _LEAF_FLIP] * across[:, None] * across,
    )


def back_project(seen: Heads, intrinsics: Tensor) -> PersPoseOutput:
    """Pixels and depths to joints in the crop's camera, whose focal length is the mean of both."""
    intrinsics = intrinsics.float()
    focal = (intrinsics[:, 0, 0] + intrinsics[:, 1, 1]) / 2
    density = seen.depth / focal[:, None] + seen.density[:, None]  # z / focal, metres to a pixel
    across = (seen.uv - intrinsics[:, None, :2, 2]) * density[..., None]
    joints = torch.cat([across - across[:, :1], seen.depth[..., None]], dim=-1)
    root = torch.cat([across[:, 0], (focal * seen.density)[:, None]], dim=-1)
    return PersPoseOutput(
        seen.uv, seen.depth, 1000 * density, joints, root, seen.twists, seen.leaves, seen.betas
    )


def options_of(state: Mapping[str, Any]) -> dict[str, str]:
    """The options of a published network, by the names and shapes in its file."""
    return {"backbone": hrnet.size_of(state, "backbone.")}
