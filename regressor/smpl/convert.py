"""Rewrites an SMPL file as a plain .npz, for programs without the restricted unpickler.

python -m regressor.smpl.convert SMPL_NEUTRAL.pkl --output body.npz
"""

import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from regressor.errors import PosecastError
from regressor.files import replacing
from regressor.smpl.body import FIELDS, read_arrays


@dataclass
class Options:
    """Options of `convert`."""

    file: Annotated[Path, tyro.conf.Positional]
    """An SMPL body, .pkl or .npz."""
    output: Path
    """The .npz to write."""


def convert(file: Path, output: Path) -> None:
    """Writes SMPL's own fields of `file`, the first ten shape directions, without pickles.

    Raises FileFormatError where `file` is no body, PosecastError where `output` can't be written.
    """
    arrays = read_arrays(file)
    kept: dict[str, Any] = {name: arrays[name] for name in (*FIELDS, "posedirs") if name in arrays}
    kept["shapedirs"] = kept["shapedirs"][:, :, :10]
    archive = io.BytesIO()  # NumPy's own writing to a full disk ends in a traceback
    np.savez_compressed(archive, **kept)
    with replacing(output) as beside:
        beside.write_bytes(archive.getbuffer())


def main() -> None:
    options = tyro.cli(Options, prog="python -m regressor.smpl.convert", description=__doc__)
    try:
        convert(options.file, options.output)
    except PosecastError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
