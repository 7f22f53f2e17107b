"""The house's small regressor: where the joints are in the picture first, SMPL from that and it.

HMR's head has to read from averaged features both where each joint is and what that says of the
body, and learns neither in the hours of a processor. Here places are the means of maps (Sun et al.,
"Integral Human Pose Regression", 2018, equation 1), which are learned in minutes, and what places
say of the body can be learned without any picture (`training.warm_up`). What the picture says
beside (what is in front, clothes, shape) is added to it. No published system is like this one in
all; it gives what HMR gives, and is trained by the same losses.

Keypoints that a detector has found already can be given with the picture: left and right are what
such a network learns last, and what detectors know.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regressor.images.crops import to_side
from regressor.images.hmr import (
    MEAN_PARAMETERS,
    HmrOutput,
    rays_of,
    rot6d_to_rotmat,
    standing,
)
from regressor.images.joints import J24, LABELLED
from regressor.images.pyramid import WIDTH, Pyramid
from regressor.skeletons import COCO17
from rendering.labels import LABELS

JOINTS = len(J24)
GIVEN = [[*J24].index(name) for name in COCO17]  # what every detector finds, in COCO's order
# How they are given in training: to which share of samples, at most how far off (standard
# deviation, in halves of the crop's side), and which share is left out.
GIVEN_TO, JITTER, LEFT_OUT = 0.5, 0.05, 0.1
SEEN = 16  # numbers that the picture gives at each joint
SPREAD = 0.8  # of the maps that are wanted, standard deviation in cells
# Of the terms below, beside a total that LossWeights weighs by 60.
WEIGHTS = {"maps": 5.0, "places": 10.0, "inside": 1.0, "labels": 3.0}


class Found(NamedTuple):
    """What the network found on its way, of J24's joints in crops.

    places (B, 24, 2) x, y in -1..1; inside (B, 24) log-odds that the crop contains it; maps
    (B, 24, h, w) and labels (B, 20, h, w) log-odds of cells.
    """

    places: Tensor
    inside: Tensor
    maps: Tensor
    labels: Tensor


class PlacesHead(nn.Module):
    """Places (B, 24, 2) and how sure they are (B, 24), 0..1, to HmrOutput.

    beside (B, `features`): what the picture says; None says nothing, as at the start of learning.
    """

    def __init__(self, features: int, hidden: int = 1024, blocks: int = 2):
        super().__init__()
        self.first, self.beside = nn.Linear(3 * JOINTS, hidden), nn.Linear(features, hidden)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.GELU(),
                nn.Linear(hidden, hidden),
            )
            for _ in range(blocks)
        )  # fmt: skip
        self.norm, self.last = nn.LayerNorm(hidden), nn.Linear(hidden, 157)
        for layer, gain in ((self.last, 0.1), (self.beside, 0.0)):
            nn.init.xavier_uniform_(layer.weight, gain)
            nn.init.zeros_(layer.bias)
        self.mean: Tensor
        self.register_buffer("mean", torch.cat(list(standing().values())))

    def forward(self, places: Tensor, sure: Tensor, beside: Tensor | None = None) -> HmrOutput:
        sure = sure[..., None]
        # About as large as what else comes in.
        x = self.first(torch.cat([3 * places * sure, 2 * sure - 1], dim=-1).flatten(1))
        if beside is not None:
            x = x + self.beside(beside)
        for block in self.blocks:
            x = x + block(x)
        answer = self.mean + self.last(self.norm(x)).float()
        pose, betas, cam = answer.split(list(MEAN_PARAMETERS.values()), dim=1)
        return HmrOutput(rot6d_to_rotmat(pose.unflatten(1, (24, 6))), betas, cam)


class LocatedHMR(nn.Module):
    """Crops (B, 3, H, W), normalised as `crops.normalize` does, to HmrOutput.

    depth: of the ResNet, 18 or 34; hidden, blocks: of the head; pixels: the side to which other
    crops are brought first, a multiple of 16 (crops are as they come where it is None); encoding
    and rotation as in `hmr.HMR`, but that the encoding is added to the stem's features.
    """

    def __init__(
        self,
        depth: int = 18,
        hidden: int = 1024,
        blocks: int = 2,
        pixels: int | None = 112,
        encoding: bool = False,
        rotation: bool = False,
    ):
        super().__init__()
        self.pixels, self.backbone, self.takes_keypoints = pixels, Pyramid(depth), True
        self.rotation, self.sees_camera, self.by_camera = rotation, encoding, encoding or rotation
        self.cam_layer = None
        if encoding:
            self.cam_layer = nn.Conv2d(2, self.backbone.stem_width, 1, bias=False)
        self.maps = nn.Conv2d(WIDTH, 2 * JOINTS + len(LABELS), 1)
        self.seen = nn.Conv2d(WIDTH, SEEN, 1)
        self.head = PlacesHead(self.backbone.features + SEEN * JOINTS, hidden, blocks)

    def forward(
        self,
        images: Tensor,
        intrinsics: Tensor | None = None,
        known: Tensor | None = None,
        given: Tensor | None = None,
    ) -> HmrOutput:
        """As `find`."""
        return self.find(images, intrinsics, known, given)[0]

    def find(
        self,
        images: Tensor,
        intrinsics: Tensor | None = None,
        known: Tensor | None = None,
        given: Tensor | None = None,
    ) -> tuple[HmrOutput, Found]:
        """The estimate, and what was found on the way to it.

        intrinsics and known as `hmr.HMR.forward` takes them; given (B, 24, 3): keypoints in J24's
        order, x and y in -1..1 of the crop, and 1 where they are sure: these stand in for what the
        network finds, where the third number is above 0.
        """
        backbone, size = self.backbone, images.shape[-1]
        stem = backbone.stem(to_side(images, self.pixels))
        if self.cam_layer is not None:
            stem = stem + self.cam_layer(rays_of(stem, size, intrinsics, known))
        branches = backbone.branches(stem)
        # In half precision a soft-max over so many cells isn't exact to a pixel.
        maps, inside, labels = (
            self.maps(branches[0]).float().split([JOINTS, JOINTS, len(LABELS)], dim=1)
        )
        share = maps.flatten(2).softmax(dim=2)
        places = expectation(share.view_as(maps))
        inside = (share * inside.flatten(2)).sum(dim=2)
        at, sure, features = places, inside.sigmoid(), self.seen(branches[0]).float()
        seen = torch.einsum("bjn,bcn->bjc", share, features.flatten(2))
        if given is not None:
            told = given[..., 2:] > 0
            at = torch.where(told, given[..., :2], places)
            sure = torch.where(told[..., 0], 1.0, sure)
            there = F.grid_sample(features, at[:, :, None], align_corners=False)
            seen = torch.where(told, there[..., 0].transpose(1, 2), seen)
        beside = torch.cat([backbone.whole(branches).float(), seen.flatten(1)], dim=1)
        return self.head(at, sure, beside), Found(places, inside, maps, labels)


def cells(count: int, like: Tensor) -> Tensor:
    """Middles (count,) of the cells of a crop's side, -1..1."""
    return (torch.arange(count, device=like.device) + 0.5) * (2 / count) - 1


