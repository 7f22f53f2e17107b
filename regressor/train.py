"""Trains the networks.

python -m regressor.train lifter --data cmu_motion.npz --output FILE
python -m regressor.train dsr --data FOLDER --preset dsr --output FOLDER
python -m regressor.train dsr --preset cpu --people 8000 --poses poses.npz --output FOLDER

The lifter sees mocap on random bodies through random cameras with a detector's noise
(`data.lifting`); dsr, the image regressor, sees labelled pictures, synthetic people, or both
(`regressor.training`). Trainings last for given minutes or steps, and resume where they stopped.
"""

import sys
import time
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated

import torch
import tyro
from torch import Tensor, nn

from regressor import checkpoints, lifters
from regressor.data import mocap
from regressor.data.lifting import Sampler, build_motions
from regressor.errors import PosecastError
from regressor.files import replacing
from regressor.smpl import load_body
from regressor.training.options import DsrTraining
from regressor.training.schedule import follow, rate_at

# KTPFormer's joint weights (its common/loss.py): limbs' ends count more.
JOINT_WEIGHTS = torch.tensor([1, 1, 2.5, 2.5, 1, 2.5, 2.5, 1, 1, 1, 1.5, 1.5, 4, 4, 1.5, 4, 4])
VELOCITY_WEIGHT = 2.0  # as in KTPFormer's loss, for metres a frame


@dataclass
class LifterTraining:
    """Options of `train lifter`."""

    data: Path
    """The CMU motion set (cmu_motion.npz)."""
    output: Path
    """Where the weights go (.safetensors); the state to resume from is kept beside."""
    model: str = "ktpformer"
    """A lifter's name."""
    minutes: float = 60.0
    """How long to train, earlier runs counted in."""
    frames: int = 27
    fps: float = 12.5
    dim: int = 64
    depth: int = 2
    heads: int = 4
    batch: int = 48
    learning_rate: float = 1.2e-3
    shapes: int = 4
    """Random bodies that each clip is put on."""
    threads: int = 1
    seed: int = 0
    log_every: int = 50
    options: dict[str, float] = field(default_factory=dict)
    """Further options of the network."""

    def network_options(self) -> dict:
        return {
            "frames": self.frames,
            "dim": self.dim,
            "depth": self.depth,
            "heads": self.heads,
            "drop_path": 0.0,
            **self.options,
        }


def loss_of(predicted: Tensor, target: Tensor) -> Tensor:
    """Weighted MPJPE and velocity error of (B, T, 17, 3), metres: KTPFormer's less one term.

    The term left out pulls every motion towards rest.
    """
    position = (JOINT_WEIGHTS * (predicted - target).norm(dim=-1)).mean()
    steps = predicted.diff(dim=1) - target.diff(dim=1)
    return position + VELOCITY_WEIGHT * steps.norm(dim=-1).mean()


@torch.inference_mode()
def validate(network: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> float:
    """MPJPE in millimetres, root at the root."""
    network.eval()
    errors = []
    for inputs, target in batches:
        predicted = network(inputs)
        predicted = predicted - predicted[:, :, :1]
        errors.append((predicted - target).norm(dim=-1).mean())
    return 1000 * float(torch.stack(errors).mean())


def train_lifter(options: LifterTraining) -> None:
    """Trains, validates on subjects held out, and writes weights with their card."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    clips = mocap.load_clips(options.data)
    held = [clip for clip in clips if clip.subject in mocap.HELD_OUT]
    kept = [clip for clip in clips if clip.subject not in mocap.HELD_OUT]
    body = load_body()
    print(
        f"{len(kept)} clips to train on, {len(held)} held out; putting them on bodies ...",
        flush=True,
    )
    motions = build_motions(kept, body, options.shapes, options.fps, options.seed)
    test = build_motions(held, body, 1, options.fps, 1000)
    checks = {
        name: list(islice(Sampler(test, options.frames, 64, 7, noise), 6))
        for name, noise in (("clean", 0.0), ("noisy", 1.0))
    }
    network = lifters.create(options.model, **options.network_options())
    average = lifters.create(options.model, **options.network_options())
    average.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=0.02)
    state_file = options.output.with_suffix(".resume.pt")
    spent, step = 0.0, 0
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        spent, step = state["spent"], state["step"]
        print(f"resuming after {spent / 60:.1f} minutes, step {step}", flush=True)
    sampler = iter(Sampler(motions, options.frames, options.batch, options.seed + 1 + step))
    budget, started, losses = 60 * options.minutes, time.monotonic() - spent, []
    while spent < budget:
        for group in optimiser.param_groups:
            group["lr"] = rate_at(spent / budget, options.learning_rate)
        network.train()
        inputs, target = next(sampler)
        loss = loss_of(network(inputs), target)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        follow(average, network, min(0.998, step / (step + 20)))
        losses.append(float(loss.detach()))
        spent, step = time.monotonic() - started, step + 1
        if step % options.log_every == 0 or spent >= budget:
            recent = sum(losses[-options.log_every :]) / len(losses[-options.log_every :])
            print(f"{spent / 60:6.1f} min  step {step}  loss {recent:.4f}", flush=True)
        if step % (10 * options.log_every) == 0 or spent >= budget:
            scores = {name: validate(average, batches) for name, batches in checks.items()}
            print(
                "held out: " + ", ".join(f"{k} {v:.1f} mm" for k, v in scores.items()), flush=True
            )
            save(options, average, scores, spent, step)
            with replacing(state_file) as beside:
                torch.save(
                    {
                        "network": network.state_dict(),
                        "average": average.state_dict(),
                        "optimiser": optimiser.state_dict(),
                        "spent": spent,
                        "step": step,
                    },
                    beside,
                )


def save(
    options: LifterTraining, network: nn.Module, scores: dict[str, float], spent: float, step: int
) -> None:
    """Weights and card: everything that `estimate` and a reader need to know of them."""
    card = {
        "coordinates": "centred",
        "fps": options.fps,
        "held_out_subjects": list(mocap.HELD_OUT),
        "held_out_mpjpe_mm": {name: round(score, 1) for name, score in scores.items()},
        "minutes": round(spent / 60, 1),
        "steps": step,
        "windows_per_step": options.batch,
    }
    checkpoints.save(
        network, options.output, name=options.model, options=options.network_options(), card=card
    )


def lifter(options: Annotated[LifterTraining, tyro.conf.arg(name="")]) -> None:
    """Trains a 2D-to-3D lifter on mocap."""
    train_lifter(options)


def dsr(options: Annotated[DsrTraining, tyro.conf.arg(name="")]) -> None:
    """Trains the regressor from pictures to SMPL, with DSR's losses or without them."""
    try:
        from regressor.training.run import train_regressor
    except ModuleNotFoundError as error:
        if error.name not in ("lightning", "tensorboard"):
            raise
        raise PosecastError(
            f"Training needs {error.name}, which isn't installed: pip install 'posecast[train]'."
        ) from error
    train_regressor(options)


def main() -> None:
    try:
        tyro.extras.subcommand_cli_from_dict(
            {"lifter": lifter, "dsr": dsr}, prog="python -m regressor.train"
        )
    except PosecastError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Stopped; the same command goes on from the last saved state.")


if __name__ == "__main__":
    main()
