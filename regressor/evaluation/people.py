"""Scores on synthetic people whom a network has not seen, whose bodies are known exactly.

Every image network can be measured on the same people, each by crops that its own kind of camera
takes: turned to the person or not. All are judged as SMPL's bodies in the true camera's axes.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from regressor import checkpoints, images
from regressor.command import check_output
from regressor.errors import PosecastError
from regressor.evaluation import people_report as report
from regressor.evaluation.options import Kind, PeopleEvaluation
from regressor.evaluation.people_drawn import Crowd, gather
from regressor.evaluation.predictions import bodies_seen
from regressor.files import replacing
from regressor.images.crops import MEAN, SIZE, STD, to_side
from regressor.images.hmr import HmrOutput, answer
from regressor.images.joints import Joints49
from regressor.images.perspose import PersPose
from regressor.images.predict import ImageNetwork, load_network
from regressor.progress import Progress
from regressor.smpl.body import Body, load_body
from regressor.training.objective import PosedBody
from regressor.training.scores import errors
from rendering import overlay
from rendering.perspective import Crop, to_turned

WORST = 8
SETS: dict[Kind, str] = {
    "hard": "in crops that may show a part of them, behind things, by all lenses",
    "plain": "whole, upright, before long lenses",
    "wide": "anywhere in frames of 25 to 110 degrees",
}
PROTOCOL = {
    "mpjpe": "14 joints (of the 24 in which data sets are labelled), about the middle of the hips",
    "pa_mpjpe": "the same after rotation, scale and shift of every person",
    "pve": "all vertices, about the middle of the hips",
    "shape": "all vertices of the bodies at rest, each about its mean",
    "root": "SMPL's first joint, where it stands before the true camera; of weak perspective: as "
    "seen straight on by the crop's true camera",
    "units": "mm; mean over people, and its standard error",
}


def evaluate_people(options: PeopleEvaluation, progress: Progress) -> tuple[str, list[Path]]:
    """What to tell, and the files: scores.json, people.csv, worst.png; of wide people errors by
    where they stand too: scores.csv and errors.png."""
    if options.count < 2:
        raise PosecastError("--count must be at least 2.")
    if options.pixels < 1 or options.seed < 0:
        raise PosecastError("--pixels has to be above 0, and --seed not below.")
    check_output(options.output / "scores.json", ".json", "a file of scores")
    method = options.method or method_of(options.checkpoint)
    found = load_network(method, options.checkpoint, options.device, "--checkpoint")
    network, body = found.network, _body_for(found, options.body)
    body = body.to(next(network.parameters()).device)
    kind = options.people or ("wide" if isinstance(network, PersPose) else "hard")
    turn, device = bool(getattr(network, "rotation", False)), body.v_template.device
    crowd = gather(options, kind, load_body(options.body), turn, device)
    scores, places, pictures = score(network, crowd, body, progress)
    groups = report.groups_of(scores, places)
    source = f"{method}, {options.checkpoint or 'shipped weights'}"
    protocol = {
        "set": f"synthetic people, poses of held-out subjects, {SETS[kind]}",
        "people": kind,
        "network": source,
        "count": options.count,
        "seed": options.seed,
        "poses": str(options.poses),
        **PROTOCOL,
    }
    names = ["scores.json", "people.csv", "worst.png"]
    paths = [options.output / name for name in names]
    report.write_json(paths[0], protocol, groups)
    report.write_people(paths[1], scores, places)
    _write_pictures(paths[2], pictures)
    heading = f"{options.count} synthetic people ({kind}), {source}."
    if places:
        paths.append(options.output / "scores.csv")
        report.write_groups(paths[-1], groups)
        if options.plot:
            paths.append(options.output / "errors.png")
            report.write_plot(paths[-1], groups, heading)
    return f"{heading}\n{report.table(groups)}", paths


def method_of(checkpoint: Path | None) -> str:
    """The method that our weights are for; dsr of others, and of what isn't an image network's."""
    if checkpoint is None or checkpoint.suffix != ".safetensors":
        return "dsr"
    name = checkpoints.read_metadata(checkpoint)["name"]
    return images.method(name) if name in images.spellings() else "dsr"


def _body_for(found: ImageNetwork, file: Path | None) -> Body:
    body = load_body(file)
    if not found.knows(body):
        raise PosecastError(
            "The network knows other shapes than this body's: "
            + ("leave --body out." if file else "name your SMPL file by --body.")
        )
    return body


@torch.no_grad()
def score(
    network: nn.Module, crowd: Crowd, body: Body, progress: Progress | None = None
) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
    """Each person's errors (N,) mm by name (`training.scores`, and root), their places (N,) by
    name, where those are told, and pictures of the worst.

    body: theirs, on the network's device. The pictures (K, 3, S, 3 S), 0 to 1, are the crop, the
    body over it as the crop's camera sees it, and from its side.
    """
    network.eval()
    device = body.v_template.device
    posed = PosedBody(body, Joints49(body)).to(device)
    found, places = [], []
    worst, done = _Worst(torch.as_tensor(body.faces, device=device)), 0
    for batch in crowd.batches():
        batch = {name: value.to(device) for name, value in batch.items()}
        rotations, betas, trans = look(network, batch, body)
        # Their weak perspective plays no part in what is measured.
        some = errors(posed, HmrOutput(rotations, betas, torch.empty(0)), batch)
        root = trans + body.joints_at_rest(betas)[:, 0]
        true = batch["translation"] + body.joints_at_rest(batch["betas"])[:, 0]
        some["root"] = 1000 * (root - true).norm(dim=-1)
        found.append(some)
        places.append({name: batch[name] for name in report.BY if name in batch})
        vertices, _ = posed(rotations, betas)
        seen = to_turned(vertices + trans[:, None], batch["rotation"])
        worst.see(some["mpjpe"], batch["image"], seen, batch["intrinsics"])
        done += len(rotations)
        if progress is not None:
            progress.update("people", done, crowd.count)
    return _joined(found), _joined(places), worst.pictures()


def _joined(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]).cpu() for name in parts[0]}


def look(network: nn.Module, batch: dict[str, Tensor], body: Body) -> tuple[Tensor, Tensor, Tensor]:
    """Rotations (B, 24, 3, 3), betas (B, 10), SMPL's translation (B, 3) m by the network, in the
    axes of the people's true poses."""
    side = batch["image"].shape[-1]
    own = batch
    if isinstance(network, PersPose):  # the others make crops smaller themselves
        smaller = to_side(batch["image"], network.pixels)
        camera = resized(batch["intrinsics"], network.pixels / side)
        own = {**batch, "image": smaller, "intrinsics": camera}
    output = answer(network, own)
    output = type(output)(*(part.float() for part in output))
    camera = resized(batch["intrinsics"], SIZE / side)
    return bodies_seen(network, output, Crop(torch.eye(3), camera, batch["rotation"]), body)


