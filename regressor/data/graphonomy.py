"""Label pictures beside a data set's images, as DSR lays out what Graphonomy gives.

For `images/0001.jpg` below the data set's folder, `grph_sequences/images/0001.png` is a picture of
the same size in the labels' colours (or of their ids). A person without one is a sample without
labels.
"""

from pathlib import Path

import numpy as np

from regressor.data.tally import Tally
from rendering.labels import read_labels

FOLDER = "grph_sequences"


class LabelMaps:
    """Reads label maps; `tally` counts those that are missing, of a wrong size, or unreadable.

    Each kind is said once. root: the data set's folder.
    """

    def __init__(self, root: Path, folder: str = FOLDER):
        self.root = Path(root) / folder
        self.tally = Tally("missing", "wrong size", "unreadable")

    def file_of(self, imgname: str) -> Path:
        """Where the labels of a picture lie."""
        return (self.root / imgname).with_suffix(".png")

    def read(self, imgname: str, size: tuple[int, ...]) -> np.ndarray | None:
        """The ids (H, W) uint8 for a picture of `size` (H, W); None where there are none to use."""
        file = self.file_of(imgname)
        if not file.is_file():
            self.tally.add("missing", f"{file} is missing: {imgname} is used without labels.")
            return None
        try:
            labels = read_labels(file)
        except ValueError as error:
            self.tally.add("unreadable", f"{error}: {imgname} is used without labels.")
            return None
        if labels.shape != tuple(size):
            theirs, ours = (f"{n[1]} x {n[0]}" for n in (labels.shape, size))
            self.tally.add(
                "wrong size",
                f"{file} is {theirs} px, its picture {ours}: {imgname} is used without labels.",
            )
            return None
        return labels
