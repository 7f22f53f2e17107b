"""An iterator that works ahead in a thread, so that making items overlaps with using them."""

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def read_ahead(items: Iterator[Item], depth: int) -> Generator[Item, None, None]:
    """The same items in order, at most `depth` of them made before they are asked for.

    What `items` raises is raised here. The thread ends with the items, or when this iterator is
    closed (closing, an exception or Ctrl-C in the loop over it); `items` is closed in either case.
    """
    waiting: queue.Queue = queue.Queue(depth)
    stopped = threading.Event()
    thread = threading.Thread(
        target=_work, args=(items, waiting, stopped), name="read ahead", daemon=True
    )
    thread.start()
    try:
        while True:
            try:
                # The timeout lets Ctrl-C through on every platform.
                item, error = waiting.get(timeout=0.5)
            except queue.Empty:
                continue
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        stopped.set()
        thread.join(timeout=10)


_END = object()


def _work(items: Iterator, waiting: queue.Queue, stopped: threading.Event) -> None:
    try:
        for item in items:
            if not _put((item, None), waiting, stopped):
                break
        _put((_END, None), waiting, stopped)
    except BaseException as error:  # for the reader, who raises it
        _put((None, error), waiting, stopped)
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


def _put(item: object, waiting: queue.Queue, stopped: threading.Event) -> bool:
    while not stopped.is_set():
        try:
            waiting.put(item, timeout=0.1)
            return True
        except queue.Full:
            continue
    return False
