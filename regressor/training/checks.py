"""What is printed of a check on held-out samples."""

import lightning as L


class Told(L.Callback):
    """Prints the errors of each check, those that are logged as held_out/NAME_mm."""

    told_at = -1  # step; the last check of a training may stand where the one before it did

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        found = {
            k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("held_out")
        }
        if found and trainer.is_global_zero and trainer.global_step != self.told_at:
            self.told_at = trainer.global_step
            print(
                "held out: " + ", ".join(f"{k[9:-3]} {v:.1f} mm" for k, v in found.items()),
                flush=True,
            )
