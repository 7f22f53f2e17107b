"""PersPose's bodies for the frames of 3DPW's people, the camera turned to each of them.

The boxes are those about the 2D detections, as other networks get them; the authors' own tables
are of boxes about the true vertices. The camera is the set's.
"""

from pathlib import Path

from regressor.data.tally import Tally
from regressor.data.threedpw import Person, extract, places
from regressor.evaluation.bodies import Bodies
from regressor.evaluation.predictions import Crops, Cuts, Prediction, by_person, look, seen_by
from regressor.images.predict import DEFAULT_BODY, ImageNetwork, cameras_of
from regressor.images.towards import betas_of, bodies_of
from regressor.progress import Progress


def by_turning(
    network: ImageNetwork,
    people: list[Person],
    bodies: Bodies,
    root: Path,
    workers: int,
    progress: Progress,
    tally: Tally,
) -> list[Prediction | None]:
    """As `predictions.by_network`; bodies: whose bones the joints are told of."""
    body = bodies.get("neutral", default=network.body == DEFAULT_BODY)
    arrays, chosen = extract(people), places(people)
    boxes, cameras = seen_by(people, arrays, chosen)
    pixels = int(network.network.pixels)  # pyright: ignore[reportArgumentType]
    crops = cameras_of(network.network, boxes, cameras, pixels)
    pictures = Crops(Cuts(root, arrays["imgname"], crops.matrix, pixels), tally)
    output, read = look(network, pictures, workers, crops.intrinsics, progress)
    betas = betas_of(output, body.joints_at_rest)
    rest = body.joints_at_rest(betas)
    rotations, pelvis = bodies_of(output, rest, crops.rotation[read])
    trans = pelvis - rest[:, 0]
    return by_person(network, people, chosen[read.numpy()], rotations, betas, trans)