def resized(intrinsics: Tensor, factor: float) -> Tensor:
    """Intrinsics (B, 3, 3) of pictures whose sides became `factor` times as long."""
    return intrinsics * intrinsics.new_tensor([factor, factor, 1])[:, None]


@dataclass
class _Seen:
    """A person: their error, crop (3, S, S), body (V, 3) m before its camera, intrinsics (3, 3)."""

    error: float
    image: Tensor
    vertices: Tensor
    intrinsics: Tensor


class _Worst:
    """Keeps the people with the largest errors."""

    def __init__(self, faces: Tensor):
        self.faces = faces
        self.kept: list[_Seen] = []

    def see(self, error: Tensor, images: Tensor, vertices: Tensor, intrinsics: Tensor) -> None:
        here = map(_Seen, error.tolist(), images, vertices, intrinsics)
        self.kept = sorted([*self.kept, *here], key=lambda one: -one.error)[:WORST]

    def pictures(self) -> Tensor:
        images = torch.stack([one.image for one in self.kept])
        meshes = torch.stack([one.vertices for one in self.kept])
        cameras = torch.stack([one.intrinsics for one in self.kept])
        mean, std = (images.new_tensor(values).view(3, 1, 1) for values in (MEAN, STD))
        return overlay.strip(images * std + mean, meshes, self.faces, cameras)


def _write_pictures(file: Path, pictures: Tensor) -> None:
    from PIL import Image

    sheet = torch.cat([*overlay.to_bytes(pictures).cpu()], dim=0)
    with replacing(file) as beside:
        Image.fromarray(sheet.numpy()).save(beside, format="PNG")
