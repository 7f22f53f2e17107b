"""Lightning's trainer and loaders as our trainings use them, and the folder that one stands in."""

import json
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch.utils.data import DataLoader, Dataset

from regressor.errors import FileFormatError, PosecastError
from regressor.files import replacing
from regressor.memory import keep_memory
from regressor.training.learning import Learning
from regressor.training.options import RunOptions
from regressor.training.order import Order
from regressor.training.timing import Clock

STATE, SETTINGS = "last.ckpt", "training.json"


class Samples(L.LightningDataModule):
    """What is learned from, from the step at which the training stands, and what is checked on.

    seen: samples by number, of an endless run; checks: batches; collate: samples to a batch, None
    where `seen` gives batches.
    """

    def __init__(
        self,
        seen: Dataset,
        checks: list,
        batch: int,
        workers: int,
        collate: Callable[[Any], Any] | None = None,
    ):
        super().__init__()
        self.seen, self.checks, self.batch, self.workers = seen, checks, batch, workers
        self.collate = collate or _as_it_is

    def train_dataloader(self) -> DataLoader:
        return DataLoader(
            self.seen, batch_sampler=Order.of(self.trainer, self.batch), num_workers=self.workers,
            collate_fn=self.collate, pin_memory=torch.cuda.is_available(),
            persistent_workers=self.workers > 0,
        )  # fmt: skip

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.checks, batch_size=None)  # pyright: ignore[reportArgumentType]


def _as_it_is(batch: Any) -> Any:
    return batch


@contextmanager
def quiet() -> Iterator[None]:
    """Without Lightning's advice on loaders and logs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        yield


def clock_of(options: RunOptions) -> Clock:
    """The clock of a training in its folder."""
    now = time.process_time if options.processor_time else time.monotonic
    return Clock(
        options.folder / STATE, options.minutes, options.save_minutes, options.log_every, now
    )


def build_trainer(
    options: RunOptions, callbacks: list[L.Callback], samples: int, batch: int, checks: bool
) -> L.Trainer:
    """Lightning's trainer; its epoch is the whole training, since ours may end at any step.

    samples: how many a training of full length sees; batch: of each process.
    Raises PosecastError where the devices or the precision can't be had.
    """
    devices = options.devices
    if devices != "auto":
        devices = [int(d) for d in devices.split(",")] if "," in devices else int(devices)
    folder = str(options.folder)
    try:
        trainer = L.Trainer(
            accelerator=options.accelerator, devices=devices, precision=options.precision,  # pyright: ignore
            max_epochs=-1, max_steps=1, num_sanity_val_steps=0, log_every_n_steps=options.log_every,
            check_val_every_n_epoch=None, limit_val_batches=1.0 if checks else 0,
            callbacks=callbacks, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, use_distributed_sampler=False,
            sync_batchnorm=torch.cuda.is_available(),
            logger=[TensorBoardLogger(folder, "curves", ""), CSVLogger(folder, "csv")],
        )  # fmt: skip
    except (
        Exception
    ) as error:  # no such device, precision, …: Lightning's errors have no common class
        raise PosecastError(f"Training can't run on these devices: {error}") from error
    steps = max(1, options.steps or samples // (batch * trainer.world_size))
    trainer.fit_loop.epoch_loop.max_steps = steps
    trainer.val_check_interval = min(options.check_every, steps)
    return trainer


def fit(
    options: RunOptions,
    module: Learning,
    samples: Samples,
    length: int,
    clock: Clock,
    *watch: L.Callback,
) -> dict[str, float]:
    """Trains on from the saved state, if there is one, until the clock or the steps end it.

    length: how many samples a training of full length sees. Returns the last errors on what is held
    out, mm, those that are logged as held_out/NAME_mm.
    """
    keep_memory()
    state = clock.file if clock.file.is_file() else None
    with quiet():
        trainer = build_trainer(
            options, [clock, *watch], length, samples.batch, bool(samples.checks)
        )
        with clock.listening():
            trainer.fit(module, datamodule=samples, ckpt_path=state, weights_only=True)
        measured = trainer.validate(module, samples, verbose=False)[0] if samples.checks else {}
    return {name[9:-3]: round(float(value), 1) for name, value in measured.items()}


def claim(options: RunOptions, made: dict[str, Any]) -> None:
    """Notes what is trained in the folder. Raises FileFormatError where it was something else, or
    where what was saved of it can't be read."""
    file, state = options.folder / SETTINGS, options.folder / STATE
    made = json.loads(json.dumps(made))
    if file.is_file() and state.is_file():
        before = _settings(file)
        if changed := [name for name in made if before.get(name) != made[name]]:
            raise FileFormatError(
                f"{options.folder} holds a training with another {changed[0]} "
                f"({before.get(changed[0])}): give it again, or choose another folder."
            )
    if state.is_file():
        _check_state(state)
    with replacing(file) as beside:
        beside.write_text(json.dumps(made, indent=1))


def _settings(file: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        if isinstance(found := json.loads(file.read_text()), dict):
            return found
    raise FileFormatError(
        f"{file} is damaged, which says what is trained there: choose another folder, or remove "
        "the file if this is the same training."
    )


def _check_state(file: Path) -> None:
    try:
        torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # a broken file can fail in any way
        raise FileFormatError(
            f"{file} is damaged, from which the training would go on: choose another folder, or "
            "remove the file to begin anew."
        ) from error
