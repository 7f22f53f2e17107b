"""The clothing prior: what label each triangle of a body is likely to show, and how it is learned.

One row of probabilities over the 20 labels for each face. DSR's own is a file `semantic_prior.npy`
for SMPL's 13,776 faces (its paper speaks of vertices, the file holds faces); it was learned from
scans of clothed people. Here a prior is counted: wherever a body's face is seen, the label of the
pixel it covers.
"""

import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from .labels import C_CLASSES, LABELS, MC_PARTS, SIDES, Skin

NEIGHBOURS_PX = 8.0  # the mean of a face's neighbours counts as much as so many pixels
SMOOTHING = 40  # times that faces ask their neighbours; so far it reaches where nothing was seen
LEAST = 1e-3  # probability that every label has everywhere


def load_prior(file: str | Path, faces: int | None = None) -> Tensor:
    """(F, 20) probabilities from .npy, or "prior" of an .npz; never by unpickling.

    Raises ValueError where the file is no prior, or one for a body of other than `faces` faces.
    """
    try:
        stored = np.load(file, allow_pickle=False)
        array = stored if isinstance(stored, np.ndarray) else stored["prior"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{file} can't be read as a prior: an .npy without pickles, or an .npz with 'prior'"
        ) from error
    array = np.asarray(array).squeeze()
    if array.dtype.kind not in "fiu" or array.ndim != 2 or array.shape[1] != len(LABELS):
        raise ValueError(f"{file} holds {array.shape}, not (faces, {len(LABELS)}) probabilities")
    if faces is not None and len(array) != faces:
        raise ValueError(f"{file} is for a body of {len(array)} faces; this one has {faces}")
    prior = torch.as_tensor(array.astype(np.float32))
    if not prior.isfinite().all() or bool((prior < 0).any()) or bool((prior > 1.01).any()):
        raise ValueError(f"{file} holds numbers that are no probabilities")
    return prior


def part_textures(prior: Tensor, parts: Tensor, skin: Skin = "dsr") -> Tensor:
    """(B, F): the probability of a part that counts, for parts (B, P) of `labels.Targets`."""
    return parts.to(prior) @ prior[:, list(MC_PARTS[skin])].T


def class_textures(prior: Tensor, skin: Skin = "dsr") -> Tensor:
    """(F, C): the probability of each class of DSR-C."""
    return torch.stack([prior[:, list(members)].sum(1) for members in C_CLASSES[skin]], 1)


def count_labels(face: Tensor, labels: Tensor, faces: int) -> Tensor:
    """(F, 20) pixels of each label on each face.

    face (B, H, W) of a rendering, -1 where nothing is; labels (B, H, W) ids, others count nothing.
    """
    seen = (face >= 0) & (labels < len(LABELS))
    place = face[seen] * len(LABELS) + labels[seen].long()
    return torch.bincount(place, minlength=faces * len(LABELS)).view(faces, -1).float()


def mirrored_faces(vertices: Tensor, faces: Tensor) -> Tensor:
    """(F,) the face on the body's other side, for vertices (V, 3) at rest about x = 0."""
    from scipy.spatial import cKDTree

    middle = vertices[faces].mean(1).cpu().numpy()
    _, nearest = cKDTree(middle).query(middle * (-1.0, 1.0, 1.0))
    return torch.as_tensor(nearest, device=faces.device)


def learn_prior(counts: Tensor, faces: Tensor, mirror: Tensor | None = None) -> Tensor:
    """Pixels counted (F, 20) to probabilities (F, 20), float32.

    With `mirror` (F,) of `mirrored_faces` each side learns from the other. Each face takes the mean
    of its neighbours for as much as NEIGHBOURS_PX pixels, so that what is rarely or never seen is
    like what surrounds it.
    """
    if mirror is not None:
        counts = counts + counts[mirror][:, _swapped(counts.device)]
    total = counts.sum(1, keepdim=True)
    first, second = _neighbours(faces)
    around = counts.new_zeros(len(faces)).index_add(0, first, counts.new_ones(len(first)))
    everywhere = counts.sum(0, keepdim=True) / counts.sum().clamp(min=1)
    prior = torch.where(total > 0, counts / total.clamp(min=1), everywhere)
    for _ in range(SMOOTHING):
        mean = torch.zeros_like(prior).index_add(0, first, prior[second])
        mean = torch.where(around[:, None] > 0, mean / around.clamp(min=1)[:, None], prior)
        prior = (counts + NEIGHBOURS_PX * mean) / (total + NEIGHBOURS_PX)
    prior = prior + LEAST
    return prior / prior.sum(1, keepdim=True)


def _swapped(device: torch.device) -> Tensor:
    order = torch.arange(len(LABELS), device=device)
    for left, right in SIDES:
        order[left], order[right] = right, left
    return order


def _neighbours(faces: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs of faces that share an edge, in both directions."""
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).sort(1).values
    owner = torch.arange(len(faces), device=faces.device).repeat(3)
    key = edges[:, 0] * (faces.max() + 1) + edges[:, 1]
    key, order = key.sort()
    owner = owner[order]
    same = (key[1:] == key[:-1]).nonzero()[:, 0]
    one, other = owner[same], owner[same + 1]
    return torch.cat([one, other]), torch.cat([other, one])