def expectation(share: Tensor) -> Tensor:
    """Shares (B, J, h, w) of cells, one in all, to the mean place (B, J, 2), x and y in -1..1."""
    height, width = share.shape[-2:]
    x = (share.sum(dim=2) * cells(width, share)).sum(dim=-1)
    y = (share.sum(dim=3) * cells(height, share)).sum(dim=-1)
    return torch.stack([x, y], dim=-1)


def wanted_maps(places: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Shares (B, J, h, w) about places (B, J, 2); whether the cells hold most of each (B, J)."""
    across = (cells(width, places) - places[..., :1]) * (width / 2 / SPREAD)
    down = (cells(height, places) - places[..., 1:]) * (height / 2 / SPREAD)
    share = torch.exp(-(across[:, :, None, :].square() + down[:, :, :, None].square()) / 2)
    total = share.sum(dim=(2, 3), keepdim=True)
    most = total.flatten(1) > torch.pi * SPREAD**2  # half of what an endless map would hold
    return share / total.clamp(min=1e-6), most


def given_of(keypoints: Tensor) -> Tensor:
    """True keypoints (B, 49, 3) to what a detector might give (B, 24, 3), for some samples."""
    truth = keypoints[:, LABELLED]
    some, exact = torch.rand(2, len(truth), 1, 1, device=truth.device)
    told = torch.zeros_like(truth[..., 2:])
    told[:, GIVEN] = (torch.rand_like(told[:, GIVEN]) >= LEFT_OUT).to(told)
    told = told * (truth[..., 2:] > 0) * (some < GIVEN_TO)
    away = JITTER * exact * torch.randn_like(truth[..., :2])
    return torch.cat([truth[..., :2] + away, told], dim=-1)


def found_losses(found: Found, sample: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weighted terms of what was found on the way, by the names of WEIGHTS.

    maps: how far the maps are from narrow ones about the true keypoints (Kullback-Leibler); places:
    the mean distance of their means, |x| + |y|; inside: whether keypoints lie in the crop; labels:
    cross entropy of the label map, where the sample has one (`has_labels`). sample: as
    `images.losses.hmr_losses` takes it, with labels (B, S, S).
    """
    truth = sample["keypoints"][:, LABELLED]
    places, known = truth[..., :2], truth[..., 2] > 0
    height, width = found.maps.shape[-2:]
    wanted, most = wanted_maps(places, height, width)
    share = found.maps.flatten(2).log_softmax(dim=2).view_as(wanted)
    apart = F.kl_div(share, wanted, reduction="none").sum(dim=(2, 3))
    count = known.sum().clamp(min=1)
    terms = {
        "maps": (apart * (known & most)).sum() / count,
        "places": ((found.places - places).abs().sum(dim=-1) * known).sum() / count,
        "inside": F.binary_cross_entropy_with_logits(found.inside, known.float()),
        "labels": 0 * found.labels.sum(),
    }
    labelled = sample["has_labels"]
    if labelled.any():
        labels = sample["labels"][labelled, None].float()
        labels = F.interpolate(labels, found.labels.shape[-2:], mode="nearest")[:, 0].long()
        terms["labels"] = F.cross_entropy(found.labels[labelled], labels)
    return {name: WEIGHTS[name] * value for name, value in terms.items()}
