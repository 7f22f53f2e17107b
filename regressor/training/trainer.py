"""Lightning's trainer as our trainings use it, and the folder that a training stands in."""

import json
import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from regressor.errors import FileFormatError, PosecastError
from regressor.files import replacing
from regressor.memory import keep_memory
from regressor.training.options import RunOptions
from regressor.training.timing import Clock

STATE, SETTINGS = "last.ckpt", "training.json"


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
    trainer: L.Trainer, module: L.LightningModule, samples: L.LightningDataModule, clock: Clock
) -> None:
    """Trains on from the saved state, if there is one, until the clock or the steps end it."""
    keep_memory()
    state = clock.file if clock.file.is_file() else None
    with clock.listening():
        trainer.fit(module, datamodule=samples, ckpt_path=state, weights_only=True)


def claim(options: RunOptions, made: dict[str, Any]) -> None:
    """Notes what is trained in the folder. Raises FileFormatError where it was something else."""
    file = options.folder / SETTINGS
    made = json.loads(json.dumps(made))
    if file.is_file() and (options.folder / STATE).is_file():
        before = json.loads(file.read_text())
        if changed := [name for name in made if before.get(name) != made[name]]:
            raise FileFormatError(
                f"{options.folder} holds a training with another {changed[0]} "
                f"({before.get(changed[0])}): give it again, or choose another folder."
            )
    with replacing(file) as beside:
        beside.write_text(json.dumps(made, indent=1))
