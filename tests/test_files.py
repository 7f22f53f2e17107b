"""Files are written whole or not at all."""

import pytest

from regressor.errors import PosecastError
from regressor.files import replacing


def test_a_finished_file_takes_the_place_of_the_older(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("older")
    with replacing(file) as partial:
        partial.write_text("newer")
        assert file.read_text() == "older" and partial.suffix == ".txt"
    assert file.read_text() == "newer" and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, InterruptedError])
def test_when_the_block_fails_nothing_is_left_and_the_error_stays(tmp_path, error):
    with pytest.raises(error), replacing(tmp_path / "a.txt") as partial:
        partial.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_of_the_system_is_one_sentence(tmp_path):
    with (
        pytest.raises(PosecastError, match=r"a\.txt can't be written \(Is a directory\)"),
        replacing(tmp_path / "a.txt") as partial,
    ):
        (tmp_path / "a.txt").mkdir()
        partial.write_text("")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
