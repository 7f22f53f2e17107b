"""In which order the samples of a training come, so that it can be resumed and shared."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from torch.utils.data import Sampler

if TYPE_CHECKING:  # the order itself needs none of it
    import lightning as L


class Order(Sampler[list[int]]):
    """Which samples each step takes: step k of `world` processes the next world x batch.

    Two processes with half the batch take what one takes with all of it, and a training that
    starts at step k what it would have taken, had it never been stopped.
    """

    def __init__(self, batch: int, steps: int, start: int = 0, rank: int = 0, world: int = 1):
        self.batch, self.steps, self.start = batch, steps, start
        self.rank, self.world = rank, world

    @classmethod
    def of(cls, trainer: "L.Trainer | None", batch: int) -> Self:
        """Of one of the trainer's processes, from the step at which it stands."""
        assert trainer is not None
        steps, start = trainer.max_steps, trainer.global_step
        return cls(batch, steps, start, trainer.global_rank, trainer.world_size)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.start, self.steps):
            first = (step * self.world + self.rank) * self.batch
            yield list(range(first, first + self.batch))
