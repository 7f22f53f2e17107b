"""Learns a body's clothing prior: python -m regressor.learn_prior -o prior.npz --poses poses.npz

From synthetic people (`python -m regressor.data.people` makes the file of poses), or by --fits from
images with SMPL fits (SPIN's .npz) and label pictures (--labels). Beside the prior it writes a card
(.md), and by --picture a picture of it on the body.
"""

if __name__ == "__main__":  # Ctrl-C is answered from here on, also while the rest is imported
    from regressor.stopping import Listener

    listener = Listener()

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import torch
import tyro
from torch import Tensor

from regressor import command
from regressor.data import prior as pr
from regressor.errors import PosecastError
from regressor.files import replacing
from regressor.lifting import device_of
from regressor.progress import Progress
from regressor.smpl.body import Body, load_body
from rendering import overlay
from rendering.labels import LABELS, MC_PARTS
from rendering.normals import face_normals
from rendering.semantic import crop_intrinsics

if TYPE_CHECKING:
    from regressor.stopping import Listener

BATCH = 16
PICTURE_PX = 448


@dataclass
class Options(command.Reporting):
    """Options of `learn_prior`."""

    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The prior to write, .npz."""
    fits: Path | None = None
    """Images with SMPL fits: SPIN's .npz. Without it, synthetic people."""
    labels: Path | None = None
    """With --fits: the folder of their label pictures (Graphonomy's colours, or ids), as .png."""
    poses: Path | None = None
    """Poses of synthetic people; without it, random ones."""
    body: Path | None = None
    """The body that the fits are of: an SMPL file. Without it, the default body."""
    samples: int = 4000
    """How many at most."""
    seed: int = 1
    """Of synthetic people."""
    background: bool = False
    """Count also the background seen in front of the body."""
    picture: Path | None = None
    """A picture to draw of the prior, .png."""
    device: str = "cpu"


def learn(options: Options, progress: Progress) -> tuple[str, list[Path]]:
    """Counts, learns, and writes the files; returns what to tell, and the files."""
    command.check_output(options.output, ".npz", "a prior")
    if (options.fits is None) != (options.labels is None):
        raise PosecastError("--fits and --labels go together: give both, or none.")
    if options.samples < 1:
        raise PosecastError("--samples has to be above 0.")
    if options.picture is not None:
        command.check_output(options.picture, ".png", "a picture")
    device = device_of(options.device)
    body = load_body(options.body).to(device)

    def tell(counted: pr.Counted) -> None:
        done = counted.samples + counted.skipped
        progress.update("prior", min(done, options.samples), options.samples)

    batches = islice(_batches(options, body), -(-options.samples // BATCH))
    moved = ({key: value.to(device) for key, value in b.items()} for b in batches)
    counted = pr.count(moved, body, tell, options.background)
    prior = pr.learned(counted, body)
    pr.save_prior(options.output, prior)
    paths = [options.output, options.output.with_suffix(".md")]
    with replacing(paths[1]) as beside:
        beside.write_text(card(options, body, counted, prior))
    if options.picture is not None:
        with replacing(options.picture) as beside:
            _draw(body, prior, beside)
        paths.append(options.picture)
    skipped = f", {counted.skipped} left out" if counted.skipped else ""
    return f"A prior of {counted.samples} samples{skipped}.", paths


def _batches(options: Options, body: Body) -> Iterator[dict[str, Tensor]]:
    if options.fits is not None and options.labels is not None:
        yield from pr.read_fits(options.fits, options.labels, BATCH)
        return
    from regressor.data.people import SyntheticPeople, load_poses

    poses = load_poses(options.poses).split(validation=False) if options.poses else None
    people = SyntheticPeople(body, poses, device=body.v_template.device)
    seed = options.seed * 1_000_000
    while True:
        yield people.batch(BATCH, seed)
        seed += 1


def card(options: Options, body: Body, counted: pr.Counted, prior: Tensor) -> str:
    """What the prior is, how it was made, and what it says of the body as a whole."""
    seen = counted.pixels.sum(1)
    share = counted.pixels.sum(0) / counted.pixels.sum()
    area = face_normals(body.v_template, torch.as_tensor(body.faces, device=prior.device)).norm(
        dim=1
    )
    skin = (area * prior[:, list(MC_PARTS["all"])].sum(1)).sum() / area.sum()
    source = f"images with SMPL fits ({options.fits.name})" if options.fits else "synthetic people"
    rows = "\n".join(
        f"| {i} | {name} | {100 * share[i]:.1f} | {float(prior[:, i].max()):.2f} |"
        for i, name in enumerate(LABELS)
    )
    return f"""# Clothing prior of the body "{body.name}"

`prior` (F, 20): for each of {len(prior)} faces the probability of each of Graphonomy's 20 labels, in
half precision. Made by `python -m regressor.learn_prior` on {time.strftime("%Y-%m-%d")} from {counted.samples} {source}
(seed {options.seed}; {counted.skipped} left out): {int(counted.pixels.sum())} pixels on {int((seen > 0).sum())} faces, {int(seen.median())} pixels
on the median face. Left and right are made alike; faces seen rarely or never follow their neighbours.
Pixels of what hides the person are {"" if options.background else "not "}counted as background.
Mean probability of bare skin, with face and shoes, over the body's area: {100 * float(skin):.0f} %.

| id | label | % of pixels | highest probability |
| --- | --- | --- | --- |
{rows}
"""  # noqa: E501


def _draw(body: Body, prior: Tensor, file: Path) -> None:
    """The likeliest labels from front and back, and how likely skin is (white is 1)."""
    from PIL import Image

    faces = torch.as_tensor(body.faces, device=prior.device)
    upright = body.v_template[None] * body.v_template.new_tensor([1.0, -1.0, -1.0])
    intrinsics = crop_intrinsics(PICTURE_PX).to(prior.device)[None]
    size = (PICTURE_PX, PICTURE_PX)
    skin = prior[:, list(MC_PARTS["all"])].sum(1, keepdim=True).expand(-1, 3)
    tiles = []
    for colours in (overlay.prior_colours(prior), skin):
        for yaw in (0, 180):
            seen = overlay.whole(overlay.turned(upright, yaw), intrinsics, size)
            shown = overlay.shaded(seen, faces, intrinsics, size, colours)
            tiles.append(overlay.over(torch.full_like(shown[0], 0.25), *shown)[0])
    Image.fromarray(overlay.to_bytes(torch.cat(tiles, 2)).cpu().numpy()).save(file, format="PNG")


def main(listener: "Listener | None" = None) -> None:
    """The command, with `regressor.estimate`'s exit statuses."""
    options = tyro.cli(Options, prog="python -m regressor.learn_prior", description=__doc__)
    reads, writes = [options.fits, options.poses, options.body], [options.output, options.picture]
    command.run(options, lambda progress: learn(options, progress), listener, reads, writes)


if __name__ == "__main__":
    main(listener)
