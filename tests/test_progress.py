"""Progress: what programs read, what people see."""

import io
import json
import threading

import pytest

from regressor.errors import PosecastError
from regressor.progress import Progress


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def lines_of(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_hold_the_agreed_fields():
    stream = io.StringIO()
    with Progress("json", stream=stream) as progress:
        progress.update("detect", 0, 2)
        progress.update("detect", 2, 2, "one person")
        progress.done("2 frames", ["motion.npz"])
    first, second, last = lines_of(stream)
    assert first["stage"] == "detect" and first["done"] == 0 and first["total"] == 2
    assert second["message"] == "one person"
    assert last["stage"] == "done" and last["outputs"] == ["motion.npz"]
    assert all(
        {"stage", "done", "total", "seconds_left", "message"} <= set(line)
        for line in lines_of(stream)
    )


def test_updates_are_throttled_but_the_last_one_is_never_lost():
    clock, stream = Clock(), io.StringIO()
    progress = Progress("json", stream=stream, clock=clock)
    for step in range(1001):
        clock.now = step / 1000
        progress.update("detect", step, 1000)
    lines = lines_of(stream)
    assert 9 <= len(lines) <= 12
    assert lines[-1]["done"] == 1000 and lines[-1]["seconds_left"] == 0


def test_seconds_left_follows_the_speed_of_late():
    clock, stream = Clock(), io.StringIO()
    progress = Progress("json", stream=stream, clock=clock)
    for step in range(101):  # ten a second, then one a second
        clock.now = step / 10
        progress.update("fit", step, 200)
    assert lines_of(stream)[-1]["seconds_left"] == pytest.approx(10, rel=0.05)
    for step in range(101, 131):
        clock.now += 1.0
        progress.update("fit", step, 200)
    assert lines_of(stream)[-1]["seconds_left"] == pytest.approx(70, rel=0.15)


def test_a_new_stage_forgets_the_old_speed():
    clock, stream = Clock(), io.StringIO()
    progress = Progress("json", stream=stream, clock=clock)
    progress.update("detect", 0, 10)
    clock.now = 1.0
    progress.update("detect", 10, 10)
    progress.update("lift", 0, 10)
    assert lines_of(stream)[-1]["seconds_left"] is None


def test_a_file_gets_the_lines_while_people_see_the_bar(tmp_path):
    stream, file = io.StringIO(), tmp_path / "progress.jsonl"
    with Progress("bar", file=file, stream=stream) as progress:
        progress.update("detect", 3, 3, "found")
        progress.fail("No person was found.")
        progress.done("never said after an error")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["stage"] for line in lines] == ["detect", "error"]
    assert "3/3" in stream.getvalue() and "found" in stream.getvalue()


def test_a_terminal_gets_one_line_drawn_over():
    stream = io.StringIO()
    stream.isatty = lambda: True
    with Progress("bar", stream=stream, clock=iter(range(100)).__next__) as progress:
        for step in range(5):
            progress.update("detect", step, 4)
    text = stream.getvalue()
    assert text.count("\n") == 1 and text.count("\r") == 5 and "s left" in text


def test_none_writes_nothing(tmp_path, capsys):
    with Progress("none", file=tmp_path / "unused") as progress:
        progress.update("detect", 1, 2)
        progress.done("ready")
    assert capsys.readouterr() == ("", "") and not (tmp_path / "unused").exists()


def test_lines_from_many_threads_stay_whole(tmp_path):
    file = tmp_path / "progress.jsonl"
    with Progress("json", file=file, clock=iter(range(10**6)).__next__) as progress:

        def work(name):
            for step in range(200):
                progress.update(name, step, 200)

        threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len([json.loads(line) for line in file.read_text().splitlines()]) == 400


def test_what_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(PosecastError, match="progress file"):
        Progress("json", file=tmp_path / "missing" / "file")
    with pytest.raises(PosecastError, match="progress mode"):
        Progress("loud")  # pyright: ignore[reportArgumentType]


def test_a_reader_that_went_away_stops_the_work():
    class Broken(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(PosecastError, match="stopped"):
        Progress("json", stream=Broken()).update("detect", 0, 1)
