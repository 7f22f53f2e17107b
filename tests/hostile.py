"""Pickles that try to run something; each would leave a file behind if it could."""

import builtins
import os
import pickle
import subprocess
from pathlib import Path
from typing import Any

import numpy as np


class Call:
    """Pickles as a call of `function` with `arguments`, and a state if one is given."""

    def __init__(self, function, *arguments, state=None):
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.reduced


def gadgets(marker: Path) -> dict[str, Any]:
    """Objects by name whose unpickling would make `marker`."""
    touch, code = f"touch '{marker}'", f"open({str(marker)!r}, 'w')"
    return {
        "os.system": Call(os.system, touch),
        "subprocess": Call(subprocess.call, ["touch", str(marker)]),
        "eval": Call(eval, code),
        "exec": Call(exec, code),
        "getattr": Call(getattr, Call(builtins.__import__, "os"), "system"),
        "import": Call(__import__, "antigravity"),
        "open": Call(open, str(marker), "w"),
        "path": Call(Path.touch, marker),
        "numpy.load": Call(np.load, str(marker), None, True),
        "numpy.fromfile": Call(np.memmap, str(marker), "uint8", "w+", 0, (4,)),
        "numpy runstring": Call(np.save, str(marker), np.zeros(2)),
        "in a list": [1, {"deep": (2, Call(os.system, touch))}],
        "in an array": np.array([Call(os.system, touch)], dtype=object),
        "nested pickle": Call(pickle.loads, pickle.dumps(Call(os.system, touch))),
    }


def raw(marker: Path) -> dict[str, bytes]:
    """Pickles written by hand, which no `__reduce__` makes, by name."""
    touch = f"touch '{marker}'".encode()
    return {
        "old instance": b"(S'" + touch.replace(b"'", b"\\'") + b"'\nios\nsystem\n.",
        "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0ef2py.os.system\x93\x8c"
        + bytes([len(touch)])
        + touch
        + b"\x85R.",
        "any class by copyreg": b"ccopy_reg\n_reconstructor\n(csubprocess\nPopen\n"
        b"c__builtin__\nobject\nNtR(dS'args'\nS'x'\nsb.",
        "state for a class": b"cchumpy.ch\nCh\n(dS'__array__'\nc_codecs\nencode\nsb.",
        "numbered name": b"\x80\x02\x82\x01.",
    }
