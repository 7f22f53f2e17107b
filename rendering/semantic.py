"""DSR's losses: a rendered body with a clothing prior against a picture's labels.

Dwivedi et al., Learning to Regress Bodies from Images using Differentiable Semantic Rendering (DSR,
ICCV 2021). Two terms: DSR-MC wants the parts that are minimally clothed (face, arms, shoes) where
such labels are; DSR-C wants every pixel's label likely under the prior of what is rendered there.

The published code differs from what the paper means, and its form is the preset "dsr"; beside it
stands, by name, what is meant ("dsr-corrected"):

| option | as published | as meant |
|---|---|---|
| mc_loss | "row-iou": the mean over 224 rows of each row's IoU; empty rows count as missed | "iou" of the region |
| c_loss | "logits": a soft-max over probabilities, log 8 wherever no body is | "likelihood" of the label |
| mode | "soft", gamma 0.1: front and back weigh almost the same | "hard": what is hidden is hidden |
| skin | "dsr": legs aren't minimally clothed; the torso's skin counts as upper clothes | "all" skin |
| swap_sides | False: in mirrored pictures left labels lie on right limbs | True |
| gate_c | "parts": DSR-C is left out where no part of DSR-MC is seen | "person" |

The code's defaults ("dsr-default") are others than those of the published configuration ("dsr"):
"distance" instead of "row-iou", sigma 1e-7, weights 0.2, and from the first epoch on.

The likelihood is that of rays: the mean over a pixel's samples of the log probability that the
face there (or the background) shows the label, with a share `noise` of labels that are wrong. It is
linear in what is rendered, so that borders within a pixel have their true derivative.

What is meant pulls harder: a wrong label costs a likelihood up to 4.4, a soft-max over
probabilities 1. The weights of "dsr-corrected" are tuned, by fits of 32 plain synthetic people to
exact keypoints and labels (as scripts/ablation_dsr.py --fits does, on other people), MPJPE in mm,
in brackets the paired difference from keypoints alone:

| losses | MPJPE |
|---|---|
| keypoints alone | 47.6 |
| published, 0.1 and 0.1 | 59.6 (+12.0 ± 2.7) |
| published, but "iou" of the region | 62.6 (+15.0 ± 3.3) |
| as meant, 0.1 and 0.1 | 79.1 (+31.5 ± 4.3) |
| as meant, 0.02 and 0.01 | 59.5 (+11.9 ± 3.4) |
| DSR-C alone, 0.01; 0.002 | 60.2 (+12.6 ± 3.5); 49.1 (+1.5 ± 1.6) |
| DSR-MC alone, 0.02; 0.005 | 51.1 (+3.5 ± 1.9); 48.1 (+0.5 ± 1.1) |
| DSR-MC alone, 0.02, skin "dsr" | 51.4 (+3.8 ± 1.7) |

So no weight gains anything there, where keypoints are exact. The preset has weights at which MPJPE
doesn't tell them from none, DSR-C's half of that; PVE is 5.7 ± 2.1 (DSR-MC) and 5.4 ± 2.9 (DSR-C at
0.002) worse even so. Real occlusion ("hard") wasn't tried apart, and `swap_sides` plays no part.
"""  # noqa: E501

from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from .cameras import CROP_PX, FOCAL_PX, pinhole
from .labels import C_CLASSES, LABELS, MC_PARTS, PALETTE, Skin, Targets, targets
from .prior import class_textures, part_textures
from .rasterize import Backend, Mode, Rendering, rasterize

__all__ = [
    "C_CLASSES", "LABELS", "MC_PARTS", "PALETTE", "PRESETS", "SemanticLosses", "SemanticOptions",
    "Targets", "preset", "render_semantics", "semantic_losses", "targets",
]  # fmt: skip

NEAR_M, FAR_M = 1.0, 100.0  # DSR's renderer
EPS = 1e-6


