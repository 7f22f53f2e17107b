"""The worst frames as pictures: what was seen, the prediction and the truth over it, from aside."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from regressor.data.images import SampleError, read_image
from regressor.data.threedpw import Person, box_of
from regressor.evaluation.bodies import Bodies
from regressor.evaluation.predictions import Prediction
from regressor.evaluation.scores import Scores
from regressor.evaluation.threedpw import (
    Truth,
    body_of,
    posed,
    true_body,
    true_body_of,
    true_trans,
)
from regressor.files import replacing
from regressor.images.crops import box_matrix, crop
from rendering import overlay

SIZE = 256
APART = 30  # frames between two of the worst of one person
WIDER = 1.3  # than the box that networks see
TRUTH_COLOUR = (0.55, 0.85, 0.55)


def worst(scores: Scores, count: int) -> list[int]:
    """Rows of `scores` with the largest MPJPE, not two of one moment."""
    order, chosen = np.argsort(-scores.column("mpjpe")), []
    for row in order.tolist():
        near = [
            other
            for other in chosen
            if (scores.sequence[other], scores.person[other])
            == (scores.sequence[row], scores.person[row])
            and abs(scores.frame[other] - scores.frame[row]) < APART
        ]
        if not near:
            chosen.append(row)
        if len(chosen) == count:
            break
    return chosen


def draw_worst(
    folder: Path,
    root: Path,
    scores: Scores,
    people: list[Person],
    predictions: list[Prediction | None],
    bodies: Bodies,
    truth: Truth,
    count: int,
) -> list[Path]:
    """Writes the worst frames' pictures to a folder, the worst first; returns their paths."""
    by_name = {(p.sequence, p.number): i for i, p in enumerate(people)}
    errors, written = 1000 * scores.column("mpjpe"), []
    for rank, row in enumerate(worst(scores, count), start=1):
        number = by_name[scores.sequence[row], scores.person[row]]
        person, found, frame = people[number], predictions[number], scores.frame[row]
        assert found is not None
        name = f"{rank:02d}_{person.sequence}_{person.number}_{frame:05d}.png"
        text = f"{person.sequence} person {person.number} frame {frame}: {errors[row]:.0f} mm"
        try:
            picture = _strip(root, person, found, frame, bodies, truth)
        except SampleError:
            continue  # a motion can be judged where its picture is missing
        _save(folder / name, picture, text)
        written.append(folder / name)
    return written


def _strip(
    root: Path, person: Person, found: Prediction, frame: int, bodies: Bodies, truth: Truth
) -> Tensor:
    """(3, S, 4 S): the crop, the prediction over it, the truth over it, both from the side."""
    centre, scale = box_of(person.keypoints[frame])
    image = read_image(root / person.image(frame))
    cut = crop(image, np.round(centre), scale * WIDER, SIZE)
    # The side is rounded there, so here too.
    side = max(1, round(200.0 * scale * WIDER))
    into = box_matrix(np.round(centre), side / 200.0, SIZE)
    picture = torch.as_tensor(cut).permute(2, 0, 1)[None].float() / 255
    row = int(np.flatnonzero(found.frames == frame)[0])
    one = found.part(np.array([row]))
    own, target = posed(one, bodies), true_body(person, np.array([frame]), bodies, truth)
    place = true_trans(person, np.array([frame]), bodies, truth)
    drawn = (
        (own, one.trans, one.intrinsics, body_of(found, bodies), overlay.SKIN),
        (target, place, person.intrinsics, true_body_of(person, bodies, truth), TRUTH_COLOUR),
    )
    tiles, sides = [picture], []
    for shape, trans, intrinsics, body, colour in drawn:
        mesh = torch.as_tensor(shape.vertices + trans[:, None]).float()
        faces = torch.as_tensor(body.faces)
        camera = torch.as_tensor(into @ intrinsics).float()[None]
        colours = torch.tensor(colour).expand(len(faces), 3)
        size = (SIZE, SIZE)
        tiles.append(overlay.over(picture, *overlay.shaded(mesh, faces, camera, size, colours)))
        aside = overlay.whole(overlay.turned(mesh, 90.0), _side_camera(), size)
        sides.append(overlay.shaded(aside, faces, _side_camera(), size, colours))
    both = overlay.over(torch.ones_like(picture), *sides[1])
    tiles.append(overlay.over(both, *sides[0], opacity=0.6))
    return torch.cat(tiles, dim=3)[0].clamp(0, 1)


def _side_camera() -> Tensor:
    half = SIZE / 2
    return torch.tensor([[[4.0 * SIZE, 0, half], [0, 4.0 * SIZE, half], [0, 0, 1]]])


def _save(file: Path, picture: Tensor, text: str) -> None:
    from PIL import Image, ImageDraw

    shown = Image.fromarray(overlay.to_bytes(picture).numpy())
    titled = Image.new("RGB", (shown.width, shown.height + 18), "white")
    titled.paste(shown, (0, 18))
    words = (text, "prediction", "truth", "from the side")
    for number, word in enumerate(words):
        ImageDraw.Draw(titled).text((SIZE * number + 4, 3), word, fill="black")
    with replacing(file) as beside:
        titled.save(beside, format="PNG")
