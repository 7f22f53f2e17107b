"""How the C library deals with the memory of networks on a processor.

It gives each large piece back to the system as soon as it is free, and has it cleared when it is
asked for again. A network asks for its intermediate results anew at every call: where these are
some hundred kilobytes each, that takes up to half of the time.
"""

import ctypes
import sys

# Of mallopt, in glibc's malloc.h: when free memory at the end is given back, by how much more than
# asked for the heap grows, and from what size on a piece is mapped by itself (the most it allows).
_SETTINGS = {-1: 2**30, -2: 2**26, -3: 2**25}


def keep_memory() -> None:
    """Lets this process keep what it has freed, for its next use. Does nothing but on glibc."""
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        for name, value in _SETTINGS.items():
            mallopt(name, value)
