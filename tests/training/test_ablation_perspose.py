"""The ablation of PersPose's two ideas: its arms, its table, and that it goes on."""

import json

import numpy as np
import pytest

from scripts import ablation_perspose as ablation


def errors_file(folder, mean, seed=0):
    """Errors that grow off the axis, of people spread over all classes."""
    rng = np.random.default_rng(seed)
    off_deg = np.linspace(0, 59, 80)
    values = {name: (mean + off_deg + rng.normal(0, 1, 80)).tolist() for name in ablation.MEASURES}
    values |= {
        "off_deg": off_deg.tolist(), "off": np.linspace(0, 0.99, 80).tolist(),
        "fov_deg": rng.permutation(np.linspace(25, 110, 80)).tolist(),
        "steps": 7, "minutes": 0.1, "samples_per_step": 4,
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "errors.json").write_text(json.dumps(values))


def test_the_table_tells_errors_by_camera_and_place(tmp_path):
    errors_file(tmp_path / "neither", 200)
    errors_file(tmp_path / "both", 180, seed=1)
    ablation.report(ablation.Options(output=tmp_path))
    rows = {row["arm"]: row for row in json.loads((tmp_path / "ablation.json").read_text())["rows"]}
    assert set(rows) == {"neither", "both"}
    assert rows["both"]["mpjpe_gain"]["mean"] == pytest.approx(-20, abs=0.5)
    assert 0.05 < rows["both"]["mpjpe_gain"]["error"] < 0.5
    means = [one["mean"] for one in rows["neither"]["mpjpe_by_off_deg"]]
    assert means == sorted(means) and means[-1] - means[0] > 30
    for by in ablation.BY:
        assert sum(one["count"] for one in rows["both"][f"mpjpe_by_{by}"]) == 80
    written = (tmp_path / "ablation.md").read_text()
    assert "| PE + PR | 7 | 0.1 |" in written and "| 85-110 |" in written
    assert (tmp_path / "ablation.png").stat().st_size > 1000


def test_no_arm_at_all_is_told(tmp_path, capsys):
    ablation.report(ablation.Options(output=tmp_path))
    assert "No arm is done" in capsys.readouterr().out
    assert not (tmp_path / "ablation.png").exists()


def test_arms_learn_from_the_same_people_and_are_left_once_done(tmp_path, capsys):
    pytest.importorskip("lightning")
    options = ablation.Options(
        output=tmp_path, people=16, held_out=4, steps=1, pixels=32, batch=2, backbone="w8",
        arms=["neither", "both"], accelerator="cpu",
    )  # fmt: skip
    ablation.run(options)
    found = ablation.results(options)
    assert set(found) == {"neither", "both"}
    assert (found["neither"]["off"] == found["both"]["off"]).all()
    assert (found["neither"]["mpjpe"] != found["both"]["mpjpe"]).any()
    assert not list(tmp_path.glob("*/people"))  # all lie in one folder
    made = {arm: json.loads((tmp_path / arm / "training.json").read_text()) for arm in found}
    apart = {name for name in made["both"] if made["both"][name] != made["neither"][name]}
    assert apart == {"encoding", "rotation"}
    ablation.run(options)  # nothing is left to do
    assert capsys.readouterr().out.count("-- both") == 1
