"""Files as joblib.dump writes them (1.2 and later), without joblib: its layout, byte for byte."""

import gzip
import io
import pickle
import sys
import types
import zlib
from pathlib import Path
from typing import Any

import numpy as np

ALIGNMENT = 16


class NumpyArrayWrapper:
    """Stands before an array's bytes; pickled under joblib's name."""


NumpyArrayWrapper.__module__ = "joblib.numpy_pickle"


class Pickler(pickle._Pickler):
    """Writes arrays as a note and their bytes."""

    def __init__(self, file: io.BytesIO):
        super().__init__(file, protocol=4)
        self.stream = file

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if type(obj) is not np.ndarray:
            return super().save(obj, save_persistent_id)
        fortran = obj.flags.f_contiguous and not obj.flags.c_contiguous
        note = NumpyArrayWrapper()
        note.__dict__ = {
            "subclass": np.ndarray,
            "shape": obj.shape,
            "order": "F" if fortran else "C",
            "dtype": obj.dtype,
            "allow_mmap": not obj.dtype.hasobject,
            "numpy_array_alignment_bytes": ALIGNMENT,
        }
        super().save(note)
        self.framer.commit_frame(force=True)
        if obj.dtype.hasobject:
            pickle.dump(obj, self.stream, protocol=5)
        else:
            padding = ALIGNMENT - (self.stream.tell() + 1) % ALIGNMENT
            self.stream.write(bytes([padding]) + b"\xff" * padding)
            self.stream.write(obj.tobytes("F" if fortran else "C"))


def dump(content: Any, file: Path, compress: str = "") -> Path:
    """`content` as joblib writes it, plain or compressed by "zlib" or "gzip"."""
    stream = io.BytesIO()
    modules = {name: types.ModuleType(name) for name in ("joblib", "joblib.numpy_pickle")}
    setattr(modules["joblib.numpy_pickle"], "NumpyArrayWrapper", NumpyArrayWrapper)  # noqa: B010
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        Pickler(stream).dump(content)
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    pack = {"": bytes, "zlib": zlib.compress, "gzip": gzip.compress}[compress]
    file.write_bytes(pack(stream.getvalue()))
    return file
