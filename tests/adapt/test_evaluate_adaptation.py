"""The comparison of UAO and PoseDA by one command, on tiny motion capture."""

import json

import pytest

from regressor import checkpoints
from regressor.errors import PosecastError
from scripts import evaluate_adaptation as script
from tests.data import cmu

pytest.importorskip("lightning")
pytest.importorskip("tensorboard")


@pytest.fixture
def options(tmp_path) -> script.Options:
    cmu.write(
        tmp_path / "cmu_motion.npz", lengths=(60,) * 5, subjects=(2, 5, 29, 55, 60)
    )  # source, two for the target's keypoints, two to test on
    return script.Options(
        tmp_path / "cmu_motion.npz", tmp_path / "out", frames=3, seeds=(0,), steps=2,
        further=2, lpa_steps=2, lpa_batch=4, batch=4, shapes=1, test_frames=16,
    )  # fmt: skip


def check_trainings(options):
    """Arms go on from the same weights for equally many steps, with one generator."""
    folder = options.output / "screen-0"
    cards = {
        arm: checkpoints.read_metadata(folder / f"{arm}.safetensors")["card"]
        for arm in ("start", *script.TRAINED)
    }
    assert cards.pop("start")["adapted"]["start"] is None
    assert {card["adapted"]["start"] for card in cards.values()} == {"start.safetensors"}
    assert {card["steps"] for card in cards.values()} == {options.further}
    assert len(list(options.output.rglob("generator.safetensors"))) == 1


def test_every_arm_is_measured_once(options, monkeypatch, capsys):
    with pytest.raises(PosecastError, match="Nothing is done"):
        script.report(options)
    script.run(options)
    told = json.loads((options.output / "adaptation.json").read_text())
    assert list(told["rows"]) == ["screen", "centred"]
    for rows in told["rows"].values():
        assert [row["arm"] for row in rows] == list(script.ARMS)
        assert all(row["frames"] == 16 and row["mpjpe"]["mean"] > 0 for row in rows)
        home, alone, uao = rows[:3]
        assert len({row["bones"]["mean"] for row in (home, alone, uao)}) == 3
    text = (options.output / "adaptation.md").read_text()
    assert all(f"| {arm} | 1 |" in text for arm in script.ARMS) and text.count(" %)") == 30
    assert text in capsys.readouterr().out
    check_trainings(options)

    def never(*args):
        raise AssertionError("done before")

    monkeypatch.setattr(script, "measure", never)
    script.run(options)


def test_films_are_low_and_high_and_wide(options):
    films = script.films((55, 60), options, 2)
    assert [one.subject for one in films] == ["55", "60"]
    wide = [one.width / one.intrinsics[0, 0] for one in films if one.intrinsics is not None]
    assert wide == pytest.approx([2 * 0.7002, 2 * 0.8391], abs=1e-3)  # 70 and 80 degrees
    short = script.shortened(films, 15)
    assert sum(map(len, short)) == pytest.approx(15, abs=2)
