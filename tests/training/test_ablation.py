"""The ablation of DSR's losses: its arms, its table, and that it goes on where it was stopped."""

import json
import os

import numpy as np
import pytest

from scripts import ablation_dsr as ablation
from scripts import ablations


def errors_file(folder, mean, seed):
    noise = np.random.default_rng(seed).normal(0, 1, (4, 40))
    values = dict(zip(ablation.NAMES, (mean + noise).tolist(), strict=True))
    folder.mkdir(parents=True)
    (folder / "errors.json").write_text(json.dumps(values))


def test_the_table_tells_differences_and_their_noise(tmp_path):
    for name, mean in (("start", 200), ("keypoints-0", 100), ("dsr-0", 90), ("dsr-1", 92)):
        errors_file(tmp_path / name, mean, seed=hash(name) % 1000)
    options = ablation.Options(output=tmp_path, seeds=[0, 1])
    ablation.report(options)
    rows = {row["arm"]: row for row in json.loads((tmp_path / "ablation.json").read_text())["rows"]}
    assert set(rows) == {"start", "keypoints", "dsr"}
    assert rows["dsr"]["seeds"] == 2 and rows["dsr"]["mpjpe"] == pytest.approx(91, abs=1)
    assert rows["dsr"]["mpjpe_gain"] == pytest.approx(-9, abs=1)
    assert 0.05 < rows["dsr"]["mpjpe_error"] < 0.5 and "mpjpe_gain" not in rows["start"]
    written = (tmp_path / "ablation.md").read_text()
    assert "| + DSR, published | 2 |" in written and "silhouette" not in written
    assert (tmp_path / "ablation.png").stat().st_size > 1000


def test_fits_start_wrong_and_follow_their_loss(tmp_path, capsys):
    options = ablation.Options(
        output=tmp_path, fits=True, held_out=2, steps=5, rate=0.01, pixels=32,
        arms=["keypoints", "silhouette"],
    )  # fmt: skip
    ablation.run_fits(options)
    found = ablation.results(options)
    assert found["start"].shape == (1, 2, 4)
    assert (found["start"][..., 0] > 20).all()
    assert not np.allclose(found["keypoints"], found["silhouette"])
    ablation.run_fits(options)  # nothing is left to do
    assert capsys.readouterr().out.count("-- silhouette-0") == 1


def test_networks_go_on_from_one_start(tmp_path):
    pytest.importorskip("lightning")
    options = ablation.Options(
        output=tmp_path, people=16, held_out=2, first_steps=1, steps=1, pixels=32, batch=2,
        warm_up=1, arms=["keypoints", "dsr-corrected"], accelerator="cpu",
    )  # fmt: skip
    ablation.run(options)
    found = ablation.results(options)
    assert set(found) == {"start", "keypoints", "dsr-corrected"}
    made = json.loads((tmp_path / "dsr-corrected-0" / "training.json").read_text())
    assert made["ignore_3d"] and made["semantics"]["mode"] == "hard"
    assert made["start"].endswith("start/dsr.safetensors")


def test_weights_are_measured_again_once_they_are_newer(tmp_path):
    weights, taken = tmp_path / "weights", []
    weights.write_bytes(b"")

    def measure():
        taken.append({"mpjpe": [float(len(taken))]})
        return taken[-1]

    for _ in range(2):
        ablations.keep_errors(tmp_path / "arm", measure, weights)
    assert ablations.kept_errors([tmp_path / "arm", tmp_path / "other"]) == taken[:1] == taken
    written = (tmp_path / "arm" / ablations.ERRORS).stat().st_mtime
    os.utime(weights, (written + 1, written + 1))
    ablations.keep_errors(tmp_path / "arm", measure, weights)
    assert ablations.kept_errors([tmp_path / "arm"]) == [{"mpjpe": [1.0]}]
