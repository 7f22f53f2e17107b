"""What the estimator of a Python can do: its own list, asked for once and kept. Without bpy."""

import json
import os
from contextlib import suppress
from pathlib import Path

from .estimator import Estimator, EstimatorError

FILE = "methods.json"
FIRST = {
    "methods": [
        {
            "name": "ktpformer",
            "label": "KTPFormer",
            "description": "Lifts keypoints to 3D over a window of frames",
        }
    ],
    "refinements": [],
}

# For whom the methods are, with the weights that come with Posecast (their cards tell the figures).
ADVICE = {
    "ktpformer": "The best start, for videos and pictures: steady, and people stand in place.",
    "mixste": "Much like KTPFormer: worth a try where that goes wrong.",
    "tpc_mixste": "Much like MixSTE, but far slower.",
    "convformer": "A little less exact than KTPFormer: a further try where that goes wrong.",
    "videopose3d": "An older method, a little less exact: to compare with.",
    "dsr": (
        "Looks at the picture, not only at joints. As exact as KTPFormer in videos, less steady; "
        "less exact in pictures."
    ),
    "perspose": (
        "For wide-angle lenses, with their field of view set under Camera. As exact as KTPFormer "
        "in videos, less steady; less exact in pictures."
    ),
}


class Methods:
    """The list of one Python; `folder` keeps it. `query` asks, `poll` sees to the answer."""

    def __init__(self, folder: Path):
        self.file = folder / FILE
        self._query: Estimator | None = None
        self._asked: list | None = None
        kept = _read(self.file)
        self.listed = kept["listed"] if kept else FIRST
        self._key = kept["key"] if kept else None

    def names(self, kind: str) -> list[dict[str, str]]:
        """name, label and description of each of "methods" or "refinements"."""
        return self.listed[kind]

    def label(self, method: str) -> str:
        """A method's name as its authors write it, where it is listed."""
        labels = {item["name"]: item["label"] for item in self.names("methods")}
        return labels.get(method, method)

    def advice(self, method: str) -> str:
        """What a method is good for; nothing where weights of the user's own are in use."""
        own = bool(self._key and self._key[-1])
        return "" if own else ADVICE.get(method, "")

    def refines(self, refinement: str, method: str) -> bool:
        """Whether there is such a refinement, and for this method."""
        return any(
            item["name"] == refinement and method in (item["methods"] or method).split()
            for item in self.names("refinements")
        )

    def query(self, python: Path, weights: str = "") -> bool:
        """Asks the Python for its list, unless it is known; says whether an answer is to come."""
        if self._query is not None:
            return True
        try:
            key = [str(python), _newest(python), weights]
            if key in (self._key, self._asked):
                return False
            self._asked = key
            self.file.parent.mkdir(parents=True, exist_ok=True)
            words = ["--weights", weights] if weights else []
            self._query = Estimator(python, "regressor.methods", words, self.file.parent)
        except (OSError, EstimatorError):
            return False  # estimating will say what is wrong
        return True

    def poll(self) -> bool:
        """Whether an answer is still to come; one that is no list changes nothing."""
        if self._query is None or self._query.running:
            return self._query is not None
        with suppress(OSError, ValueError):
            text = self._query.log.read_text(encoding="utf-8")
            listed = _checked(json.loads(text[text.index("{") :]))
            self.listed, self._key = listed, self._asked
            part = self.file.with_suffix(".part")
            part.write_text(json.dumps({"key": self._key, "listed": listed}), encoding="utf-8")
            part.replace(self.file)
        self.stop()
        return False

    def stop(self) -> None:
        if self._query is not None:
            self._query.cancel()
            self._query = None


def _newest(python: Path) -> int:
    """Changes when something is installed beside the Python."""
    return os.stat(Path(python).parent).st_mtime_ns


def _read(file: Path) -> dict | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(file.read_text(encoding="utf-8"))
        return {"key": kept["key"], "listed": _checked(kept["listed"])}
    return None


def _checked(listed: dict) -> dict:
    """The list with just the texts that menus need; raises ValueError."""
    try:
        checked = {
            kind: [{k: str(item[k]) for k in ("name", "label", "description")} for item in items]
            for kind, items in ((kind, listed[kind]) for kind in ("methods", "refinements"))
        }
        for item, told in zip(checked["refinements"], listed["refinements"], strict=True):
            item["methods"] = str(told.get("methods", ""))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no list of methods: {error}") from None
    if not checked["methods"]:
        raise ValueError("no methods")
    return checked
