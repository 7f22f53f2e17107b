"""Learning the clothing prior of a body, from label maps of people whose bodies are known.

Source of the idea: DSR (Dwivedi et al., ICCV 2021), whose prior comes from scans of clothed people.
Here each face of the body takes the labels of the pixels where it would be seen, were it bare.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import roma
import torch
from torch import Tensor

from regressor.data.images import Records
from regressor.data.spin import load_spin
from regressor.errors import FileFormatError, PosecastError
from regressor.files import replacing
from regressor.images.augment import Change, augment_keypoints
from regressor.images.crops import SIZE, crop_labels
from regressor.images.geometry import estimate_translation
from regressor.images.joints import LABELLED, Joints49
from regressor.smpl.body import DEFAULT_BODY, Body
from rendering.cameras import FOCAL_PX
from rendering.labels import LABELS, read_labels
from rendering.prior import count_labels, learn_prior, load_prior, mirrored_faces
from rendering.rasterize import rasterize
from rendering.semantic import crop_intrinsics

DEFAULT_PRIOR = DEFAULT_BODY.with_name("default_body_prior.npz")
LEAST_JOINTS = 6  # seen in a picture, to know where its body stands
NO_LABEL = 255


@dataclass
class Counted:
    """Pixels (F, 20) of each label on each face; samples counted, and those left out."""

    pixels: Tensor
    samples: int = 0
    skipped: int = 0


@torch.no_grad()
def count(
    batches: Iterable[dict[str, Tensor]],
    body: Body,
    tell: Callable[[Counted], None] = lambda counted: None,
    background: bool = False,
) -> Counted:
    """Counts the labels seen on each face over batches of training samples.

    A sample: labels (B, H, W), pose (B, 24, 3, 3), betas (B, 10), keypoints (B, 49, 3) in -1..1 and
    confidence; or instead of these translation (B, 3) m and intrinsics (B, 3, 3). Samples without
    labels or SMPL (`has_labels`, `has_smpl`), or whose place isn't known, are left out. Pixels
    labelled background, where something else hides the body, count only if `background`.
    """
    faces = torch.as_tensor(body.faces, device=body.v_template.device)
    counted = Counted(torch.zeros(len(faces), len(LABELS), device=faces.device))
    joints49 = Joints49(body).to(faces.device)
    for batch in batches:
        vertices, intrinsics, known = _placed(batch, body, joints49)
        for name in ("has_labels", "has_smpl"):
            known = known & batch.get(name, known).bool()
        counted.samples += int(known.sum())
        counted.skipped += int((~known).sum())
        labels = batch["labels"][known]
        if not background:
            labels = torch.where(labels == 0, NO_LABEL, labels)
        if known.any():
            size = (labels.shape[2], labels.shape[1])
            seen = rasterize(vertices[known], faces, intrinsics[known], size, samples=1).face
            counted.pixels += count_labels(seen, labels, len(faces))
        tell(counted)
    return counted


def _placed(
    batch: dict[str, Tensor], body: Body, joints49: Joints49
) -> tuple[Tensor, Tensor, Tensor]:
    """Vertices (B, V, 3) before cameras (B, 3, 3), and (B,) whether that place is known."""
    pose, size = roma.rotmat_to_rotvec(batch["pose"]), batch["labels"].shape[-1]
    posed = body(
        betas=batch["betas"], global_orient=pose[:, 0], body_pose=pose[:, 1:].flatten(1)
    )  # fmt: skip
    count, device = len(pose), pose.device
    assert posed.vertices is not None
    if "translation" in batch:
        vertices = posed.vertices + batch["translation"][:, None]
        return vertices, batch["intrinsics"], torch.ones(count, dtype=torch.bool, device=device)
    joints = joints49(posed.vertices, posed.joints)[:, LABELLED]
    seen = batch["keypoints"][:, LABELLED]
    place = estimate_translation(
        joints, (seen[..., :2] + 1) * size / 2, seen[..., 2],
        FOCAL_PX * size / SIZE, (size / 2, size / 2),
    )  # fmt: skip
    known = (seen[..., 2] > 0).sum(1) >= LEAST_JOINTS
    cameras = crop_intrinsics(size).to(device).expand(count, 3, 3)
    return posed.vertices + place[:, None], cameras, known


def read_fits(file: Path, labels: Path, batch: int = 16) -> Iterator[dict[str, Tensor]]:
    """Batches of samples from SPIN's .npz of fits, and label pictures below `labels`.

    `labels` holds for each `imgname` a picture of the same name and folder that ends in .png, as
    large as the image. A label picture that is missing or can't be read is has_labels False.
    Raises FileFormatError where the file has no fits.
    """
    records = load_spin(file, labels)
    if not records.has_smpl.any():
        raise FileFormatError(f"{file} holds no SMPL fits: it has no pose, or none that counts.")
    for start in range(0, len(records), batch):
        rows = [_sample(records, i) for i in range(start, min(start + batch, len(records)))]
        yield {key: torch.stack([row[key] for row in rows]) for key in rows[0]}


def _sample(records: Records, index: int) -> dict[str, Tensor]:
    box = (records.center[index], float(records.scale[index]))
    file = (records.root / str(records.imgname[index])).with_suffix(".png")
    try:
        cut = torch.as_tensor(crop_labels(read_labels(file), *box))
    except ValueError:
        cut = None
    return {
        "labels": torch.zeros(SIZE, SIZE, dtype=torch.uint8) if cut is None else cut,
        "has_labels": torch.tensor(cut is not None),
        "has_smpl": torch.tensor(bool(records.has_smpl[index])),
        "pose": roma.rotvec_to_rotmat(torch.as_tensor(records.pose[index]).view(24, 3)),
        "betas": torch.as_tensor(records.betas[index]),
        "keypoints": augment_keypoints(
            torch.as_tensor(records.keypoints[index]), *box, Change(), whole=False
        ),
    }


def learned(counted: Counted, body: Body) -> Tensor:
    """The prior (F, 20) of what was counted, alike on the body's two sides.

    Raises PosecastError where nothing was.
    """
    if not counted.pixels.any():
        raise PosecastError(
            f"No label was seen on the body in {counted.samples + counted.skipped} samples; check "
            "that the label pictures belong to the images and have their size."
        )
    faces = torch.as_tensor(body.faces, device=counted.pixels.device)
    return learn_prior(counted.pixels, faces, mirrored_faces(body.v_template, faces))


def save_prior(file: Path, prior: Tensor) -> None:
    """Writes it in half precision, as `rendering.prior.load_prior` reads it."""
    with replacing(file) as beside, beside.open("wb") as stream:
        np.savez_compressed(stream, prior=prior.cpu().half().numpy())


def body_prior(body: Body, file: str | Path | None = None) -> Tensor:
    """The prior (F, 20) for a body: of `file`, or the default body's own.

    Raises FileFormatError where the file is no prior or for another body, PosecastError where a
    body other than the default one has none.
    """
    if file is None and len(body.faces) != len(load_prior(DEFAULT_PRIOR)):
        raise PosecastError(
            "Semantic losses on this body need its clothing prior: give DSR's semantic_prior.npy, "
            "or learn one by python -m regressor.learn_prior."
        )
    try:
        return load_prior(file or DEFAULT_PRIOR, len(body.faces))
    except ValueError as error:
        raise FileFormatError(f"{error}.") from error
