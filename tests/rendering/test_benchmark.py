"""The command that times the rasterisers: what it refuses, in a sentence."""

import pytest

from scripts import benchmark_rendering as benchmark


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"size": 0}, "above 0"),
        ({"batches": (1, 0)}, "above 0"),
        ({"device": "gramophone"}, "no device 'gramophone'"),
    ],
)
def test_what_cannot_be_timed_is_one_sentence(wrong, sentence):
    with pytest.raises(SystemExit, match=sentence):
        benchmark.main(benchmark.Options(**wrong))
