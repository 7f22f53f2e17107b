"""Ends a command at once: on Ctrl-C, on SIGTERM, or when the program that started it is gone.

Networks compute for seconds without coming back to Python, and an exception thrown into the midst
of them would wait as long. So a thread waits for the signals, tells the reason, removes what is
half-written, and ends the process. This module imports little, so that a command can listen before
it imports anything that takes time.
"""

import os
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regressor.progress import Progress

SENTENCE = "Stopped; nothing was written."
_TELLING_S = 0.5  # a reader who reads no more doesn't keep us


class Listener:
    """Ends this process, with exit status 130 for Ctrl-C and 143 for SIGTERM."""

    def __init__(self) -> None:
        self.progress: Progress | None = None  # which is told of the end as well
        self._errors = -1
        with suppress(OSError):  # there may be no standard error
            # Libraries that are being loaded may have put something else in its place by then.
            self._errors = os.dup(2)
        self._told, told_by_system = os.pipe()
        os.set_blocking(told_by_system, False)
        signal.set_wakeup_fd(told_by_system, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda *_: None)
        _in_background(self._wait_for_signals)

    def end_with_parent(self) -> None:
        """From now on, the end of standard input ends this process's group as well."""
        _in_background(self._wait_for_parent)

    def _wait_for_signals(self) -> None:
        while True:
            number = os.read(self._told, 1)[0]
            if number in (signal.SIGINT, signal.SIGTERM):
                self._end(SENTENCE, 128 + number)

    def _wait_for_parent(self) -> None:
        with suppress(OSError):
            while os.read(0, 4096):
                pass
        self._end("Stopped, because the program that started this one is gone.", 143, group=True)

    def _end(self, sentence: str, status: int, group: bool = False) -> None:
        if self.progress is not None and self.progress.ended:
            return  # the work is done, and the process about to end by itself
        telling = _in_background(self._tell, sentence)
        telling.join(_TELLING_S)
        # What it started goes with it, if the group is its own.
        if group and os.name == "posix" and os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(status)

    def _tell(self, sentence: str) -> None:
        from regressor.files import finished, remove_partial_files

        remove_partial_files()
        if sentence == SENTENCE and (count := finished()):
            sentence = f"Stopped; {count} finished {'file stays' if count == 1 else 'files stay'}."
        with suppress(Exception):  # whatever goes wrong now, the end comes
            if self.progress is not None:
                self.progress.fail(sentence)
        with suppress(OSError):
            os.write(self._errors, f"{sentence}\n".encode())
            sys.stdout.flush()


def _in_background(work, *arguments) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    thread.start()
    return thread