@dataclass(frozen=True)
class SemanticOptions:
    """What is rendered and compared, and how; see the table above."""

    mc_weight: float = 0.1
    """Of DSR-MC."""
    c_weight: float = 0.1
    """Of DSR-C."""
    silhouette_weight: float = 0.0
    """Of one minus the IoU of the body with the person, clothes and all."""
    mc_loss: Literal["row-iou", "iou", "distance"] = "row-iou"
    c_loss: Literal["logits", "likelihood"] = "logits"
    noise: float = 0.1
    """How many labels are taken to be wrong (likelihood)."""
    skin: Skin = "dsr"
    """Which labels are minimally clothed, and which classes there are."""
    gate_c: Literal["parts", "person"] = "parts"
    """Whether DSR-C needs a part of DSR-MC to be seen, or any label."""
    swap_sides: bool = False
    """Whether mirroring a picture makes its left labels right ones (for the reader of data)."""
    mode: Mode = "soft"
    sigma: float = 1e-5
    """How soft the outlines are (soft mode)."""
    gamma: float = 0.1
    """How much what lies behind shines through (soft mode)."""
    samples: int = 2
    """Samples a pixel has in either direction (hard mode)."""
    backend: Backend = "torch"
    start_epoch: int = 2
    """The losses count in the epochs after this one, counted from 0."""

    def __post_init__(self) -> None:
        if not 0 < self.noise < 1:
            raise ValueError(f"noise is {self.noise}; it has to lie between 0 and 1")


_CORRECTED = SemanticOptions(
    mc_weight=0.005, c_weight=0.001, mc_loss="iou", c_loss="likelihood", skin="all",
    gate_c="person", swap_sides=True, mode="hard",
)  # fmt: skip
PRESETS: dict[str, SemanticOptions] = {
    "dsr": SemanticOptions(),
    "dsr-default": SemanticOptions(
        mc_weight=0.2, c_weight=0.2, mc_loss="distance", sigma=1e-7, start_epoch=-1
    ),
    "dsr-corrected": _CORRECTED,
    "silhouette": replace(_CORRECTED, mc_weight=0.0, c_weight=0.0, silhouette_weight=0.1),
}


