"""The clock of a training, which ends and saves it in time."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L

from regressor.files import replacing
from regressor.training.learning import Learning


class Clock(L.Callback):
    """Saves `file` every few minutes and at the end, and ends the training when its time is over.

    minutes: None for no end; save_minutes: between saved states; now: the time that both are in,
    s. What earlier runs took counts.
    While it is `listening`, Ctrl-C ends the training likewise.
    """

    def __init__(
        self,
        file: Path,
        minutes: float | None,
        save_minutes: float,
        tell_every: int,
        now: Callable[[], float] = time.monotonic,
    ):
        self.file, self.minutes, self.save_minutes = file, minutes, save_minutes
        self.tell_every, self.now = tell_every, now
        self.spent, self.told = 0.0, False
        self.earlier = self.started = self.saved = 0.0
        self.printed = (0, 0.0)  # step and seconds when the last line was printed

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.earlier, self.started = self.spent, self.now()
        self.saved = self.started
        self.printed = (trainer.global_step, self.spent)
        self._tell(trainer, module)
        trainer.should_stop = self.over

    @property
    def over(self) -> bool:
        late = self.minutes is not None and self.spent >= 60 * self.minutes
        return late or self.told

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Ctrl-C ends the training after the step in hand, a second one at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._listen)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _listen(self, kind: int, frame: Any) -> None:
        if self.told:
            raise KeyboardInterrupt
        self.told = True
        print("Stopping; the same command will go on from here.", flush=True)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        now = self.now()
        self.spent = self.earlier + now - self.started
        self._tell(trainer, pl_module)
        due = now - self.saved >= 60 * self.save_minutes
        if trainer.global_step % self.tell_every == 0 and trainer.is_global_zero:
            self._print(trainer, pl_module)
        # All processes save and end at the same step.
        if trainer.strategy.reduce_boolean_decision(self.over, all=False):
            trainer.should_stop = True
        elif trainer.strategy.reduce_boolean_decision(due, all=False):
            self.save(trainer)

    def _tell(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        by_time = 0.0 if self.minutes is None else self.spent / (60 * self.minutes)
        assert isinstance(module, Learning)
        module.done = max(by_time, trainer.global_step / max(1, trainer.max_steps))

    def _print(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        assert isinstance(module, Learning)
        loss = float(trainer.callback_metrics["train/total"])
        steps, seconds = trainer.global_step - self.printed[0], self.spent - self.printed[1]
        speed = steps * module.samples_per_step / max(seconds, 1e-9)
        self.printed = (trainer.global_step, self.spent)
        print(
            f"{self.spent / 60:6.1f} min  step {trainer.global_step}  loss {loss:.3f}  "
            f"{speed:.0f} samples a second",
            flush=True,
        )

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.save(trainer)

    def save(self, trainer: L.Trainer) -> None:
        """Writes the state; the one before stays until that is done.

        Raises PosecastError where it can't be written, the disk being full.
        """
        if trainer.is_global_zero:
            with replacing(self.file) as beside:
                trainer.save_checkpoint(beside)
        else:
            trainer.save_checkpoint(self.file)  # only the first process writes
        self.saved = self.now()

    def state_dict(self) -> dict[str, Any]:
        return {"spent": self.spent}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.spent = state_dict["spent"]
