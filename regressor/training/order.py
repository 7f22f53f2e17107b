"""In which order the samples of a training come, so that it can be resumed and shared."""

from collections.abc import Iterator

from torch.utils.data import Sampler


class Order(Sampler[list[int]]):
    """Which samples each step takes: step k of `world` processes the next world x batch.

    Two processes with half the batch take what one takes with all of it, and a training that
    starts at step k what it would have taken, had it never been stopped.
    """

    def __init__(self, batch: int, steps: int, start: int = 0, rank: int = 0, world: int = 1):
        self.batch, self.steps, self.start = batch, steps, start
        self.rank, self.world = rank, world

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.start, self.steps):
            first = (step * self.world + self.rank) * self.batch
            yield list(range(first, first + self.batch))
