"""A quick look at who is in a video or a picture: `python -m regressor.look VIDEO -o look.png`.

Draws numbered boxes on one frame, 1 the largest, and writes beside the picture what it shows.
"""

if __name__ == "__main__":  # Ctrl-C is answered from here on, also while the rest is imported
    from regressor.stopping import Listener

    listener = Listener()

import json
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import tyro

from regressor import command
from regressor.errors import NoPersonError, VideoError
from regressor.files import replacing
from regressor.progress import Progress

if TYPE_CHECKING:
    from regressor.detection import Detector, Pose
    from regressor.video import Video, VideoFrame

FRAMES = 7  # looked at, evenly over the range
WIDEST_PX = 1280
COLOURS = ["#ffb000", "#648fff", "#dc267f", "#2fd08c", "#fe6100", "#b79cff"]


@dataclass
class Options(command.Reporting):
    """Options of `look`."""

    video: Annotated[Path, tyro.conf.Positional]
    """The video or picture to look at."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("look.png")
    """The picture to write; beside it, the same name with .json says where everybody is."""
    start: float | None = None
    """Seconds into the video to begin at."""
    end: float | None = None
    """Seconds into the video to end at."""
    detector: Literal["mediapipe", "rtmlib"] = "mediapipe"
    """What finds people."""
    detector_models: list[Path] = field(default_factory=list)
    """Model files for rtmlib: the pose model, or the person detector and the pose model."""


@dataclass
class Sight:
    """A frame and the people in it, the largest first."""

    frame: "VideoFrame"
    people: "list[Pose]"

    def worth(self) -> tuple[int, float]:
        """More people are worth more; of as many, those who are seen clearest."""
        clear = [float(person.confidence.mean()) * person.score for person in self.people]
        return len(self.people), sum(clear)


def look(options: Options, progress: Progress) -> tuple[str, list[Path]]:
    """Writes the picture and the .json; returns what to tell, and the files."""
    command.check_output(options.output, ".png", "a picture")
    from regressor import detection
    from regressor.stills import open_source

    video = open_source(options.video)
    models = detection.models_of(options.detector, options.detector_models)
    progress.update("look", 0, FRAMES)
    with closing(detection.create(options.detector, **models)) as detector:
        best = best_sight(video, detector, options.start, options.end, progress)
    facts = told(best, video)
    described = options.output.with_suffix(".json")
    with replacing(described) as partial:
        partial.write_text(json.dumps(facts, indent=1) + "\n")
    with replacing(options.output) as partial:
        draw(best.frame.image, facts["people"]).save(partial)
    count = len(best.people)
    who = "1 person is" if count == 1 else f"{count} people are"
    return f"{who} seen at {best.frame.time:.2f} s.", [options.output, described]


def best_sight(
    video: "Video", detector: "Detector", start: float | None, end: float | None, progress: Progress
) -> Sight:
    """The best of some frames; raises NoPersonError when nobody is in any."""
    from regressor.detection.track import without_duplicates
    from regressor.stills import Still

    sights, refusal = [], None
    times = times_to_look_at(video, start, end)
    spans = [(time, time + 0.5 / video.info.fps) for time in times]
    for i, span in enumerate([(start, end)] if isinstance(video, Still) else spans):
        try:
            frame = next(video.frames(*span))
        except VideoError as error:  # a file may say that it is longer than it is
            refusal = error
            continue
        detector.reset()
        people = without_duplicates(detector(frame))
        sights.append(Sight(frame, sorted(people, key=lambda person: -area(person.box))))
        progress.update("look", i + 1, FRAMES)
    if refusal and not sights:
        raise refusal
    best = max(sights, key=Sight.worth)
    if not best.people:
        raise NoPersonError(
            f"No person was found in {len(sights)} frames of {video.path.name}; choose a part of "
            "it in which a whole person can be seen."
        )
    return best


def times_to_look_at(video: "Video", start: float | None, end: float | None) -> list[float]:
    """FRAMES times on the video's own frames, or fewer in a short one, in seconds."""
    first, fps = max(0.0, start or 0.0), video.info.fps
    last = video.info.duration_s if video.info.duration_s is not None else first + 1.0
    last = min(last, end) if end is not None else last
    if end is not None and end <= first:
        raise VideoError(f"The end ({end:g} s) must lie after the start ({first:g} s).")
    steps = (np.arange(FRAMES) + 0.5) / FRAMES * max(0.0, last - first)
    frames = sorted({int((first + step) * fps + 1e-6) for step in steps})
    return [max(first, frame / fps) for frame in frames]


def area(box: np.ndarray) -> float:
    return float(np.prod(np.maximum(box[2:] - box[:2], 0)))


def told(sight: Sight, video: "Video") -> dict[str, Any]:
    """What the .json says; boxes in pixels of the video's upright picture."""
    info, limits = video.info, np.array([video.info.width, video.info.height] * 2)
    boxes = [np.clip(person.box, 0, limits).round(1).tolist() for person in sight.people]
    return {
        "time": round(sight.frame.time, 4),
        "frame": round(sight.frame.time * info.fps),
        "width": info.width,
        "height": info.height,
        "people": [{"number": i + 1, "box": box} for i, box in enumerate(boxes)],
        "fps": info.fps,
        "frames": info.frames_estimate,
    }


def draw(pixels: np.ndarray, people: list[dict[str, Any]]) -> Any:
    """A picture (PIL's) of at most WIDEST_PX, each of `people` in a box with a large number."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(pixels)
    scale = min(1.0, WIDEST_PX / picture.width)
    if scale < 1:
        picture = picture.resize((WIDEST_PX, round(scale * picture.height)), Image.Resampling.BOX)
    side = max(24, round(0.08 * min(picture.size)))  # of a number's badge
    font, line = ImageFont.load_default(0.8 * side), max(2, side // 12)
    canvas = ImageDraw.Draw(picture)
    taken: list[tuple[float, float]] = []
    for person in people:
        colour = COLOURS[(person["number"] - 1) % len(COLOURS)]
        canvas.rectangle([scale * edge for edge in person["box"]], outline=colour, width=line)
    for person in people:
        colour = COLOURS[(person["number"] - 1) % len(COLOURS)]
        x, y = badge_place([scale * edge for edge in person["box"]], side, picture.size, taken)
        corners = [x, y, x + side, y + side]
        canvas.rounded_rectangle(corners, side // 4, colour, outline="black", width=line)
        middle = (x + side / 2, y + side / 2)
        canvas.text(middle, str(person["number"]), "black", font, anchor="mm")
    return picture


def badge_place(
    box: list[float], side: int, size: tuple[int, int], taken: list[tuple[float, float]]
) -> tuple[float, float]:
    """Top left corner of a badge: on top of its box, in the picture, off those in `taken`."""
    x = min(max(box[0], 0), size[0] - side)
    y = min(max(box[1] - side, 0), size[1] - side)
    while any(abs(x - other[0]) < side and abs(y - other[1]) < side for other in taken):
        if y + 2 * side > size[1]:
            break
        y += side
    taken.append((x, y))
    return x, y


def main(listener: "Listener | None" = None) -> None:
    """The command, with `regressor.estimate`'s exit statuses."""
    options = tyro.cli(Options, prog="python -m regressor.look", description=__doc__)
    reads, writes = [options.video, *options.detector_models], [options.output]
    writes.append(options.output.with_suffix(".json"))
    command.run(options, lambda progress: look(options, progress), listener, reads, writes)


if __name__ == "__main__":
    main(listener)
