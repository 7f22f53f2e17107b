"""Working ahead in a thread: in order, bounded, and ended in every way that a loop ends."""

import time

import pytest

from regressor.read_ahead import read_ahead


def counted(made: list[int], count: int = 100):
    for i in range(count):
        made.append(i)
        yield i


def test_all_items_in_order():
    assert list(read_ahead(counted([]), 3)) == list(range(100))


def test_no_more_is_made_than_asked_for():
    made: list[int] = []
    items = read_ahead(counted(made), 3)
    next(items)
    time.sleep(0.3)
    # One used, three waiting, one in the hands of the thread.
    assert 4 <= len(made) <= 5
    items.close()


def test_an_error_comes_through_after_what_was_made():
    def failing():
        yield 1
        raise ValueError("broken")

    items = read_ahead(failing(), 3)
    assert next(items) == 1
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_closing_closes_the_source():
    closed = []

    def source():
        try:
            yield from range(1000)
        finally:
            closed.append(True)

    items = read_ahead(source(), 2)
    next(items)
    items.close()
    assert closed == [True]
