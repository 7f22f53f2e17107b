"""Callbacks of the training: its clock, which ends and saves it in time, and its pictures."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger

from regressor.images.crops import MEAN, STD
from regressor.training.module import Regression
from rendering import overlay
from rendering.cameras import weak_to_translation
from rendering.semantic import crop_intrinsics

SHOWN = 4  # people in a picture


class Clock(L.Callback):
    """Saves `file` every few minutes and at the end, and ends the training when its time is over.

    minutes: None for no end; save_minutes: between saved states. What earlier runs took counts.
    While it is `listening`, Ctrl-C ends the training likewise.
    """

    def __init__(self, file: Path, minutes: float | None, save_minutes: float, tell_every: int):
        self.file, self.minutes, self.save_minutes = file, minutes, save_minutes
        self.tell_every = tell_every
        self.spent, self.told = 0.0, False
        self.earlier = self.started = self.saved = 0.0

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.earlier, self.started = self.spent, time.monotonic()
        self.saved = self.started
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
        now = time.monotonic()
        self.spent = self.earlier + now - self.started
        self._tell(trainer, pl_module)
        due = now - self.saved >= 60 * self.save_minutes
        if trainer.global_step % self.tell_every == 0 and trainer.is_global_zero:
            loss = float(trainer.callback_metrics["train/total"])
            print(
                f"{self.spent / 60:6.1f} min  step {trainer.global_step}  loss {loss:.3f}",
                flush=True,
            )
        # All processes save and end at the same step.
        if trainer.strategy.reduce_boolean_decision(self.over, all=False):
            trainer.should_stop = True
        elif trainer.strategy.reduce_boolean_decision(due, all=False):
            self.save(trainer)

    def _tell(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        by_time = 0.0 if self.minutes is None else self.spent / (60 * self.minutes)
        assert isinstance(module, Regression)
        module.done = max(by_time, trainer.global_step / max(1, trainer.max_steps))

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.save(trainer)

    def save(self, trainer: L.Trainer) -> None:
        """Writes the state beside `file`, then in its place."""
        beside = self.file.with_name(f".partial-{self.file.name}")
        trainer.save_checkpoint(beside)
        if trainer.is_global_zero:
            beside.replace(self.file)
        self.saved = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        return {"spent": self.spent}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.spent = state_dict["spent"]


class Pictures(L.Callback):
    """At each check, a few of the people with the bodies found on them, to TensorBoard."""

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        found = {
            k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("held_out")
        }
        if found and trainer.is_global_zero:
            print(
                "held out: " + ", ".join(f"{k[9:-3]} {v:.1f} mm" for k, v in found.items()),
                flush=True,
            )

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any,
        batch_idx: int, dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        boards = [log for log in trainer.loggers if isinstance(log, TensorBoardLogger)]
        if batch_idx or not boards or not trainer.is_global_zero:
            return
        assert isinstance(pl_module, Regression)
        picture = people_picture(pl_module, {k: v[:SHOWN] for k, v in batch.items()})
        boards[0].experiment.add_image("held_out", picture, trainer.global_step)


@torch.no_grad()
def people_picture(module: Regression, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """(3, H, W): for each person a row of the picture, the body over it, its side, the labels."""
    output = module.best(batch["image"])
    vertices, _ = module.objective.posed(output.rotmat, output.betas)
    mean, std = (batch["image"].new_tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    size = batch["image"].shape[-1]
    rows = overlay.strip(
        (batch["image"] * std + mean).clamp(0, 1),
        vertices + weak_to_translation(output.cam)[:, None],
        module.objective.posed.faces,
        crop_intrinsics(size).to(vertices.device),
        labels=batch["labels"],
    )
    return torch.cat(list(rows), dim=1).clamp(0, 1)
