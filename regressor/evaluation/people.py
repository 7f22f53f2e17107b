"""Scores on synthetic people whom a network has not seen, whose bodies are known exactly."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from regressor.command import check_output
from regressor.data.mixture import seed_of
from regressor.data.people import SyntheticOptions, SyntheticPeople, load_poses
from regressor.errors import PosecastError
from regressor.evaluation.options import PeopleEvaluation
from regressor.files import replacing
from regressor.images.crops import MEAN, STD
from regressor.images.hmr import HmrOutput, answer
from regressor.images.joints import Joints49
from regressor.images.perspose import PersPose
from regressor.images.predict import load_network
from regressor.progress import Progress
from regressor.smpl.body import load_body
from regressor.training.objective import PosedBody
from regressor.training.scores import NAMES, errors
from rendering import overlay
from rendering.cameras import weak_to_translation
from rendering.people import PeopleOptions, TurnedViews, ViewOptions
from rendering.semantic import crop_intrinsics

BATCH = 16
HELD_OUT_SEED = 20211011  # keeps these people apart from any that a training draws
WORST = 8
PROTOCOL = {
    "set": "synthetic people, poses of held-out subjects",
    "mpjpe": "14 joints (of the 24 in which data sets are labelled), about the middle of the hips",
    "pa_mpjpe": "the same after rotation, scale and shift of every person",
    "pve": "all vertices, about the middle of the hips",
    "shape": "all vertices of the bodies at rest, each about its mean",
    "units": "mm; mean over people, and its standard error",
}


def evaluate_people(options: PeopleEvaluation, progress: Progress) -> tuple[str, list[Path]]:
    """What to tell, and the files: scores.json, people.csv and worst.png."""
    if options.count < 2:
        raise PosecastError("--count must be at least 2.")
    if options.pixels < 1 or options.seed < 0:
        raise PosecastError("--pixels has to be above 0, and --seed not below.")
    check_output(options.output / "scores.json", ".json", "a file of scores")
    found = load_network(options.method, options.checkpoint, options.device, "--checkpoint")
    if isinstance(found.network, PersPose):
        raise PosecastError(
            "These synthetic people are drawn as crops, without the camera that perspose sees: "
            "evaluate it on 3dpw."
        )
    body = load_body(options.body)
    if not found.knows(body):
        raise PosecastError(
            "The network knows other shapes than this body's: "
            + ("leave --body out." if options.body else "name your SMPL file by --body.")
        )
    device = next(found.network.parameters()).device
    poses = load_poses(options.poses).split(validation=True) if options.poses else None
    view = TurnedViews() if getattr(found.network, "rotation", False) else ViewOptions()
    drawing = SyntheticOptions(people=PeopleOptions(size=options.pixels, view=view))
    people = SyntheticPeople(body, poses, drawing, device=device)
    scores, pictures = score(found.network, people, options.count, options.seed, progress)
    summary = summarise(scores)
    paths = [options.output / name for name in ("scores.json", "people.csv", "worst.png")]
    network = f"{options.method}, {options.checkpoint or 'shipped weights'}"
    drawn = {"count": options.count, "seed": options.seed, "poses": str(options.poses)}
    _write(paths, {"network": network, **drawn, **PROTOCOL}, summary, scores, pictures)
    told = ", ".join(f"{name} {mean:.1f} ± {error:.1f}" for name, (mean, error) in summary.items())
    return f"{options.count} synthetic people, mm: {told}.", paths


@torch.no_grad()
def score(
    network: nn.Module,
    people: SyntheticPeople,
    count: int,
    seed: int = 1,
    progress: Progress | None = None,
) -> tuple[dict[str, Tensor], Tensor]:
    """Each person's errors (N,) mm by name (`training.scores`), and pictures of the worst.

    The same seed draws the same people, whatever the network. The pictures (K, 3, S, 3 S), 0 to 1,
    are the crop, the body over it and from its side.
    """
    network.eval()
    posed = PosedBody(people.body, Joints49(people.body)).to(people.device)
    found: dict[str, list[Tensor]] = {name: [] for name in NAMES}
    worst = _Worst(people)
    for number, start in enumerate(range(0, count, BATCH)):
        batch = people.batch(min(BATCH, count - start), seed_of(HELD_OUT_SEED, seed, number))
        output = HmrOutput(*(part.float() for part in answer(network, batch)))
        some = errors(posed, output, batch)
        for name in NAMES:
            found[name].append(some[name].cpu())
        vertices, _ = posed(output.rotmat, output.betas)
        worst.see(some["mpjpe"], batch["image"], vertices, output.cam)
        if progress is not None:
            progress.update("people", start + len(some["mpjpe"]), count)
    return {name: torch.cat(parts) for name, parts in found.items()}, worst.pictures()


class _Worst:
    """Keeps the people with the largest errors."""

    def __init__(self, people: SyntheticPeople):
        self.faces = torch.as_tensor(people.body.faces, device=people.device)
        self.kept: list[tuple[float, Tensor, Tensor]] = []

    def see(self, error: Tensor, images: Tensor, vertices: Tensor, cam: Tensor) -> None:
        place = weak_to_translation(cam, size=images.shape[-1])[:, None]
        here = zip(error.tolist(), images, vertices + place, strict=True)
        self.kept = sorted([*self.kept, *here], key=lambda one: -one[0])[:WORST]

    def pictures(self) -> Tensor:
        images = torch.stack([image for _, image, _ in self.kept])
        meshes = torch.stack([mesh for _, _, mesh in self.kept])
        mean, std = (images.new_tensor(values).view(3, 1, 1) for values in (MEAN, STD))
        camera = crop_intrinsics(images.shape[-1]).to(images.device).expand(len(images), 3, 3)
        return overlay.strip(images * std + mean, meshes, self.faces, camera)


def summarise(scores: Mapping[str, Tensor]) -> dict[str, tuple[float, float]]:
    """The mean of each error, and that mean's standard error."""
    return {
        name: (float(values.mean()), float(values.std() / len(values) ** 0.5))
        for name, values in scores.items()
    }


def _write(
    paths: list[Path],
    protocol: dict[str, Any],
    summary: dict[str, tuple[float, float]],
    scores: dict[str, Tensor],
    pictures: Tensor,
) -> None:
    from PIL import Image

    means = {f"{n}_mm": {"mean": mean, "error": error} for n, (mean, error) in summary.items()}
    with replacing(paths[0]) as beside:
        beside.write_text(json.dumps({"protocol": protocol, "overall": means}, indent=1) + "\n")
    with replacing(paths[1]) as beside, beside.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["person", *(f"{name}_mm" for name in scores)])
        for number, row in enumerate(zip(*(v.tolist() for v in scores.values()), strict=True)):
            writer.writerow([number, *(round(value, 2) for value in row)])
    sheet = torch.cat([*overlay.to_bytes(pictures).cpu()], dim=0)
    with replacing(paths[2]) as beside:
        Image.fromarray(sheet.numpy()).save(beside, format="PNG")
