"""Several data sets as one, mixed by ratio.

SPIN and DSR draw each sample's data set by chance and call the length of the largest an epoch
(SPIN, datasets/mixed_dataset.py). Here every draw follows from the seed, the epoch and the sample's
number alone: workers, processes and a resumed training all see the same.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from regressor.data.graphonomy import LabelMaps
from regressor.data.images import LabelledImages, SampleError
from regressor.data.spin import FOLDERS, load_named
from regressor.data.tally import Tally
from regressor.errors import PosecastError
from regressor.images.augment import Augmentation
from regressor.images.crops import Convention

PUBLISHED = Augmentation()
TRIES = 50  # draws for one sample, before all of a data set is taken to be broken
# As published; a group shares its part by the sizes of its data sets.
RECIPES: dict[str, dict[tuple[str, ...], float]] = {
    "spin": {("h36m",): 0.3, ("lsp", "mpii", "lspet", "coco"): 0.6, ("mpi-inf-3dhp",): 0.1},
    "dsr": {("h36m",): 0.5, ("coco",): 0.3, ("mpi-inf-3dhp",): 0.2},
    "dsr-3dpw": {("h36m",): 0.3, ("coco",): 0.4, ("mpi-inf-3dhp",): 0.1, ("3dpw",): 0.2},
}


class Source(Protocol):
    """A data set that can be mixed: LabelledImages, DrawnPeople, or another with these two."""

    def __len__(self) -> int: ...

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """One sample; raises SampleError where it can't be had."""
        ...


class Mixture(Dataset):
    """Samples of several sources, with `dataset`, the source's number, and `skipped`.

    sources by name; ratios by name, in any unit. A sample that can't be had is replaced by another
    draw from the same source; `skipped` (int) says how many were, `tally` counts them by source,
    and the first of each is logged.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        ratios: Mapping[str, float] | None = None,
        seed: int = 0,
        length: int | None = None,
    ):
        self.names, self.sources = list(sources), list(sources.values())
        parts = np.array([1.0 if ratios is None else ratios.get(n, 0.0) for n in self.names])
        if not parts.size or (parts < 0).any() or parts.sum() <= 0:
            raise PosecastError("A mixture needs data sets, and shares of them that aren't zero.")
        if unknown := [name for name in ratios or {} if name not in sources]:
            raise PosecastError(
                f"The mixture has a share of {unknown[0]}, which is not among its data sets: "
                f"{', '.join(self.names)}."
            )
        self.ratios = dict(zip(self.names, (parts / parts.sum()).tolist(), strict=True))
        self.bounds = np.cumsum(parts / parts.sum())
        self.seed, self.length = seed, length or max(map(len, self.sources))
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._order: tuple[int, np.ndarray] | None = None
        self.tally = Tally(*self.names)

    def __len__(self) -> int:
        return self.length

    def set_epoch(self, epoch: int) -> None:
        """Other draws for another epoch, also in workers that are running already."""
        self._epoch.fill_(epoch)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        return self.draw(int(self._epoch), number)

    def draw(self, epoch: int, number: int) -> dict[str, Tensor]:
        """Sample `number` of any epoch."""
        rng = np.random.default_rng((self.seed, epoch, number))
        chosen = int(np.searchsorted(self.bounds, rng.uniform(), side="right"))
        chosen = min(chosen, len(self.sources) - 1)
        source, error = self.sources[chosen], None
        index = int(self._place(epoch, number)) % len(source)
        for skipped in range(TRIES):
            try:
                sample = source.sample(index, rng)
            except SampleError as trouble:
                error = trouble
                self.tally.add(self.names[chosen], f"{trouble} Another sample takes its place.")
                index = int(rng.integers(len(source)))
                continue
            sample["dataset"], sample["skipped"] = torch.tensor(chosen), torch.tensor(skipped)
            return sample
        raise PosecastError(
            f"{TRIES} samples of {self.names[chosen]} in a row can't be used; the last: {error}"
        )

    def _place(self, epoch: int, number: int) -> int:
        """Where sample `number` stands in the epoch's order, which is shuffled."""
        if self._order is None or self._order[0] != epoch:
            order = np.random.default_rng((self.seed, epoch)).permutation(self.length)
            self._order = (epoch, order)
        return self._order[1][number]

    def report(self) -> list[str]:
        """A sentence a source from which samples were left out, and on what lacked labels."""
        said = [
            f"{count} samples of {name} couldn't be used and were replaced."
            for name, count in self.tally.counts().items()
            if count
        ]
        for name, source in zip(self.names, self.sources, strict=True):
            maps = getattr(source, "labels", None)
            counts = maps.tally.counts() if isinstance(maps, LabelMaps) else {}
            said += [f"{name}: {n} label maps {kind}." for kind, n in counts.items() if n]
        return said


class DrawnPeople:
    """Synthetic people as a source: the sample of an index is always the same person.

    people: a `data.people.SyntheticPeople`; length: how many different ones there are.
    """

    def __init__(self, people, length: int, seed: int = 0):
        self.people, self.length, self.seed = people, length, seed

    def __len__(self) -> int:
        return self.length

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Tensor]:
        drawn = self.people.batch(1, seed_of(self.seed, index))
        kept = {name: drawn[name][0].cpu() for name in SAMPLE_KEYS}
        return kept | {"index": torch.tensor(index)}


def seed_of(*numbers: int) -> int:
    """One seed of several numbers. torch heeds only 32 bits, so shifting won't do."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


SAMPLE_KEYS = "image labels has_labels keypoints joints3d pose betas has_smpl gender".split()


def ratios_of(recipe: str, sizes: Mapping[str, int]) -> dict[str, float]:
    """The share of each data set by a published recipe; sizes say how a group divides its own."""
    shares = {}
    for group, share in _recipe(recipe).items():
        total = sum(sizes[name] for name in group)
        shares |= {name: share * sizes[name] / total for name in group}
    return shares


def members(recipe: str) -> list[str]:
    """The names of a recipe's data sets."""
    return [name for group in _recipe(recipe) for name in group]


def _recipe(name: str) -> dict[tuple[str, ...], float]:
    if name not in RECIPES:
        raise PosecastError(f"There is no mixture called {name}: choose {', '.join(RECIPES)}.")
    return RECIPES[name]


def open_mixture(
    data: str | Path,
    recipe: str,
    convention: Convention = "dsr",
    augmentation: Augmentation | None = PUBLISHED,
    with_labels: bool = True,
    seed: int = 0,
    swap_sides: bool = True,
) -> Mixture:
    """A published mixture from a folder that holds its data sets in SPIN's layout (`data.spin`).

    with_labels: look for label maps beside the pictures; swap_sides: of mirrored ones (see
    `augment_labels`). Raises FileFormatError that names the first data set that isn't there.
    """
    sources: dict[str, Source] = {}
    for name in members(recipe):
        records = load_named(data, name)
        maps = LabelMaps(Path(data) / FOLDERS / name) if with_labels else None
        sources[name] = LabelledImages(records, convention, augmentation, maps, swap_sides)
    ratios = ratios_of(recipe, {name: len(source) for name, source in sources.items()})
    return Mixture(sources, ratios, seed)


def collate(samples: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Samples to a batch of the keys that all of them have."""
    keys = set(samples[0]).intersection(*samples[1:])
    return {key: torch.stack([sample[key] for sample in samples]) for key in sorted(keys)}
