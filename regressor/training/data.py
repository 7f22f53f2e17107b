"""The samples of a training: data sets and synthetic people, by number."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.data import Dataset

from regressor.data.mixture import Mixture, Source, open_mixture, seed_of
from regressor.data.people import SyntheticOptions, SyntheticPeople, load_poses
from regressor.images.crops import SIZE
from regressor.smpl.body import Body
from regressor.training.kept import KeptPeople
from regressor.training.options import DsrTraining, Recipe
from rendering.people import PeopleOptions, TurnedViews, ViewOptions

CHECK_SEED = 77  # of the people on whom errors are measured
PLAIN = SyntheticOptions(
    invented=0.0,
    exchanged=0.0,
    perturb=0.06,
    pitch_deg=(-10.0, 20.0),
    roll_deg=3.0,
    people=PeopleOptions(
        occluder=0.0,
        view=ViewOptions(field_of_view_deg=(12.0, 18.0), scale=0.1, shift=0.03, cut=0.0),
    ),
)


class Draws(Dataset):
    """Sample k of a mixture's endless run: number k modulo its length of epoch k divided by it."""

    def __init__(self, mixture: Mixture):
        self.mixture = mixture

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        no_camera = {"intrinsics": torch.eye(3), "has_camera": torch.tensor(False)}
        return no_camera | self.mixture.draw(*divmod(number, len(self.mixture)))


def synthetic(options: DsrTraining, pixels: int, body: Body, validation: bool) -> SyntheticPeople:
    """Synthetic people of the subjects that are held out, or of the others."""
    poses = load_poses(options.poses).split(validation) if options.poses else None
    drawn = PLAIN if options.plain_people else SyntheticOptions()
    view = drawn.people.view
    if options.field_of_view is not None:
        view = replace(view, field_of_view_deg=options.field_of_view)
    if options.rotation:
        view = TurnedViews(**vars(view))
    drawn = replace(drawn, people=replace(drawn.people, size=pixels, view=view))
    return SyntheticPeople(body, poses, drawn)


def build_mixture(options: DsrTraining, recipe: Recipe, body: Body) -> Mixture:
    """All samples of a training, by the recipe's shares."""
    swap = recipe.semantics is None or recipe.semantics.swap_sides
    sources: dict[str, Source] = {}
    ratios: dict[str, float] = {}
    if options.data is not None:
        published = open_mixture(
            options.data, recipe.mixture, recipe.crops,
            with_labels=recipe.semantics is not None, seed=options.seed, swap_sides=swap,
        )  # fmt: skip
        sources = dict(zip(published.names, published.sources, strict=True))
        ratios = published.ratios
    if options.people:
        folder = options.people_folder or options.output / "people"
        # Beside pictures of data sets theirs have the same size; the network shrinks all.
        size = recipe.pixels if options.data is None else SIZE
        people = synthetic(options, size, body, validation=False)
        sources["people"] = KeptPeople(
            people, options.people, folder, options.people_seed, swap_sides=swap,
            cameras=recipe.encoding,
        )  # fmt: skip
        share = options.people_share if ratios else 1.0
        ratios = {name: (1 - share) * ratio for name, ratio in ratios.items()}
        ratios["people"] = share
    return Mixture(sources, ratios, options.seed)


def check_batches(options: DsrTraining, recipe: Recipe, body: Body) -> list[dict[str, Tensor]]:
    """Held-out people whose bodies are known, in batches of 16."""
    people = synthetic(options, recipe.pixels, body, validation=True)
    sizes = [min(16, options.check_people - i) for i in range(0, options.check_people, 16)]
    return [people.batch(count, seed_of(CHECK_SEED, i)) for i, count in enumerate(sizes)]
