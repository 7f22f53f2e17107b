"""The command that times PersPose: its table, and what it refuses."""

import json

import pytest

from regressor.errors import PosecastError
from scripts import benchmark_perspose as benchmark


def test_each_way_is_a_row(tmp_path, capsys):
    file = tmp_path / "f.json"
    benchmark.run(benchmark.Options(("w8",), (1, 2), 32, seconds=0, device="cpu", output=file))
    rows = json.loads(file.read_text())["rows"]
    assert [(row["backbone"], row["batch"], row["mirrored"]) for row in rows] == [
        ("w8", batch, mirrored) for batch in (1, 2) for mirrored in (False, True)
    ]
    assert all(row["fps"] > 0 for row in rows)
    assert len(capsys.readouterr().out.splitlines()) == 2 + len(rows)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [({"batches": (0,)}, "above 0"), ({"backbones": ("w9",)}, "no backbone w9: choose w48")],
)
def test_what_cannot_be_timed_is_one_sentence(wrong, sentence):
    with pytest.raises(PosecastError, match=sentence):
        benchmark.run(benchmark.Options(device="cpu", **wrong))
