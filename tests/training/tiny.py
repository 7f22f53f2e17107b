"""Trainings of a few seconds: synthetic people of 32 pixels, a ResNet-18."""

import csv
from pathlib import Path

import torch

from regressor.training.options import DsrTraining


def options(folder: Path, **changes) -> DsrTraining:
    """Eight samples a person, checked on none."""
    made = {
        "output": folder, "preset": "cpu", "network": "hmr", "people": 16,
        "steps": 4, "batch": 4, "pixels": 32,
        "people_folder": folder.parent / "people", "average": 0.0, "schedule": "constant",
        "check_people": 0, "log_every": 1, "accelerator": "cpu", "learning_rate": 1e-3,
    }  # fmt: skip
    return DsrTraining(**{**made, **changes})


def losses(folder: Path) -> dict[int, float]:
    """The loss by step, of all runs in a training's folder."""
    found = {}
    for file in sorted(folder.glob("csv/*/metrics.csv")):
        for row in csv.DictReader(file.read_text().splitlines()):
            if row.get("train/total"):
                found[int(row["step"])] = float(row["train/total"])
    return found


def sample(count: int = 2, size: int = 32) -> dict[str, torch.Tensor]:
    """A batch whose people stand at rest before the camera, labelled as upper clothes."""
    generator = torch.Generator().manual_seed(0)
    pose = torch.eye(3).repeat(count, 24, 1, 1)
    pose[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    labels = torch.zeros(count, size, size, dtype=torch.uint8)
    labels[:, 4:-4, 10:-10] = 5
    labels[:, 4:14, 10:-10] = 13
    return {
        "image": torch.randn(count, 3, size, size, generator=generator),
        "labels": labels,
        "has_labels": torch.ones(count, dtype=torch.bool),
        "keypoints": torch.cat([torch.zeros(count, 49, 2), torch.ones(count, 49, 1)], 2),
        "joints3d": torch.ones(count, 24, 4),
        "pose": pose,
        "betas": torch.randn(count, 10, generator=generator),
        "has_smpl": torch.ones(count, dtype=torch.bool),
    }