def preset(name: str) -> SemanticOptions:
    """The options of that name. Raises ValueError for another name than those of PRESETS."""
    if name not in PRESETS:
        raise ValueError(f"there is no preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]


@dataclass(frozen=True)
class SemanticLosses:
    """mc, c, silhouette: means over the batch, before their weights; total: their weighted sum.

    gated: samples without any part of DSR-MC; dropped: samples left out since they gave no number.
    Both are in the mean, as zeros, and are counted in tensors (), so that a GPU isn't waited for.
    """

    mc: Tensor
    c: Tensor
    silhouette: Tensor
    total: Tensor
    gated: Tensor
    dropped: Tensor


@dataclass(frozen=True)
class Semantics:
    """parts (B, H, W): how much a part that counts is seen, 0 to 1; rendering: all of it.

    classes (B, C, H, W): the probability of each class as rendered, the background's being 0
    ("logits"), or the log-likelihood of each class ("likelihood").
    """

    parts: Tensor
    classes: Tensor
    rendering: Rendering


def crop_intrinsics(size: int = CROP_PX) -> Tensor:
    """(3, 3) px of the camera of a crop, HMR's, at any size."""
    return pinhole(FOCAL_PX * size / CROP_PX, size, size)


def render_semantics(
    vertices: Tensor,
    faces: Tensor,
    prior: Tensor,
    parts: Tensor,
    intrinsics: Tensor,
    size: tuple[int, int],
    options: SemanticOptions,
) -> Semantics:
    """One rendering of all channels; DSR renders the body nine times.

    vertices (B, V, 3) m before the camera, faces (F, 3), prior (F, 20), parts (B, P) as in Targets.
    """
    classes, nothing = _class_values(class_textures(prior, options.skin), options)
    values = torch.cat(
        [
            part_textures(prior, parts, options.skin)[..., None],
            (classes - nothing).expand(len(vertices), -1, -1),
        ],
        2,
    )
    picture = rasterize(
        vertices, faces, intrinsics, size, face_values=values, mode=options.mode,
        samples=options.samples, sigma=options.sigma, gamma=options.gamma,
        near=NEAR_M, far=FAR_M, backend=options.backend,
    )  # fmt: skip
    shown = picture.values[:, 1:] + nothing[:, None, None]
    return Semantics(picture.values[:, 0], shown, picture)


def _class_values(probability: Tensor, options: SemanticOptions) -> tuple[Tensor, Tensor]:
    """What faces (F, C) and the background (C,) show."""
    if options.c_loss == "logits":
        return probability, probability.new_zeros(probability.shape[1])
    background = F.one_hot(torch.tensor(0), probability.shape[1]).to(probability)
    wrong = options.noise / probability.shape[1]
    seen, behind = (((1 - options.noise) * p + wrong).log() for p in (probability, background))
    return seen, behind


def semantic_losses(
    vertices: Tensor,
    faces: Tensor,
    prior: Tensor,
    wanted: Targets,
    options: SemanticOptions,
    intrinsics: Tensor | None = None,
) -> SemanticLosses:
    """DSR-MC, DSR-C and the silhouette's loss of a batch.

    vertices (B, V, 3) m before the camera, in single precision: the body's, moved by
    `cameras.weak_to_translation`; faces (F, 3); prior (F, 20) for them; `wanted` by
    `labels.targets`, with the same `skin`, and with distances for mc_loss "distance"; intrinsics
    (3, 3) or (B, 3, 3) px, a crop's if none.
    A sample without a part that counts (gate_c for DSR-C; without a person for the silhouette)
    gives 0, and so does one that gives no number; both stay in the mean, as in DSR's code.
    """
    height, width = wanted.mask.shape[1:]
    if intrinsics is None:
        intrinsics = crop_intrinsics(width).to(vertices.device)
    fine = vertices.isfinite().flatten(1).all(1)
    vertices = torch.where(fine[:, None, None], vertices, 0)
    with torch.autocast(vertices.device.type, enabled=False):  # probabilities in full precision
        drawn = render_semantics(
            vertices, faces, prior, wanted.parts, intrinsics, (width, height), options
        )
    has_parts = wanted.parts.any(1)
    has_classes = has_parts if options.gate_c == "parts" else wanted.known
    terms = {
        "mc": (_mc(drawn.parts, wanted, options), has_parts),
        "c": (_c(drawn.classes, wanted, options), has_classes),
        "silhouette": (1 - iou(drawn.rendering.silhouette, wanted.person), wanted.known),
    }
    numbers = {name: value.isfinite() for name, (value, _) in terms.items()}
    means = {
        name: torch.where(gate & fine & numbers[name], value, 0).mean()
        for name, (value, gate) in terms.items()
    }
    total = (
        options.mc_weight * means["mc"]
        + options.c_weight * means["c"]
        + options.silhouette_weight * means["silhouette"]
    )
    dropped = ~(fine & torch.stack(list(numbers.values())).all(0))
    return SemanticLosses(**means, total=total, gated=(~has_parts).sum(), dropped=dropped.sum())


def _mc(shown: Tensor, wanted: Targets, options: SemanticOptions) -> Tensor:
    """(B,) of what is rendered (B, H, W)."""
    if options.mc_loss == "row-iou":
        return row_iou_loss(shown, wanted.mask)
    if options.mc_loss == "iou":
        return 1 - iou(shown, wanted.mask)
    if wanted.distance is None:
        raise ValueError('mc_loss "distance" needs targets with distances: with_distance=True')
    return distance_loss(shown, wanted.distance)


def _c(shown: Tensor, wanted: Targets, options: SemanticOptions) -> Tensor:
    """(B,): the mean over the pixels, weighted by their classes, of -log p(label)."""
    logs = shown.log_softmax(1) if options.c_loss == "logits" else shown
    weight = wanted.class_weight.gather(1, wanted.label.flatten(1))
    of_label = logs.gather(1, wanted.label[:, None]).flatten(1)
    return -(weight * of_label).sum(1) / weight.sum(1).clamp(min=EPS)


def iou(shown: Tensor, mask: Tensor) -> Tensor:
    """(B,) intersection over union of two pictures (B, H, W) of shares, 0 to 1."""
    both = (shown * mask).sum((1, 2))
    return both / ((shown + mask - shown * mask).sum((1, 2)) + EPS)


def row_iou_loss(shown: Tensor, mask: Tensor) -> Tensor:
    """(B,) 1 - the mean IoU of the rows of (B, H, W); rows where both are empty count as 0.

    So DSR's code has it ("nIOU"): it sums over all axes but the first, and the first of its
    pictures is the rows.
    """
    both = (shown * mask).sum(2)
    return 1 - (both / ((shown + mask - shown * mask).sum(2) + EPS)).mean(1)


def distance_loss(shown: Tensor, distance: Tensor) -> Tensor:
    """(B,) how far what is shown (B, H, W) lies from the mask, for its size ("DistM").

    sum(M d) / (sum M)^1.5 over three equal colours, whence the root of 3.
    """
    size = (3 * shown).sum((1, 2))
    return (3 * shown * distance).sum((1, 2)) / (size**1.5 + EPS)
